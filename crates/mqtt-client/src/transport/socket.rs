//! A stream socket of the system, TCP or Unix.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::{Incoming, Outgoing};
use crate::{ConnectOptions, Error};

/// A blocking stream socket.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Tries each address that the name has.
    pub(super) fn connect_tcp(options: &ConnectOptions) -> Result<Self, Error> {
        let address = &options.address;
        let resolve_error = |source| Error::Resolve { address: address.clone(), source };
        let mut failure = None;
        for candidate in address.to_socket_addrs().map_err(resolve_error)? {
            let stream = TcpStream::connect_timeout(&candidate, options.connect_timeout);
            match stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
                Ok(stream) => return Ok(Self::Tcp(stream)),
                Err(error) => failure = Some(error),
            }
        }
        let source = failure.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into());
        Err(Error::Connect { address: address.clone(), source })
    }

    pub(super) fn connect_unix(path: &str) -> io::Result<Self> {
        UnixStream::connect(path).map(Self::Unix)
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    /// How long a read may take, for all clones; none for ever.
    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(timeout),
            Self::Unix(stream) => stream.set_read_timeout(timeout),
        }
    }

    /// Until when the next read may take.
    pub(crate) fn set_read_deadline(&self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Err(ErrorKind::TimedOut.into());
        }
        self.set_read_timeout(Some(left))
    }

    pub(super) fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
            Self::Unix(stream) => stream.set_write_timeout(Some(timeout)),
        }
    }

    /// Ends one direction or both. Fails when the other side was faster, which is of no matter.
    pub(crate) fn shutdown(&self, directions: Shutdown) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(directions),
            Self::Unix(stream) => stream.shutdown(directions),
        };
    }
}

impl Incoming for Socket {}
impl Outgoing for Socket {}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
