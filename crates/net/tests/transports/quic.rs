//! QUIC with a client that is not ours: one stream, handshakes that come to nothing, large messages, ends.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use net::{ListenerConfig, ListenerLimits, TlsFiles};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, TransportConfig, VarInt};
use rustls::version::TLS13;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::certificates::Authority;
use crate::client::{Client, DISCONNECT, echo, pattern, publish};
use crate::server::{Server, any_port};
use crate::streams::Stream;

fn listener(files: &TlsFiles) -> ListenerConfig {
    let tls = Some(files.load().expect("good files"));
    ListenerConfig { quic: true, tls, ..ListenerConfig::plain("quic", any_port()) }
}

fn serve() -> (Server, Authority, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    (Server::start(listener(&authority.server())), authority, folder)
}

/// A stream, as other clients have it.
struct Quic {
    runtime: Runtime,
    endpoint: Endpoint,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Quic {
    fn open(server: &Server, config: &Arc<rustls::ClientConfig>) -> io::Result<Self> {
        Self::open_with(server, config, b"mqtt", None)
    }

    fn open_with(
        server: &Server,
        config: &Arc<rustls::ClientConfig>,
        alpn: &[u8],
        window: Option<u32>,
    ) -> io::Result<Self> {
        let mut tls = rustls::ClientConfig::clone(config);
        tls.alpn_protocols = vec![alpn.to_vec()];
        let tls = QuicClientConfig::try_from(tls).expect("TLS 1.3");
        let mut config = ClientConfig::new(Arc::new(tls));
        let mut transport = TransportConfig::default();
        if let Some(window) = window {
            transport.stream_receive_window(VarInt::from_u32(window));
        }
        config.transport_config(Arc::new(transport));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let _guard = runtime.enter();
        let endpoint = Endpoint::client(any_port())?;
        let connecting =
            endpoint.connect_with(config, server.ip(), "localhost").expect("good arguments");
        let connection = runtime.block_on(connecting).map_err(io::Error::other)?;
        let (send, receive) = runtime.block_on(connection.open_bi()).map_err(io::Error::other)?;
        drop(_guard);
        Ok(Self { runtime, endpoint, connection, send, receive })
    }

    /// Waits until the server has closed; gives its code.
    fn closed(&self) -> String {
        self.runtime.block_on(self.connection.closed()).to_string()
    }

    /// Leaves in order, so that all that was sent has arrived.
    fn leave(mut self) {
        self.send.finish().expect("open");
        let _ = self.runtime.block_on(self.send.stopped());
        self.connection.close(VarInt::from_u32(0), b"");
        self.runtime.block_on(self.endpoint.wait_idle());
    }
}

impl Read for Quic {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read =
            async { tokio::time::timeout(Duration::from_secs(30), self.receive.read(into)).await };
        match self.runtime.block_on(read) {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(read) => Ok(read.map_err(io::Error::other)?.unwrap_or(0)),
        }
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

#[test]
fn a_stream_carries_mqtt_on_both_shards() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    for n in 0..4 {
        let stream = Quic::open(&server, &config).expect("connected");
        let mut client = Client::connect(stream, &format!("client-{n}"));
        echo(&mut client, &format!("echo/{n}"));
        client.send(&DISCONNECT).expect("sent");
        assert_eq!(client.0.read(&mut [0]).expect("the end of the stream"), 0);
        assert_eq!(client.0.closed(), "closed by peer: 0");
    }
    wait_for_connections(&server, 0);
}

fn wait_for_connections(server: &Server, wanted: u64) {
    let start = std::time::Instant::now();
    while !server.handle().connections().all(|(_, count)| count == wanted) {
        assert!(start.elapsed() < Duration::from_secs(10), "connections remain");
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_that_waits_gets_everything_in_the_end() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let mut publisher = Client::connect(Quic::open(&server, &config).expect("open"), "publisher");
    let payload = |n: usize| [n.to_string().into_bytes(), pattern(100_000)].concat();
    for n in 0..60 {
        publisher.send(&publish(&format!("kept/{n:03}"), &payload(n), true)).expect("sent");
    }
    publisher.subscribe("nothing");
    let slow = Quic::open_with(&server, &config, b"mqtt", Some(20_000)).expect("open");
    let mut reader = Client::connect(slow, "reader");
    reader.subscribe("kept/#");
    echo(&mut publisher, "meanwhile");
    let mut found: Vec<_> = (0..60).map(|_| reader.message()).collect();
    found.sort();
    for (n, (topic, body)) in found.into_iter().enumerate() {
        assert_eq!(topic, format!("kept/{n:03}"));
        assert!(body == payload(n), "message {n}");
    }
}

#[test]
fn a_client_that_moves_goes_on() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let mut client = Client::connect(Quic::open(&server, &config).expect("open"), "moving");
    echo(&mut client, "before");
    for n in 0..3 {
        let socket = std::net::UdpSocket::bind(any_port()).expect("a port");
        let guard = client.0.runtime.enter();
        client.0.endpoint.rebind(socket).expect("moved");
        drop(guard);
        echo(&mut client, &format!("after/{n}"));
    }
    client.send(&DISCONNECT).expect("sent");
    assert_eq!(client.0.closed(), "closed by peer: 0");
}

#[test]
fn ends_are_heard_with_what_came_before_them() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let open = || Quic::open(&server, &config).expect("open");
    let mut watcher = Client::connect(open(), "watcher");
    watcher.subscribe("gone/#");
    // A stream that ends without DISCONNECT, a connection that is closed, and one that says DISCONNECT before.
    let mut finished =
        Client::try_connect(open(), "finished", Some(("gone/1", "will"))).expect("in");
    finished.publish("gone/last", b"1");
    finished.0.leave();
    assert_eq!(watcher.message(), ("gone/last".to_owned(), b"1".to_vec()));
    assert_eq!(watcher.message(), ("gone/1".to_owned(), b"will".to_vec()));
    let closed = Client::try_connect(open(), "closed", Some(("gone/2", "will"))).expect("in");
    closed.0.connection.close(VarInt::from_u32(7), b"away");
    assert_eq!(watcher.message(), ("gone/2".to_owned(), b"will".to_vec()));
    let mut polite = Client::try_connect(open(), "polite", Some(("gone/3", "will"))).expect("in");
    polite.send(&DISCONNECT).expect("sent");
    polite.0.leave();
    let mut last = Client::connect(open(), "last");
    last.publish("gone/4", b"now");
    assert_eq!(watcher.message(), ("gone/4".to_owned(), b"now".to_vec()));
}

