//! A listening socket, and what its connections travel through. It must not know the connections that are there.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};

use crate::config::{ListenerConfig, WebSocketConfig};
use crate::tls_server::TlsServer;
use crate::transport::{Peer, Socket, Tls, Transport, Under, WebSocket};

/// A socket that listens.
pub(crate) enum Listening {
    Tcp(TcpListener),
    /// With the path, which goes with it.
    Unix(UnixListener, PathBuf),
}

/// A listener at work.
pub(crate) struct Acceptor {
    pub(crate) name: Arc<str>,
    socket: Listening,
    tls: Option<TlsServer>,
    websocket: Option<Arc<WebSocketConfig>>,
}

impl Acceptor {
    pub(crate) fn new(config: &ListenerConfig, socket: Listening) -> Self {
        Self {
            name: config.name.as_str().into(),
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
    pub(crate) fn accept(&self) -> io::Result<(Transport, broker::Peer)> {
        let (socket, address) = match &self.socket {
            Listening::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                // A socket that has gone already refuses; reading it will say so.
                let _ = stream.set_nodelay(true);
                (Socket::Tcp(stream), Some(address))
            }
            Listening::Unix(listener, _) => (Socket::Unix(listener.accept()?.0), None),
        };
        let known = broker::Peer {
            address: address.map(|address| address.ip().to_canonical()),
            listener: Arc::clone(&self.name),
            ..broker::Peer::default()
        };
        if self.tls.is_none() && self.websocket.is_none() {
            return Ok((Transport::Plain(socket), known));
        }
        let peer = Peer { listener: Arc::clone(&self.name), address };
        Ok((self.dress(socket, peer)?, known))
    }

    fn dress(&self, socket: Socket, peer: Peer) -> io::Result<Transport> {
        let Some(tls) = &self.tls else {
            return Ok(match &self.websocket {
                Some(config) => over(Under::Plain(socket), config, peer),
                None => Transport::Plain(socket),
            });
        };
        let tls = Tls::new(socket, tls.current(), peer.clone()).map_err(io::Error::other)?;
        Ok(match &self.websocket {
            Some(config) => over(Under::Tls(Box::new(tls)), config, peer),
            None => Transport::Tls(Box::new(tls)),
        })
    }
}

fn over(under: Under, config: &Arc<WebSocketConfig>, peer: Peer) -> Transport {
    Transport::WebSocket(Box::new(WebSocket::new(under, Arc::clone(config), peer)))
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        if let Listening::Unix(_, path) = &self.socket {
            // Who removed it before has done our work.
            let _ = std::fs::remove_file(path);
        }
    }
}
