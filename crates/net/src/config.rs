//! Limits of the network side, each with its default.

use std::num::NonZeroU64;
use std::time::Duration;

use broker::Budget;
use mqtt_codec::Limits;
use stdx::IpNetwork;

use crate::address::Address;
use crate::tls_server::TlsServer;

/// A listener to be.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Its name, for messages.
    pub name: String,
    /// Where to listen.
    pub bind: Address,
    /// Whether an IPv6 listener takes IPv4 connections too, if it is bound to all addresses.
    pub dual_stack: bool,
    /// Whether QUIC is spoken, which needs `tls` and takes nothing else.
    pub quic: bool,
    /// Its certificate and rules when TLS is spoken.
    pub tls: Option<TlsServer>,
    /// How WebSocket is spoken, when it is.
    pub websocket: Option<WebSocketConfig>,
    /// Who may say on whose behalf it connects, when anyone may.
    pub proxy: Option<ProxyConfig>,
    /// What its connections may do.
    pub limits: ListenerLimits,
}

impl ListenerConfig {
    /// A listener for MQTT without anything around it.
    #[must_use]
    pub fn plain(name: &str, bind: impl Into<Address>) -> Self {
        Self {
            name: name.to_owned(),
            bind: bind.into(),
            dual_stack: false,
            quic: false,
            tls: None,
            websocket: None,
            proxy: None,
            limits: ListenerLimits::default(),
        }
    }
}

/// Limits of one listener and of each of its connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerLimits {
    /// Connections at once, greeted or not; more are closed at once.
    pub max_connections: usize,
    /// New connections a second, after a second's worth at once; more are closed at once. None: as they come.
    pub max_connect_rate: Option<NonZeroU64>,
    /// How long a new connection may take for its CONNECT, with all handshakes before it. None: as [`Config`] says.
    pub connect_timeout: Option<Duration>,
    /// The largest packet taken. None: as [`Config`] says.
    pub max_packet_size: Option<u32>,
    /// PUBLISH packets a second of one connection, after a second's worth at once. Beyond, it is not read for a while.
    pub max_message_rate: Option<NonZeroU64>,
    /// Bytes a second of one connection, after a second's worth at once. Beyond, it is not read for a while.
    pub max_byte_rate: Option<NonZeroU64>,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            // What a machine with 1 GiB holds, with TLS at rest.
            max_connections: 65_536,
            max_connect_rate: None,
            connect_timeout: None,
            max_packet_size: None,
            max_message_rate: None,
            max_byte_rate: None,
        }
    }
}

/// Who may send a PROXY header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProxyConfig {
    /// From where one is taken, and expected.
    pub trusted: Vec<IpNetwork>,
    /// How long it may take to come.
    pub timeout: Duration,
    /// The longest header, extensions included.
    pub header_bytes_max: usize,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self { trusted: Vec::new(), timeout: Duration::from_secs(3), header_bytes_max: 4096 }
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
    /// Deliveries of one turn of a thread beyond which each connection is served one packet more, and the rest in the next
    /// turn: others wait for their turn meanwhile.
    pub turn_deliveries_max: u32,
    /// Connections a thread serves at once.
    pub max_connections: usize,
    /// Bytes that may wait for a client that does not read, answers and all. Beyond them nothing is read from it either:
    /// else it could fill the memory with answers by asking for them.
    pub unwritten_bytes_max: usize,
    /// How long a client may take nothing of what waits for it, before its connection ends.
    pub write_timeout: Duration,
    /// How long a TCP client with no keep alive may be silent before the system asks whether it is still there. None: it
    /// is never asked.
    pub dead_peer_probe: Option<Duration>,
    /// What the output of all connections may take, with all else that waits for clients.
    pub memory: Budget,
    /// What packets that have not come whole may take, of all connections.
    pub incomplete: Budget,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            read_buffer_bytes: 128 * 1024,
            // Some milliseconds.
            turn_deliveries_max: 1 << 14,
            max_connections: 1_000_000,
            // One packet as long as they may be, and twice what live messages may take.
            unwritten_bytes_max: 24 << 20,
            write_timeout: Duration::from_secs(120),
            dead_peer_probe: Some(Duration::from_secs(300)),
            memory: Budget::new(256 << 20),
            incomplete: Budget::new(128 << 20),
        }
    }
}
