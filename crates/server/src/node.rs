//! One node: recovered, running, drained. The order in which its parts start and stop is here and nowhere else.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use broker::{Broker, CERTIFICATE_EXPIRY, Handle, Post, RecoveredCounts, Recovery};
use log_api::Log;
use policy_backends::{SignIn, UserStore};
use rustix::fs::Access;
use settings::{AnonymousAccess, Settings};
use stdx::UnixMillis;

use crate::backend::BrokerBackend;
use crate::backup::Backups;
use crate::{access, greeting, mapping};

/// How long the last spans may take to reach their collector when the process ends.
const TRACES_FLUSH_MAX: Duration = Duration::from_secs(2);

/// A running node.
pub(crate) struct Node {
    net: net::Running,
    admin: Option<admin::Running>,
    handle: Handle,
    log: Arc<dyn Log>,
    draining: Arc<AtomicBool>,
    sign_in: SignIn,
    exporter: Option<telemetry::Exporter>,
}

/// Starts a node: addresses first, then the log and what it tells, then the threads.
pub(crate) fn start(settings: &Settings, version: &'static str) -> Result<Node> {
    let began = Instant::now();
    let mut config = mapping::broker(settings)?;
    config.version = version;
    let (tracer, exporter) = traces(settings, version)?.unzip();
    config.tracer = tracer.clone();
    let mut net_config = mapping::net(settings)?;
    let bound = net::bind(&net_config).map_err(|error| cannot_listen(&error))?;
    make_data_dir(&settings.data_dir)?;
    let opened = log_disk::open(log_config(settings, config.shards))?;
    let sign_in = sign_in(settings)?;
    config.authenticator = Arc::new(sign_in.clone());
    let mut recovery = Recovery::new(opened.checkpoint.as_ref())?;
    let mut ready =
        opened.replay.run(&mut |kind, position, _, body| recovery.visit(kind, position, body))?;
    let recovered = recovery.finish();
    ready.release(&recovered.released);
    ready.hold(&recovered.held);
    let RecoveredCounts { queues, waiting, streams, kept, sessions, retained } = recovered.counts();
    let post = Post::new(config.shards);
    let disk_log = ready.start(Arc::new(post.clone()));
    let backups = Backups::new(Arc::clone(&disk_log), settings.data_dir.clone(), version);
    let log: Arc<dyn Log> = disk_log;
    let shards = config.shards;
    let Broker { handle, shards: built, memory } =
        broker::open(config, post.clone(), Arc::clone(&log), recovered, seed()?, unix_now());
    net_config.memory = memory;
    let told = handle.clone();
    let anonymous = settings.auth.anonymous;
    let had_users = AtomicBool::new(sign_in.store().has_others_than_admin());
    sign_in.on_change(move |store| {
        let has_users = store.has_others_than_admin();
        let is_turn = had_users.swap(has_users, Ordering::Relaxed) != has_users;
        if is_turn && anonymous == AnonymousAccess::Loopback {
            access::say_rule(anonymous, has_users);
        }
        told.users_changed();
    });
    let draining = Arc::new(AtomicBool::new(false));
    let net = net::start(bound, net_config, built, &post).context("cannot start the shards")?;
    let backend = BrokerBackend {
        handle: handle.clone(),
        net: net.handle().clone(),
        defaults: crate::queue_properties::defaults(settings),
        stream_defaults: crate::stream_properties::defaults(settings),
        draining: Arc::clone(&draining),
        backups,
        tracer,
    };
    let admin = if settings.http.enabled {
        let config = admin::Config::new(settings.http.bind, version);
        let token = admin::AdminToken::load_or_create(&settings.data_dir)?;
        Some(admin::build(config, token, sign_in.clone(), Arc::new(backend))?.run())
    } else {
        None
    };
    let elapsed_ms = began.elapsed().as_millis();
    tracing::info!(
        version, shards, queues, waiting, streams, kept, sessions, retained, elapsed_ms, "started"
    );
    Ok(Node { net, admin, handle, log, draining, sign_in, exporter })
}

fn unix_now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What the system says of an address, and what to do about it.
fn cannot_listen(error: &net::BindError) -> anyhow::Error {
    let next_step = match error.source.kind() {
        ErrorKind::AddrInUse => {
            "; another program has that port, perhaps another broker: stop it, or"
        }
        ErrorKind::AddrNotAvailable => "; this machine does not have that address:",
        ErrorKind::PermissionDenied => "; ports below 1024 need a privilege:",
        _ => ";",
    };
    anyhow!("{error}{next_step} set listeners.{}.bind to another address", error.name)
}

/// Makes the data directory, if need be, for this user alone: messages and secrets lie in it.
fn make_data_dir(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    let writable = made.and_then(|()| {
        rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(Into::into)
    });
    writable.with_context(|| {
        format!(
            "cannot use the data directory {}: give one that this user can write, with --data-dir",
            path.display()
        )
    })
}

