//! For tests: a log in memory, a sink that records, and the suite that every log passes.
//! It must not know any real log.

pub mod conformance;
mod memory;
mod recorder;

pub use memory::{MemoryLog, MemoryStore};
pub use recorder::Recorder;
