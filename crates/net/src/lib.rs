//! Sockets and the threads that serve them: one poll, one read buffer and one shard per thread; one write for each
//! connection and turn. It must not know routing, sessions or queues.

mod acceptor;
mod address;
mod clock;
mod config;
mod input;
mod listener;
mod running;
mod tls_server;
mod transport;
mod wire;
mod wires;
mod worker;

pub use address::Address;
pub use config::{Config, ListenerConfig, WebSocketConfig};
pub use listener::{BindError, Bound, bind};
pub use running::{Running, start};
pub use tls_server::{TlsFileError, TlsFiles, TlsServer};
