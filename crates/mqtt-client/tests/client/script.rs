//! A server that follows a script: it expects packets and sends packets, on one connection.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use mqtt_client::{Client, ConnectOptions, PropertyBlock};
use mqtt_codec::{ConnAck, Limits, Packet, Properties, decode, encode};
use mqtt_types::{PacketId, ProtocolVersion, ReasonCode};

pub const SOON: Duration = Duration::from_secs(10);

/// What a server speaks through.
pub trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

pub struct Peer {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    pub version: ProtocolVersion,
}

impl Peer {
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: Vec::new(), version: ProtocolVersion::V5 }
    }

    /// Waits for a packet, shows it to `check`.
    pub fn expect<T>(&mut self, check: impl FnOnce(&Packet<'_>) -> T) -> T {
        loop {
            let decoded =
                decode(&self.buffer, self.version, &Limits::default()).expect("legal bytes");
            if let Some((packet, len)) = decoded {
                let checked = check(&packet);
                self.buffer.drain(..len);
                return checked;
            }
            assert!(self.read_more(), "the client closed while a packet was expected");
        }
    }

    pub fn send(&mut self, packet: &Packet<'_>) {
        let mut out = Vec::new();
        encode(packet, self.version, &mut out).expect("legal packet");
        self.send_bytes(&out);
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).expect("written");
    }

    /// Waits for the end of the connection; nothing may come before it.
    pub fn expect_end(&mut self) {
        assert!(self.buffer.is_empty(), "more came: {:?}", self.buffer);
        assert!(!self.read_more(), "more came: {:?}", self.buffer);
    }

    /// Takes CONNECT and accepts it with these properties.
    pub fn accept(&mut self, properties: Properties<'_>) {
        self.version = self.expect(|packet| match packet {
            Packet::Connect(connect) => connect.version,
            other => panic!("{other:?} is no CONNECT"),
        });
        let connack =
            ConnAck { session_present: false, reason_code: ReasonCode::SUCCESS, properties };
        self.send(&Packet::ConnAck(connack));
    }

    fn read_more(&mut self) -> bool {
        let mut bytes = [0; 4_096];
        let count = self.stream.read(&mut bytes).unwrap_or(0);
        self.buffer.extend_from_slice(&bytes[..count]);
        count > 0
    }
}

/// A server with a script for its first connection. Join it, so that what fails there fails the test.
pub fn serve(script: impl FnOnce(&mut Peer) + Send + 'static) -> (ConnectOptions, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        script(&mut Peer::new(stream));
    });
    (ConnectOptions { client_id: "test".to_owned(), ..ConnectOptions::new(address) }, server)
}

/// A client on a connection that was accepted without properties; the script goes on from there.
pub fn connected(script: impl FnOnce(&mut Peer) + Send + 'static) -> (Client, JoinHandle<()>) {
    connected_as(|_| {}, script)
}

pub fn connected_as(
    adjust: impl FnOnce(&mut ConnectOptions),
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (Client, JoinHandle<()>) {
    let (mut options, server) = serve(|peer| {
        peer.accept(PropertyBlock::new().properties());
        script(peer);
    });
    adjust(&mut options);
    (Client::connect(&options).expect("accepted"), server)
}

pub fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}
