//! Listeners: their kinds, and what their names let one guess.
//! It must not know keys or sources.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use stdx::IpNetwork;

/// What the address of a Unix socket begins with.
pub(crate) const UNIX: &str = "unix:";

/// Where WebSocket is served when nothing else is said.
pub(crate) const WEBSOCKET_PATH: &str = "/mqtt";

/// One MQTT listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerConfig {
    /// The name in the config, the log and the metrics.
    pub name: String,
    /// What is spoken.
    pub kind: ListenerKind,
    /// Where it listens.
    pub bind: ListenAddress,
    /// Whether it is served.
    pub enabled: bool,
    /// The files of TLS, for the kinds that speak it.
    pub tls: Option<TlsSettings>,
    /// The path of WebSocket, for the kinds that speak it.
    pub path: String,
    /// What says who a client is.
    pub identity: ListenerIdentity,
    /// Whether it takes IPv4 too, when it is bound to all IPv6 addresses.
    pub dual_stack: bool,
    /// Which proxies may say on whose behalf they connect; none: no proxy.
    pub proxy: Option<ProxySettings>,
    /// What its connections may do.
    pub limits: ListenerLimits,
}

/// Limits of one listener and of each of its connections.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListenerLimits {
    /// Connections at once; none: as the machine's memory allows.
    pub max_connections: Option<u32>,
    /// New connections a second; none: as the kind of listener allows.
    pub max_connect_rate: Option<u32>,
    /// How long a new connection may take for its CONNECT; none: as for all listeners.
    pub connect_timeout: Option<Duration>,
    /// The largest packet taken; none: as for all listeners.
    pub max_packet_size: Option<u32>,
    /// Messages a second of one connection; none: no limit.
    pub max_message_rate: Option<u32>,
    /// Bytes a second of one connection; none: no limit.
    pub max_byte_rate: Option<u64>,
}

/// What comes from a proxy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProxySettings {
    /// Where the proxies are.
    pub trusted: Vec<IpNetwork>,
    /// How long a header may take to come.
    pub timeout: Duration,
}

/// What says who a client of a listener is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ListenerIdentity {
    /// What it says in CONNECT, and proves.
    #[default]
    Password,
    /// The common name in its certificate.
    Certificate,
}

impl ListenerIdentity {
    pub(crate) const WORDS: &[&str] = &["password", "certificate"];
    pub(crate) const ALL: &[Self] = &[Self::Password, Self::Certificate];
}

/// Where a listener listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListenAddress {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// The files of a listener that speaks TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsSettings {
    /// The certificates with their chains, the first for who asks for no name that another has.
    pub certs: Vec<PathBuf>,
    /// Their private keys, in the same order.
    pub keys: Vec<PathBuf>,
    /// Roots of clients' certificates.
    pub client_ca: Option<PathBuf>,
    /// Lists of revoked certificates of clients.
    pub client_crl: Vec<PathBuf>,
    /// Whether a client needs a certificate.
    pub require_client_cert: bool,
}

/// What a listener speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenerKind {
    /// MQTT over TCP.
    Tcp,
    /// MQTT over TLS.
    Tls,
    /// MQTT over WebSocket.
    Ws,
    /// MQTT over WebSocket over TLS.
    Wss,
    /// MQTT over QUIC.
    Quic,
    /// MQTT over a Unix socket.
    Unix,
}

impl ListenerKind {
    pub(crate) const WORDS: &[&str] = &["tcp", "tls", "ws", "wss", "quic", "unix"];
    pub(crate) const ALL: &[Self] =
        &[Self::Tcp, Self::Tls, Self::Ws, Self::Wss, Self::Quic, Self::Unix];

    /// The word for it in a config.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Quic => "quic",
            Self::Unix => "unix",
        }
    }

    /// Whether it speaks TLS, of its own or within QUIC.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Wss | Self::Quic)
    }

    /// Whether it listens to UDP.
    pub(crate) const fn is_udp(self) -> bool {
        matches!(self, Self::Quic)
    }

    /// Whether a proxy may stand before it.
    pub(crate) const fn may_be_proxied(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls | Self::Ws | Self::Wss)
    }

    /// Whether it speaks WebSocket.
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// The well-known names, with the kind and the address that each has when nothing else is said.
pub(crate) const WELL_KNOWN: &[(&str, ListenerKind, &str)] = &[
    ("mqtt", ListenerKind::Tcp, "127.0.0.1:1883"),
    ("mqtts", ListenerKind::Tls, "127.0.0.1:8883"),
    ("ws", ListenerKind::Ws, "127.0.0.1:8083"),
    ("wss", ListenerKind::Wss, "127.0.0.1:8084"),
    ("quic", ListenerKind::Quic, "127.0.0.1:14567"),
];

/// A listener as its keys give it, before its name is asked for the rest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) kind: Option<ListenerKind>,
    pub(crate) bind: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) certs: Vec<PathBuf>,
    pub(crate) keys: Vec<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) client_crl: Vec<PathBuf>,
    pub(crate) require_client_cert: bool,
    pub(crate) path: Option<String>,
    pub(crate) identity: ListenerIdentity,
    pub(crate) dual_stack: bool,
    pub(crate) proxy_protocol: bool,
    pub(crate) proxy_trusted: Vec<IpNetwork>,
    pub(crate) proxy_timeout: Duration,
    pub(crate) limits: ListenerLimits,
}

/// How long a PROXY header may take when nothing else is said.
const PROXY_TIMEOUT: Duration = Duration::from_secs(3);

impl Draft {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: None,
            bind: None,
            enabled: true,
            certs: Vec::new(),
            keys: Vec::new(),
            client_ca: None,
            client_crl: Vec::new(),
            require_client_cert: false,
            path: None,
            identity: ListenerIdentity::default(),
            dual_stack: false,
            proxy_protocol: false,
            proxy_trusted: Vec::new(),
            proxy_timeout: PROXY_TIMEOUT,
            limits: ListenerLimits::default(),
        }
    }

    /// The kind that was given, or that the address or the name stands for.
    pub(crate) fn kind(&self) -> Option<ListenerKind> {
        let is_unix = self.bind.as_deref().is_some_and(|bind| bind.starts_with(UNIX));
        let by_address = is_unix.then_some(ListenerKind::Unix);
        let by_name = || self.well_known().map(|(_, kind, _)| *kind);
        self.kind.or(by_address).or_else(by_name)
    }

    /// The address that was given, or that the name stands for.
    pub(crate) fn bind(&self) -> Option<&str> {
        self.bind.as_deref().or_else(|| self.well_known().map(|(_, _, bind)| *bind))
    }

    fn well_known(&self) -> Option<&'static (&'static str, ListenerKind, &'static str)> {
        WELL_KNOWN.iter().find(|(name, ..)| *name == self.name)
    }
}

/// Whether a listener may be called that.
pub(crate) fn is_legal_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.bytes().all(legal)
}
