//! PROXY headers before everything else, from those who may send one and from others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use net::{ListenerConfig, ProxyConfig, WebSocketConfig};
use rustls::version::TLS13;

use crate::certificates::Authority;
use crate::client::{Client, connect, echo};
use crate::server::{Server, any_port};
use crate::streams::{Trickle, WebSocket, tcp, tls};

const V1: &[u8] = b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 1883\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xCB\0\x71\x09\xC0\0\x02\x01\xDC\x04\x07\x5B";

fn listener(trusted: &str) -> ListenerConfig {
    let trusted = vec![trusted.parse().expect("a network")];
    let proxy = Some(ProxyConfig { trusted, ..ProxyConfig::default() });
    ListenerConfig { proxy, ..ListenerConfig::plain("mqtt", any_port()) }
}

/// A connection on which a header was sent, a few bytes at a time.
fn proxied(server: &Server, header: &[u8], piece: usize) -> TcpStream {
    let mut trickle = Trickle(tcp(server.ip()), piece);
    trickle.write_all(header).expect("sent");
    trickle.0
}

/// Whether the connection ends without a word.
fn ends(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    // Input that nobody read makes it a reset instead of an end.
    let _ = stream.read_to_end(&mut rest);
    rest.is_empty()
}

#[test]
fn a_header_comes_before_mqtt_tls_and_websocket() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let config = authority.client(&[&TLS13], None);
    let with_tls = Some(authority.server().load().expect("good files"));
    let websocket = Some(WebSocketConfig::default());
    let plain = Server::start(listener("127.0.0.0/8"));
    let secure = Server::start(ListenerConfig { tls: with_tls.clone(), ..listener("127.0.0.0/8") });
    let web =
        Server::start(ListenerConfig { websocket: websocket.clone(), ..listener("127.0.0.1") });
    let both = ListenerConfig { tls: with_tls, websocket, ..listener("127.0.0.1") };
    let both = Server::start(both);
    for header in [V1, V2, b"PROXY UNKNOWN\r\n"] {
        for piece in [1, 7, 100] {
            // Client ids spread over the shards.
            for n in 0..2 {
                let id = format!("client-{n}");
                let stream = proxied(&plain, header, piece);
                echo(&mut Client::connect(stream, &id), "echo");
            }
            let stream = tls(proxied(&secure, header, piece), &config);
            echo(&mut Client::connect(stream, "secure"), "echo");
            let stream = WebSocket::open(proxied(&web, header, piece), 5000);
            echo(&mut Client::connect(stream, "web"), "echo");
            let stream = WebSocket::open(tls(proxied(&both, header, piece), &config), 5000);
            echo(&mut Client::connect(stream, "both"), "echo");
        }
    }
    for server in [plain, secure, web, both] {
        assert_eq!(server.refused("proxy_protocol"), 0);
    }
}

#[test]
fn header_and_connect_may_come_at_once() {
    let server = Server::start(listener("127.0.0.1"));
    let mut stream = tcp(server.ip());
    stream.write_all(&[V2, &connect("at-once", None)].concat()).expect("sent");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("CONNACK");
    assert_eq!(answer, [0x20, 2, 0, 0]);
}

#[test]
fn a_trusted_source_without_a_header_is_refused() {
    let server = Server::start(listener("127.0.0.0/8"));
    let broken = b"PROXY TCP4 nowhere\r\n";
    for (n, sent) in [&connect("bare", None)[..], b"GET / HTTP/1.1\r\n", broken].iter().enumerate()
    {
        let mut stream = tcp(server.ip());
        stream.write_all(sent).expect("sent");
        assert!(ends(stream));
        assert_eq!(server.refused("proxy_protocol"), n as u64 + 1);
    }
    // Who ends within the header is one too; who only knocks is none.
    for (sent, count) in [(&V1[..20], 4), (&b""[..], 4)] {
        let mut stream = tcp(server.ip());
        stream.write_all(sent).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("ended");
        assert!(ends(stream));
        assert_eq!(server.refused("proxy_protocol"), count);
    }
}

#[test]
fn a_stranger_with_a_header_is_refused_and_one_without_is_served() {
    let server = Server::start(listener("192.0.2.0/24"));
    echo(&mut Client::connect(tcp(server.ip()), "direct"), "echo");
    for (n, header) in [V1, V2].into_iter().enumerate() {
        assert!(ends(proxied(&server, header, 100)));
        assert_eq!(server.refused("proxy_protocol"), n as u64 + 1);
    }
    // One byte tells already.
    assert!(ends(proxied(&server, &V2[..1], 1)));
}

#[test]
fn a_header_that_does_not_come_is_not_waited_for_and_one_that_does_gives_time() {
    let mut config = listener("127.0.0.1");
    config.proxy.as_mut().expect("proxied").timeout = Duration::from_millis(100);
    let server = Server::start(config);
    for header in [&b""[..], &V1[..20], &V2[..16]] {
        assert!(ends(proxied(&server, header, 100)));
    }
    assert_eq!(server.refused("proxy_protocol"), 3);
    let mut stream = proxied(&server, V1, 100);
    // Longer than the header may take; CONNECT has its own time.
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(&connect("late", None)).expect("sent");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("CONNACK");
}
