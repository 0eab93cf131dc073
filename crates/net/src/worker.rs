//! One shard's thread: a turn takes what is ready, lets the shard work, and writes once to each connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::{CloseReason, ConnId, Mail, Outbox, Post, Shard};
use mio::event::Source;
use mio::{Events, Interest, Poll, Token};
use mqtt_types::ReasonCode;
use stdx::Instant;

use crate::acceptor::{Accepted, Acceptor};
use crate::clock::Clock;
use crate::config::Config;
use crate::door::{Door, Handover};
use crate::input::{Taken, take};
use crate::refusal::Refusal;
use crate::transport::{Input, Transport};
use crate::wire::{Phase, Wire};
use crate::wires::{OutputLimits, Wires};

const FIRST_LISTENER: usize = 1;
const FIRST_CONNECTION: usize = 1024;
const EVENTS: usize = 1024;
/// Connections accepted before those that are there are served again.
const ACCEPTS_PER_TURN: usize = 256;
/// How long to wait when the process has no file descriptor left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How late a turn is whose process was stopped, or had no processor for so long.
const LATE: Duration = Duration::from_secs(1);

/// A thread's state.
pub(crate) struct Worker {
    pub(crate) shard: Shard,
    pub(crate) poll: Poll,
    pub(crate) door: Arc<Door>,
    pub(crate) doors: Arc<[Arc<Door>]>,
    pub(crate) post: Post,
    pub(crate) config: Arc<Config>,
    pub(crate) acceptors: Vec<Acceptor>,
    pub(crate) clock: Clock,
}

/// What a turn works with beside the worker: kept over turns for its memory.
struct Desk {
    wires: Wires,
    scratch: Vec<u8>,
    mail: Vec<Mail>,
    /// Listeners that may have connections to accept, by place.
    accepting: Vec<usize>,
    accept_at: Option<Instant>,
    /// Bytes read since they were last counted.
    bytes_received: u64,
}

impl Desk {
    fn new(config: &Config, acceptors: usize) -> Self {
        Self {
            wires: wires(config),
            scratch: vec![0; config.read_buffer_bytes],
            mail: Vec::new(),
            accepting: (0..acceptors).collect(),
            accept_at: None,
            bytes_received: 0,
        }
    }
}

