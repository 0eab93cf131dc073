//! The log: text or JSON to standard error, filtered by level and target.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How the log looks and what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or levels by target such as `info,net=debug`.
    pub level: String,
    /// Text for people or JSON for machines.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people, in colour on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none.
    #[error(
        "log level '{level}' is none; write error, warn, info, debug, trace, off, or by target as in info,net=debug"
    )]
    Level {
        /// What was given.
        level: String,
    },
    /// The process has a log already.
    #[error("the log is set up already")]
    Taken(#[source] TryInitError),
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl LogConfig {
    /// Checks the level without setting anything up.
    ///
    /// # Errors
    /// The level is none.
    pub fn check(&self) -> Result<(), LogError> {
        self.filter().map(|_| ())
    }

    /// Makes this the log of the whole process. Call it once, first thing.
    ///
    /// # Errors
    /// The level is none, or the process has a log.
    pub fn install(&self) -> Result<(), LogError> {
        let registry = tracing_subscriber::registry().with(self.filter()?);
        match self.format {
            LogFormat::Text => {
                let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                registry
                    .with(layer().with_writer(stderr).with_ansi(colour).with_target(false))
                    .try_init()
            }
            LogFormat::Json => {
                registry.with(layer().with_writer(stderr).json().flatten_event(true)).try_init()
            }
        }
        .map_err(LogError::Taken)
    }

    fn filter(&self) -> Result<Targets, LogError> {
        let error = || LogError::Level { level: self.level.clone() };
        // `Targets` reads an unknown level as the name of a target; a lone word must be a level.
        let lone = !self.level.contains([',', '=']);
        if self.level.is_empty()
            || lone && self.level.parse::<tracing::level_filters::LevelFilter>().is_err()
        {
            return Err(error());
        }
        self.level.parse().map_err(|_| error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_checked() {
        for (level, legal) in [
            ("info", true),
            ("DEBUG", true),
            ("off", true),
            ("info,net=debug", true),
            ("net=trace", true),
            ("", false),
            ("loud", false),
            ("net=loud", false),
        ] {
            let config = LogConfig { level: level.to_owned(), ..LogConfig::default() };
            let checked = config.check();
            assert_eq!(checked.is_ok(), legal, "{level}: {checked:?}");
        }
    }
}
