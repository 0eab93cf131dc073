//! A stream of QUIC below the client; the server is not ours.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use mqtt_client::{Client, ConnectOptions, Network, TlsOptions, Transport};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream, ServerConfig};
use tokio::runtime::Runtime;

use crate::script::Peer;
use crate::transports::{Certificates, exchange, script};

/// The server's side of a stream.
struct Quic {
    runtime: Arc<Runtime>,
    _connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Read for Quic {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.runtime.block_on(self.receive.read(into));
        Ok(read.map_err(io::Error::other)?.unwrap_or(0))
    }
}

impl Write for Quic {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.runtime.block_on(self.send.write(bytes)).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Serves the first connection with these protocols; gives the port.
fn listen(
    certificates: &Certificates,
    alpn: &[u8],
    serve: impl FnOnce(Quic) + Send + 'static,
) -> (u16, JoinHandle<()>) {
    let mut tls = rustls::ServerConfig::clone(&certificates.server);
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = QuicServerConfig::try_from(tls).expect("TLS 1.3");
    let config = ServerConfig::with_crypto(Arc::new(config));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = Arc::new(runtime.worker_threads(1).enable_all().build().expect("a runtime"));
    let guard = runtime.enter();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let endpoint = Endpoint::server(config, any).expect("a port");
    drop(guard);
    let port = endpoint.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || {
        let accept = async {
            let connection = endpoint.accept().await?.await.ok()?;
            let (send, receive) = connection.accept_bi().await.ok()?;
            Some((connection, send, receive))
        };
        if let Some((connection, send, receive)) = runtime.block_on(accept) {
            let runtime = Arc::clone(&runtime);
            serve(Quic { runtime, _connection: connection, send, receive });
        }
        runtime.block_on(endpoint.wait_idle());
    });
    (port, server)
}

fn options(port: u16, tls: TlsOptions) -> ConnectOptions {
    let transport = Transport { network: Network::Quic, tls: Some(tls), websocket_path: None };
    ConnectOptions { transport, ..ConnectOptions::new(format!("localhost:{port}")) }
}

#[test]
fn a_stream_carries_mqtt_to_its_end() {
    let certificates = Certificates::new(false);
    let (port, server) = listen(&certificates, b"mqtt", |stream| script(&mut Peer::new(stream)));
    // The name has addresses of both families; the server is at one of them.
    exchange(&options(port, certificates.options()));
    server.join().expect("the script holds");
}

#[test]
fn handshakes_that_fail_say_why() {
    let certificates = Certificates::new(false);
    let stranger = Certificates::new(false);
    let refusal = |alpn: &[u8], tls: TlsOptions| {
        let (port, server) = listen(&certificates, alpn, drop);
        let outcome = Client::connect(&options(port, tls));
        let error = outcome.map(|_| ()).expect_err("refused").to_string();
        server.join().expect("it ends");
        error
    };
    let error = refusal(b"mqtt", stranger.options());
    assert!(error.starts_with("QUIC handshake with localhost:"), "{error}");
    assert!(error.contains("UnknownIssuer") || error.contains("BadSignature"), "{error}");
    let error = refusal(b"h3", certificates.options());
    assert!(error.contains("any known protocol"), "{error}");
}
