//! Builds a node from its settings, runs it until it is told to stop, and drains it without loss.

mod backend;
mod limits;
mod mapping;
mod node;
mod serve;

pub use serve::{Options, check, serve};
