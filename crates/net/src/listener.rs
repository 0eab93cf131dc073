//! Listeners: bound before anything else starts, so that an address in use is an error at the start.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Config, ListenerConfig};

/// Connections the system keeps for a listener that is not accepting yet.
const BACKLOG: i32 = 4096;

/// A listener that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("listener {name} cannot listen at {bind}: {source}")]
pub struct BindError {
    /// The listener's name.
    pub name: String,
    /// The address.
    pub bind: SocketAddr,
    /// The system's words.
    pub source: io::Error,
}

/// Listeners that hold their addresses and accept nothing yet.
pub struct Bound {
    pub(crate) listeners: Vec<(String, TcpListener)>,
    addresses: Vec<(String, SocketAddr)>,
}

impl Bound {
    /// The listeners' names and addresses, with the ports the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }
}

/// Binds all listeners.
///
/// # Errors
/// An address is in use or not this machine's.
pub fn bind(config: &Config) -> Result<Bound, BindError> {
    let mut bound = Bound { listeners: Vec::new(), addresses: Vec::new() };
    for listener in &config.listeners {
        let error = |source| BindError { name: listener.name.clone(), bind: listener.bind, source };
        let socket = open(listener).map_err(error)?;
        bound.addresses.push((listener.name.clone(), socket.local_addr().map_err(error)?));
        bound.listeners.push((listener.name.clone(), socket));
    }
    Ok(bound)
}

fn open(listener: &ListenerConfig) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(listener.bind), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&listener.bind.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_named() {
        let first = Config {
            listeners: vec![ListenerConfig { name: "one".into(), bind: ([127, 0, 0, 1], 0).into() }],
            ..Config::default()
        };
        let bound = bind(&first).expect("a free port");
        let (_, address) = bound.addresses()[0];
        let second = Config {
            listeners: vec![ListenerConfig { name: "two".into(), bind: address }],
            ..Config::default()
        };
        let error = bind(&second).err().expect("in use").to_string();
        assert!(error.contains("listener two") && error.contains(&address.to_string()), "{error}");
    }
}