#[test]
fn other_protocols_other_authorities_and_garbage_are_refused() {
    let (server, authority, folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let error = Quic::open_with(&server, &config, b"h3", None).map(|_| ()).expect_err("refused");
    assert!(error.to_string().contains("any known protocol"), "{error}");
    let stranger = Authority::new(folder.path(), "stranger").client(&[&TLS13], None);
    assert!(Quic::open(&server, &stranger).is_err());
    let socket = std::net::UdpSocket::bind(any_port()).expect("a port");
    for garbage in [&b""[..], b"GET /", &[0xFF; 1400], &[0xC3; 1200]] {
        socket.send_to(garbage, server.ip()).expect("sent");
    }
    let mut good = Client::connect(Quic::open(&server, &config).expect("open"), "good");
    echo(&mut good, "echo");
    good.0.leave();
    wait_for_connections(&server, 0);
    assert!(server.refused("tls_handshake") >= 2);
}

#[test]
fn clients_show_certificates_and_new_ones_of_the_server_are_for_new_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Authority::new(folder.path(), "first");
    let second = Authority::new(folder.path(), "second");
    let files =
        TlsFiles { client_ca: Some(first.ca()), require_client_cert: true, ..first.server() };
    let server = Server::start(listener(&files));
    let device = first.issue("device-1");
    let connect = |authority: &Authority, identity| {
        let config = authority.client(&[&TLS13], identity);
        let stream = Quic::open(&server, &config)?;
        Client::try_connect(stream, "device", None)
    };
    assert!(connect(&first, None).is_err());
    let mut old = connect(&first, Some(&device)).expect("known");
    echo(&mut old, "echo/old");
    let other = second.server();
    std::fs::copy(&other.identities[0].cert, &files.identities[0].cert).expect("copied");
    std::fs::copy(&other.identities[0].key, &files.identities[0].key).expect("copied");
    server.reload().expect("good files");
    assert!(connect(&first, Some(&device)).is_err());
    let config = second.client(&[&TLS13], Some(&device));
    for _ in 0..2 {
        let stream = Quic::open(&server, &config).expect("open");
        echo(&mut Client::connect(stream, "new"), "echo/new");
    }
    echo(&mut old, "echo/old");
}

