//! The URL of a broker.

use mqtt_client::Network;

/// The port of QUIC, as other brokers have it.
const QUIC_PORT: u16 = 14_567;

/// A broker's URL, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Url {
    /// `host:port`, or the path of a Unix socket.
    pub(super) address: String,
    pub(super) network: Network,
    pub(super) is_tls: bool,
    pub(super) is_websocket: bool,
    /// The path of a WebSocket, if there is one.
    pub(super) path: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

impl Url {
    /// Reads `scheme://[user[:password]@]host[:port][/path]` or `unix:path`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(path.strip_prefix("//").unwrap_or(path));
        }
        let (scheme, rest) = text.split_once("://").ok_or("there is no :// in it")?;
        let scheme_is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let network = if scheme_is("quic") { Network::Quic } else { Network::Tcp };
        let (is_tls, is_websocket) = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" | "tcp" => (false, false),
            "mqtts" | "ssl" | "tls" | "quic" => (true, false),
            "ws" => (false, true),
            "wss" => (true, true),
            _ => return Err(format!("'{scheme}' is none of mqtt, mqtts, ws, wss, quic, unix")),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !is_websocket && !matches!(path, "" | "/") {
            return Err("there is a path in it; the topic goes to -t".to_owned());
        }
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, digits) = split_port(place)?;
        let port = match digits {
            None if network == Network::Quic => QUIC_PORT,
            None => port(is_tls, is_websocket),
            Some(digits) => digits.parse().map_err(|_| format!("'{digits}' is no port"))?,
        };
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, "")))
        {
            None => (None, None),
            Some((user, "")) => (Some(decode(user)?), None),
            Some((user, password)) => (Some(decode(user)?), Some(decode(password)?)),
        };
        Ok(Self {
            address: address(host, port),
            network,
            is_tls,
            is_websocket,
            path: (!matches!(path, "" | "/")).then(|| path.to_owned()),
            username,
            password,
        })
    }

    fn unix(path: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("there is no path behind unix:".to_owned());
        }
        Ok(Self {
            address: path.to_owned(),
            network: Network::Unix,
            is_tls: false,
            is_websocket: false,
            path: None,
            username: None,
            password: None,
        })
    }
}

/// The port when none is said.
pub(super) const fn port(is_tls: bool, is_websocket: bool) -> u16 {
    match (is_tls, is_websocket) {
        (false, false) => 1883,
        (true, false) => 8883,
        (false, true) => 8083,
        (true, true) => 8084,
    }
}

/// Host and port as one; an IPv6 address gets its brackets.
pub(super) fn address(host: &str, port: u16) -> String {
    let host = host.trim_matches(['[', ']']);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), String> {
    let bracketed = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, rest) = match bracketed {
        Some((host, rest)) => (host, rest),
        None => {
            place.split_at_checked(place.find(':').unwrap_or(place.len())).unwrap_or((place, ""))
        }
    };
    if host.is_empty() {
        return Err("there is no host in it".to_owned());
    }
    match (rest, rest.strip_prefix(':')) {
        ("", _) => Ok((host, None)),
        (_, Some(port)) => Ok((host, Some(port))),
        (_, None) => Err(format!("'{place}' is no host with a port")),
    }
}

/// Takes percent-encoding off.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return Err("a % in it is not followed by two hexadecimal digits".to_owned()),
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "a name in it is no UTF-8".to_owned())
}
