//! One durable queue as a pure machine: no clock, no randomness of its own, no I/O, no threads.
//!
//! [`Queue::handle`] is the one way in, the [`Action`]s it asks for are the one way out, and
//! [`Queue::next_deadline`] says when it wants an [`Input::Tick`]. Same inputs, same actions. It must not know packets,
//! files or clocks.
//!
//! ```text
//!                      ┌────────────── released, lease ran out, consumer gone ──────────────┐
//!                      ▼                                                                     │
//!  Enqueue ────────▶ ready ──── Deliver: a consumer with credit holds a lease ──────▶ in flight ──▶ settled, expired
//!     │                ▲                                                                     │
//!     │                └──── back-off is over ──── delayed ◀──── Release: an attempt counts ─┤
//!     └── not before a time ──────────────────────────┘                                      ▼
//!                                             rejected, tried too often, too large for all: dead-lettered (or dropped)
//!
//!  ready, delayed ──▶ expired (its time ran out), dropped (one too many), replaced (a newer one of its key), purged
//! ```

mod action;
mod attempts;
mod barred;
mod config;
mod consumers;
mod dedup;
mod dispatch;
mod ids;
mod input;
pub mod invariants;
mod keys;
mod leases;
mod ledger;
mod links;
mod newest;
mod permits;
mod prng;
mod queue;
mod retry;
mod snapshot;

pub use action::{Action, DeadReason};
pub use config::{DispatchStrategy, Overflow, QueueConfig};
pub use dedup::Dedup;
pub use ids::{ConsumerId, MessageId};
pub use input::{Input, InputError, MadeKey, NewMessage, Outcome, Scope};
pub use ledger::{Departure, Ledger};
pub use message_index::{Key, Offset, StalePart, StoredAt};
pub use queue::{
    Blocker, ConsumerState, Full, MessageState, Peeked, Queue, Stall, Standing, Waits,
};
pub use snapshot::{Snapshot, SnapshotError};
