//! One durable queue as a pure machine: enqueue, dispatch, lease, settle, retry, dead-letter, ledger.
//!
//! [`Queue::handle`] is the one way in, [`Action`]s are the one way out, and [`Queue::next_deadline`] says when to come
//! back with [`Input::Tick`]. The same inputs and the same seed give the same actions. Time comes in as data.
//!
//! It must not know packets, files or a clock: a body is a position that somebody else can read.

mod action;
mod backlog;
mod config;
mod consumers;
mod dispatch;
mod ids;
mod index;
mod input;
pub mod invariants;
mod leases;
mod ledger;
mod prng;
mod queue;
mod snapshot;

pub use action::{Action, DeadReason};
pub use config::{DispatchStrategy, QueueConfig};
pub use ids::{ConsumerId, Offset, StoredAt};
pub use input::{Input, InputError, Outcome};
pub use ledger::{Departure, Ledger};
pub use queue::Queue;
pub use snapshot::{Snapshot, SnapshotError};