impl Worker {
    /// Serves until it is told to stop.
    ///
    /// # Errors
    /// The poll failed.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        for (n, acceptor) in self.acceptors.iter_mut().enumerate() {
            acceptor.register(registry, Token(FIRST_LISTENER + n))?;
        }
        let mut desk = Desk::new(&self.config, self.acceptors.len());
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = self.timeout(&desk);
            self.wait_and_turn(timeout, &mut events, &mut desk)?;
            if self.door.stop.load(Ordering::Acquire) {
                return Ok(());
            }
        }
    }

    /// Waits for something to do, for so long, and does it.
    fn wait_and_turn(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Events,
        desk: &mut Desk,
    ) -> io::Result<()> {
        let due = self.shard.next_deadline();
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => other?,
        }
        let now = self.clock.now();
        self.shard.begin(now, Clock::unix_ms());
        desk.wires.begin(now);
        if due.is_some_and(|due| now.since(due) > LATE) {
            self.shard.was_stopped();
        }
        for event in &*events {
            self.note(event, desk);
        }
        self.turn(now, desk)
    }

    /// How long the poll may sleep.
    fn timeout(&self, desk: &Desk) -> Option<Duration> {
        let wires = &desk.wires;
        let busy = !desk.mail.is_empty()
            || !wires.ready.is_empty()
            || !wires.drained.is_empty()
            || !wires.lost.is_empty();
        if busy || (!desk.accepting.is_empty() && desk.accept_at.is_none()) {
            return Some(Duration::ZERO);
        }
        let deadlines = [self.shard.next_deadline(), wires.next_deadline(), desk.accept_at];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.since(self.clock.now()))
    }

    fn note(&self, event: &mio::event::Event, desk: &mut Desk) {
        let token = event.token().0;
        if let Some(slot) = token.checked_sub(FIRST_CONNECTION) {
            let slot = slot as u32;
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                desk.wires.set_ready(slot);
            }
            if event.is_read_closed()
                && let Some(wire) = desk.wires.at(slot)
            {
                wire.is_half_closed = true;
            }
            if event.is_writable() && desk.wires.at(slot).is_some_and(|wire| wire.is_blocked) {
                desk.wires.set_dirty(slot);
            }
        } else if let Some(listener) = token.checked_sub(FIRST_LISTENER)
            && !desk.accepting.contains(&listener)
        {
            desk.accepting.push(listener);
        }
    }

    fn turn(&mut self, now: Instant, desk: &mut Desk) -> io::Result<()> {
        self.accept(now, desk)?;
        self.adopt(desk)?;
        desk.wires.release(now);
        for id in std::mem::take(&mut desk.wires.lost) {
            self.lose(id, desk);
        }
        for id in std::mem::take(&mut desk.wires.drained) {
            self.shard.drained(id, &mut desk.wires);
        }
        for slot in std::mem::take(&mut desk.wires.ready) {
            self.read(slot, now, desk);
        }
        self.read_mail(desk);
        if self.shard.next_deadline().is_some_and(|at| at <= now) {
            self.shard.tick(&mut desk.wires);
        }
        while let Some(id) = desk.wires.pop_overdue(now) {
            if is_given_time(id, now, &mut desk.wires) {
                continue;
            }
            self.lose(id, desk);
        }
        let received = std::mem::take(&mut desk.bytes_received);
        self.shard.count_bytes(received, std::mem::take(&mut desk.wires.bytes_sent));
        self.shard.count_slow(std::mem::take(&mut desk.wires.buffers.slow));
        self.shard.end(&mut desk.wires);
        desk.wires.flush();
        Ok(())
    }

    /// Serves letters of other threads; those of which the turn would become too long wait for the next, and keep more from
    /// coming.
    fn read_mail(&mut self, desk: &mut Desk) {
        if desk.mail.is_empty() {
            self.post.take(self.shard.id(), &mut desk.mail);
            desk.mail.reverse();
        }
        while let Some(mail) = desk.mail.pop() {
            self.shard.mail(mail, &mut desk.wires);
            if desk.wires.is_turn_long() {
                break;
            }
        }
    }

    fn accept(&mut self, now: Instant, desk: &mut Desk) -> io::Result<()> {
        if desk.accept_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        desk.accept_at = None;
        if self.door.closed_to_new.load(Ordering::Acquire) {
            self.acceptors.clear();
            desk.accepting.clear();
        }
        for n in std::mem::take(&mut desk.accepting) {
            for turn in 0..=ACCEPTS_PER_TURN {
                let Some(acceptor) = self.acceptors.get(n) else { break };
                if desk.wires.len() >= self.config.max_connections {
                    desk.accept_at = Some(now + ACCEPT_RETRY);
                    desk.accepting.push(n);
                    break;
                }
                if turn == ACCEPTS_PER_TURN {
                    desk.accepting.push(n);
                    break;
                }
                match acceptor.accept(now) {
                    Ok(Accepted::Connection(transport)) => {
                        self.welcome(transport, now, desk)?;
                    }
                    Ok(Accepted::Refused) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        tracing::warn!(listener = %acceptor.gate.name, %error, "connection not accepted, trying again soon");
                        desk.accepting.push(n);
                        desk.accept_at = Some(now + ACCEPT_RETRY);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn welcome(
        &self,
        mut transport: Transport,
        accepted: Instant,
        desk: &mut Desk,
    ) -> io::Result<ConnId> {
        let id = desk.wires.reserve();
        let token = Token(FIRST_CONNECTION + id.slot as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        transport.socket_mut().register(self.poll.registry(), token, interest)?;
        let time = greeting_time(&transport);
        desk.wires.insert(id, transport, accepted, time);
        desk.wires.set_ready(id.slot);
        Ok(id)
    }

    /// Takes in connections that other threads accepted for this shard.
    fn adopt(&mut self, desk: &mut Desk) -> io::Result<()> {
        let handovers = std::mem::take(&mut *self.door.handovers.lock());
        for Handover { transport, bytes, accepted } in handovers {
            let id = self.welcome(transport, accepted, desk)?;
            if let Some(wire) = desk.wires.wire_mut(id) {
                wire.partial = bytes;
            }
        }
        Ok(())
    }

    /// Reads a connection once, and serves what has come.
    fn read(&mut self, slot: u32, now: Instant, desk: &mut Desk) {
        let Desk { wires, scratch, bytes_received, .. } = desk;
        let read_max = wires.buffers.input_max();
        let Some(id) = wires.begin_read(slot) else { return };
        let Some(wire) = wires.at(slot) else { return };
        if std::mem::take(&mut wire.is_behind) {
            return self.take_waiting(id, now, desk);
        }
        let waiting = wire.partial.len();
        let room = scratch.len() - waiting.min(scratch.len());
        if room < scratch.len() / 2 {
            self.read_long(id, now, desk);
            return;
        }
        if let Some(front) = scratch.get_mut(..waiting) {
            front.copy_from_slice(&wire.partial);
        }
        let allowed =
            wire.rate.as_ref().map_or(read_max, |rate| read_max.min(rate.read_bytes_max()));
        let room = room.min(allowed);
        let input = wire.read(scratch.get_mut(waiting..waiting + room).unwrap_or_default());
        let phase = wire.phase;
        if wire.has_more() {
            wires.set_ready(slot);
        }
        let is_over = matches!(input, Input::End | Input::Over);
        if is_over && waiting == 0 {
            self.end_input(id, input, wires);
            return;
        }
        let count = match input {
            // What came before the end is taken first: a DISCONNECT, perhaps, that had to wait.
            Input::End | Input::Over => 0,
            // Resumed connections may have whole packets waiting.
            Input::Nothing if waiting == 0 => return,
            Input::Nothing => 0,
            Input::Bytes(count) => count,
        };
        if phase == Phase::Lingering {
            wires.set_ready(slot);
            return;
        }
        let Some(wire) = wires.wire_mut(id) else { return };
        *bytes_received += count as u64;
        wire.partial.clear();
        charge(id, count, now, wires);
        let filled = count == room;
        let data = scratch.get(..waiting + count).unwrap_or_default();
        match take(&mut self.shard, wires, id, data, now, self.post.shards()) {
            Taken::Bytes(0) if is_over && wires.is_read(id) => {
                self.end_input(id, input, wires);
                return;
            }
            Taken::Bytes(taken) => {
                let rest = data.get(taken..).unwrap_or_default();
                if let Some(wire) = wires.wire_mut(id) {
                    wire.keep_input(rest);
                }
                self.keep_packet(id, wires);
            }
            Taken::Elsewhere(owner) => return self.hand_over(id, owner, data.to_vec(), wires),
        }
        if filled || is_over {
            wires.set_ready(slot);
        }
    }

    /// Serves packets of a connection that have been read before, and were left when it was not read on.
    fn take_waiting(&mut self, id: ConnId, now: Instant, desk: &mut Desk) {
        let wires = &mut desk.wires;
        let Some(wire) = wires.wire_mut(id) else { return };
        let mut data = std::mem::take(&mut wire.partial);
        match take(&mut self.shard, wires, id, &data, now, self.post.shards()) {
            Taken::Bytes(taken) => {
                data.drain(..taken.min(data.len()));
                if let Some(wire) = wires.wire_mut(id).filter(|_| !data.is_empty()) {
                    wire.partial = data;
                    wire.is_behind = !wire.is_read();
                }
                self.keep_packet(id, wires);
                wires.set_ready(id.slot);
            }
            Taken::Elsewhere(owner) => self.hand_over(id, owner, data, wires),
        }
    }

    /// Reads a connection whose packet is longer than the common buffer.
    fn read_long(&mut self, id: ConnId, now: Instant, desk: &mut Desk) {
        let Desk { wires, scratch, bytes_received, .. } = desk;
        let Some(wire) = wires.wire_mut(id) else { return };
        let mut data = std::mem::take(&mut wire.partial);
        let len = wire.rate.as_ref().map_or(scratch.len(), |rate| rate.read_bytes_max());
        let room = scratch.get_mut(..len).unwrap_or_default();
        let input = wire.read(room);
        if wire.has_more() {
            wires.set_ready(id.slot);
        }
        let is_over = matches!(input, Input::End | Input::Over);
        match input {
            Input::Nothing | Input::End | Input::Over => {}
            Input::Bytes(count) => {
                *bytes_received += count as u64;
                data.extend_from_slice(room.get(..count).unwrap_or_default());
                if count == room.len() {
                    wires.set_ready(id.slot);
                }
                charge(id, count, now, wires);
            }
        }
        match take(&mut self.shard, wires, id, &data, now, self.post.shards()) {
            Taken::Bytes(0) if is_over && wires.is_read(id) => self.end_input(id, input, wires),
            Taken::Bytes(taken) => {
                data.drain(..taken.min(data.len()));
                data.shrink_to(data.len().saturating_mul(2));
                if is_over {
                    wires.set_ready(id.slot);
                }
                if let Some(wire) = wires.wire_mut(id).filter(|_| !data.is_empty()) {
                    wire.partial = data;
                    wire.is_behind = !wire.is_read();
                }
                self.keep_packet(id, wires);
            }
            Taken::Elsewhere(owner) => self.hand_over(id, owner, data, wires),
        }
    }

    /// Ends a connection whose packet, as far as it has come, takes more room than one connection may have now.
    fn keep_packet(&mut self, id: ConnId, wires: &mut Wires) {
        if wires.has_room_for_packet(id) {
            return;
        }
        match wires.at(id.slot) {
            Some(wire) if wire.phase == Phase::Greeting => {
                let why = "no room for a CONNECT of this size now";
                wire.transport.peer().refused(Refusal::NoRoom, &why);
                wires.close(id, CloseReason::Server(ReasonCode::QUOTA_EXCEEDED));
            }
            _ => self.shard.no_room(id, wires),
        }
        wires.recount(id.slot);
    }

    fn hand_over(&self, id: ConnId, owner: log_api::ShardId, bytes: Vec<u8>, wires: &mut Wires) {
        let Some(mut wire) = wires.remove(id.slot) else { return };
        if wire.transport.socket_mut().deregister(self.poll.registry()).is_err() {
            return;
        }
        if let Some(door) = self.doors.get(usize::from(owner.0)) {
            let Wire { transport, accepted, .. } = wire;
            door.hand_over(Handover { transport, bytes, accepted });
        }
    }

    /// Forgets a connection that is gone; closes one whose input is over, so that its transport's last words go out.
    fn end_input(&mut self, id: ConnId, input: Input, wires: &mut Wires) {
        if input == Input::End {
            wires.lost.push(id);
            return;
        }
        self.shard.closed(id, wires);
        wires.close(id, CloseReason::ClientDisconnect);
    }

    /// Forgets a connection that is gone or given up.
    fn lose(&mut self, id: ConnId, desk: &mut Desk) {
        if desk.wires.wire_mut(id).is_none() {
            return;
        }
        self.shard.closed(id, &mut desk.wires);
        if let Some(mut wire) = desk.wires.remove(id.slot) {
            let _ = wire.transport.socket_mut().deregister(self.poll.registry());
        }
    }
}

fn wires(config: &Config) -> Wires {
    let limits = OutputLimits {
        unwritten_max: config.unwritten_bytes_max,
        write_timeout: config.write_timeout,
        linger: config.linger,
        turn_deliveries_max: config.turn_deliveries_max,
    };
    Wires::new(limits, config.memory.clone(), config.incomplete.clone())
}

/// How long a new connection may take at first: for its PROXY header, or else for its CONNECT.
fn greeting_time(transport: &Transport) -> Duration {
    let gate = transport.peer().gate();
    match &gate.proxy {
        Some(proxy) if transport.socket().awaits_header() => {
            proxy.timeout.min(gate.connect_timeout)
        }
        _ => gate.connect_timeout,
    }
}

/// Gives a connection whose PROXY header came in time the rest of the time for its CONNECT. Says no, and why, when its
/// time is over.
fn is_given_time(id: ConnId, now: Instant, wires: &mut Wires) -> bool {
    if wires.wire_mut(id).is_some_and(|wire| wire.phase == Phase::Open) {
        if !wires.is_served(id) {
            wires.give_up(id.slot);
        }
        return true;
    }
    let Some(wire) = wires.wire_mut(id).filter(|wire| wire.phase == Phase::Greeting) else {
        return false;
    };
    let peer = wire.transport.peer();
    let (timeout, pending) = (peer.gate().connect_timeout, wire.transport.pending_handshake());
    if wire.transport.socket().awaits_header() {
        peer.refused(Refusal::ProxyProtocol, &"no PROXY header within proxy_timeout");
        return false;
    }
    let end = wire.accepted + timeout;
    if now < end {
        wires.extend(id, end);
        return true;
    }
    let what = pending.unwrap_or("CONNECT");
    peer.refused(Refusal::ConnectTimeout, &format_args!("no {what} within connect_timeout"));
    false
}

/// Counts bytes against what a connection may send.
fn charge(id: ConnId, count: usize, now: Instant, wires: &mut Wires) {
    let wire = wires.wire_mut(id);
    let rate = wire.and_then(|wire| wire.rate.as_mut());
    if let Some(until) = rate.and_then(|rate| rate.on_bytes(now, count)) {
        wires.hold(id, until);
    }
}

#[cfg(test)]
mod fuzz;
