//! The log on disk as its callers see it, on real files.

mod checkpoints;
mod conformance;
mod damage;
mod directory;
mod harness;
