use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::*;
use crate::config::{Config, ListenerConfig, WebSocketConfig};
use crate::gate::Gate;
use crate::transport::{Peer, Socket, Stream, Under, WebSocket};

const REQUEST: &[u8] =
    b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A wire that speaks WebSocket, and its client's socket.
fn websocket() -> (Wire, UnixStream) {
    let (client, server) = UnixStream::pair().expect("a pair");
    client.set_nonblocking(true).expect("set");
    server.set_nonblocking(true).expect("set");
    let config = ListenerConfig::plain("ws", std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let gate = Arc::new(Gate::new(&config, &Config::default(), Arc::default()));
    let peer = Peer::new(gate.admit(Instant::ZERO).expect("a place"), None);
    let socket = Socket::new(Stream::Unix(mio::net::UnixStream::from_std(server)), peer);
    let websocket = WebSocket::new(Under::Plain(socket), WebSocketConfig::default().into());
    let transport = Transport::WebSocket(Box::new(websocket));
    (Wire::new(transport, 1, Instant::ZERO, Instant::ZERO), client)
}

/// All that has come.
fn drain(client: &mut UnixStream) -> Vec<u8> {
    let mut found = Vec::new();
    let error = client.read_to_end(&mut found).expect_err("it stays open");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    found
}

#[test]
fn answers_that_the_socket_does_not_take_wait_for_the_poll() {
    let (mut wire, mut client) = websocket();
    let mut scratch = vec![0; 64 * 1024];
    client.write_all(REQUEST).expect("sent");
    assert_eq!(wire.read(&mut scratch), Input::Nothing);
    assert!(drain(&mut client).starts_with(b"HTTP/1.1 101 "));
    // A Ping with a payload of 100 bytes and a mask of zeros.
    let ping = [&[0x89, 0x80 | 100, 0, 0, 0, 0][..], &[7; 100]].concat();
    for _ in 0..100_000 {
        client.write_all(&ping).expect("it is read");
        assert_eq!(wire.read(&mut scratch), Input::Nothing);
        if wire.is_blocked {
            break;
        }
    }
    assert!(wire.is_blocked);
    assert_eq!(wire.flush(), Flushed::Blocked);
    let mut pongs = drain(&mut client);
    assert_eq!(wire.flush(), Flushed::All);
    assert!(!wire.is_blocked && wire.written == 0);
    pongs.extend(drain(&mut client));
    let pong = [&[0x8A, 100][..], &[7; 100]].concat();
    assert!(pongs.chunks(pong.len()).all(|found| found == pong), "whole frames");
}

#[test]
fn bytes_count_as_written_only_when_the_socket_has_them() {
    let (mut wire, mut client) = websocket();
    let mut scratch = vec![0; 64 * 1024];
    client.write_all(REQUEST).expect("sent");
    assert_eq!(wire.read(&mut scratch), Input::Nothing);
    drain(&mut client);
    let payload: Vec<u8> = (0..2_000_000_u32).map(|n| (n >> 4) as u8).collect();
    wire.out.extend_from_slice(&payload);
    assert_eq!(wire.mark(), payload.len() as u64);
    let mut found = Vec::new();
    while wire.flush() == Flushed::Blocked {
        let piece = drain(&mut client);
        found.extend(piece);
        assert!(wire.written <= found.len() as u64, "what is written has arrived");
        assert_eq!(wire.mark(), payload.len() as u64);
    }
    found.extend(drain(&mut client));
    assert_eq!(wire.written, payload.len() as u64);
    let mut data = Vec::new();
    while let [0x82, 127, rest @ ..] = found.as_slice() {
        let (len, rest) = rest.split_first_chunk::<8>().expect("a length");
        let (frame, rest) = rest.split_at(u64::from_be_bytes(*len) as usize);
        data.extend_from_slice(frame);
        found = rest.to_vec();
    }
    // The last frame is shorter than 64 KiB.
    let [0x82, 126, _, _, last @ ..] = found.as_slice() else { panic!("a last frame") };
    data.extend_from_slice(last);
    assert!(data == payload);
}

#[test]
fn a_plain_connection_stays_small() {
    // Each connection at rest costs this, twice at worst, when the table has just grown.
    assert!(size_of::<Wire>() <= 224, "{}", size_of::<Wire>());
}
