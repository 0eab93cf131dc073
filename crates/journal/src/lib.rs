//! What the broker's log says: the meaning of records and checkpoints, and the state that is read out of them, with the
//! index of retained messages. It must not know connections, clients' protocols or shards' threads, nor how a log keeps
//! its bytes.
//!
//! ```text
//!  records ── record ──┐                     ┌──► queues, streams, sessions, delayed messages: shards
//!                      ├──► recovery ── finish
//!  parts ── checkpoint ┘                     └──► retained: shared by all shards
//! ```

pub mod checkpoint;
#[cfg(test)]
mod golden;
pub mod ids;
pub mod queue;
pub mod record;
pub mod recovery;
pub mod retained;
pub mod stream;
