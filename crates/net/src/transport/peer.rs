//! Who is at the other end, for the log.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A peer and the listener it came through.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) listener: Arc<str>,
    /// None over a Unix socket.
    pub(crate) address: Option<SocketAddr>,
}

impl Peer {
    /// Logs a handshake that came to nothing.
    pub(crate) fn handshake_failed(&self, what: &str, why: &dyn fmt::Display) {
        let Self { listener, .. } = self;
        tracing::info!(%listener, peer = %self, "{what} handshake failed: {why}");
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}
