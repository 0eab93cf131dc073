//! The simulator: the production broker and the production log, in one thread, over a disk, a clock and clients of which one
//! seed decides everything. An auditor sees what the clients see, and knows what was promised.
//!
//! ```text
//! seed ─► plan: steps ─► world ─┬─ clients ⇄ sockets ⇄ shards ⇄ post ⇄ log ─► machine: disk, clock
//!                               └─ auditor: what was promised, what came
//! ```
//! It must not know how the broker keeps its promises.

mod auditor;
mod client;
mod dice;
mod disk;
mod groups;
mod message;
mod node;
mod plan;
mod queues;
mod run;
mod seen;
mod streams;
mod wire;
mod world;

pub use run::{Failure, run};
pub use seen::Seen;
