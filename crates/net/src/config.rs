//! Limits of the network side, each with its default.

use std::time::Duration;

use mqtt_codec::Limits;

use crate::address::Address;
use crate::tls_server::TlsServer;

/// A listener to be.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Its name, for messages.
    pub name: String,
    /// Where to listen.
    pub bind: Address,
    /// Its certificate and rules when TLS is spoken.
    pub tls: Option<TlsServer>,
    /// How WebSocket is spoken, when it is.
    pub websocket: Option<WebSocketConfig>,
}

impl ListenerConfig {
    /// A listener for MQTT without anything around it.
    #[must_use]
    pub fn plain(name: &str, bind: impl Into<Address>) -> Self {
        Self { name: name.to_owned(), bind: bind.into(), tls: None, websocket: None }
    }
}

/// Limits of WebSocket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebSocketConfig {
    /// The path that clients ask for.
    pub path: String,
    /// The longest HTTP request.
    pub request_bytes_max: usize,
    /// The longest payload of a frame. A frame is not kept, so this costs no memory.
    pub frame_bytes_max: u64,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            path: "/mqtt".to_owned(),
            request_bytes_max: 8 * 1024,
            frame_bytes_max: 256 * 1024 * 1024 + 16,
        }
    }
}

/// What the network side is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listeners.
    pub listeners: Vec<ListenerConfig>,
    /// Limits of packets.
    pub limits: Limits,
    /// How long a new connection may take for its CONNECT, with all handshakes before it.
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
