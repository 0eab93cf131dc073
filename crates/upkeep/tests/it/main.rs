//! Backups, restores and repairs of data directories that this process made.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod backups;
mod harness;
mod repairs;
