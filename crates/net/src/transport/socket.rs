//! A stream socket of the system, TCP or Unix, and the PROXY header that may come first on it. It must not know what is
//! spoken over it.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

use super::Peer;
use super::proxy_header::{Progress, looks_like_one, parse};
use crate::refusal::Refusal;

/// How many times a silent peer is asked whether it is there before it counts as gone.
const PROBES: u32 = 4;
/// How long an answer is waited for: a quarter of the silence, within these bounds. The system counts whole seconds.
const PROBE_INTERVAL_MIN: Duration = Duration::from_secs(1);
const PROBE_INTERVAL_MAX: Duration = Duration::from_secs(15);

/// A stream of the system.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Whether a PROXY header comes first.
///
/// ```text
/// Expected ── whole ──► none
/// Forbidden ── first bytes are no header ──► none
/// ```
enum Header {
    /// From one who is trusted: what has come of it.
    Expected(Vec<u8>),
    /// From anyone else.
    Forbidden,
}

/// A non-blocking stream socket.
pub(crate) struct Socket {
    stream: Stream,
    peer: Peer,
    header: Option<Box<Header>>,
}

impl Socket {
    pub(crate) fn new(stream: Stream, peer: Peer) -> Self {
        let header = match peer.address {
            Some(address) if peer.gate().proxy.is_some() => {
                let trusted = peer.gate().trusts(address);
                Some(Box::new(if trusted {
                    Header::Expected(Vec::new())
                } else {
                    Header::Forbidden
                }))
            }
            _ => None,
        };
        Self { stream, peer, header }
    }

    pub(crate) const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether a PROXY header has to come and has not.
    pub(crate) fn awaits_header(&self) -> bool {
        matches!(self.header.as_deref(), Some(Header::Expected(_)))
    }

    /// Has the system ask the peer now and then whether it is still there, once it has been silent for so long. Who
    /// keeps alive by MQTT is not asked: its silences are meant, and a probe wakes a sleeping radio.
    pub(crate) fn probe(&self, after: Duration) {
        if let Stream::Tcp(stream) = &self.stream {
            let interval = (after / PROBES).clamp(PROBE_INTERVAL_MIN, PROBE_INTERVAL_MAX);
            let probes = TcpKeepalive::new().with_time(after);
            let probes = probes.with_interval(interval).with_retries(PROBES);
            // While something is unacknowledged no probes go out, and the system would send it again for a quarter of an
            // hour. A socket that has gone already refuses; reading it will say so.
            let socket = SockRef::from(stream);
            let _ = socket.set_tcp_keepalive(&probes);
            let _ = socket.set_tcp_user_timeout(Some(after + interval * PROBES));
        }
    }

    /// Ends our side.
    pub(crate) fn shutdown_write(&self) {
        // A socket that is gone already refuses.
        let _ = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// Reads the first bytes of a connection through a listener that knows proxies.
    #[cold]
    fn read_first(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(Header::Expected(bytes)) = self.header.as_deref_mut() {
            take_header(&mut self.stream, bytes, &mut self.peer)?;
            self.header = None;
            return self.stream.read(into);
        }
        let count = self.stream.read(into)?;
        if looks_like_one(into.get(..count).unwrap_or_default()) {
            let why = "a PROXY header from an address that proxy_trusted does not name";
            self.peer.refused(Refusal::ProxyProtocol, &why);
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if count > 0 {
            self.header = None;
        }
        Ok(count)
    }
}

/// Reads a header to its end and not a byte further; then the peer is whom it names.
fn take_header(stream: &mut Stream, bytes: &mut Vec<u8>, peer: &mut Peer) -> io::Result<()> {
    let bytes_max = peer.gate().proxy.as_ref().map_or(0, |proxy| proxy.header_bytes_max);
    loop {
        match parse(bytes, bytes_max) {
            Progress::Wants(count) => {
                let there = bytes.len();
                bytes.resize(there + count, 0);
                let read = stream.read(bytes.get_mut(there..).unwrap_or_default());
                bytes.truncate(there + read.as_ref().map_or(0, |count| *count));
                if read? == 0 {
                    // Who only knocks, to see whether somebody listens, is no trouble.
                    if there > 0 {
                        peer.refused(Refusal::ProxyProtocol, &"the PROXY header does not end");
                    }
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Progress::Whole(source) => {
                if let Some(source) = source {
                    tracing::debug!(listener = peer.listener(), proxy = %peer, peer = %source, "proxied");
                    peer.address = Some(source);
                }
                return Ok(());
            }
            Progress::Bad(why) => {
                peer.refused(Refusal::ProxyProtocol, &why);
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }
}

impl Read for Socket {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.header.is_some() { self.read_first(into) } else { self.stream.read(into) }
    }
}

impl Write for Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_vectored(slices),
            Stream::Unix(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Socket {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.register(to, token, interest),
            Stream::Unix(stream) => stream.register(to, token, interest),
        }
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.reregister(to, token, interest),
            Stream::Unix(stream) => stream.reregister(to, token, interest),
        }
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.deregister(from),
            Stream::Unix(stream) => stream.deregister(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use stdx::Instant;

    use super::*;
    use crate::config::{Config, ListenerConfig};
    use crate::gate::Gate;

    #[test]
    fn a_silent_peer_is_given_up_as_soon_when_something_is_unacknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let _client = std::net::TcpStream::connect(address).expect("connected");
        let (stream, peer) = listener.accept().expect("accepted");
        stream.set_nonblocking(true).expect("it can be set");
        let config = ListenerConfig::plain("mqtt", address);
        let gate = Arc::new(Gate::new(&config, &Config::default(), Arc::default()));
        let place = gate.admit(Instant::ZERO).expect("a place");
        let stream = Stream::Tcp(TcpStream::from_std(stream));
        let socket = Socket::new(stream, Peer::new(place, Some(peer)));
        socket.probe(Duration::from_secs(100));
        let Stream::Tcp(stream) = &socket.stream else { panic!("it is TCP") };
        let of = SockRef::from(stream);
        assert_eq!(of.tcp_keepalive_time().ok(), Some(Duration::from_secs(100)));
        let probes = Duration::from_secs(60);
        assert_eq!(of.tcp_user_timeout().ok(), Some(Some(Duration::from_secs(100) + probes)));
    }
}
