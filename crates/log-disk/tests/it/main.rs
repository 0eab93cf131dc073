//! The log on disk as its callers see it, on real files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod checkpoints;
mod conformance;
mod damage;
mod directory;
mod golden;
mod harness;
mod images;
mod repairs;
