//! What a connection's bytes travel through: a plain socket, TLS, WebSocket, on each perhaps a PROXY header first. It
//! must not know MQTT.
//!
//! A write is taken only when all of it is on the socket: until then it says `WouldBlock`, and the same bytes are to be
//! given again. So nobody counts bytes as written that wait in here.

mod frame;
#[cfg(test)]
mod fuzz;
mod peer;
mod proxy_header;
mod socket;
mod tls;
mod upgrade;
mod websocket;

use std::io::{self, Read, Write};

pub(crate) use peer::Peer;
pub(crate) use socket::{Socket, Stream};
pub(crate) use tls::Tls;
pub(crate) use websocket::{Under, WebSocket};

/// What a read came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// So many bytes, one at least.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The peer is gone.
    End,
    /// No more will come, but the peer should read our last words: an alert, a Close frame, an HTTP answer.
    Over,
}

/// A connection's transport. All but the plain one are boxed, so that those who do not use them do not pay.
pub(crate) enum Transport {
    Plain(Socket),
    Tls(Box<Tls>),
    WebSocket(Box<WebSocket>),
}

impl Transport {
    /// Reads once.
    #[inline]
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Input {
        match self {
            Self::Plain(socket) => read_raw(socket, into),
            Self::Tls(tls) => tls.read(into),
            Self::WebSocket(websocket) => websocket.read(into),
        }
    }

    /// Reads what is to be thrown away.
    pub(crate) fn discard(&mut self, into: &mut [u8]) -> Input {
        read_raw(self.socket_mut(), into)
    }

    /// Whether there is more to read although the poll will not say so.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.has_more(),
            Self::WebSocket(websocket) => websocket.has_more(),
        }
    }

    /// Writes once.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
            Self::WebSocket(websocket) => websocket.write(bytes),
        }
    }

    /// Whether output of the transport's own waits for the socket.
    #[inline]
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.wants_write(),
            Self::WebSocket(websocket) => websocket.wants_write(),
        }
    }

    /// Writes the transport's own output; with `farewell`, its last words too.
    #[inline]
    pub(crate) fn settle(&mut self, farewell: bool) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.settle(farewell),
            Self::WebSocket(websocket) => websocket.settle(farewell),
        }
    }

    /// What has to come before MQTT and has not.
    pub(crate) fn pending_handshake(&self) -> Option<&'static str> {
        if self.socket().awaits_header() {
            return Some("PROXY header");
        }
        match self {
            Self::WebSocket(websocket) if websocket.is_handshaking() => Some("WebSocket handshake"),
            _ if self.tls().is_some_and(Tls::is_handshaking) => Some("TLS handshake"),
            _ => None,
        }
    }

    /// The TLS within, if there is any.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls),
            Self::WebSocket(websocket) => match websocket.under() {
                Under::Plain(_) => None,
                Under::Tls(tls) => Some(tls),
            },
        }
    }

    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> &Peer {
        self.socket().peer()
    }

    /// The socket below all.
    pub(crate) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
            Self::WebSocket(websocket) => websocket.under().socket(),
        }
    }

    /// The socket below all.
    pub(crate) const fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket_mut(),
            Self::WebSocket(websocket) => websocket.socket_mut(),
        }
    }
}

#[inline]
fn read_raw(socket: &mut Socket, into: &mut [u8]) -> Input {
    loop {
        match socket.read(into) {
            Ok(0) => return Input::End,
            Ok(count) => return Input::Bytes(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Input::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Input::End,
        }
    }
}
