//! TLS over a socket: `rustls` fed by hand. It must not know what is inside.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection};

use super::{Input, Socket};
use crate::refusal::Refusal;

/// Bytes encrypted before the socket has to take them.
const WRITE_CHUNK: usize = 64 * 1024;

/// A TLS connection's server side.
pub(crate) struct Tls {
    socket: Socket,
    session: ServerConnection,
    /// Bytes given to `write` that are encrypted and not all on the socket.
    encrypted: usize,
    /// The socket has more to read, or the session has.
    has_more: bool,
    has_begun: bool,
    said_farewell: bool,
    /// Nothing can be read any more.
    end: Option<Input>,
}

impl Tls {
    pub(crate) fn new(socket: Socket, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut session = ServerConnection::new(config)?;
        session.set_buffer_limit(Some(2 * WRITE_CHUNK));
        Ok(Self {
            socket,
            session,
            encrypted: 0,
            has_more: false,
            has_begun: false,
            said_farewell: false,
            end: None,
        })
    }

    /// Reads until `into` is full or the socket has nothing more.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Input {
        let mut filled = 0;
        // What is read from the socket without filling `into` is limited too, so that nobody else waits for long.
        let mut budget = into.len();
        self.has_more = false;
        loop {
            let room = into.get_mut(filled..).unwrap_or_default();
            if room.is_empty() || budget == 0 {
                self.has_more = true;
                break;
            }
            match self.session.reader().read(room) {
                Ok(0) => self.end = Some(Input::Over),
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end without close_notify.
                Err(_) => self.end = Some(Input::End),
            }
            if self.end.is_some() {
                break;
            }
            match self.receive() {
                Ok(0) => break,
                Ok(count) => budget = budget.saturating_sub(count),
                Err(end) => self.end = Some(end),
            }
        }
        // A handshake's answer, or an alert. What the socket does not take now waits for the poll.
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

    /// Takes ciphertext from the socket; 0 when there is none for now.
    fn receive(&mut self) -> Result<usize, Input> {
        let count = match self.session.read_tls(&mut self.socket) {
            Ok(0) => {
                self.note_end();
                return Err(Input::End);
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            Err(_) => {
                self.note_end();
                return Err(Input::End);
            }
        };
        self.has_begun = true;
        let was_handshaking = self.session.is_handshaking();
        if let Err(error) = self.session.process_new_packets() {
            let peer = self.socket.peer();
            if was_handshaking {
                peer.refused(Refusal::TlsHandshake, &format_args!("TLS handshake failed: {error}"));
            } else {
                tracing::info!(listener = peer.listener(), %peer, %error, "TLS error");
            }
            return Err(Input::Over);
        }
        Ok(count)
    }

    /// Logs an end within the handshake, but not of those who only knock.
    fn note_end(&self) {
        if self.has_begun && self.session.is_handshaking() {
            let why = "TLS handshake failed: the client ended the connection";
            self.socket.peer().refused(Refusal::TlsHandshake, &why);
        }
    }

    pub(crate) const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Encrypts a piece of `bytes` and says so when the socket has all of it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.encrypted == 0 {
            let piece = bytes.get(..bytes.len().min(WRITE_CHUNK)).unwrap_or_default();
            self.encrypted = self.session.writer().write(piece)?;
        }
        self.push()?;
        Ok(std::mem::take(&mut self.encrypted))
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    pub(crate) fn settle(&mut self, farewell: bool) -> io::Result<()> {
        if farewell && !std::mem::replace(&mut self.said_farewell, true) {
            self.session.send_close_notify();
        }
        self.push()
    }

    /// Writes ciphertext until there is none.
    fn push(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a handshake has begun and not ended.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.has_begun && self.session.is_handshaking()
    }

    /// The certificate of the client, which has been verified.
    pub(crate) fn client_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.session.peer_certificates()?.first()
    }

    pub(crate) const fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(crate) const fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }
}
