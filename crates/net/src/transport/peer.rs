//! Who is at the other end, and the place it has at its listener.

use std::fmt;
use std::net::SocketAddr;

use crate::clock::Clock;
use crate::gate::{Gate, Place};
use crate::refusal::Refusal;

/// A peer and the listener it came through.
#[derive(Debug)]
pub(crate) struct Peer {
    place: Place,
    /// None over a Unix socket.
    pub(crate) address: Option<SocketAddr>,
    /// The common name of a certificate that was verified below the transport: QUIC's.
    #[expect(
        clippy::box_collection,
        reason = "a word instead of three in each connection that has none"
    )]
    pub(crate) certificate_common_name: Option<Box<String>>,
}

impl Peer {
    pub(crate) fn new(place: Place, address: Option<SocketAddr>) -> Self {
        // Over a listener of both stacks IPv4 comes dressed as IPv6.
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        Self { place, address: address.map(canonical), certificate_common_name: None }
    }

    /// The listener.
    pub(crate) fn gate(&self) -> &Gate {
        self.place.gate()
    }

    /// The listener's name.
    pub(crate) fn listener(&self) -> &str {
        &self.gate().name
    }

    /// Counts and logs a connection that came to nothing. Beyond a few lines a second they are for the debug level.
    pub(crate) fn refused(&self, refusal: Refusal, why: &dyn fmt::Display) {
        self.gate().count(refusal);
        let (listener, reason) = (self.listener(), refusal.as_str());
        if self.gate().takes_line(Clock::unix_ms() / 1000) {
            tracing::info!(listener, peer = %self, reason, "connection refused: {why}");
        } else {
            tracing::debug!(listener, peer = %self, reason, "connection refused: {why}");
        }
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
