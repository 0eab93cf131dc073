//! Limits of the network side, each with its default.

use std::net::SocketAddr;
use std::time::Duration;

use mqtt_codec::Limits;

/// A listener to be.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Its name, for messages.
    pub name: String,
    /// The address to listen at; port 0 lets the system choose.
    pub bind: SocketAddr,
}

/// What the network side is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// TCP listeners.
    pub listeners: Vec<ListenerConfig>,
    /// Limits of packets.
    pub limits: Limits,
    /// How long a new connection may take for its CONNECT.
    pub connect_timeout: Duration,
    /// How long a closing connection may take to read what is left for it.
    pub linger: Duration,
    /// Bytes read from a connection at once.
    pub read_buffer_bytes: usize,
    /// Connections a thread serves at once.
    pub max_connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            read_buffer_bytes: 128 * 1024,
            max_connections: 1_000_000,
        }
    }
}
