//! MQTT over QUIC: one bidirectional stream of a QUIC connection is an MQTT connection. A thread for each listener ends
//! QUIC and gives each stream to a shard as a socket, so that the shards know nothing of it. It must not know MQTT.
//!
//! ```text
//!   UDP ──► Endpoint ──► Link: Connection, stream ◄──► socket pair ◄──► shard
//! ```

mod link;
mod server_config;
mod udp;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};
use quinn_proto::{
    ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, Incoming, ServerConfig, StreamId,
};
use rustls::ServerConfig as TlsConfig;

use crate::clock::Clock;
use crate::door::{Door, Handover, WAKER};
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::tls_server::TlsServer;
use crate::transport::{Peer, Socket, Stream, Transport};
use link::{Link, Want};
use udp::Udp;

pub(crate) use server_config::can_serve;
pub(crate) use udp::bind;

const UDP: Token = Token(1);
const FIRST_LINK: usize = 2;
const EVENTS: usize = 1024;
/// Datagrams taken before answers go out and the shards' bytes move: a flood holds up nobody for long.
const DATAGRAMS_PER_TURN: usize = 64;
/// Handshakes under way beyond which a client has to prove its address first, which costs it a round trip.
const UNPROVEN_HANDSHAKES_MAX: usize = 64;
/// How long a stop waits until clients have what was written for them.
const FAREWELL: Duration = Duration::from_secs(1);

/// A QUIC listener that is not at work yet.
pub(crate) struct QuicListener {
    pub(crate) gate: Arc<Gate>,
    pub(crate) tls: TlsServer,
    pub(crate) socket: mio::net::UdpSocket,
}

/// A QUIC listener's thread.
pub(crate) struct Quic {
    gate: Arc<Gate>,
    tls: TlsServer,
    /// What the endpoint's configuration was made from.
    tls_config: Arc<TlsConfig>,
    udp: Udp,
    poll: Poll,
    door: Arc<Door>,
    shards: Arc<[Arc<Door>]>,
    next_shard: usize,
    clock: Clock,
    linger: Duration,
    endpoint: Endpoint,
    /// By the number of their handle.
    links: Vec<Option<Link>>,
    handshakes: usize,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    dirty: Vec<usize>,
    scratch: Vec<u8>,
}

impl Quic {
    pub(crate) fn new(
        listener: QuicListener,
        shards: Arc<[Arc<Door>]>,
        clock: Clock,
        linger: Duration,
    ) -> io::Result<(Self, Arc<Door>)> {
        let QuicListener { gate, tls, mut socket } = listener;
        let poll = Poll::new()?;
        let door = Door::new(poll.registry())?;
        poll.registry().register(&mut socket, UDP, Interest::READABLE | Interest::WRITABLE)?;
        let tls_config = tls.current();
        let udp = Udp::new(socket)?;
        let endpoint = Endpoint::new(
            Arc::new(EndpointConfig::default()),
            Some(server_config::server_config(&tls_config).map_err(io::Error::other)?),
            !udp.may_fragment(),
            None,
        );
        let quic = Self {
            gate,
            tls,
            tls_config,
            udp,
            poll,
            door: Arc::clone(&door),
            shards,
            next_shard: 0,
            clock,
            linger,
            endpoint,
            links: Vec::new(),
            handshakes: 0,
            timers: BinaryHeap::new(),
            dirty: Vec::new(),
            scratch: Vec::new(),
        };
        Ok((quic, door))
    }

