//! What a connection's bytes travel through: a plain socket, TLS, WebSocket. It must not know MQTT.
//!
//! A write is taken only when all of it is on the socket: until then it says `WouldBlock`, and the same bytes are to be
//! given again. So nobody counts bytes as written that wait in here.

mod frame;
mod peer;
mod socket;
mod tls;
mod upgrade;
mod websocket;

use std::io::{self, Read, Write};

pub(crate) use peer::Peer;
pub(crate) use socket::Socket;
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

    /// Logs that a handshake took too long, if there is one.
    pub(crate) fn note_timeout(&self) {
        match self {
            Self::Plain(_) => {}
            Self::Tls(tls) => tls.note_timeout(),
            Self::WebSocket(websocket) => websocket.note_timeout(),
        }
    }

    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
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
