//! WebSocket frames as a server reads and writes them (RFC 6455 section 5). It must not know sockets or MQTT.

/// The longest payload of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opcode {
    Continuation,
    Binary,
    Close,
    Ping,
    Pong,
}

/// Codes of a Close frame that this side sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CloseCode(pub(crate) u16);

impl CloseCode {
    pub(crate) const NORMAL: Self = Self(1000);
    pub(crate) const PROTOCOL_ERROR: Self = Self(1002);
    pub(crate) const UNSUPPORTED_DATA: Self = Self(1003);
    pub(crate) const INVALID_TEXT: Self = Self(1007);
    pub(crate) const TOO_BIG: Self = Self(1009);

    /// Whether a peer may send it (RFC 6455 section 7.4).
    const fn is_legal(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// Why no frame is taken any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// The peer closed; its code is to be echoed.
    Closed(CloseCode),
    /// The peer broke a rule.
    Violation(CloseCode, &'static str),
}

/// A frame whose header is known.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    left: u64,
    /// The mask, turned so that its first byte belongs to the next byte of payload.
    mask: [u8; 4],
}

/// Frames to payload, piece by piece. At rest it holds no memory beside itself.
#[derive(Debug)]
pub(crate) struct Decoder {
    header: [u8; 14],
    header_len: u8,
    frame: Option<Frame>,
    /// A fragmented message has begun and not ended.
    in_message: bool,
    /// What has come of a control frame's payload.
    control: Vec<u8>,
    /// The payload of the last Ping, to be answered; earlier ones need no answer (RFC 6455 section 5.5.3).
    ping: Option<Vec<u8>>,
    frame_bytes_max: u64,
}

impl Decoder {
    pub(crate) const fn new(frame_bytes_max: u64) -> Self {
        Self {
            header: [0; 14],
            header_len: 0,
            frame: None,
            in_message: false,
            control: Vec::new(),
            ping: None,
            frame_bytes_max,
        }
    }

    /// Takes all of `data` and leaves the payload of its binary frames at the front; returns how many bytes that is.
    /// After a stop nothing may be given to it any more.
    pub(crate) fn decode(&mut self, data: &mut [u8]) -> (usize, Result<(), Stop>) {
        let (mut at, mut kept) = (0, 0);
        while at < data.len() {
            let Some(frame) = &mut self.frame else {
                at += self.take_header(data.get(at..).unwrap_or_default());
                match self.parse_header() {
                    Ok(()) => continue,
                    Err(stop) => return (kept, Err(stop)),
                }
            };
            let there = (data.len() - at) as u64;
            let len = frame.left.min(there) as usize;
            let piece = data.get_mut(at..at + len).unwrap_or_default();
            unmask(piece, &mut frame.mask);
            frame.left -= len as u64;
            let is_done = frame.left == 0;
            match frame.opcode {
                Opcode::Binary | Opcode::Continuation => {
                    data.copy_within(at..at + len, kept);
                    kept += len;
                }
                Opcode::Close | Opcode::Ping | Opcode::Pong => {
                    self.control.extend_from_slice(piece)
                }
            }
            at += len;
            if is_done && let Err(stop) = self.end_frame() {
                return (kept, Err(stop));
            }
        }
        (kept, Ok(()))
    }

    /// The payload of a Ping that waits for its Pong.
    pub(crate) fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// Moves bytes into the header until it is whole; returns how many.
    fn take_header(&mut self, data: &[u8]) -> usize {
        let mut taken = 0;
        for byte in data {
            if usize::from(self.header_len) == self.header_size() {
                break;
            }
            if let Some(place) = self.header.get_mut(usize::from(self.header_len)) {
                *place = *byte;
            }
            self.header_len += 1;
            taken += 1;
        }
        taken
    }

