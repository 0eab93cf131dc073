//! MQTT over a stream of QUIC. A thread drives QUIC and passes the stream on as a socket, so that nothing above knows.

mod driver;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{ClientConfig, Endpoint, EndpointConfig, TransportConfig};
use rustls::ClientConfig as TlsConfig;

use super::host;
use super::socket::Socket;
use super::tls_config::client_config;
use crate::{ConnectOptions, Error};
use driver::Driver;

/// The protocol that is asked for (ALPN).
const ALPN: &[u8] = b"mqtt";
/// How often the server is told that we live, so that the way back stays open.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Connects, and gives the stream as a socket.
pub(super) fn connect(options: &ConnectOptions, deadline: Instant) -> Result<Socket, Error> {
    let address = &options.address;
    let failed = |why: String| Error::Handshake { what: "QUIC", address: address.clone(), why };
    let mut failure = None;
    let resolve_error = |source| Error::Resolve { address: address.clone(), source };
    for candidate in address.to_socket_addrs().map_err(resolve_error)? {
        match connect_to(candidate, options, deadline) {
            Ok(driver) => {
                let (ours, theirs) =
                    UnixStream::pair().map_err(|error| failed(error.to_string()))?;
                let thread = std::thread::Builder::new().name("mqtt-quic".to_owned());
                thread.spawn(move || driver.run(theirs)).map_err(Error::Thread)?;
                return Ok(Socket::Unix(ours));
            }
            Err(Failure::NotReached(error)) => failure = Some(error),
            Err(Failure::Other(why)) => return Err(failed(why)),
            Err(Failure::Config(error)) => return Err(error),
        }
    }
    let source = failure.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into());
    Err(Error::Connect { address: address.clone(), source })
}

/// Why there is no connection.
enum Failure {
    /// The next address may do.
    NotReached(std::io::Error),
    Other(String),
    Config(Error),
}

fn connect_to(
    to: SocketAddr,
    options: &ConnectOptions,
    deadline: Instant,
) -> Result<Driver, Failure> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let udp = UdpSocket::bind(any).map_err(Failure::NotReached)?;
    udp.connect(to).map_err(Failure::NotReached)?;
    udp.set_nonblocking(true).map_err(Failure::NotReached)?;
    let tls = options.transport.tls.clone().unwrap_or_default();
    let mut config = TlsConfig::clone(&*client_config(&tls).map_err(Failure::Config)?);
    config.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicClientConfig::try_from(config)
        .map_err(|_| Failure::Other("QUIC needs TLS 1.3".to_owned()))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    let mut transport = TransportConfig::default();
    transport.keep_alive_interval(Some(PING_INTERVAL)).mtu_discovery_config(None);
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, false, None);
    let name = tls.server_name.as_deref().unwrap_or_else(|| host(&options.address));
    let (handle, connection) = endpoint
        .connect(Instant::now(), config, to, name)
        .map_err(|error| Failure::Other(error.to_string()))?;
    let mut driver = Driver::new(udp, endpoint, handle, connection);
    driver.handshake(deadline).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Failure::NotReached(error),
        ErrorKind::TimedOut => Failure::Other("the server did not answer in time".to_owned()),
        _ => Failure::Other(error.to_string()),
    })?;
    Ok(driver)
}
