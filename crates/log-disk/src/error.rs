//! Why a log cannot be opened. Each message names the thing, the cause and the next step.

use std::io;
use std::path::PathBuf;

use log_api::{Position, VisitError};

/// Bytes in a data file that are not those that were written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("damaged data file {} at offset {offset}: {what}", file.display())]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error(
        "cannot use the data directory {}: {source}; make it a directory that this user can write, or name another",
        path.display()
    )]
    Directory {
        /// The directory or the file in it that could not be made.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// There is no log to look at.
    #[error("{} is no data directory: {source}; name one with --data-dir", path.display())]
    NoLog {
        /// The directory.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A restore into the data directory has not ended.
    #[error("a restore into this directory was not finished: {} is there; remove what it left and restore again", path.display())]
    Unfinished {
        /// What it left.
        path: PathBuf,
    },
    /// Another process uses the data directory.
    #[error("the data directory is in use: {} is locked; stop the other process, or name another directory", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A data file is damaged.
    #[error("{0}; restore it from a backup, or let `weir repair` show what would be lost")]
    Damaged(#[from] Damage),
    /// A data file was written by a newer version.
    #[error("cannot read {} at offset {offset}: {what}; start the version that wrote it", file.display())]
    NewerVersion {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is not known.
        what: String,
    },
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
    /// The visitor of the replay refused a record.
    #[error("cannot take in the record at {position} again: {source}")]
    Visit {
        /// The record.
        position: Position,
        /// The visitor's words.
        source: VisitError,
    },
    /// A value in the [`Config`](crate::Config) is out of bounds.
    #[error("cannot open the log: {what}")]
    Config {
        /// Which, and its bounds.
        what: String,
    },
}
