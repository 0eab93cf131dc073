//! The other end of a connection: says MQTT over its transport, reads when it is told to.

use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use stdx::testing::Dice;

use crate::tls_server::{self, TlsFiles, TlsServer};

/// What MQTT goes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Plain,
    Proxied,
    WebSocket,
    ProxiedWebSocket,
    Tls,
}

pub(super) const KINDS: [Kind; 5] =
    [Kind::Plain, Kind::Proxied, Kind::WebSocket, Kind::ProxiedWebSocket, Kind::Tls];

impl Kind {
    pub(super) const fn is_proxied(self) -> bool {
        matches!(self, Self::Proxied | Self::ProxiedWebSocket)
    }

    const fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::ProxiedWebSocket)
    }
}

/// A certificate, for both ends.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) server: TlsServer,
    client: Arc<ClientConfig>,
}

impl Identity {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        let files = TlsFiles {
            identities: vec![tls_server::Identity { cert, key }],
            client_ca: None,
            client_crl: Vec::new(),
            require_client_cert: false,
        };
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server: files.load().expect("good files"), client: Arc::new(client) }
    }
}

const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A client's end.
pub(super) struct Client {
    kind: Kind,
    stream: UnixStream,
    tls: Option<Box<ClientConnection>>,
    /// What is to go into the socket.
    outgoing: Vec<u8>,
    /// What came out of the socket, or of TLS.
    incoming: Vec<u8>,
    is_over: bool,
}

impl Client {
    pub(super) fn new(kind: Kind, stream: UnixStream, identity: &Identity) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = (kind == Kind::Tls).then(|| {
            let config = Arc::clone(&identity.client);
            let mut tls = ClientConnection::new(config, name).expect("a session");
            tls.set_buffer_limit(None);
            Box::new(tls)
        });
        let mut outgoing = Vec::new();
        if kind.is_proxied() {
            outgoing.extend_from_slice(b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 1883\r\n");
        }
        if kind.is_websocket() {
            outgoing.extend_from_slice(REQUEST);
        }
        Self { kind, stream, tls, outgoing, incoming: Vec::new(), is_over: false }
    }

    /// Says MQTT: to be sent, in frames of any size if those are spoken.
    pub(super) fn say(&mut self, bytes: &[u8], dice: Option<&mut Dice>) {
        if let Some(tls) = &mut self.tls {
            // After an alert it takes nothing.
            let _ = tls.writer().write_all(bytes);
            return;
        }
        if !self.kind.is_websocket() {
            return self.outgoing.extend_from_slice(bytes);
        }
        let pieces = match dice {
            Some(dice) => dice.cut(bytes),
            None => vec![bytes],
        };
        for piece in pieces {
            self.outgoing.extend([0x82, 0xFF]);
            self.outgoing.extend_from_slice(&(piece.len() as u64).to_be_bytes());
            self.outgoing.extend([0; 4]);
            self.outgoing.extend_from_slice(piece);
        }
    }

    /// Says what its transport does not know.
    pub(super) fn say_raw(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
    }

    /// Ends its side.
    pub(super) fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Puts some of what is to be sent into the socket. False when it takes nothing or nothing is left.
    pub(super) fn send(&mut self, dice: Option<&mut Dice>) -> bool {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.outgoing).expect("it has room");
            }
        }
        let longest = dice.map_or(usize::MAX, |dice| 1 + dice.below(700));
        let piece = &self.outgoing[..self.outgoing.len().min(longest)];
        match self.stream.write(piece) {
            Ok(count) if count > 0 => {
                self.outgoing.drain(..count);
                true
            }
            // Who is not listened to any more has no more to say.
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                self.outgoing.clear();
                false
            }
            _ => false,
        }
    }

    /// Reads so much at most. False when there was nothing.
    pub(super) fn read(&mut self, most: usize) -> bool {
        let mut buffer = [0; 4096];
        let mut left = most;
        while left > 0 && !self.is_over {
            let room = &mut buffer[..left.min(4096)];
            match self.stream.read(room) {
                Ok(0) => self.is_over = true,
                Ok(count) => {
                    left -= count;
                    let bytes = &buffer[..count];
                    match &mut self.tls {
                        None => self.incoming.extend_from_slice(bytes),
                        Some(tls) => decrypt(tls, bytes, &mut self.incoming),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.is_over = true,
            }
        }
        left < most
    }

    /// The MQTT that came.
    pub(super) fn heard(&self) -> Vec<u8> {
        if !self.kind.is_websocket() {
            return self.incoming.clone();
        }
        let end = self.incoming.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
        assert!(self.incoming.starts_with(b"HTTP/1.1 101 "), "the request is accepted");
        let (mut rest, mut heard) = (&self.incoming[end + 4..], Vec::new());
        while let [first, second, behind @ ..] = rest {
            let (len, behind) = match second {
                126 => (usize::from(u16::from_be_bytes([behind[0], behind[1]])), &behind[2..]),
                127 => panic!("nothing so long is said"),
                len => (usize::from(*len), behind),
            };
            if *first == 0x82 {
                heard.extend_from_slice(&behind[..len]);
            }
            rest = &behind[len..];
        }
        heard
    }
}

fn decrypt(tls: &mut ClientConnection, bytes: &[u8], into: &mut Vec<u8>) {
    let mut bytes = Cursor::new(bytes);
    while tls.read_tls(&mut bytes).is_ok_and(|count| count > 0) {
        if tls.process_new_packets().is_err() {
            return;
        }
        // It says so when there is nothing more.
        let _ = tls.reader().read_to_end(into);
    }
}