    /// How long the header is, as far as what has come of it tells.
    fn header_size(&self) -> usize {
        if self.header_len < 2 {
            return 2;
        }
        let length = match self.header[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        // An unmasked frame is refused; its header need not be longer for that.
        2 + length + if self.header[1] & 0x80 == 0 { 0 } else { 4 }
    }

    /// Begins a frame when its header is whole.
    fn parse_header(&mut self) -> Result<(), Stop> {
        let size = self.header_size();
        if usize::from(self.header_len) < size {
            return Ok(());
        }
        self.header_len = 0;
        let violation = |what| Err(Stop::Violation(CloseCode::PROTOCOL_ERROR, what));
        let [first, second, ..] = self.header;
        if first & 0x70 != 0 {
            return violation("a reserved bit is set");
        }
        let opcode = match first & 0x0F {
            0 => Opcode::Continuation,
            // `[MQTT-6.0.0-1]`: MQTT comes in binary frames.
            1 => return Err(Stop::Violation(CloseCode::UNSUPPORTED_DATA, "a text frame")),
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return violation("a reserved opcode"),
        };
        if second & 0x80 == 0 {
            return violation("a frame without a mask");
        }
        let [_, _, b2, b3, b4, b5, b6, b7, b8, b9, ..] = self.header;
        let left = match second & 0x7F {
            126 => u64::from(u16::from_be_bytes([b2, b3])),
            127 => u64::from_be_bytes([b2, b3, b4, b5, b6, b7, b8, b9]),
            short => u64::from(short),
        };
        let is_final = first & 0x80 != 0;
        match opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                if !is_final || left > CONTROL_BYTES_MAX {
                    return violation("a control frame in fragments or too long");
                }
            }
            Opcode::Continuation if !self.in_message => {
                return violation("a continuation of nothing");
            }
            Opcode::Binary if self.in_message => {
                return violation("a new message within a fragmented one");
            }
            Opcode::Continuation | Opcode::Binary => {
                if left > self.frame_bytes_max {
                    return Err(Stop::Violation(CloseCode::TOO_BIG, "a frame beyond the limit"));
                }
                self.in_message = !is_final;
            }
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(self.header.get(size - 4..size).unwrap_or(&[0; 4]));
        self.frame = Some(Frame { opcode, left, mask });
        if left == 0 { self.end_frame() } else { Ok(()) }
    }

    /// The frame's payload has come.
    fn end_frame(&mut self) -> Result<(), Stop> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        match frame.opcode {
            Opcode::Binary | Opcode::Continuation => {}
            Opcode::Pong => self.control = Vec::new(),
            Opcode::Ping => self.ping = Some(std::mem::take(&mut self.control)),
            Opcode::Close => return Err(close(&std::mem::take(&mut self.control))),
        }
        Ok(())
    }
}

/// What a Close frame with this payload means.
fn close(payload: &[u8]) -> Stop {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Stop::Closed(CloseCode::NORMAL),
            _ => Stop::Violation(CloseCode::PROTOCOL_ERROR, "a close code of one byte"),
        };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.is_legal() {
        return Stop::Violation(CloseCode::PROTOCOL_ERROR, "a close code that may not be sent");
    }
    if std::str::from_utf8(reason).is_err() {
        return Stop::Violation(CloseCode::INVALID_TEXT, "a close reason that is no text");
    }
    Stop::Closed(code)
}

/// Takes the mask off and turns it for what follows.
fn unmask(data: &mut [u8], mask: &mut [u8; 4]) {
    let [a, b, c, d] = *mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = data.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d, a, b, c, d]) {
        *byte ^= mask;
    }
    mask.rotate_left(rest.len() % 4);
}

/// Appends a whole frame. A server's frames have no mask.
pub(crate) fn encode(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let code = match opcode {
        Opcode::Continuation => 0,
        Opcode::Binary => 2,
        Opcode::Close => 8,
        Opcode::Ping => 9,
        Opcode::Pong => 10,
    };
    out.reserve(payload.len() + 10);
    out.push(0x80 | code);
    match payload.len() {
        len @ 0..=125 => out.push(len as u8),
        len @ 126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// Appends a Close frame.
pub(crate) fn encode_close(code: CloseCode, out: &mut Vec<u8>) {
    encode(Opcode::Close, &code.0.to_be_bytes(), out);
}

#[cfg(test)]
mod tests;
