//! Listeners: bound before anything else starts, so that an address in use is an error at the start.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::acceptor::{Acceptor, Listening};
use crate::address::Address;
use crate::config::{Config, ListenerConfig};
use crate::gate::Gate;
use crate::quic::{self, QuicListener, can_serve};
use crate::refusal::Refusals;

/// Connections the system keeps for a listener that is not accepting yet.
const BACKLOG: i32 = 4096;

/// A listener that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("listener {name} cannot listen at {bind}: {source}")]
pub struct BindError {
    /// The listener's name.
    pub name: String,
    /// The address.
    pub bind: Address,
    /// The system's words.
    pub source: io::Error,
}

/// Listeners that hold their addresses and accept nothing yet.
pub struct Bound {
    pub(crate) acceptors: Vec<Acceptor>,
    pub(crate) quic: Vec<QuicListener>,
    pub(crate) gates: Vec<Arc<Gate>>,
    pub(crate) refusals: Arc<Refusals>,
    addresses: Vec<(String, Address)>,
}

impl Bound {
    /// The listeners' names and addresses, with the ports the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[(String, Address)] {
        &self.addresses
    }
}

/// Binds all listeners.
///
/// # Errors
/// An address is in use or not this machine's.
pub fn bind(config: &Config) -> Result<Bound, BindError> {
    let refusals = Arc::new(Refusals::default());
    let mut bound = Bound {
        acceptors: Vec::new(),
        quic: Vec::new(),
        gates: Vec::new(),
        refusals: Arc::clone(&refusals),
        addresses: Vec::new(),
    };
    for listener in &config.listeners {
        let error =
            |source| BindError { name: listener.name.clone(), bind: listener.bind.clone(), source };
        let gate = Arc::new(Gate::new(listener, config, Arc::clone(&refusals)));
        bound.gates.push(Arc::clone(&gate));
        if listener.quic {
            let (quic, address) = open_quic(listener, gate).map_err(error)?;
            bound.addresses.push((listener.name.clone(), address));
            bound.quic.push(quic);
            continue;
        }
        let (socket, address) = match &listener.bind {
            Address::Ip(address) => open_tcp(*address, listener.dual_stack),
            Address::Unix(path) => open_unix(path),
        }
        .map_err(error)?;
        bound.addresses.push((listener.name.clone(), address));
        bound.acceptors.push(Acceptor::new(listener, socket, gate));
    }
    Ok(bound)
}

fn open_tcp(bind: SocketAddr, dual_stack: bool) -> io::Result<(Listening, Address)> {
    let socket = Socket::new(Domain::for_address(bind), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if bind.is_ipv6() {
        // Said here, so that it is not the system's setting that decides.
        socket.set_only_v6(!dual_stack)?;
    }
    socket.bind(&bind.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr()?.into();
    Ok((Listening::Tcp(mio::net::TcpListener::from_std(listener)), address))
}

fn open_quic(listener: &ListenerConfig, gate: Arc<Gate>) -> io::Result<(QuicListener, Address)> {
    let unfit = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let address = listener.bind.ip().ok_or_else(|| unfit("QUIC needs an IP address"))?;
    let tls = listener.tls.clone().ok_or_else(|| unfit("QUIC needs a certificate"))?;
    if !can_serve(&tls.current()) {
        return Err(unfit("QUIC cannot be spoken with this certificate"));
    }
    let socket = quic::bind(address, listener.dual_stack)?;
    let address = socket.local_addr()?.into();
    Ok((QuicListener { gate, tls, socket }, address))
}

fn open_unix(path: &Path) -> io::Result<(Listening, Address)> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let listener = mio::net::UnixListener::from_std(listener);
    Ok((Listening::Unix(listener, path.to_owned()), Address::Unix(path.to_owned())))
}

/// Removes a socket that nobody listens to any more: a process that is killed leaves it behind.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        // Somebody listens, or whatever else there is: binding says so.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, bind: impl Into<Address>) -> Config {
        Config { listeners: vec![crate::ListenerConfig::plain(name, bind)], ..Config::default() }
    }

    #[test]
    fn an_address_in_use_is_named() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = bind(&config("one", any)).expect("a free port");
        let (_, address) = bound.addresses()[0].clone();
        let error = bind(&config("two", address.clone())).err().expect("in use").to_string();
        assert!(error.contains("listener two") && error.contains(&address.to_string()), "{error}");
    }

    #[test]
    fn a_unix_socket_is_taken_over_only_from_the_dead() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mqtt.sock");
        // A process that is killed leaves its socket behind.
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(path.exists());
        let bound = bind(&config("one", Address::Unix(path.clone()))).expect("taken over");
        assert_eq!(bound.addresses()[0].1.to_string(), format!("unix:{}", path.display()));
        let error = bind(&config("two", Address::Unix(path.clone()))).err().expect("in use");
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        drop(bound);
        assert!(!path.exists(), "a listener takes its socket with it");
        std::fs::write(&path, "mine").expect("written");
        assert!(bind(&config("three", Address::Unix(path.clone()))).is_err());
        assert_eq!(std::fs::read(&path).expect("still there"), b"mine");
    }
}
