//! The commands `serve` and `check`: settings in, exit code out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use settings::{ListenerConfig, ListenerKind, LogFormat, LogLevel, Settings, Sources};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::greeting::Greeting;
use crate::limits::raise_open_files;
use crate::{access, mapping, memory, node};

/// How often the main thread looks whether all shards live.
const WATCH: Duration = Duration::from_secs(1);
/// After how many such looks memory is given back.
const GIVE_BACK_EVERY: u64 = 10;
/// After how many such looks what ends soon is said again: a day.
const SAY_CONCERNS_EVERY: u64 = 24 * 3600;

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
    let loaded = match Sources::of_process(options.config.clone(), options.set.clone()).load() {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::FAILURE;
        }
    };
    // A value that is right by itself may ask for what this version does not have.
    let settings = &loaded.settings;
    let refusal = mapping::broker(settings).err().or_else(|| mapping::net(settings).err());
    if let Some(error) = refusal {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    for value in loaded.effective() {
        println!("{} = {}  # {}", value.key, value.value, value.origin);
    }
    println!("configuration is valid");
    ExitCode::SUCCESS
}

/// Runs a broker until SIGTERM or SIGINT.
#[must_use]
pub fn serve(options: &Options) -> ExitCode {
    let settings = match Sources::of_process(options.config.clone(), options.set.clone()).load() {
        Ok(loaded) => loaded.settings,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::FAILURE;
        }
    };
    match run(&settings, options.version) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", words(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings, version: &'static str) -> Result<()> {
    log_config(settings).install().context("cannot set up the log")?;
    let signals = Signals::register().context("cannot listen to signals")?;
    let open_files = raise_open_files();
    tracing::debug!(?open_files, "limits");
    let node = node::start(settings, version)?;
    let addresses = node.addresses();
    access::say(settings, &addresses, node.has_users());
    let greeting = Greeting {
        addresses: &addresses,
        mqtt: plain_mqtt(settings, &addresses),
        data_dir: &settings.data_dir,
        program: &std::env::args().next().unwrap_or_else(|| "weir".to_owned()),
    };
    // Who closes our output, such as `head`, does not end the broker.
    let _ = greeting.write(&mut std::io::stdout().lock());
    let mut looks = 0_u64;
    node.say_concerns();
    loop {
        match signals.wait(WATCH) {
            Heard::Stop => break,
            Heard::Reload => node.reload(),
            Heard::Nothing => {}
        }
        if node.has_failed() {
            anyhow::bail!(
                "a shard has stopped: the broker ends, nothing that was acknowledged is lost"
            );
        }
        looks += 1;
        if looks.is_multiple_of(SAY_CONCERNS_EVERY) {
            node.say_concerns();
        }
        // The first time soon after the start, which takes more than it needs later.
        if looks % GIVE_BACK_EVERY == 2 {
            memory::give_back();
        }
    }
    tracing::info!("stopping");
    node.drain(settings.server.shutdown_timeout)?;
    tracing::info!("stopped");
    Ok(())
}

/// The whole chain of causes, but for those whose words the one before has already.
fn words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    words
}

/// The address of the first listener that needs neither certificate nor WebSocket, nor a proxy before it.
fn plain_mqtt(settings: &Settings, addresses: &[(String, net::Address)]) -> Option<SocketAddr> {
    let is_plain = |listener: &&ListenerConfig| {
        listener.enabled && listener.kind == ListenerKind::Tcp && listener.proxy.is_none()
    };
    let plain = settings.listeners.iter().find(is_plain)?;
    addresses.iter().find(|(name, _)| *name == plain.name)?.1.ip()
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

/// What a signal asks for.
enum Heard {
    Nothing,
    Reload,
    Stop,
}

/// The signals that the process listens to.
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

    /// Waits for a signal, for so long.
    fn wait(&self, timeout: Duration) -> Heard {
        let signal = self.receiver.recv_timeout(timeout);
        if self.count.load(Ordering::Relaxed) > 0 {
            return Heard::Stop;
        }
        if signal == Ok(SIGHUP) { Heard::Reload } else { Heard::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_said_once() {
        let cause = anyhow::anyhow!("no space left");
        let error = cause.context("cannot make a segment: no space left").context("cannot start");
        assert_eq!(words(&error), "cannot start: cannot make a segment: no space left");
    }
}