    /// Serves until it is told to stop, then until clients have heard the last words, or a moment longer.
    ///
    /// # Errors
    /// The poll failed.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut end: Option<Instant> = None;
        // The poll says once that there are datagrams.
        let mut has_more = true;
        loop {
            let next = [self.timers.peek().map(|Reverse((at, _))| *at), end];
            let now = Instant::now();
            let next = next.into_iter().flatten().min();
            let timeout = next.map(|at| at.saturating_duration_since(now));
            let timeout = if has_more { Some(Duration::ZERO) } else { timeout };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => other?,
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    UDP if event.is_writable() => self.resume_output(),
                    UDP | WAKER => {}
                    Token(link) => self.mark(link - FIRST_LINK),
                }
            }
            has_more = self.receive(now);
            self.expire(now);
            while let Some(index) = self.dirty.pop() {
                self.drive(index, now);
            }
            if self.door.stop.load(Ordering::Acquire) {
                let end = *end.get_or_insert(now + FAREWELL);
                if now >= end || self.links.iter().all(Option::is_none) {
                    self.close_all(now);
                    return Ok(());
                }
            }
        }
    }

    /// Takes datagrams; says whether there may be more.
    fn receive(&mut self, now: Instant) -> bool {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some(datagram) = self.udp.receive() else { return false };
            let mut answer = Vec::new();
            let event = self.endpoint.handle(
                now,
                datagram.from,
                datagram.to,
                datagram.ecn,
                datagram.bytes,
                &mut answer,
            );
            match event {
                Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                    if let Some(link) = self.links.get_mut(handle.0).and_then(Option::as_mut) {
                        link.connection.handle_event(event);
                        self.mark(handle.0);
                    }
                }
                Some(DatagramEvent::NewConnection(incoming)) => self.accept(incoming, now),
                Some(DatagramEvent::Response(transmit)) => self.udp.send(&transmit, &answer),
                None => {}
            }
        }
        true
    }

    fn accept(&mut self, incoming: Incoming, now: Instant) {
        let mut answer = Vec::new();
        if self.handshakes > UNPROVEN_HANDSHAKES_MAX && incoming.may_retry() {
            if let Ok(transmit) = self.endpoint.retry(incoming, &mut answer) {
                self.udp.send(&transmit, &answer);
            }
            return;
        }
        let accepted = self.clock.now();
        let place = if self.door.closed_to_new.load(Ordering::Acquire) {
            Err(None)
        } else {
            self.gate.admit(accepted).map_err(Some)
        };
        let place = match place {
            Ok(place) => place,
            Err(refusal) => {
                if let Some(refusal) = refusal {
                    self.gate.refuse(refusal, accepted);
                }
                let transmit = self.endpoint.refuse(incoming, &mut answer);
                self.udp.send(&transmit, &answer);
                return;
            }
        };
        let peer = Peer::new(place, Some(incoming.remote_address()));
        let config = self.newest_config();
        match self.endpoint.accept(incoming, now, &mut answer, config) {
            Ok((handle, connection)) => {
                let deadline = now + self.gate.connect_timeout;
                let link = Link::new(connection, peer, accepted, deadline);
                if self.links.len() <= handle.0 {
                    self.links.resize_with(handle.0 + 1, || None);
                }
                if let Some(place) = self.links.get_mut(handle.0) {
                    *place = Some(link);
                }
                self.handshakes += 1;
                self.mark(handle.0);
            }
            Err(error) => {
                let why = format_args!("QUIC handshake failed: {}", error.cause);
                peer.refused(Refusal::TlsHandshake, &why);
                if let Some(transmit) = error.response {
                    self.udp.send(&transmit, &answer);
                }
            }
        }
    }

    /// The configuration for a new connection, when certificates have been read again.
    fn newest_config(&mut self) -> Option<Arc<ServerConfig>> {
        let current = self.tls.current();
        if Arc::ptr_eq(&current, &self.tls_config) {
            return None;
        }
        // What does not depend on the certificate was found good when the listener was bound.
        let config = server_config::server_config(&current).ok()?;
        self.tls_config = current;
        self.endpoint.set_server_config(Some(Arc::clone(&config)));
        // The one that comes now has begun with the configuration before.
        Some(config)
    }

    /// Has those look again whose time has come.
    fn expire(&mut self, now: Instant) {
        while self.timers.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((at, index))) = self.timers.pop() else { return };
            let link = self.links.get_mut(index).and_then(Option::as_mut);
            if let Some(link) = link.filter(|link| link.timer_at == Some(at)) {
                link.timer_at = None;
                link.on_timeout(now);
                self.mark(index);
            }
        }
    }

    /// Puts a connection on the list of those to look at.
    fn mark(&mut self, index: usize) {
        if let Some(link) = self.links.get_mut(index).and_then(Option::as_mut)
            && !std::mem::replace(&mut link.is_dirty, true)
        {
            self.dirty.push(index);
        }
    }

    /// Does for a connection what there is to do, and sends what it has to say.
    fn drive(&mut self, index: usize, now: Instant) {
        let Some(link) = self.links.get_mut(index).and_then(Option::as_mut) else { return };
        link.is_dirty = false;
        let was_handshaking = link.is_handshaking;
        let want = link.take_events(now);
        self.handshakes -= usize::from(was_handshaking && !link.is_handshaking);
        if let Some(Want::Pipe(stream)) = want
            && let Err(error) = self.open_pipe(index, stream)
        {
            tracing::warn!(listener = &*self.gate.name, %error, "QUIC connection not served");
        }
        let Some(link) = self.links.get_mut(index).and_then(Option::as_mut) else { return };
        link.pump(now, self.linger);
        let handle = ConnectionHandle(index);
        while let Some(event) = link.connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(handle, event) {
                link.connection.handle_event(event);
            }
        }
        while self.udp.has_room() {
            self.scratch.clear();
            let segments = self.udp.segments_max();
            match link.connection.poll_transmit(now, segments, &mut self.scratch) {
                Some(transmit) => self.udp.send(&transmit, &self.scratch),
                None => break,
            }
        }
        if link.connection.is_drained() {
            self.handshakes -= usize::from(link.is_handshaking);
            self.links[index] = None;
            return;
        }
        let timer_at = link.connection.poll_timeout().into_iter().chain(link.deadline).min();
        if timer_at != link.timer_at {
            link.timer_at = timer_at;
            self.timers.extend(timer_at.map(|at| Reverse((at, index))));
        }
    }

    /// Gives a stream to a shard, as a socket.
    fn open_pipe(&mut self, index: usize, stream: StreamId) -> io::Result<()> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut ours, Token(FIRST_LINK + index), interest)?;
        let Some(link) = self.links.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(peer) = link.open(stream, ours) else { return Ok(()) };
        let transport = Transport::Plain(Socket::new(Stream::Unix(theirs), peer));
        // It moves on by its client id.
        let shard = self.next_shard % self.shards.len().max(1);
        self.next_shard = shard + 1;
        if let Some(door) = self.shards.get(shard) {
            door.hand_over(Handover { transport, bytes: Vec::new(), accepted: link.accepted });
        }
        Ok(())
    }

    /// The socket takes datagrams again.
    fn resume_output(&mut self) {
        if self.udp.is_blocked() && self.udp.resume() {
            (0..self.links.len()).for_each(|index| self.mark(index));
        }
    }

    /// Says goodbye to everyone who is still there.
    fn close_all(&mut self, now: Instant) {
        for link in self.links.iter_mut().flatten() {
            link.close(now);
            self.scratch.clear();
            if let Some(transmit) = link.connection.poll_transmit(now, 1, &mut self.scratch) {
                self.udp.send(&transmit, &self.scratch);
            }
        }
    }
}
