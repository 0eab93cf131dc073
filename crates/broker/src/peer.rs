//! Who is at the other end of a connection, as its listener knows it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Who is at the other end of a connection. Nothing in it is the client's own word.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peer {
    /// Where the client is, as the socket or a trusted proxy says; none over a Unix socket.
    pub address: Option<IpAddr>,
    /// The common name of the subject of the client's certificate, which has been verified; none without one.
    pub certificate_common_name: Option<String>,
    /// The name of the listener that it came through.
    pub listener: Arc<str>,
    /// The largest packet that the listener takes, where that is not the broker's own limit.
    pub maximum_packet_size: Option<u32>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}
