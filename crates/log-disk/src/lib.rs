//! The log on disk: segments, group commit, recovery, checkpoints.
//! It must not know MQTT, queues, or what the bodies of records mean.
//!
//! ```text
//! <data_dir>/lock                        held by the process that uses the directory
//! <data_dir>/log/00000001.wlog …         segments, in sequence; holes where dead ones were trimmed
//! <data_dir>/log/reserve                 room for settlements on a full disk
//! <data_dir>/state/checkpoint-<id>       the last two
//! <data_dir>/restoring                   while a restore puts files there: nothing starts from that
//! ```
//! Threads: `log` writes groups and syncs them, `log-prepare` makes the next segment, `log-read` reads bodies,
//! `log-checkpoint` writes checkpoints and trims.

pub mod at_rest;
mod checkpoint;
mod command;
mod config;
mod disk_log;
mod error;
mod frame;
pub mod host;
mod image;
mod lock;
mod preparer;
mod reader;
mod recovery;
mod references;
mod scanner;
mod segment;
mod segments;
mod shared;
mod steps;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use config::{Config, SyncMode};
pub use disk_log::DiskLog;
pub use error::{Damage, OpenError};
pub use image::{Image, ImageError, ImageFile};
pub use recovery::{Opened, RESTORING, Ready, Replay, open, open_on};
pub use steps::{LogSteps, Worker};
