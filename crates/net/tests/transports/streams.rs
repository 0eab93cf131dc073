//! What clients speak through: TLS, WebSocket, and a socket that trickles.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

pub trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

pub fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_nodelay(true).expect("set");
    stream
}

pub fn tls<S: Stream>(stream: S, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, S> {
    tls_for("localhost", stream, config)
}

/// Over TLS with the server of that name.
pub fn tls_for<S: Stream>(
    name: &str,
    stream: S,
    config: &Arc<ClientConfig>,
) -> StreamOwned<ClientConnection, S> {
    let name = name.to_owned().try_into().expect("a name");
    let session = ClientConnection::new(Arc::clone(config), name).expect("a session");
    StreamOwned::new(session, stream)
}

/// Writes a few bytes at a time, each a segment of its own.
pub struct Trickle(pub TcpStream, pub usize);

impl Read for Trickle {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(self.1);
        self.0.read(&mut into[..len])
    }
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(self.1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A WebSocket's client side; payload goes out in frames of `piece` bytes.
pub struct WebSocket<S> {
    pub stream: S,
    pub piece: usize,
    left: usize,
}

pub const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";

impl<S: Stream> WebSocket<S> {
    pub fn open(mut stream: S, piece: usize) -> Self {
        stream.write_all(REQUEST.as_bytes()).expect("sent");
        let answer = http_answer(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
        Self { stream, piece, left: 0 }
    }

    /// Sends one frame; `first` is its first byte.
    pub fn send(&mut self, first: u8, payload: &[u8]) {
        self.stream.write_all(&frame(first, payload)).expect("sent");
    }

    /// The first byte and the payload of the next frame.
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        let (first, len) = self.header().expect("a frame");
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload).expect("its payload");
        (first, payload)
    }

    fn header(&mut self) -> io::Result<(u8, usize)> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        assert_eq!(header[1] & 0x80, 0, "a server's frames have no mask");
        let mut long = [0; 8];
        let len = match header[1] {
            126 => {
                self.stream.read_exact(&mut long[6..])?;
                usize::try_from(u64::from_be_bytes(long)).expect("a length")
            }
            127 => {
                self.stream.read_exact(&mut long)?;
                usize::try_from(u64::from_be_bytes(long)).expect("a length")
            }
            short => usize::from(short),
        };
        Ok((header[0], len))
    }
}

/// A client's frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0xA5, 0x00, 0xFF, 0x3C];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            frame.push(0xFE);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0xFF);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The head of an HTTP answer.
pub fn http_answer(stream: &mut impl Read) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer");
        answer.push(byte[0]);
    }
    String::from_utf8(answer).expect("text")
}

impl<S: Stream> Read for WebSocket<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            let (first, len) = self.header()?;
            if first != 0x82 {
                return Err(io::Error::other(format!("a frame {first:#x}")));
            }
            self.left = len;
        }
        let len = into.len().min(self.left);
        let count = self.stream.read(&mut into[..len])?;
        self.left -= count;
        Ok(count)
    }
}

impl<S: Stream> Write for WebSocket<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(self.piece)];
        self.stream.write_all(&frame(0x82, piece))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