/// Who signs clients and operators in, over the data directory, whose lock the log holds by now.
fn sign_in(settings: &Settings) -> Result<SignIn> {
    let data_dir = &settings.data_dir;
    let config = mapping::sign_in(settings);
    let (store, first_password) = UserStore::open(data_dir, config.scram_iterations)
        .with_context(|| format!("cannot use the credentials in {}", data_dir.display()))?;
    if let Some(password) = first_password {
        // At once: it is kept nowhere, and what follows may fail.
        greeting::print_password(password.reveal());
    }
    SignIn::start(config, store).context("cannot start the threads that sign clients in")
}

fn log_config(settings: &Settings, shards: u16) -> log_disk::Config {
    log_disk::Config {
        segment_bytes: u32::try_from(settings.log.segment_size).unwrap_or(u32::MAX),
        checkpoint_every_bytes: settings.log.checkpoint_every,
        relaxed_sync_interval: settings.log.sync_interval,
        reserve_bytes: u32::try_from(settings.log.reserve).unwrap_or(u32::MAX),
        ..log_disk::Config::new(&settings.data_dir, shards)
    }
}

/// Random numbers that nobody outside knows.
/// What traces messages and what sends the spans, if the settings say where to.
fn traces(
    settings: &Settings,
    version: &'static str,
) -> Result<Option<(telemetry::Tracer, telemetry::Exporter)>> {
    let otlp = &settings.otlp;
    let Some(endpoint) = otlp.endpoint.clone() else { return Ok(None) };
    let [seed, _] = seed()?;
    let config = telemetry::OtlpConfig {
        endpoint,
        service_name: otlp.service_name.clone(),
        version,
        sample_ratio: f64::from(otlp.sample_millionths) / 1e6,
        headers: otlp.headers.clone(),
        timeout: otlp.timeout,
        seed,
    };
    telemetry::start_exporter(config).context("cannot start the thread of traces").map(Some)
}

fn seed() -> Result<[u64; 2]> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    let number = u128::from_le_bytes(bytes);
    Ok([number as u64, (number >> 64) as u64])
}

impl Node {
    /// The listeners' names and addresses, the HTTP one last.
    pub(crate) fn addresses(&self) -> Vec<(String, net::Address)> {
        let mut addresses = self.net.addresses().to_vec();
        addresses.extend(
            self.admin.as_ref().map(|admin| ("http".to_owned(), admin.local_addr().into())),
        );
        addresses
    }

    /// Whether users are set up beside the one of the first start.
    pub(crate) fn has_users(&self) -> bool {
        self.sign_in.store().has_others_than_admin()
    }

    /// Reads again what can be read again while serving: certificates and users.
    pub(crate) fn reload(&self) {
        tracing::info!("certificates and users are read again; any other change needs a restart");
        match self.sign_in.reload() {
            Ok(()) => tracing::info!(users = self.sign_in.store().users().len(), "users in force"),
            Err(error) => tracing::error!("{error}; the users from before stay in force"),
        }
        for (listener, outcome) in self.net.handle().reload_tls() {
            match outcome {
                Ok(()) => tracing::info!(listener, "certificate in use for new connections"),
                Err(error) => {
                    tracing::error!(listener, "{error}; the certificate from before stays in use");
                }
            }
        }
        self.say_concerns();
    }

    /// Says what somebody should do something about: certificates that end soon.
    pub(crate) fn say_concerns(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        for (listener, concern) in self.net.handle().concerns(now) {
            tracing::warn!(listener, "{concern}");
        }
        let mut urgent: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (listener, concern) in self.net.handle().urgent_concerns(now) {
            urgent.entry(listener).or_default().push(concern);
        }
        let alarms = self.handle.alarms();
        let listeners: Vec<&str> = urgent.keys().copied().collect();
        alarms.clear_others(CERTIFICATE_EXPIRY, &listeners);
        for (listener, concerns) in urgent {
            alarms.raise(unix_now(), CERTIFICATE_EXPIRY, listener, concerns.join("; "));
        }
    }

    /// Whether a thread has ended that should not have.
    pub(crate) fn has_failed(&self) -> bool {
        self.net.has_failed()
    }

    /// Says goodbye to everyone, stores everything, stops everything.
    pub(crate) fn drain(self, timeout: Duration) -> Result<()> {
        self.draining.store(true, Ordering::Relaxed);
        self.net.close_listeners();
        let (sender, receiver) = mpsc::channel();
        self.handle.drain(move || {
            let _ = sender.send(());
        });
        let deadline = Instant::now() + timeout;
        for _ in 0..self.handle.shards() {
            let left = deadline.saturating_duration_since(Instant::now());
            if receiver.recv_timeout(left).is_err() {
                tracing::warn!("the drain took longer than server.shutdown_timeout");
                break;
            }
        }
        // A checkpoint makes the next start quick; what was acknowledged is on disk without it.
        let before = self.log.stats().checkpoints_total;
        self.log.request_checkpoint();
        while self.log.stats().checkpoints_total == before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        if let Some(admin) = self.admin {
            admin.shutdown();
        }
        self.log.shutdown();
        let stopped = self.net.stop().context("a shard ended badly");
        if let Some(exporter) = self.exporter {
            exporter.stop(TRACES_FLUSH_MAX);
        }
        stopped
    }
}
