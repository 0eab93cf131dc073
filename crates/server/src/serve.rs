//! The commands `serve` and `check`: settings in, exit code out.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use settings::{LogFormat, LogLevel, Settings, Sources};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::limits::raise_open_files;
use crate::node;

/// How often the main thread looks whether all shards live.
const WATCH: Duration = Duration::from_secs(1);

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The config file.
    pub config: Option<PathBuf>,
    /// What stood behind each `--set`, and `data_dir=…` for `--data-dir`.
    pub set: Vec<String>,
    /// The version, for what the broker says of itself.
    pub version: &'static str,
}

/// Checks the configuration and prints what is wrong with it.
#[must_use]
pub fn check(options: &Options) -> ExitCode {
    match Sources::of_process(options.config.clone(), options.set.clone()).load() {
        Ok(loaded) => {
            for value in loaded.effective() {
                println!("{} = {}  # {}", value.key, value.value, value.origin);
            }
            println!("configuration is valid");
            ExitCode::SUCCESS
        }
        Err(errors) => {
            eprint!("{errors}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a broker until SIGTERM or SIGINT.
#[must_use]
pub fn serve(options: &Options) -> ExitCode {
    let settings = match Sources::of_process(options.config.clone(), options.set.clone()).load() {
        Ok(loaded) => loaded.settings,
        Err(errors) => {
            eprint!("{errors}");
            return ExitCode::FAILURE;
        }
    };
    match run(&settings, options.version) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings, version: &'static str) -> Result<()> {
    log_config(settings).install().context("cannot set up the log")?;
    let signals = Signals::register().context("cannot listen to signals")?;
    let open_files = raise_open_files();
    tracing::debug!(?open_files, "limits");
    let started = node::start(settings, version)?;
    let node = started.node;
    print(settings, &node.addresses(), started.first_password.as_ref())?;
    while !signals.wait(WATCH) {
        if node.has_failed() {
            anyhow::bail!("a shard has stopped: the broker ends, nothing that was acknowledged is lost");
        }
    }
    tracing::info!("stopping");
    node.drain(settings.server.shutdown_timeout)?;
    tracing::info!("stopped");
    Ok(())
}

fn log_config(settings: &Settings) -> telemetry::LogConfig {
    let level = match settings.logging.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let format = match settings.logging.format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::LogConfig { level: level.to_owned(), format }
}

/// Says on standard output where the broker listens, and what to try.
fn print(
    settings: &Settings,
    addresses: &[(String, std::net::SocketAddr)],
    password: Option<&admin::FirstPassword>,
) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (name, address) in addresses {
        writeln!(out, "listening {name} {address}")?;
    }
    if let Some(password) = password {
        writeln!(out, "admin password: {}", password.reveal())?;
        writeln!(out, "  (printed once; the command line on this machine needs none)")?;
    }
    let mqtt = addresses.iter().find(|(name, _)| name != "http");
    if let Some((_, address)) = mqtt {
        let (host, port) = (address.ip(), address.port());
        writeln!(out, "data in {}", settings.data_dir.display())?;
        writeln!(out, "try, in two other terminals:")?;
        writeln!(out, "  weir sub -h {host} -p {port} -q 1 -t '$q/sensor/+/data' -v")?;
        writeln!(out, "  weir pub -h {host} -p {port} -q 1 -t sensor/1/data -m hello")?;
    }
    out.flush()?;
    Ok(())
}

/// The signals that end the process.
struct Signals {
    count: Arc<AtomicUsize>,
    receiver: std::sync::mpsc::Receiver<i32>,
}

impl Signals {
    fn register() -> std::io::Result<Self> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let count = Arc::new(AtomicUsize::new(0));
        let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let counted = Arc::clone(&count);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in &mut signals {
                // A second word ends the process at once: the log is sound at every moment.
                if signal != SIGHUP && counted.fetch_add(1, Ordering::Relaxed) > 0 {
                    std::process::exit(1);
                }
                if sender.send(signal).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { count, receiver })
    }

    /// Waits for a signal to stop, for so long.
    fn wait(&self, timeout: Duration) -> bool {
        if let Ok(SIGHUP) = self.receiver.recv_timeout(timeout) {
            tracing::warn!("SIGHUP: this version reloads nothing, a changed configuration needs a restart");
        }
        self.count.load(Ordering::Relaxed) > 0
    }
}
