//! WebSocket, plain and over TLS: frames of all shapes, control frames, closes.

use std::io::{Read, Write};
use std::sync::Arc;

use net::{ListenerConfig, WebSocketConfig};
use rustls::ClientConfig;
use rustls::version::TLS13;
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::client::{Client, DISCONNECT, connect, echo, late_reader, pattern, publish};
use crate::server::{Server, any_port};
use crate::streams::{REQUEST, WebSocket, frame, http_answer, tcp, tls};

pub fn serve() -> Server {
    let websocket = Some(WebSocketConfig::default());
    Server::start(ListenerConfig { websocket, ..ListenerConfig::plain("ws", any_port()) })
}

/// `[MQTT-6.0.0-2]`, `[MQTT311-6.0.0-2]`
#[test]
fn packets_come_in_frames_of_any_size_on_both_shards() {
    let server = serve();
    for (n, piece) in [1, 2, 13, 1000, 70_000, 1 << 20].into_iter().enumerate() {
        let id = format!("client-{n}");
        let mut client = Client::connect(WebSocket::open(tcp(server.ip()), piece), &id);
        client.subscribe(&id);
        let payload = pattern(5_000);
        client.publish(&id, &payload);
        assert!(client.message() == (id, payload), "frames of {piece}");
        if piece >= 1000 {
            echo(&mut client, "echo");
        }
    }
}

/// A server that speaks WebSocket over TLS, and what its clients need.
fn serve_secure() -> (Server, Arc<ClientConfig>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let tls = Some(authority.server().load().expect("good files"));
    let websocket = Some(WebSocketConfig::default());
    let plain = ListenerConfig::plain("wss", any_port());
    let server = Server::start(ListenerConfig { tls, websocket, ..plain });
    (server, authority.client(&[&TLS13], None), folder)
}

#[test]
fn a_reader_that_waits_gets_everything_in_the_end() {
    let server = serve();
    late_reader(server.ip(), |socket| WebSocket::open(socket, 10_000));
    let (server, config, _folder) = serve_secure();
    late_reader(server.ip(), |socket| WebSocket::open(tls(socket, &config), 10_000));
}

#[test]
fn tls_below_carries_it_too() {
    let (server, config, _folder) = serve_secure();
    for n in 0..4 {
        let stream = WebSocket::open(tls(tcp(server.ip()), &config), 3000);
        let mut client = Client::connect(stream, &format!("client-{n}"));
        echo(&mut client, &format!("echo/{n}"));
    }
}

#[test]
fn the_request_may_come_byte_by_byte_and_with_frames_behind_it() {
    let server = serve();
    let mut stream = tcp(server.ip());
    for byte in REQUEST.as_bytes() {
        stream.write_all(&[*byte]).expect("sent");
    }
    assert!(http_answer(&mut stream).starts_with("HTTP/1.1 101 "));
    let mut stream = tcp(server.ip());
    let both = [REQUEST.as_bytes(), &frame(0x82, &connect("early", None))].concat();
    stream.write_all(&both).expect("sent");
    assert!(http_answer(&mut stream).starts_with("HTTP/1.1 101 "));
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).expect("CONNACK");
    assert_eq!(answer, [0x82, 4, 0x20, 2, 0, 0]);
}

#[test]
fn pings_are_answered_even_within_a_fragmented_message() {
    let server = serve();
    let mut stream = WebSocket::open(tcp(server.ip()), 1000);
    stream.send(0x89, b"first");
    assert_eq!(stream.frame(), (0x8A, b"first".to_vec()));
    let connect = connect("fragments", None);
    let (head, tail) = connect.split_at(5);
    stream.send(0x02, head);
    stream.send(0x89, b"between");
    assert_eq!(stream.frame(), (0x8A, b"between".to_vec()));
    stream.send(0x8A, b"nobody asked");
    stream.send(0x80, tail);
    assert_eq!(stream.frame(), (0x82, vec![0x20, 2, 0, 0]));
}

/// A frame of text ends the connection: `[MQTT-6.0.0-1]`, `[MQTT311-6.0.0-1]`.
#[test]
fn closes_are_echoed_and_violations_named() {
    let server = serve();
    let cases: [(&[u8], u16); 5] = [
        (&frame(0x88, &1001_u16.to_be_bytes()), 1001),
        (&frame(0x88, &[]), 1000),
        (&frame(0x81, b"text"), 1003),
        (&[0x82, 1, 0], 1002),
        (&[0x82, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1009),
    ];
    for (sent, code) in cases {
        for is_connected in [false, true] {
            let mut stream = WebSocket::open(tcp(server.ip()), 1000);
            if is_connected {
                stream = Client::connect(stream, "closing").0;
            }
            stream.stream.write_all(sent).expect("sent");
            assert_eq!(stream.frame(), (0x88, code.to_be_bytes().to_vec()), "{sent:?}");
            let mut rest = Vec::new();
            stream.stream.read_to_end(&mut rest).expect("an end");
            assert!(rest.is_empty());
        }
    }
}

#[test]
fn disconnect_before_a_close_counts() {
    let server = serve();
    let mut watcher = Client::connect(WebSocket::open(tcp(server.ip()), 1000), "watcher");
    watcher.subscribe("gone/#");
    for (name, says_disconnect) in [("polite", true), ("abrupt", false)] {
        let stream = WebSocket::open(tcp(server.ip()), 1000);
        let topic = format!("gone/{name}");
        let will = Some((topic.as_str(), "will"));
        let mut client = Client::try_connect(stream, name, will).expect("accepted");
        let last = [publish("gone/last", name.as_bytes(), false), DISCONNECT.to_vec()];
        let last = if says_disconnect { last.concat() } else { last[0].clone() };
        let both = [frame(0x82, &last), frame(0x88, &[])].concat();
        client.0.stream.write_all(&both).expect("sent");
        assert_eq!(client.0.frame(), (0x88, 1000_u16.to_be_bytes().to_vec()));
        assert_eq!(watcher.message(), ("gone/last".to_owned(), name.as_bytes().to_vec()));
    }
    assert_eq!(watcher.message(), ("gone/abrupt".to_owned(), b"will".to_vec()));
}

#[test]
fn a_flood_of_pings_without_reading_ends_nothing_else() {
    let server = serve();
    let mut steady = Client::connect(WebSocket::open(tcp(server.ip()), 1000), "steady");
    let mut flood = WebSocket::open(tcp(server.ip()), 1000);
    let pings = frame(0x89, &[7; 125]).repeat(1000);
    for _ in 0..100 {
        flood.stream.write_all(&pings).expect("taken");
    }
    echo(&mut steady, "echo");
    assert_eq!(flood.frame(), (0x8A, vec![7; 125]));
}
