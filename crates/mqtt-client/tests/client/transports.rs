//! TLS, WebSocket and Unix sockets below the client, and handshakes that come to nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use mqtt_client::{
    Client, ConnectOptions, Network, Outgoing, PropertyBlock, TlsOptions, TlsVersion, Transport,
};
use mqtt_codec::{Ack, Packet};
use mqtt_types::{QoS, ReasonCode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::script::{Peer, SOON, id};
use crate::websocket::WebSocket;

/// A server's certificate for `localhost`, a client's, and the authority of both.
pub struct Certificates {
    pub server: Arc<ServerConfig>,
    ca: PathBuf,
    client: (PathBuf, PathBuf),
    _folder: TempDir,
}

impl Certificates {
    /// The server asks for a client's certificate if wanted.
    pub fn new(asks: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let authority = authority.expect("signed");
        let issue = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            (params.signed_by(&key, &authority).expect("signed"), key)
        };
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("a root");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if asks {
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let (cert, key) = issue("localhost");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let server = builder.with_single_cert(vec![cert.der().clone()], key).expect("they fit");
        let (cert, key) = issue("client");
        Self {
            server: Arc::new(server),
            ca: write("ca.pem", authority.pem()),
            client: (write("client.pem", cert.pem()), write("client.key", key.serialize_pem())),
            _folder: folder,
        }
    }

    pub fn options(&self) -> TlsOptions {
        TlsOptions { ca_file: Some(self.ca.clone()), ..TlsOptions::default() }
    }
}

/// Serves the first connection; gives the port.
fn listen(serve: impl FnOnce(TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        serve(stream);
    });
    (port, server)
}

fn over_tls(
    config: &Arc<ServerConfig>,
    stream: TcpStream,
) -> StreamOwned<ServerConnection, TcpStream> {
    let session = ServerConnection::new(Arc::clone(config)).expect("a session");
    StreamOwned::new(session, stream)
}

/// The server's part: a message each way, one of them large, then DISCONNECT and the end.
pub fn script(peer: &mut Peer) {
    peer.accept(PropertyBlock::new().properties());
    for number in 1..=2 {
        let payload = peer.expect(|packet| match packet {
            Packet::Publish(publish) => publish.payload.to_vec(),
            other => panic!("{other:?} is no PUBLISH"),
        });
        peer.send(&Packet::PubAck(Ack::new(id(number), ReasonCode::SUCCESS)));
        let publish =
            mqtt_codec::OutgoingPublish { topic: "back", payload: &payload, ..Default::default() };
        let mut out = Vec::new();
        mqtt_codec::encode_publish(&mut out, peer.version, &publish).expect("legal");
        peer.send_bytes(&out);
    }
    peer.expect(|packet| assert!(matches!(packet, Packet::Disconnect(_)), "{packet:?}"));
    peer.expect_end();
}

/// The client's part.
pub fn exchange(options: &ConnectOptions) {
    let client = Client::connect(options).expect("accepted");
    for payload in [b"small".to_vec(), (0..400_000_u32).map(|n| (n >> 3) as u8).collect()] {
        let message = Outgoing {
            topic: "there",
            payload: &payload,
            qos: QoS::AtLeastOnce,
            ..Outgoing::default()
        };
        client.publish(&message, SOON).expect("acknowledged");
        let delivery = client.next(SOON).expect("connected").expect("in time");
        assert!(delivery.payload == payload, "{} bytes", payload.len());
    }
    client.disconnect(ReasonCode::SUCCESS).expect("in order");
}

fn options(port: u16, tls: Option<TlsOptions>, is_websocket: bool) -> ConnectOptions {
    let websocket_path = is_websocket.then(|| "/mqtt".to_owned());
    let transport = Transport { network: Network::Tcp, tls, websocket_path };
    ConnectOptions { transport, ..ConnectOptions::new(format!("localhost:{port}")) }
}

#[test]
fn tls_of_both_versions_with_and_without_a_certificate_of_ones_own() {
    for asks in [false, true] {
        for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
            let certificates = Certificates::new(asks);
            let config = Arc::clone(&certificates.server);
            let (port, server) =
                listen(move |stream| script(&mut Peer::new(over_tls(&config, stream))));
            let tls = TlsOptions {
                version: Some(version),
                certificate: asks.then(|| certificates.client.clone()),
                ..certificates.options()
            };
            exchange(&options(port, Some(tls), false));
            server.join().expect("the script holds");
        }
    }
}

#[test]
fn websocket_alone_and_over_tls() {
    let (port, server) = listen(|stream| script(&mut Peer::new(WebSocket::accept(stream))));
    exchange(&options(port, None, true));
    server.join().expect("the script holds");
    let certificates = Certificates::new(false);
    let config = Arc::clone(&certificates.server);
    let (port, server) = listen(move |stream| {
        script(&mut Peer::new(WebSocket::accept(over_tls(&config, stream))));
    });
    exchange(&options(port, Some(certificates.options()), true));
    server.join().expect("the script holds");
}

