//! TLS in two halves for two threads. The session is locked only for computing, never while the socket is waited for,
//! so that neither thread holds up the other.

use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::tls_config::client_config;
use super::{Incoming, Outgoing, Socket, host};
use crate::Error;
use crate::options::TlsOptions;

/// Bytes of ciphertext read at once.
const READ_BYTES: usize = 32 << 10;

type Session = Arc<Mutex<ClientConnection>>;

/// The reading half.
pub(super) struct TlsIncoming {
    session: Session,
    socket: Socket,
    /// What has come, and which part of it the session has not taken.
    ciphertext: Vec<u8>,
    fresh: Range<usize>,
}

/// The writing half.
pub(super) struct TlsOutgoing {
    session: Session,
    socket: Socket,
    ciphertext: Vec<u8>,
}

/// Agrees on keys, and checks who the server is.
pub(super) fn handshake(
    mut socket: Socket,
    options: &TlsOptions,
    address: &str,
) -> Result<(TlsIncoming, TlsOutgoing), Error> {
    let config = client_config(options)?;
    let failed = |why: String| Error::Handshake { what: "TLS", address: address.to_owned(), why };
    let name = options.server_name.as_deref().unwrap_or_else(|| host(address)).to_owned();
    let name = ServerName::try_from(name).map_err(|error| failed(error.to_string()))?;
    let mut session =
        ClientConnection::new(config, name).map_err(|error| failed(error.to_string()))?;
    while session.is_handshaking() {
        match session.complete_io(&mut socket) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(failed("the server did not answer in time".to_owned()));
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(failed("the server closed the connection".to_owned()));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    let other = socket.try_clone().map_err(|error| failed(error.to_string()))?;
    let session = Arc::new(Mutex::new(session));
    let incoming = TlsIncoming {
        session: Arc::clone(&session),
        socket: other,
        ciphertext: vec![0; READ_BYTES],
        fresh: 0..0,
    };
    Ok((incoming, TlsOutgoing { session, socket, ciphertext: Vec::new() }))
}

impl Read for TlsIncoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.lock().reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The end without close_notify is one too.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            if self.fresh.is_empty() {
                self.fresh = 0..self.socket.read(&mut self.ciphertext)?;
            }
            // It takes as much as it has room for. Nothing is an end, which it has to be told too.
            let mut fresh = self.ciphertext.get(self.fresh.clone()).unwrap_or_default();
            let mut session = self.session.lock();
            self.fresh.start += session.read_tls(&mut fresh)?;
            session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Incoming for TlsIncoming {
    fn owes_answer(&self) -> bool {
        self.session.lock().wants_write()
    }
}

impl TlsOutgoing {
    /// Writes what the session has for the socket.
    fn push(&mut self) -> io::Result<()> {
        self.ciphertext.clear();
        {
            let mut session = self.session.lock();
            while session.wants_write() {
                session.write_tls(&mut self.ciphertext)?;
            }
        }
        self.socket.write_all(&self.ciphertext)
    }
}

impl Write for TlsOutgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.session.lock().writer().write(bytes)?;
        self.push()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}

impl Outgoing for TlsOutgoing {
    fn finish(&mut self) {
        self.session.lock().send_close_notify();
        // Who is gone already does not miss it.
        let _ = self.push();
    }
}
