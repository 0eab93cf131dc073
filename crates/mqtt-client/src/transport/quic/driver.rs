//! Moves datagrams in and out of a QUIC connection, and bytes between its one stream and a socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use quinn_proto::{
    Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, Event, ReadError, StreamEvent,
    StreamId, VarInt, WriteError,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_535;
/// Bytes moved at once.
const PIECE_BYTES: usize = 16 * 1024;

/// A QUIC connection with its UDP socket.
pub(super) struct Driver {
    udp: UdpSocket,
    endpoint: Endpoint,
    handle: ConnectionHandle,
    connection: Connection,
    is_connected: bool,
    /// The connection is over, and why.
    lost: Option<String>,
    /// The server has all that we sent, or wants no more.
    is_finished: bool,
    buffer: Vec<u8>,
}

/// The stream and its socket.
struct Pipe {
    stream: StreamId,
    socket: UnixStream,
    inbound: Bytes,
    outbound: Vec<u8>,
    is_inbound_over: bool,
    is_outbound_over: bool,
}

impl Driver {
    pub(super) fn new(
        udp: UdpSocket,
        endpoint: Endpoint,
        handle: ConnectionHandle,
        connection: Connection,
    ) -> Self {
        let buffer = vec![0; DATAGRAM_BYTES];
        let (is_connected, lost, is_finished) = (false, None, false);
        Self { udp, endpoint, handle, connection, is_connected, lost, is_finished, buffer }
    }

    /// Waits for the end of the handshake.
    pub(super) fn handshake(&mut self, deadline: Instant) -> io::Result<()> {
        loop {
            self.hear()?;
            self.speak()?;
            if let Some(reason) = self.lost.take() {
                return Err(io::Error::other(reason));
            }
            if self.is_connected {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(ErrorKind::TimedOut.into());
            }
            self.wait(None, Some(deadline))?;
        }
    }

    /// Serves until either side has ended; what goes wrong ends the socket, which says enough.
    pub(super) fn run(mut self, socket: UnixStream) {
        let Some(stream) = self.connection.streams().open(Dir::Bi) else { return };
        if socket.set_nonblocking(true).is_err() {
            return;
        }
        let mut pipe = Pipe {
            stream,
            socket,
            inbound: Bytes::new(),
            outbound: Vec::new(),
            is_inbound_over: false,
            is_outbound_over: false,
        };
        loop {
            if self.hear().is_err() {
                return;
            }
            let moved = pipe.inbound(&mut self.connection);
            let moved = moved.and_then(|()| pipe.outbound(&mut self.connection));
            // What has come before the end is still passed on.
            let is_lost = self.lost.is_some() && pipe.inbound.is_empty();
            let is_over = moved.is_err() || self.is_finished || is_lost;
            if is_over {
                self.connection.close(Instant::now(), VarInt::from_u32(0), Bytes::new());
            }
            if self.speak().is_err() || is_over || self.wait(Some(&pipe), None).is_err() {
                return;
            }
        }
    }

    /// Takes what has come.
    fn hear(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.receive(now)?;
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected => self.is_connected = true,
                Event::ConnectionLost { reason } => self.lost = Some(reason.to_string()),
                Event::Stream(StreamEvent::Finished { .. } | StreamEvent::Stopped { .. }) => {
                    self.is_finished = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends what there is to say.
    fn speak(&mut self) -> io::Result<()> {
        while let Some(event) = self.connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(event);
            }
        }
        let mut datagram = Vec::new();
        while self.connection.poll_transmit(Instant::now(), 1, &mut datagram).is_some() {
            match self.udp.send(&datagram) {
                // It is lost, and QUIC sends it again.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => drop(other?),
            }
            datagram.clear();
        }
        Ok(())
    }

    fn receive(&mut self, now: Instant) -> io::Result<()> {
        let remote = self.udp.peer_addr()?;
        loop {
            let len = match self.udp.recv(&mut self.buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = BytesMut::from(self.buffer.get(..len).unwrap_or_default());
            let mut answer = Vec::new();
            match self.endpoint.handle(now, remote, None, None, bytes, &mut answer) {
                Some(DatagramEvent::ConnectionEvent(_, event)) => {
                    self.connection.handle_event(event);
                }
                Some(DatagramEvent::Response(transmit)) => {
                    // An answer to what is not of our connection need not arrive.
                    let _ = self.udp.send(answer.get(..transmit.size).unwrap_or_default());
                }
                Some(DatagramEvent::NewConnection(_)) | None => {}
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self, pipe: Option<&Pipe>, deadline: Option<Instant>) -> io::Result<()> {
        let at = self.connection.poll_timeout().into_iter().chain(deadline).min();
        let left = at.map(|at| at.saturating_duration_since(Instant::now()));
        // The kernel's clock may be a little coarser: a moment late is better than a moment early, again and again.
        let timeout = left.map(|left| timespec(left + Duration::from_micros(100)));
        let mut fds = vec![PollFd::new(&self.udp, PollFlags::IN)];
        if let Some(pipe) = pipe {
            fds.push(PollFd::new(&pipe.socket, pipe.interest()));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Pipe {
    /// What of the socket is waited for.
    fn interest(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        if !self.inbound.is_empty() {
            flags |= PollFlags::OUT;
        }
        if self.outbound.is_empty() && !self.is_outbound_over {
            flags |= PollFlags::IN;
        }
        flags
    }

    /// From the server to the socket, as far as it goes.
    fn inbound(&mut self, connection: &mut Connection) -> io::Result<()> {
        loop {
            while !self.inbound.is_empty() {
                match self.socket.write(&self.inbound) {
                    Ok(count) => self.inbound.advance(count),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // Nobody reads any more; what was written before still goes out.
                    Err(_) => {
                        self.inbound = Bytes::new();
                        self.is_inbound_over = true;
                    }
                }
            }
            if self.is_inbound_over {
                return Ok(());
            }
            let mut source = connection.recv_stream(self.stream);
            let next = match source.read(true) {
                Ok(mut chunks) => {
                    let next = chunks.next(PIECE_BYTES);
                    // Whatever there is to be sent is sent in the next turn.
                    let _ = chunks.finalize();
                    next
                }
                Err(_) => Ok(None),
            };
            match next {
                Ok(Some(chunk)) => self.inbound = chunk.bytes,
                Ok(None) => {
                    self.is_inbound_over = true;
                    let _ = self.socket.shutdown(Shutdown::Write);
                }
                Err(ReadError::Blocked) => return Ok(()),
                Err(ReadError::Reset(_)) => return Err(ErrorKind::ConnectionReset.into()),
            }
        }
    }

    /// From the socket to the server, as far as it goes.
    fn outbound(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut sink = connection.send_stream(self.stream);
        let mut piece = [0; PIECE_BYTES];
        loop {
            while !self.outbound.is_empty() {
                match sink.write(&self.outbound) {
                    Ok(count) => drop(self.outbound.drain(..count)),
                    Err(WriteError::Blocked) => return Ok(()),
                    Err(_) => return Err(ErrorKind::BrokenPipe.into()),
                }
            }
            if self.is_outbound_over {
                return Ok(());
            }
            match self.socket.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.is_outbound_over = true;
                    // It has been closed by the server, if it cannot be finished.
                    let _ = sink.finish();
                }
                Ok(count) => {
                    self.outbound.extend_from_slice(piece.get(..count).unwrap_or_default());
                }
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
