//! Why something cannot be done to a data directory. Each message names the thing, the cause and the next step.

use std::io;
use std::path::{Path, PathBuf};

/// Why something cannot be done to a data directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read, or is damaged.
    #[error(transparent)]
    Log(#[from] log_disk::OpenError),
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The backup cannot be handed to whoever takes it.
    #[error("the backup cannot be written: {0}")]
    Output(#[source] io::Error),
    /// The file is no backup, or not all of one, or not as it was written.
    #[error("{} is no whole backup: {what}; use another one", path.display())]
    NotWhole {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A newer version wrote it.
    #[error("cannot read {}: {what}; use the version that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What is not known.
        what: String,
    },
    /// There is something already where the result would go.
    #[error("{} {what}", path.display())]
    Occupied {
        /// The path.
        path: PathBuf,
        /// What is there, and what to do.
        what: &'static str,
    },
    /// There is not enough room.
    #[error("{} has room for {free} bytes, and {needed} are needed; make room, or name another directory", path.display())]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// What there is.
        free: u64,
        /// What it takes.
        needed: u64,
    },
    /// What the log says cannot be understood.
    #[error("cannot read the state of {}: {what}", path.display())]
    State {
        /// The data directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// For `map_err`: what was tried, on what.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn not_whole(path: &Path, what: impl Into<String>) -> Self {
        Self::NotWhole { path: path.to_owned(), what: what.into() }
    }
}
