//! The queue resource: what a client may send, what it is checked against, what it gets back.

mod body;
mod consumer;
mod ledger;
mod message;
mod peek;
mod properties;
mod purge;
mod redrive;
mod schema;
mod seek;
mod spec;
mod values;
mod view;

#[cfg(test)]
mod tests;

pub use body::QueueBody;
pub use consumer::ConsumerView;
pub use ledger::LedgerView;
pub use message::QueueMessageView;
pub use peek::{MessageState, PeekQuery, PeekRequest};
pub use properties::{PROPERTY_NAMES, QueueProperties};
pub use purge::{PurgeBody, PurgeResult};
pub use redrive::{RedriveBody, RedriveResult};
pub use seek::{QueueEnd, Seek, SeekBody, SeekResult};
pub use spec::{QueuePatch, QueueSpec};
pub use values::{DeadLetter, DispatchStrategy, Durability, Overflow};
pub use view::{QueueStats, QueueView};
