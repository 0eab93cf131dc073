//! WebSocket over a socket or TLS: first the HTTP request, then binary frames as a stream of bytes. It must not know
//! MQTT.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use super::frame::{CloseCode, Decoder, Opcode, Stop, encode, encode_close};
use super::upgrade::{self, Upgrade};
use super::{Input, Socket, Tls, read_raw};
use crate::config::WebSocketConfig;
use crate::refusal::Refusal;

/// The most payload of a frame that is sent.
const WRITE_CHUNK: usize = 64 * 1024;
/// While so much waits beside data, Pings are not answered: their sender reads nothing.
const CONTROL_BACKLOG_MAX: usize = 1024;

/// What a WebSocket runs over.
pub(crate) enum Under {
    Plain(Socket),
    Tls(Box<Tls>),
}

impl Under {
    fn read(&mut self, into: &mut [u8]) -> Input {
        match self {
            Self::Plain(socket) => read_raw(socket, into),
            Self::Tls(tls) => tls.read(into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn settle(&mut self, farewell: bool) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.settle(farewell),
        }
    }

    pub(crate) const fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        }
    }
}

/// How far it is.
enum Phase {
    /// The request, as far as it has come.
    Request(Vec<u8>),
    Open(Decoder),
}

/// A WebSocket's server side.
pub(crate) struct WebSocket {
    under: Under,
    phase: Phase,
    config: Arc<WebSocketConfig>,
    /// Frames and answers to send, and how much of that is sent.
    out: Vec<u8>,
    sent: usize,
    /// Bytes given to `write` whose frame is not all sent.
    framed: usize,
    has_more: bool,
    /// What ends it, with the Close frame's code if one is to be sent.
    end: Option<Input>,
    close_code: Option<CloseCode>,
}

impl WebSocket {
    pub(crate) const fn new(under: Under, config: Arc<WebSocketConfig>) -> Self {
        Self {
            under,
            phase: Phase::Request(Vec::new()),
            config,
            out: Vec::new(),
            sent: 0,
            framed: 0,
            has_more: false,
            end: None,
            close_code: Some(CloseCode::NORMAL),
        }
    }

    /// Reads until `into` has payload for a turn or nothing more is there.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Input {
        let mut filled = 0;
        let mut budget = into.len();
        self.has_more = false;
        while self.end.is_none() {
            let room = into.get_mut(filled..).unwrap_or_default();
            if room.is_empty() || budget == 0 {
                self.has_more = true;
                break;
            }
            match self.under.read(room) {
                Input::Bytes(count) => {
                    budget = budget.saturating_sub(count);
                    filled += self.take(room, count);
                }
                Input::Nothing => {
                    self.has_more = self.under_has_more();
                    break;
                }
                end => {
                    self.note_end();
                    self.end = Some(end);
                }
            }
        }
        if self.push().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            self.end = Some(Input::End);
        }
        match self.end {
            Some(end) if filled == 0 => {
                self.has_more = false;
                end
            }
            Some(_) => {
                self.has_more = true;
                Input::Bytes(filled)
            }
            None if filled == 0 => Input::Nothing,
            None => Input::Bytes(filled),
        }
    }

    fn under_has_more(&self) -> bool {
        match &self.under {
            Under::Plain(_) => false,
            Under::Tls(tls) => tls.has_more(),
        }
    }

    /// Serves the first `count` bytes of `data` and leaves payload at its front; returns how much.
    fn take(&mut self, data: &mut [u8], count: usize) -> usize {
        let Phase::Request(request) = &mut self.phase else {
            return self.take_frames(data.get_mut(..count).unwrap_or_default());
        };
        let before = request.len();
        request.extend_from_slice(data.get(..count).unwrap_or_default());
        let outcome = match upgrade::answer(request, &self.config.path) {
            Upgrade::Partial if request.len() > self.config.request_bytes_max => {
                upgrade::too_large()
            }
            outcome => outcome,
        };
        match outcome {
            Upgrade::Partial => 0,
            Upgrade::Accepted { answer, consumed } => {
                self.out.extend_from_slice(&answer);
                self.phase = Phase::Open(Decoder::new(self.config.frame_bytes_max));
                // The request ends within what came now, or it would have been answered before.
                let begin = consumed.saturating_sub(before).min(count);
                data.copy_within(begin..count, 0);
                self.take_frames(data.get_mut(..count - begin).unwrap_or_default())
            }
            Upgrade::Refused { answer, why } => {
                self.refused(&why);
                self.out.extend_from_slice(&answer);
                self.close_code = None;
                self.end = Some(Input::Over);
                0
            }
        }
    }

    fn take_frames(&mut self, data: &mut [u8]) -> usize {
        let Phase::Open(decoder) = &mut self.phase else { return 0 };
        let (kept, outcome) = decoder.decode(data);
        if let Some(ping) = decoder.take_ping()
            && self.out.len() - self.sent < self.framed + CONTROL_BACKLOG_MAX
        {
            encode(Opcode::Pong, &ping, &mut self.out);
        }
        if let Err(stop) = outcome {
            self.close_code = Some(match stop {
                Stop::Closed(code) => code,
                Stop::Violation(code, why) => {
                    let peer = self.under.socket().peer();
                    tracing::info!(listener = peer.listener(), %peer, "WebSocket error: {why}");
                    code
                }
            });
            self.end = Some(Input::Over);
        }
        kept
    }

    fn note_end(&self) {
        if matches!(&self.phase, Phase::Request(request) if !request.is_empty()) {
            self.refused(&"the client ended the connection");
        }
    }

    fn refused(&self, why: &dyn fmt::Display) {
        let why = format_args!("WebSocket handshake failed: {why}");
        self.under.socket().peer().refused(Refusal::WebsocketHandshake, &why);
    }

    /// Whether the request has not been answered.
    pub(crate) const fn is_handshaking(&self) -> bool {
        matches!(self.phase, Phase::Request(_))
    }

    /// What it runs over.
    pub(crate) const fn under(&self) -> &Under {
        &self.under
    }

    pub(crate) const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Frames a piece of `bytes` and says so when the socket has all of it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.framed == 0 {
            let piece = bytes.get(..bytes.len().min(WRITE_CHUNK)).unwrap_or_default();
            encode(Opcode::Binary, piece, &mut self.out);
            self.framed = piece.len();
        }
        self.push()?;
        Ok(std::mem::take(&mut self.framed))
    }

    pub(crate) fn wants_write(&self) -> bool {
        let below = matches!(&self.under, Under::Tls(tls) if tls.wants_write());
        below || self.sent < self.out.len()
    }

    pub(crate) fn settle(&mut self, farewell: bool) -> io::Result<()> {
        // A Close frame has its place only after the answer to the request.
        if farewell
            && let Some(code) = self.close_code.take()
            && matches!(self.phase, Phase::Open(_))
        {
            encode_close(code, &mut self.out);
        }
        self.push()?;
        self.under.settle(farewell)
    }

    /// Writes what is in `out`, and keeps no memory when all is written.
    fn push(&mut self) -> io::Result<()> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.under.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out = Vec::new();
        self.sent = 0;
        Ok(())
    }

    pub(crate) const fn socket_mut(&mut self) -> &mut Socket {
        match &mut self.under {
            Under::Plain(socket) => socket,
            Under::Tls(tls) => tls.socket_mut(),
        }
    }
}