#[test]
fn a_unix_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mqtt.sock");
    let listener = UnixListener::bind(&path).expect("bound");
    let server = std::thread::spawn(move || {
        script(&mut Peer::new(listener.accept().expect("a client").0));
    });
    let transport = Transport { network: Network::Unix, ..Transport::default() };
    let address = path.display().to_string();
    exchange(&ConnectOptions { transport, ..ConnectOptions::new(address) });
    server.join().expect("the script holds");
}

#[test]
fn a_ping_is_answered_while_nothing_else_is_sent() {
    let (port, server) = listen(|stream| {
        let mut websocket = WebSocket::accept(stream);
        let mut connect = [0; 2];
        websocket.read_exact(&mut connect).expect("CONNECT");
        websocket.send(0x82, &[0x20, 3, 0, 0, 0]);
        for payload in [&b"first"[..], b""] {
            websocket.send(0x89, payload);
            assert_eq!(websocket.next_control(), (0x8A, payload.to_vec()));
        }
        // A message in fragments with a Ping between: PUBLISH of QoS 0 to `t`.
        websocket.send(0x02, &[0x30, 6, 0]);
        websocket.send(0x89, b"between");
        websocket.send(0x00, &[1, b't', 0]);
        websocket.send(0x80, b"hi");
        assert_eq!(websocket.next_control(), (0x8A, b"between".to_vec()));
        websocket.send(0x88, &1001_u16.to_be_bytes());
        assert_eq!(websocket.next_control(), (0x88, 1000_u16.to_be_bytes().to_vec()));
    });
    let client = Client::connect(&options(port, None, true)).expect("accepted");
    let delivery = client.next(SOON).expect("connected").expect("in time");
    assert_eq!((delivery.topic.as_str(), &delivery.payload[..]), ("t", &b"hi"[..]));
    assert!(client.next(SOON).is_err(), "the server has closed");
    server.join().expect("the script holds");
    drop(client);
}

/// Why a connection is not made to a server that serves that way.
fn refusal(
    tls: Option<TlsOptions>,
    is_websocket: bool,
    serve: impl FnOnce(TcpStream) + Send + 'static,
) -> String {
    let (port, server) = listen(serve);
    let outcome = Client::connect(&options(port, tls, is_websocket));
    let error = outcome.map(|_| ()).expect_err("refused").to_string();
    server.join().expect("the script holds");
    error
}

#[test]
fn who_the_server_is_is_checked() {
    let certificates = Certificates::new(false);
    let stranger = Certificates::new(false);
    let handshake = |config: &Arc<ServerConfig>| {
        let config = Arc::clone(config);
        move |stream| {
            // It ends with the client's alert, or with what comes after the handshake.
            let _ = over_tls(&config, stream).read(&mut [0]);
        }
    };
    let error = refusal(Some(stranger.options()), false, handshake(&certificates.server));
    assert!(error.starts_with("TLS handshake with localhost:"), "{error}");
    assert!(error.contains("UnknownIssuer") || error.contains("BadSignature"), "{error}");
    let other_name = Some("elsewhere.example".to_owned());
    let tls = TlsOptions { server_name: other_name.clone(), ..certificates.options() };
    let error = refusal(Some(tls), false, handshake(&certificates.server));
    assert!(error.contains("not valid for name"), "{error}");
    // With `insecure` the name is of no matter, the authority is; without one, nothing is.
    let trusting =
        |tls: TlsOptions| TlsOptions { insecure: true, server_name: other_name.clone(), ..tls };
    for tls in [trusting(certificates.options()), trusting(TlsOptions::default())] {
        let config = Arc::clone(&certificates.server);
        let (port, server) =
            listen(move |stream| script(&mut Peer::new(over_tls(&config, stream))));
        exchange(&options(port, Some(tls), false));
        server.join().expect("the script holds");
    }
    let tls = trusting(stranger.options());
    let error = refusal(Some(tls), false, handshake(&certificates.server));
    assert!(error.contains("UnknownIssuer") || error.contains("BadSignature"), "{error}");
}

#[test]
fn handshakes_that_fail_say_why() {
    let certificates = Certificates::new(false);
    let close = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 4096]);
    };
    let error = refusal(Some(certificates.options()), false, close);
    assert!(error.ends_with("the server closed the connection"), "{error}");
    let error = refusal(None, true, close);
    assert!(error.ends_with("the server closed the connection"), "{error}");
    let not_found = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").expect("written");
    };
    let error = refusal(None, true, not_found);
    assert!(error.contains("the server answers 404 Not Found"), "{error}");
    let missing = TlsOptions { ca_file: Some("/nowhere/ca.pem".into()), ..TlsOptions::default() };
    let outcome = Client::connect(&options(listen(drop).0, Some(missing), false));
    let error = outcome.map(|_| ()).expect_err("no file").to_string();
    assert!(error.starts_with("cannot use /nowhere/ca.pem: No such file"), "{error}");
}
