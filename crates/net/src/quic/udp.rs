//! The datagrams of a QUIC listener. It must not know QUIC.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use mio::net::UdpSocket;
use quinn_proto::{EcnCodepoint, Transmit};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// The most bytes that the system gives at once: datagrams of one sender in a row.
const READ_BYTES: usize = 64 * 1024;
/// What the system keeps of datagrams that have not been read, or not been sent, if it may.
const BUFFER_BYTES: usize = 1 << 20;

/// A datagram that has come.
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    /// Which of our addresses it was sent to, which the answer has to come from.
    pub(super) to: Option<IpAddr>,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) bytes: BytesMut,
}

/// A UDP socket.
pub(super) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    buffer: Vec<u8>,
    /// Read, and not handed out.
    received: VecDeque<Datagram>,
    /// What the socket did not take.
    unsent: Option<(Transmit, Vec<u8>)>,
}

/// Binds a UDP socket.
pub(crate) fn bind(address: SocketAddr, dual_stack: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    // The system may give less.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    Ok(UdpSocket::from_std(socket.into()))
}

impl Udp {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let buffer = vec![0; READ_BYTES];
        Ok(Self { socket, state, buffer, received: VecDeque::new(), unsent: None })
    }

    /// Whether datagrams may be cut on their way, so that their size says nothing about it.
    pub(super) fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    /// How many datagrams of one size may be sent at once.
    pub(super) fn segments_max(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// The next datagram; none when none is there.
    pub(super) fn receive(&mut self) -> Option<Datagram> {
        while self.received.is_empty() {
            let mut meta = [RecvMeta::default()];
            let mut slices = [IoSliceMut::new(&mut self.buffer)];
            match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // An error concerns a datagram of ours that did not arrive; the next one may.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => {
                    tracing::debug!(%error, "no datagram");
                    return None;
                }
            }
            let [meta] = meta;
            let bytes = self.buffer.get(..meta.len).unwrap_or_default();
            let datagrams = bytes.chunks(meta.stride.max(1)).map(|bytes| Datagram {
                from: meta.addr,
                to: meta.dst_ip,
                ecn: meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8)),
                bytes: BytesMut::from(bytes),
            });
            self.received.extend(datagrams);
        }
        self.received.pop_front()
    }

    /// Whether the socket takes datagrams.
    pub(super) const fn has_room(&self) -> bool {
        self.unsent.is_none()
    }

    pub(super) const fn is_blocked(&self) -> bool {
        self.unsent.is_some()
    }

    /// Sends; what the socket does not take now is kept, once. QUIC sends again what is lost.
    pub(super) fn send(&mut self, transmit: &Transmit, bytes: &[u8]) {
        let contents = bytes.get(..transmit.size).unwrap_or_default();
        if self.has_room() && !self.try_send(transmit, contents) {
            self.unsent = Some((clone(transmit), contents.to_vec()));
        }
    }

    /// Sends what was kept; says whether there is room for more.
    pub(super) fn resume(&mut self) -> bool {
        if let Some((transmit, bytes)) = self.unsent.take()
            && !self.try_send(&transmit, &bytes)
        {
            self.unsent = Some((transmit, bytes));
        }
        self.has_room()
    }

    /// False when the socket takes no more for now.
    fn try_send(&self, transmit: &Transmit, contents: &[u8]) -> bool {
        let transmit = quinn_udp::Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
            contents,
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        match self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                tracing::debug!(%error, to = %transmit.destination, "datagram not sent");
                true
            }
            Ok(()) => true,
        }
    }
}

const fn clone(transmit: &Transmit) -> Transmit {
    let Transmit { destination, ecn, size, segment_size, src_ip } = *transmit;
    Transmit { destination, ecn, size, segment_size, src_ip }
}
