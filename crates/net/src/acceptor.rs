//! A listening socket, and what its connections travel through. It must not know the connections that are there.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use stdx::Instant;

use crate::config::{ListenerConfig, WebSocketConfig};
use crate::gate::Gate;
use crate::tls_server::TlsServer;
use crate::transport::{Peer, Socket, Stream, Tls, Transport, Under, WebSocket};

/// A socket that listens.
pub(crate) enum Listening {
    Tcp(TcpListener),
    /// With the path, which goes with it.
    Unix(UnixListener, PathBuf),
}

/// A listener at work.
pub(crate) struct Acceptor {
    pub(crate) gate: Arc<Gate>,
    socket: Listening,
    tls: Option<TlsServer>,
    websocket: Option<Arc<WebSocketConfig>>,
}

/// What became of a connection that was waiting.
pub(crate) enum Accepted {
    Connection(Transport),
    /// There is no place for it; it is closed already.
    Refused,
}

impl Acceptor {
    pub(crate) fn new(config: &ListenerConfig, socket: Listening, gate: Arc<Gate>) -> Self {
        Self {
            gate,
            socket,
            tls: config.tls.clone(),
            websocket: config.websocket.clone().map(Arc::new),
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.socket {
            Listening::Tcp(listener) => listener.register(registry, token, Interest::READABLE),
            Listening::Unix(listener, _) => listener.register(registry, token, Interest::READABLE),
        }
    }

    /// Takes a connection.
    pub(crate) fn accept(&self, now: Instant) -> io::Result<Accepted> {
        let (stream, address) = match &self.socket {
            Listening::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                // A socket that has gone already refuses; reading it will say so.
                let _ = stream.set_nodelay(true);
                (Stream::Tcp(stream), Some(address))
            }
            Listening::Unix(listener, _) => (Stream::Unix(listener.accept()?.0), None),
        };
        let place = match self.gate.admit(now) {
            Ok(place) => place,
            Err(refusal) => {
                self.gate.refuse(refusal, now);
                return Ok(Accepted::Refused);
            }
        };
        let peer = Peer::new(place, address);
        Ok(Accepted::Connection(self.dress(Socket::new(stream, peer))?))
    }

    fn dress(&self, socket: Socket) -> io::Result<Transport> {
        let Some(tls) = &self.tls else {
            return Ok(match &self.websocket {
                Some(config) => over(Under::Plain(socket), config),
                None => Transport::Plain(socket),
            });
        };
        let tls = Tls::new(socket, tls.current()).map_err(io::Error::other)?;
        Ok(match &self.websocket {
            Some(config) => over(Under::Tls(Box::new(tls)), config),
            None => Transport::Tls(Box::new(tls)),
        })
    }
}

fn over(under: Under, config: &Arc<WebSocketConfig>) -> Transport {
    Transport::WebSocket(Box::new(WebSocket::new(under, Arc::clone(config))))
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        if let Listening::Unix(_, path) = &self.socket {
            // Who removed it before has done our work.
            let _ = std::fs::remove_file(path);
        }
    }
}
