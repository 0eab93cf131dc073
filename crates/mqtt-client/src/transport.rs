//! What a connection runs over: TCP, QUIC or a Unix socket; TLS, WebSocket. It must not know MQTT.
//!
//! ```text
//!   Incoming ◀── WebSocket ◀── TLS ◀── Socket     read by one thread
//!   Outgoing ──▶ WebSocket ──▶ TLS ──▶ Socket     written by another
//! ```
//! Only the writing thread writes to the socket. What the reading side has to answer, a Ping or a key update, waits for
//! it: [`Incoming::owes_answer`] says so, [`Write::flush`] sends it.

mod quic;
mod socket;
mod tls;
mod tls_config;
mod websocket;
mod websocket_halves;

use std::io::{Read, Write};
use std::time::Instant;

use crate::Error;
use crate::options::{ConnectOptions, Network};

pub(crate) use socket::Socket;

/// The reading half.
pub(crate) trait Incoming: Read + Send {
    /// Whether something has to be written in answer to what was read.
    fn owes_answer(&self) -> bool {
        false
    }
}

/// The writing half. A flush writes what the reading half owes.
pub(crate) trait Outgoing: Write + Send {
    /// Says that no more will come.
    fn finish(&mut self) {}
}

/// Both halves, and the socket below, to end them.
pub(crate) struct Opened {
    pub(crate) incoming: Box<dyn Incoming>,
    pub(crate) outgoing: Box<dyn Outgoing>,
    pub(crate) socket: Socket,
}

/// Connects, with the handshakes of TLS and WebSocket.
pub(crate) fn open(options: &ConnectOptions, deadline: Instant) -> Result<Opened, Error> {
    let transport = &options.transport;
    let failed = |source| Error::Connect { address: options.address.clone(), source };
    let socket = match transport.network {
        Network::Tcp => Socket::connect_tcp(options)?,
        Network::Quic => quic::connect(options, deadline)?,
        Network::Unix => Socket::connect_unix(&options.address).map_err(failed)?,
    };
    socket.set_write_timeout(options.write_timeout).map_err(failed)?;
    socket.set_read_deadline(deadline).map_err(failed)?;
    let clone = || socket.try_clone().map_err(failed);
    // QUIC has it within.
    let tls = transport.tls.as_ref().filter(|_| transport.network != Network::Quic);
    let (mut incoming, mut outgoing): (Box<dyn Incoming>, Box<dyn Outgoing>) = match tls {
        None => (Box::new(clone()?), Box::new(clone()?)),
        Some(tls) => {
            let (incoming, outgoing) = tls::handshake(clone()?, tls, &options.address)?;
            (Box::new(incoming), Box::new(outgoing))
        }
    };
    if let Some(path) = &transport.websocket_path {
        (incoming, outgoing) = websocket::handshake(incoming, outgoing, &options.address, path)?;
    }
    Ok(Opened { incoming, outgoing, socket })
}

/// The host of `host:port`, without the brackets of IPv6.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_matches(['[', ']'])
}