#[test]
fn limits_hold_for_quic_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let limits = ListenerLimits {
        max_connections: 1,
        connect_timeout: Some(Duration::from_millis(200)),
        ..ListenerLimits::default()
    };
    let server = Server::start(ListenerConfig { limits, ..listener(&authority.server()) });
    let config = authority.client(&[&TLS13], None);
    let only = Client::connect(Quic::open(&server, &config).expect("open"), "only");
    assert!(Quic::open(&server, &config).is_err());
    assert_eq!(server.refused("max_connections"), 1);
    only.0.leave();
    wait_for_connections(&server, 0);
    // Who opens a stream and says nothing, and who opens none, are not waited for.
    let mut silent = Quic::open(&server, &config).expect("open");
    silent.write_all(b"\x10").expect("sent");
    assert_eq!(silent.closed(), "closed by peer: 0");
    let empty = Quic::open(&server, &config).expect("open");
    assert_eq!(empty.closed(), "closed by peer: 0");
    assert_eq!(server.refused("connect_timeout"), 2);
}

#[test]
fn many_may_come_at_once() {
    let (server, authority, _folder) = serve();
    let mut tls = rustls::ClientConfig::clone(&authority.client(&[&TLS13], None));
    tls.alpn_protocols = vec![b"mqtt".to_vec()];
    let tls = QuicClientConfig::try_from(tls).expect("TLS 1.3");
    let config = ClientConfig::new(Arc::new(tls));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    let connections = runtime.block_on(async {
        // A socket takes no more datagrams at once than its buffer holds: each serves a few.
        let endpoints: Vec<_> =
            (0..30).map(|_| Endpoint::client(any_port()).expect("a port")).collect();
        // More than may be under way without proof of their address.
        let connect = |n: usize| {
            let endpoint = &endpoints[n % endpoints.len()];
            let connecting = endpoint.connect_with(config.clone(), server.ip(), "localhost");
            tokio::spawn(async move {
                let connection = connecting.expect("good arguments").await.expect("connected");
                let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
                let connect = crate::client::connect(&format!("client-{n}"), None);
                send.write_all(&connect).await.expect("sent");
                let mut answer = [0; 4];
                receive.read_exact(&mut answer).await.expect("CONNACK");
                assert_eq!(answer, [0x20, 2, 0, 0]);
                (connection, send, receive)
            })
        };
        let tasks: Vec<_> = (0..300).map(connect).collect();
        let mut connections = Vec::new();
        for task in tasks {
            connections.push(task.await.expect("served"));
        }
        connections
    });
    wait_for_connections(&server, 300);
    drop(connections);
}

#[test]
fn a_server_that_stops_says_so() {
    let (server, authority, _folder) = serve();
    let config = authority.client(&[&TLS13], None);
    let mut client = Client::connect(Quic::open(&server, &config).expect("open"), "client");
    echo(&mut client, "echo");
    drop(server);
    assert_eq!(client.0.closed(), "closed by peer: 0");
}

/// It is one, for the clients above.
const _: fn() = || {
    fn is_stream<S: Stream>() {}
    is_stream::<Quic>();
};
