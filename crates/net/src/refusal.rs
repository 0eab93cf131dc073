//! Why connections are refused before the broker knows them, and how often. It must not know sockets.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The listener has as many connections as it may have.
    MaxConnections,
    /// Too many came within a second.
    ConnectRate,
    /// CONNECT, with all handshakes before it, did not come in time.
    ConnectTimeout,
    /// A PROXY header is missing, malformed, late, or from whom none is taken.
    ProxyProtocol,
    /// TLS was not agreed on, or a certificate was no good.
    TlsHandshake,
    /// The HTTP request asked for something else.
    WebsocketHandshake,
    /// The first packet was no CONNECT that can be served.
    MalformedConnect,
    /// There was no room for a CONNECT of its size.
    NoRoom,
}

impl Refusal {
    pub(crate) const ALL: [Self; 8] = [
        Self::MaxConnections,
        Self::ConnectRate,
        Self::ConnectTimeout,
        Self::ProxyProtocol,
        Self::TlsHandshake,
        Self::WebsocketHandshake,
        Self::MalformedConnect,
        Self::NoRoom,
    ];

    /// The word for it in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MaxConnections => "max_connections",
            Self::ConnectRate => "connect_rate",
            Self::ConnectTimeout => "connect_timeout",
            Self::ProxyProtocol => "proxy_protocol",
            Self::TlsHandshake => "tls_handshake",
            Self::WebsocketHandshake => "websocket_handshake",
            Self::MalformedConnect => "malformed_connect",
            Self::NoRoom => "no_room",
        }
    }
}

/// How often each happened, over all listeners.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; Refusal::ALL.len()]);

impl Refusals {
    pub(crate) fn count(&self, refusal: Refusal) {
        if let Some(count) = self.0.get(refusal as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |refusal: Refusal| self.0.get(refusal as usize);
        Refusal::ALL.into_iter().filter_map(move |refusal| {
            count(refusal).map(|count| (refusal.as_str(), count.load(Ordering::Relaxed)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let refusals = Refusals::default();
        for (times, refusal) in Refusal::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| refusals.count(refusal));
        }
        let counts: Vec<_> = refusals.read().map(|(_, count)| count).collect();
        assert_eq!(counts, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
