//! Listeners: their kinds, what their names let one guess, and which kinds this version serves.
//! It must not know keys or sources.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// The certificate with its chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Roots of clients' certificates.
    pub client_ca: Option<PathBuf>,
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

    /// Whether this version serves it.
    pub(crate) const fn is_served(self) -> bool {
        !matches!(self, Self::Quic)
    }

    /// Whether it speaks TLS over a stream.
    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
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
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) require_client_cert: bool,
    pub(crate) path: Option<String>,
    pub(crate) identity: ListenerIdentity,
}

impl Draft {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: None,
            bind: None,
            enabled: true,
            cert: None,
            key: None,
            client_ca: None,
            require_client_cert: false,
            path: None,
            identity: ListenerIdentity::default(),
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
