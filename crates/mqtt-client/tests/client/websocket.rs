//! The server side of a WebSocket, spelled out, so that a fault cannot hide in both ends.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::script::Stream;

/// A frame: its first byte and its payload.
type Frame = (u8, Vec<u8>);

pub struct WebSocket<S> {
    stream: S,
    /// Payload that has come and is not read.
    data: VecDeque<u8>,
}

impl<S: Stream> WebSocket<S> {
    /// Reads the request, looks at it, and answers.
    pub fn accept(mut stream: S) -> Self {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a request");
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).expect("text");
        assert!(request.starts_with("GET /mqtt HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"), "{request}");
        let key =
            request.split("Sec-WebSocket-Key: ").nth(1).and_then(|rest| rest.split('\r').next());
        let key = key.expect("a key");
        let proof = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let proof = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, proof.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            STANDARD.encode(proof)
        );
        stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).expect("sent");
        Self { stream, data: VecDeque::new() }
    }

    /// Sends one frame; `first` is its first byte.
    pub fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..=125 => frame.push(len as u8),
            len @ 126..=0xFFFF => {
                frame.push(126);
                frame.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                frame.push(127);
                frame.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).and_then(|()| self.stream.flush()).expect("sent");
    }

    /// The next frame that carries no data.
    pub fn next_control(&mut self) -> Frame {
        loop {
            let frame = self.frame().expect("a frame");
            if frame.0 != 0x82 {
                return frame;
            }
            self.data.extend(frame.1);
        }
    }

    fn frame(&mut self) -> io::Result<Frame> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        assert_eq!(header[1] & 0x80, 0x80, "a client's frames have a mask");
        let mut long = [0; 8];
        let len = match header[1] & 0x7F {
            126 => {
                self.stream.read_exact(&mut long[6..])?;
                u64::from_be_bytes(long)
            }
            127 => {
                self.stream.read_exact(&mut long)?;
                u64::from_be_bytes(long)
            }
            short => u64::from(short),
        };
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask)?;
        let mut payload = vec![0; usize::try_from(len).expect("a length")];
        self.stream.read_exact(&mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((header[0], payload))
    }
}

impl<S: Stream> Read for WebSocket<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.data.is_empty() {
            let (first, payload) = self.frame()?;
            match first {
                0x82 => self.data.extend(payload),
                // The end, as a client says it.
                0x88 => return Ok(0),
                other => return Err(io::Error::other(format!("a frame {other:#x}"))),
            }
        }
        self.data.read(into)
    }
}

impl<S: Stream> Write for WebSocket<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(0x82, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
