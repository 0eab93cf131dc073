//! Sockets and the threads that serve them: one poll, one read buffer and one shard per thread; one write for each
//! connection and turn. QUIC has threads of its own. It must not know routing, sessions or queues.

mod acceptor;
mod address;
mod certificate;
mod clock;
mod config;
mod door;
mod gate;
mod handle;
mod input;
mod listener;
mod quic;
mod rate;
mod refusal;
mod running;
mod tls_server;
mod token_bucket;
mod transport;
mod wire;
mod wires;
mod worker;

pub use address::Address;
pub use config::{Config, ListenerConfig, ListenerLimits, ProxyConfig, WebSocketConfig};
pub use handle::Handle;
pub use listener::{BindError, Bound, bind};
pub use running::{Running, start};
pub use tls_server::{Identity, TlsFileError, TlsFiles, TlsServer};
