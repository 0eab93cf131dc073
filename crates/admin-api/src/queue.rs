//! The queue resource: what a client may send, what it is checked against, what it gets back.

mod consumer;
mod ledger;
mod message;
mod peek;
mod properties;
mod purge;
mod redrive;
mod seek;
mod values;
mod view;

#[cfg(test)]
mod tests;

pub use consumer::ConsumerView;
pub use ledger::LedgerView;
pub use message::QueueMessageView;
pub(crate) use peek::part;
pub use peek::{MessageState, PeekQuery, PeekRequest};
pub use properties::{PROPERTY_NAMES, QueueBody, QueueProperties};
pub(crate) use purge::check_meant;
pub use purge::{PurgeBody, PurgeResult};
pub use redrive::{RedriveBody, RedriveResult};
pub use seek::{QueueEnd, Seek, SeekBody, SeekResult};
pub use values::{DeadLetter, DispatchStrategy, Durability, Overflow};
pub use view::{QueueStats, QueueView};

/// A queue to create.
pub type QueueSpec = crate::definition::Spec<QueueProperties>;
/// A change to a queue.
pub type QueuePatch = crate::definition::Patch<QueueProperties>;
