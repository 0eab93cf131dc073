//! An MQTT server that accepts one client and follows a script.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use mqtt_codec::{
    ConnAck, Limits, OutgoingPublish, Packet, Properties, SubAck, decode, encode, encode_publish,
};
use mqtt_types::{PacketId, ProtocolVersion, QoS, ReasonCode};

/// How long a script waits for the client.
const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

impl Peer {
    pub fn expect<T>(&mut self, check: impl FnOnce(&Packet<'_>) -> T) -> T {
        loop {
            let decoded =
                decode(&self.buffer, ProtocolVersion::V5, &Limits::default()).expect("legal bytes");
            if let Some((packet, len)) = decoded {
                let checked = check(&packet);
                self.buffer.drain(..len);
                return checked;
            }
            let mut bytes = [0; 4_096];
            let count = self.stream.read(&mut bytes).expect("in time");
            assert!(count > 0, "the client closed while a packet was expected");
            self.buffer.extend_from_slice(&bytes[..count]);
        }
    }

    pub fn send(&mut self, packet: &Packet<'_>) {
        let mut out = Vec::new();
        encode(packet, ProtocolVersion::V5, &mut out).expect("legal packet");
        self.stream.write_all(&out).expect("written");
    }

    /// Takes a SUBSCRIBE of one filter and answers it.
    pub fn grant(&mut self, filter: &str, code: ReasonCode, properties: Properties<'_>) {
        let packet_id = self.expect(|packet| match packet {
            Packet::Subscribe(subscribe) => {
                assert_eq!(
                    subscribe.filters.iter().map(|(filter, _)| filter).collect::<Vec<_>>(),
                    [filter]
                );
                subscribe.packet_id
            }
            other => panic!("{other:?} is no SUBSCRIBE"),
        });
        self.send(&Packet::SubAck(SubAck { packet_id, properties, reason_codes: &[code.0] }));
    }

    /// Sends a message of QoS 1.
    pub fn deliver(&mut self, number: u16, payload: &[u8], properties: Properties<'_>) {
        let publish = OutgoingPublish {
            topic: "a/b",
            payload,
            qos: QoS::AtLeastOnce,
            packet_id: Some(id(number)),
            properties: properties.raw(),
            ..OutgoingPublish::default()
        };
        let mut out = Vec::new();
        encode_publish(&mut out, ProtocolVersion::V5, &publish).expect("legal packet");
        self.stream.write_all(&out).expect("written");
    }

    pub fn expect_puback(&mut self, number: u16, code: ReasonCode) {
        self.expect(|packet| match packet {
            Packet::PubAck(ack) => assert_eq!((ack.packet_id, ack.reason_code), (id(number), code)),
            other => panic!("{other:?} is no PUBACK"),
        });
    }

    /// All that comes until the client closes.
    pub fn read_to_end(&mut self, rest: &mut Vec<u8>) {
        // A reset ends it as well.
        let _ = self.stream.read_to_end(rest);
    }

    /// Nothing comes for that long.
    pub fn expect_silence(&mut self, wait: Duration) {
        self.stream.set_read_timeout(Some(wait)).expect("a timeout");
        let read = self.stream.read(&mut [0]);
        self.stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        let error = read.expect_err("nothing comes");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
    }

    pub fn expect_disconnect(&mut self) {
        self.expect(|packet| {
            assert!(matches!(packet, Packet::Disconnect(_)), "{packet:?} is no DISCONNECT")
        });
    }
}

/// Accepts a client, then follows the script. Gives the port.
pub fn serve(script: impl FnOnce(&mut Peer) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        let mut peer = Peer { stream, buffer: Vec::new() };
        peer.expect(|packet| {
            assert!(matches!(packet, Packet::Connect(_)), "{packet:?} is no CONNECT")
        });
        let (session_present, reason_code) = (false, ReasonCode::SUCCESS);
        peer.send(&Packet::ConnAck(ConnAck {
            session_present,
            reason_code,
            properties: Properties::EMPTY,
        }));
        script(&mut peer);
    });
    (port, server)
}
