//! WebSocket frames as a client reads and writes them (RFC 6455 section 5), in two halves for two threads.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Incoming, Outgoing};

/// The longest payload of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;
/// The most payload of a frame that is sent.
const WRITE_CHUNK: usize = 64 << 10;
/// Answers to Pings that wait; more are not given, for their sender reads nothing.
const CONTROL_BACKLOG_MAX: usize = 4096;

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8A;
/// A Close frame's payload: 1000, a normal end.
const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();

pub(super) type Halves = (Box<dyn Incoming>, Box<dyn Outgoing>);

/// Both halves of a WebSocket whose handshake is done.
pub(super) fn split(incoming: BufReader<Box<dyn Incoming>>, outgoing: Box<dyn Outgoing>) -> Halves {
    let owed = Arc::new(Mutex::new(Vec::new()));
    let incoming =
        FramesIncoming { inner: incoming, left: 0, is_over: false, owed: Arc::clone(&owed) };
    (Box::new(incoming), Box::new(FramesOutgoing { inner: outgoing, frame: Vec::new(), owed }))
}

struct FramesIncoming {
    inner: BufReader<Box<dyn Incoming>>,
    /// Bytes of the data frame's payload that have not been read.
    left: u64,
    is_over: bool,
    /// Frames that the other half is to write.
    owed: Arc<Mutex<Vec<u8>>>,
}

struct FramesOutgoing {
    inner: Box<dyn Outgoing>,
    frame: Vec<u8>,
    owed: Arc<Mutex<Vec<u8>>>,
}

impl FramesIncoming {
    /// Reads headers and control frames up to the next data; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        let [first, second] = self.bytes()?;
        let len = match second {
            0..=125 => u64::from(second),
            126 => u64::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?),
            _ => return Err(violation("a frame of the server has a mask")),
        };
        match first {
            // Binary, its continuations; whether they are the last of their message is of no matter to MQTT.
            0x82 | 0x02 | 0x80 | 0x00 => {
                self.left = len;
                return Ok(true);
            }
            0x88..=0x8A if len <= CONTROL_BYTES_MAX => {}
            _ => return Err(violation("a frame that no MQTT server sends")),
        }
        let mut payload = vec![0; len as usize];
        self.inner.read_exact(&mut payload)?;
        match first {
            // Our Close frame follows when the other half finishes.
            CLOSE => {
                self.is_over = true;
                Ok(false)
            }
            // A Ping.
            0x89 => {
                self.owe(PONG, &payload);
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    fn owe(&self, first: u8, payload: &[u8]) {
        let mut owed = self.owed.lock();
        if owed.len() < CONTROL_BACKLOG_MAX {
            // Without random numbers there is no connection, and the next write says so.
            let _ = encode(first, payload, &mut owed);
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map(|()| bytes)
    }
}

impl Read for FramesIncoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 && !self.is_over {
            match self.next_frame() {
                Ok(true) => {
                    if self.left == 0 && self.owes_answer() {
                        // The other half has to hear of it before this one waits again.
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                Ok(false) => return Ok(0),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        if self.is_over {
            return Ok(0);
        }
        let len = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.inner.read(into.get_mut(..len).unwrap_or_default())?;
        self.left -= count as u64;
        Ok(count)
    }
}

impl Incoming for FramesIncoming {
    fn owes_answer(&self) -> bool {
        !self.owed.lock().is_empty() || self.inner.get_ref().owes_answer()
    }
}

impl Write for FramesOutgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = bytes.get(..bytes.len().min(WRITE_CHUNK)).unwrap_or_default();
        self.frame.clear();
        self.frame.append(&mut self.owed.lock());
        encode(BINARY, piece, &mut self.frame)?;
        self.inner.write_all(&self.frame)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let owed = std::mem::take(&mut *self.owed.lock());
        self.inner.write_all(&owed)?;
        self.inner.flush()
    }
}

impl Outgoing for FramesOutgoing {
    fn finish(&mut self) {
        let mut close = Vec::new();
        // Who is gone already does not miss it.
        let _ = encode(CLOSE, &NORMAL, &mut close).and_then(|()| self.inner.write_all(&close));
        self.inner.finish();
    }
}

/// Appends a frame with a mask, which a client's frames must have.
fn encode(first: u8, payload: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut mask = [0; 4];
    getrandom::fill(&mut mask).map_err(io::Error::other)?;
    out.push(first);
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    Ok(())
}

fn violation(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the server broke WebSocket: {what}"))
}
