//! MQTT 3.1.1 spelled out, over any stream.

use std::io;
use std::net::{SocketAddr, TcpStream};

use socket2::SockRef;

use crate::streams::{Stream, tcp};

pub struct Client<S>(pub S);

/// A packet: its first byte, and what follows the length.
pub type Packet = (u8, Vec<u8>);

pub const DISCONNECT: [u8; 2] = [0xE0, 0];

fn text(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut left = body.len();
    loop {
        let byte = (left % 128) as u8;
        left /= 128;
        out.push(if left > 0 { byte | 0x80 } else { byte });
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

pub fn connect(id: &str, will: Option<(&str, &str)>) -> Vec<u8> {
    let mut body = Vec::new();
    text("MQTT", &mut body);
    body.extend_from_slice(&[4, if will.is_some() { 0x06 } else { 0x02 }, 0, 0]);
    text(id, &mut body);
    if let Some((topic, payload)) = will {
        text(topic, &mut body);
        text(payload, &mut body);
    }
    packet(0x10, &body)
}

pub fn publish(topic: &str, payload: &[u8], retain: bool) -> Vec<u8> {
    let mut body = Vec::new();
    text(topic, &mut body);
    body.extend_from_slice(payload);
    packet(0x30 | u8::from(retain), &body)
}

impl<S: Stream> Client<S> {
    /// A connection that is accepted.
    pub fn connect(stream: S, id: &str) -> Self {
        Self::try_connect(stream, id, None).expect("accepted")
    }

    pub fn try_connect(stream: S, id: &str, will: Option<(&str, &str)>) -> io::Result<Self> {
        let mut client = Self(stream);
        client.send(&connect(id, will))?;
        let answer = client.packet()?;
        assert_eq!(answer, (0x20, vec![0, 0]), "CONNACK");
        Ok(client)
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.send(&publish(topic, payload, false)).expect("sent");
    }

    pub fn subscribe(&mut self, filter: &str) {
        let mut body = vec![0, 1];
        text(filter, &mut body);
        body.push(0);
        self.send(&packet(0x82, &body)).expect("sent");
        assert_eq!(self.packet().expect("an answer"), (0x90, vec![0, 1, 0]), "SUBACK");
    }

    /// The topic and payload of the next PUBLISH of QoS 0.
    pub fn message(&mut self) -> (String, Vec<u8>) {
        let (first, body) = self.packet().expect("a packet");
        assert_eq!(first & 0xF6, 0x30, "PUBLISH of QoS 0");
        let (len, rest) = body.split_first_chunk::<2>().expect("a length");
        let (topic, payload) = rest.split_at(usize::from(u16::from_be_bytes(*len)));
        (String::from_utf8(topic.to_vec()).expect("text"), payload.to_vec())
    }

    pub fn packet(&mut self) -> io::Result<Packet> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        let first = byte[0];
        let (mut len, mut shift) = (0, 0);
        loop {
            self.0.read_exact(&mut byte)?;
            len |= usize::from(byte[0] & 0x7F) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.0.read_exact(&mut body)?;
        Ok((first, body))
    }
}

/// Bytes that repeat late, so that a lost or moved piece shows.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// Subscribes, publishes to itself and compares: small and large packets, one by one and many at once.
pub fn echo<S: Stream>(client: &mut Client<S>, topic: &str) {
    client.subscribe(topic);
    for len in [0, 1, 100, 126, 16_384, 70_000, 400_000] {
        let payload = pattern(len);
        client.publish(topic, &payload);
        assert!(client.message() == (topic.to_owned(), payload), "{len} bytes");
    }
    let many: Vec<u8> =
        (0..200_u32).flat_map(|n| publish(topic, n.to_string().as_bytes(), false)).collect();
    client.send(&many).expect("sent");
    for n in 0..200_u32 {
        assert_eq!(client.message(), (topic.to_owned(), n.to_string().into_bytes()));
    }
}

/// More than the sockets hold waits for a reader that does not read yet; others are served meanwhile, and in the end it
/// has everything.
pub fn late_reader<S: Stream>(server: SocketAddr, over: impl Fn(TcpStream) -> S) {
    let mut publisher = Client::connect(over(tcp(server)), "publisher");
    let payload = |n: usize| [n.to_string().into_bytes(), pattern(100_000)].concat();
    for n in 0..100 {
        let packet = publish(&format!("kept/{n:03}"), &payload(n), true);
        publisher.send(&packet).expect("sent");
    }
    // An answer: all before it is done.
    publisher.subscribe("nothing");
    let socket = tcp(server);
    SockRef::from(&socket).set_recv_buffer_size(64 * 1024).expect("set");
    let mut reader = Client::connect(over(socket), "reader");
    reader.subscribe("kept/#");
    // Others are served while the reader's socket is full.
    echo(&mut publisher, "meanwhile");
    let mut found: Vec<_> = (0..100).map(|_| reader.message()).collect();
    found.sort();
    for (n, (topic, body)) in found.into_iter().enumerate() {
        assert_eq!(topic, format!("kept/{n:03}"));
        assert!(body == payload(n), "message {n}");
    }
}
