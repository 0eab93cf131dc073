//! What a connection is made with, and what is published on it.

use std::path::PathBuf;
use std::time::Duration;

use mqtt_codec::PropertyBlock;
use mqtt_types::{ProtocolVersion, QoS};

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The server, as `host:port`, or the path of its Unix socket.
    pub address: String,
    /// What the connection runs over.
    pub transport: Transport,
    /// The version of MQTT to speak.
    pub version: ProtocolVersion,
    /// The client identifier; empty lets the server choose one.
    pub client_id: String,
    /// Whether a session the server may have is thrown away.
    pub clean_start: bool,
    /// Seconds without a packet of ours after which a ping is sent; 0 is never.
    pub keep_alive: u16,
    /// The user name.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Vec<u8>>,
    /// Whether to prove the password by SCRAM-SHA-256 instead of sending it; 5.0 only.
    pub scram: bool,
    /// What the server publishes when the connection is lost.
    pub will: Option<Will>,
    /// The properties of the CONNECT, such as Session Expiry Interval and Receive Maximum; 5.0 only.
    pub properties: PropertyBlock,
    /// Who acknowledges what comes in.
    pub acknowledge: Acknowledge,
    /// How long to wait for the connection and for CONNACK.
    pub connect_timeout: Duration,
    /// How long a write may be stuck before the connection is given up.
    pub write_timeout: Duration,
    /// The largest packet taken from the server.
    pub max_packet_bytes: u32,
    /// Messages that wait for [`crate::Client::next`]; when there are more, nothing is read.
    pub max_waiting_messages: usize,
    /// Bytes that wait to be written; when there are more, publishing waits.
    pub max_outbox_bytes: usize,
}

/// What a connection runs over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transport {
    /// What lies below.
    pub network: Network,
    /// TLS, if it is spoken.
    pub tls: Option<TlsOptions>,
    /// The path of the WebSocket, if one is opened.
    pub websocket_path: Option<String>,
}

/// What lies below a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Network {
    /// TCP.
    #[default]
    Tcp,
    /// A stream of QUIC, which has TLS within.
    Quic,
    /// A Unix socket.
    Unix,
}

/// Whom to trust, and how to show who one is. Files are PEM.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsOptions {
    /// The roots that the server's certificate is checked against; none: those of this system.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must have and that is asked for; none: the host of the address.
    pub server_name: Option<String>,
    /// The one version to speak; none: 1.2 or 1.3.
    pub version: Option<TlsVersion>,
    /// Takes a certificate whatever its name; and without `ca_file`, any certificate at all.
    pub insecure: bool,
}

/// A version of TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsVersion {
    /// 1.2.
    V1_2,
    /// 1.3.
    V1_3,
}

/// Who acknowledges messages of QoS 1 and 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Acknowledge {
    /// [`crate::Client::next`] accepts each message that it hands out.
    #[default]
    Automatically,
    /// The user, by [`crate::Client::settle`], or nobody.
    Manually,
}

/// The will of a connection.
#[derive(Clone, Debug, Default)]
pub struct Will {
    /// Its topic name.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is published as a retained message.
    pub retain: bool,
    /// Its properties; 5.0 only.
    pub properties: PropertyBlock,
}

/// A message to publish.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing<'a> {
    /// The topic name.
    pub topic: &'a str,
    /// The payload.
    pub payload: &'a [u8],
    /// The QoS.
    pub qos: QoS,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
    /// Its properties; 5.0 only.
    pub properties: Option<&'a PropertyBlock>,
}

impl ConnectOptions {
    /// The defaults: MQTT 5.0, a client identifier of the server's choice, clean start.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            transport: Transport::default(),
            version: ProtocolVersion::V5,
            client_id: String::new(),
            clean_start: true,
            keep_alive: 60,
            username: None,
            password: None,
            scram: false,
            will: None,
            properties: PropertyBlock::new(),
            acknowledge: Acknowledge::Automatically,
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            max_packet_bytes: mqtt_codec::Limits::MAX_PACKET_SIZE,
            max_waiting_messages: 16_384,
            max_outbox_bytes: 1 << 20,
        }
    }
}
