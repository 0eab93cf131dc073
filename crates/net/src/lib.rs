//! Sockets and the threads that serve them: one poll, one read buffer and one shard per thread; one write for each
//! connection and turn. It must not know routing, sessions or queues.

mod clock;
mod config;
mod input;
mod listener;
mod running;
mod wire;
mod wires;
mod worker;

pub use config::{Config, ListenerConfig};
pub use listener::{BindError, Bound, bind};
pub use running::{Running, start};
