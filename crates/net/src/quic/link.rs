//! One QUIC connection and the socket that its stream is for a shard. It must not know the poll or UDP.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use mio::net::UnixStream;
use quinn_proto::{
    Connection, ConnectionError, Dir, Event, ReadError, StreamEvent, StreamId, VarInt, WriteError,
};
use rustls::pki_types::CertificateDer;

use crate::certificate::common_name;
use crate::refusal::Refusal;
use crate::transport::Peer;

/// Bytes that are read from the shard's socket at once.
const READ_BYTES: usize = 16 * 1024;

/// What a connection asks of its owner.
pub(super) enum Want {
    /// A socket for this stream.
    Pipe(StreamId),
}

/// A QUIC connection.
///
/// ```text
/// handshake ── stream opened ──► piped ── shard ends ──► finished ── client has all ──► closed
///     └── deadline, loss ──────────────────────────── loss ──────────────────────────────┘
/// ```
pub(super) struct Link {
    pub(super) connection: Connection,
    /// When it was accepted, on the shards' clock.
    pub(super) accepted: stdx::Instant,
    /// When its handshake or its end is given up.
    pub(super) deadline: Option<Instant>,
    /// When it is on the list of timers for.
    pub(super) timer_at: Option<Instant>,
    pub(super) is_handshaking: bool,
    /// On the list of those to look at.
    pub(super) is_dirty: bool,
    /// Until a shard has it.
    peer: Option<Peer>,
    stream: Option<StreamId>,
    pipe: Option<UnixStream>,
    /// Has come from the client, and the shard's socket has not taken it.
    inbound: Bytes,
    /// Has come from the shard, and QUIC has not taken it.
    outbound: Vec<u8>,
    /// The client sends no more.
    is_inbound_over: bool,
    /// The shard sends no more.
    is_outbound_over: bool,
    /// The connection is over.
    is_lost: bool,
}

impl Link {
    pub(super) fn new(
        connection: Connection,
        peer: Peer,
        accepted: stdx::Instant,
        deadline: Instant,
    ) -> Self {
        Self {
            connection,
            accepted,
            deadline: Some(deadline),
            timer_at: None,
            is_handshaking: true,
            is_dirty: false,
            peer: Some(peer),
            stream: None,
            pipe: None,
            inbound: Bytes::new(),
            outbound: Vec::new(),
            is_inbound_over: false,
            is_outbound_over: false,
            is_lost: false,
        }
    }

    /// Takes the stream and our end of its socket; gives who it is, for the shard.
    pub(super) fn open(&mut self, stream: StreamId, pipe: UnixStream) -> Option<Peer> {
        let mut peer = self.peer.take()?;
        peer.certificate_common_name = self.client_name();
        self.stream = Some(stream);
        self.pipe = Some(pipe);
        // The shard has its own time for CONNECT, from the same beginning.
        self.deadline = None;
        Some(peer)
    }

    /// The common name of the client's certificate, which has been verified.
    #[expect(clippy::box_collection, reason = "as the peer has it")]
    fn client_name(&self) -> Option<Box<String>> {
        let identity = self.connection.crypto_session().peer_identity()?;
        let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        chain.first().and_then(common_name).map(Box::new)
    }

    /// Hears what has happened.
    pub(super) fn take_events(&mut self, now: Instant) -> Option<Want> {
        let mut want = None;
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected => self.is_handshaking = false,
                Event::Stream(StreamEvent::Opened { dir: Dir::Bi }) if self.stream.is_none() => {
                    want = self.connection.streams().accept(Dir::Bi).map(Want::Pipe);
                }
                Event::Stream(StreamEvent::Finished { .. } | StreamEvent::Stopped { .. }) => {
                    self.close(now);
                }
                Event::ConnectionLost { reason } => self.on_lost(&reason),
                _ => {}
            }
        }
        want
    }

    fn on_lost(&mut self, reason: &ConnectionError) {
        self.is_handshaking = false;
        self.deadline = None;
        self.is_lost = true;
        if let Some(peer) = self.peer.take() {
            let why = format_args!("QUIC ended before a stream was opened: {reason}");
            peer.refused(Refusal::TlsHandshake, &why);
        }
    }

    /// Ends the connection, and the shard's with it.
    pub(super) fn close(&mut self, now: Instant) {
        self.pipe = None;
        self.deadline = None;
        self.connection.close(now, VarInt::from_u32(0), Bytes::new());
    }

    /// A time has come: QUIC's, or its own.
    pub(super) fn on_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        if let Some(peer) = self.peer.take() {
            peer.refused(Refusal::ConnectTimeout, &"no QUIC stream within connect_timeout");
        }
        self.close(now);
    }

    /// Moves bytes both ways, as far as they go.
    pub(super) fn pump(&mut self, now: Instant, linger: Duration) {
        let Some(stream) = self.stream else { return };
        if self.is_lost {
            // What came before the end is for the shard still: a DISCONNECT, perhaps.
            if self.pipe_inbound(stream).is_err() || self.inbound.is_empty() {
                self.pipe = None;
            }
            return;
        }
        if self.pipe_inbound(stream).is_err() || self.pipe_outbound(stream, now, linger).is_err() {
            self.close(now);
        }
    }

    /// From the client to the shard. What the shard does not take stays in QUIC's window.
    fn pipe_inbound(&mut self, stream: StreamId) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        loop {
            while !self.inbound.is_empty() {
                match pipe.write(&self.inbound) {
                    Ok(count) => self.inbound.advance(count),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // The shard has closed: what it said before is still on its way out.
                    Err(_) => {
                        self.inbound = Bytes::new();
                        self.is_inbound_over = true;
                    }
                }
            }
            if self.is_inbound_over {
                return Ok(());
            }
            let mut source = self.connection.recv_stream(stream);
            let Ok(mut chunks) = source.read(true) else {
                self.is_inbound_over = true;
                return pipe.shutdown(Shutdown::Write);
            };
            let next = chunks.next(READ_BYTES);
            // What is to be sent is sent after the pump in any case.
            let _ = chunks.finalize();
            match next {
                Ok(Some(chunk)) => self.inbound = chunk.bytes,
                Ok(None) => {
                    self.is_inbound_over = true;
                    // Who is gone already does not miss it.
                    let _ = pipe.shutdown(Shutdown::Write);
                    return Ok(());
                }
                Err(ReadError::Blocked) => return Ok(()),
                Err(ReadError::Reset(_)) => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
    }

    /// From the shard to the client.
    fn pipe_outbound(
        &mut self,
        stream: StreamId,
        now: Instant,
        linger: Duration,
    ) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut buffer = [0; READ_BYTES];
        let mut sink = self.connection.send_stream(stream);
        loop {
            while !self.outbound.is_empty() {
                match sink.write(&self.outbound) {
                    Ok(count) => drop(self.outbound.drain(..count)),
                    Err(WriteError::Blocked) => return Ok(()),
                    Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                        return Err(io::ErrorKind::BrokenPipe.into());
                    }
                }
            }
            if self.is_outbound_over {
                return Ok(());
            }
            match pipe.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.outbound = Vec::new();
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.is_outbound_over = true;
                    self.deadline = Some(now + linger);
                    // It has been closed by the client, if it cannot be finished.
                    let _ = sink.finish();
                    return Ok(());
                }
                Ok(count) => {
                    self.outbound.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
            }
        }
    }
}
