//! The queue resource: what a client may send, what it is checked against, what it gets back.

mod body;
mod properties;
mod schema;
mod spec;
mod values;
mod view;

#[cfg(test)]
mod tests;

pub use body::QueueBody;
pub use properties::{PROPERTY_NAMES, QueueProperties};
pub use spec::{QueuePatch, QueueSpec};
pub use values::{DeadLetter, DispatchStrategy, Durability, Overflow};
pub use view::{QueueStats, QueueView};
