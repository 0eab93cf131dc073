//! Durable sessions' messages: from the commit into the inbox, from there to the client, and out when the client has
//! them. The inbox itself, a pure machine, is in `mqtt-session`; bodies lie in the log.

mod shelf;

use std::num::NonZeroU32;
use std::ops::Range;

use bytes::Bytes;
use hashbrown::HashMap;
use log_api::{CommittedRecord, Position, ReadError};
use mqtt_codec::AckKind;
use mqtt_session::{Gone, Inbox, Kept, NextKept, Origin};
use mqtt_types::{Message, PacketId, QoS, ReasonCode};
use smallvec::SmallVec;

use super::Shard;
use super::loans::Lending;
use super::send::{Outgoing, Sent, put_publish};
use super::session_log::Waiting;
use super::state::{INBOX_ENTRY_BYTES, SessionEntry};
use super::trace::To;
use crate::ids::{SessionId, SessionNumber};
use crate::outbox::Outbox;
use crate::record::{
    PublishRecord, SessionEvent, SessionRecord, SessionTarget, SharedTarget, copies, ranges,
};
use crate::retained::note;
use shelf::{Asked, Body, SHELF_MESSAGES_MAX, shelf_bytes_max};

pub(crate) use shelf::Shelf;

/// What happened to an inbox since its last record.
#[derive(Default)]
pub(crate) struct Unlogged {
    left: Vec<u64>,
    /// What left the inbox of a session that is over, by where it lies and which copy it was.
    left_ending: Vec<(Position, u8)>,
    /// Packet ids of queues' deliveries that have come to their end.
    leases_over: Vec<PacketId>,
}

impl Shard {
    /// Puts a committed message into the inboxes here that it is for.
    pub(super) fn apply_to_inboxes<O: Outbox>(
        &mut self,
        record: &CommittedRecord,
        publish: &PublishRecord,
        targets: Vec<SessionTarget>,
        out: &mut O,
    ) {
        let mut message = None;
        for (copy, target) in copies(targets) {
            if target.number.owner(self.shared.config.shards) != self.id {
                continue;
            }
            let id = self.sessions.durable_id(target.number);
            let mut entry = self.sessions.get_mut(id);
            if entry.as_ref().is_none_or(|entry| entry.is_ending()) {
                // The session has ended since the message was routed.
                if target.shared.is_none() {
                    self.turn.release(record.position);
                    continue;
                }
                self.keep_for_others(target.number);
                entry = self.sessions.get_mut(id);
            }
            let Some(entry) = entry else { continue };
            let Some(inbox) = entry.session.inbox_mut() else { continue };
            let kept = Kept {
                at: record.position.as_u64(),
                size: publish.counted_bytes(),
                qos: target.qos,
                retain: target.retain,
                has_identifiers: !target.identifiers.is_empty(),
                copy,
                set: None,
                is_shared: target.shared.is_some(),
                is_held: false,
                identifier: None,
            };
            let sequence = inbox.push_with(kept, &target.identifiers);
            if entry.conn.is_some() || target.shared.is_some() {
                let message = message.get_or_insert_with(|| publish.message().ok());
                if let Some(message) = message {
                    self.place(id, sequence, message, target, out);
                }
            }
            self.keep_inbox_limits(id);
        }
    }

    /// Gives a new message to its client, or lends it to another member of the shared group by which it came: when the
    /// client is not there, or the group's strategy has still to choose.
    fn place<O: Outbox>(
        &mut self,
        id: SessionId,
        sequence: u64,
        message: &Message,
        target: SessionTarget,
        out: &mut O,
    ) {
        let Some(entry) = self.sessions.get(id) else { return };
        let extras = entry.extras.as_ref();
        let stalls = extras.and_then(|e| e.seat.as_ref()).is_some_and(|seat| seat.is_stalled);
        let (is_away, is_over) = (entry.conn.is_none(), entry.is_ending());
        match target.shared {
            Some(SharedTarget { mark, .. }) if is_over => {
                self.pass_on_kept(id, (sequence, target.qos), mark, message, out);
                return;
            }
            Some(SharedTarget { mark, for_any })
                if (for_any || is_away || stalls)
                    && target.qos == QoS::AtLeastOnce
                    && self.lend(id, sequence, mark, message, for_any, out) == Lending::Lent =>
            {
                return;
            }
            _ => {}
        }
        if !is_away {
            self.offer(id, sequence, message, target.identifiers, out);
        }
        if let Some(entry) = self.sessions.get_mut(id) {
            entry.tell_others();
        }
    }

    /// A new message for a connected client: sent at once when it is its turn, else put on the shelf if it is the next
    /// one there.
    pub(super) fn offer<O: Outbox>(
        &mut self,
        id: SessionId,
        sequence: u64,
        message: &Message,
        identifiers: SmallVec<[u32; 4]>,
        out: &mut O,
    ) {
        let memory = &self.shared.budgets.memory;
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(inbox) = entry.session.inbox() else { return };
        let next = inbox.upcoming(0, 1).next();
        let shelf = entry.extras.as_ref().map(|extras| &extras.shelf);
        if let Some(next) = next.filter(|next| next.sequence == sequence)
            && shelf.is_none_or(Shelf::is_empty)
            && may_go(entry, &next)
            && entry.session.inbox_window() > 0
            && entry
                .conn
                .and_then(|conn| out.buffer(conn))
                .is_some_and(|buffer| self.shared.takes_more(buffer.len()))
        {
            self.send_kept(id, &next, message, &identifiers, out);
            return;
        }
        let shelf = &mut entry.extras.get_or_insert_default().shelf;
        let follows = match shelf.bodies.back() {
            Some(last) => last.sequence + 1 == sequence,
            None => next.is_some_and(|next| next.sequence == sequence),
        };
        if follows && shelf.asked.is_empty() && shelf.has_room(memory) {
            // A copy: the original lies in a buffer with all that was written with it.
            let message = memory.keep(&message.detached());
            shelf.push(Body { sequence, message, identifiers });
        }
        if let Some(conn) = entry.conn {
            out.notify_drained(conn);
        }
    }

    /// Lets the oldest messages go that are beyond the session's limits.
    pub(super) fn keep_inbox_limits(&mut self, id: SessionId) {
        let limits = &self.shared.config.limits;
        let share = self.shared.budgets.memory.share();
        let messages = limits.max_pending_messages.min(share / INBOX_ENTRY_BYTES).max(1);
        let bytes = limits.max_pending_bytes as u64;
        if let Some(entry) = self.sessions.get_mut(id) {
            entry.account(&self.shared.budgets.memory);
        }
        while let Some(over) = self
            .sessions
            .get(id)
            .and_then(|entry| entry.session.inbox())
            .and_then(|inbox| inbox.overflow(messages, bytes))
        {
            self.count_overflow(id);
            self.give_up(id, &over);
        }
    }

    /// Sends what waits in an inbox, as far as the window, the output and the bodies at hand go.
    pub(super) fn pump_inbox<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        loop {
            let Some(entry) = self.sessions.get_mut(id) else { return };
            let Some(conn) = entry.conn else { return };
            if entry.session.inbox_window() == 0 {
                return;
            }
            let next = entry.session.inbox().and_then(|inbox| inbox.upcoming(0, 1).next());
            let Some(next) = next.filter(|next| may_go(entry, next)) else { return };
            let Some(buffer) = out.buffer(conn) else { return };
            if !self.shared.takes_more(buffer.len()) {
                out.notify_drained(conn);
                return;
            }
            let shelf = &mut entry.extras.get_or_insert_default().shelf;
            let Some(body) = shelf.take(next.sequence) else {
                self.ask_for_bodies(id);
                return;
            };
            self.send_kept(id, &next, &body.message, &body.identifiers, out);
        }
    }

    /// Asks the log for the bodies of the next messages.
    fn ask_for_bodies(&mut self, id: SessionId) {
        let Some(number) = id.number() else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let window = entry.session.inbox_window().min(SHELF_MESSAGES_MAX);
        let shelf = &mut entry.extras.get_or_insert_default().shelf;
        let Some(inbox) = entry.session.inbox().filter(|_| shelf.asked.is_empty()) else { return };
        let with_lists = shelf.with_lists;
        shelf.clear();
        shelf.with_lists = with_lists;
        let mut heads = Vec::new();
        let bytes_max = shelf_bytes_max(&self.shared.budgets.memory);
        let mut bytes = 0;
        for next in inbox.upcoming(0, window) {
            if !heads.is_empty() && bytes >= bytes_max {
                break;
            }
            bytes += next.kept.size as usize;
            let is_asked = next.kept.has_identifiers && next.kept.set.is_none();
            let copy = is_asked.then_some(next.kept.copy);
            shelf.asked.push_back(Asked { sequence: next.sequence, at: next.kept.at, copy });
            heads.push((Position::from_u64(next.kept.at), next.kept.size));
        }
        if heads.is_empty() {
            return;
        }
        if with_lists {
            let positions = heads.into_iter().map(|(position, _)| position).collect();
            self.turn.read(read_token(number), positions);
        } else {
            self.turn.read_heads(read_token(number), heads);
        }
    }

    /// Bodies that an inbox asked for.
    pub(super) fn inbox_read<O: Outbox>(
        &mut self,
        number: SessionNumber,
        records: Vec<Result<Bytes, ReadError>>,
        out: &mut O,
    ) {
        let id = self.sessions.durable_id(number);
        for record in records {
            let Some(entry) = self.sessions.get_mut(id) else { return };
            let Some(extras) = entry.extras.as_mut() else { return };
            let Some(asked) = extras.shelf.asked.pop_front() else { return };
            if record == Err(ReadError::ShutDown) || entry.conn.is_none() {
                continue;
            }
            match body_of(number, asked, record) {
                Ok(Some(Body { sequence, message, identifiers })) => {
                    let message = self.shared.budgets.memory.keep(&message);
                    extras.shelf.push(Body { sequence, message, identifiers });
                }
                Ok(None) => {
                    // It is asked for again when those before it have been sent.
                    extras.shelf.with_lists = true;
                    extras.shelf.asked.clear();
                    break;
                }
                Err(error) => match lies_at(entry.session.inbox(), asked) {
                    // It has left since it was asked for, and its body with it.
                    None => {}
                    Some(at) if at != asked.at => {
                        // It was asked for too late, and is asked for again.
                        extras.shelf.asked.clear();
                        break;
                    }
                    Some(_) => {
                        let client_id = entry.session.client_id();
                        tracing::error!(
                            client_id,
                            error,
                            "message lost: it is damaged on the disk"
                        );
                        self.give_up_unread(id, asked.sequence);
                    }
                },
            }
        }
        self.pump(id, out);
    }

    fn give_up_unread(&mut self, id: SessionId, sequence: u64) {
        let inbox = self.sessions.get(id).and_then(|entry| entry.session.inbox());
        let next = inbox.and_then(|inbox| inbox.upcoming(sequence, 1).next());
        if let Some(next) = next.filter(|next| next.sequence == sequence) {
            self.cannot_send(id, &next);
        }
    }

    fn send_kept<O: Outbox>(
        &mut self,
        id: SessionId,
        next: &NextKept,
        message: &Message,
        identifiers: &[u32],
        out: &mut O,
    ) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(conn) = entry.conn else { return };
        let Some(state) = self.conns.get_mut(conn) else { return };
        let Some(buffer) = out.buffer(conn) else { return };
        let expiry = match message.expiry_left(self.turn.unix_ms) {
            // Delivery was begun: its age is no matter any more. `[MQTT-3.3.2-5]`
            Some(None) if next.dup => Some(0),
            Some(None) => {
                self.cannot_send(id, next);
                return;
            }
            left => left.flatten(),
        };
        let own = next.kept.identifier.map(NonZeroU32::get);
        let outgoing = Outgoing {
            dup: next.dup,
            qos: next.kept.qos,
            retain: next.kept.retain,
            packet_id: Some(next.packet_id),
            topic: message.topic(),
            expiry,
            identifiers: match next.kept.set {
                _ if next.kept.is_held => own.as_slice(),
                Some(set) => entry.session.inbox().map_or(&[], |inbox| inbox.identifiers(set)),
                None => identifiers,
            },
            properties: message.properties(),
            added: &[],
            payload: message.payload(),
        };
        let to = To::of(&mut self.traces, &self.consumers, entry, Origin::Live, self.turn.unix_ms);
        if put_publish(buffer, &mut state.connection, &outgoing, to) != Sent::Yes {
            self.cannot_send(id, next);
            return;
        }
        self.counts.publishes_sent_total += 1;
        if let Some(inbox) = entry.session.inbox_mut() {
            inbox.sent(next.sequence);
        }
        self.note_unlogged(id);
    }

    /// The message has expired, the client takes no packet of that size, or the body is damaged.
    fn cannot_send(&mut self, id: SessionId, next: &NextKept) {
        self.counts.live_dropped_total += 1;
        self.give_up(id, next);
    }

    /// A message does not go out. If its client may hold the packet id, it must forget that before another message bears it:
    /// by PUBREL, when it is stored that the message never goes out any more.
    fn give_up(&mut self, id: SessionId, next: &NextKept) {
        let inbox = self.sessions.get_mut(id).and_then(|entry| entry.session.inbox_mut());
        let Some(inbox) = inbox else { return };
        if next.may_be_held {
            if let Some(gone) = inbox.forget(next.sequence) {
                self.received_from_inbox(id, gone);
            }
        } else if let Some(gone) = inbox.give_up(next.sequence) {
            self.left_inbox(id, gone);
        }
    }

    /// PUBREC for a message of the inbox: that the client has it must be stored before PUBREL lets it forget the packet
    /// id, or a crash would make the message come twice.
    pub(super) fn received_from_inbox(&mut self, id: SessionId, gone: Gone) {
        self.release_body(gone);
        self.log_received(id, gone.sequence);
    }

    pub(super) fn log_received(&mut self, id: SessionId, sequence: u64) {
        let waiting = Waiting::PubRel { session: id, sequence };
        self.log_session(id, received(sequence), waiting);
    }

    /// It is not stored: without PUBREL the client goes on holding the packet id, until it says so again, comes back, or
    /// the log takes records again.
    pub(super) fn received_not_stored(&mut self, id: SessionId, sequence: u64) {
        let inbox = self.sessions.get_mut(id).and_then(|entry| entry.session.inbox_mut());
        if let Some(inbox) = inbox {
            inbox.received_not_stored(sequence);
        }
    }

    /// Tries again to store what a session's client has.
    pub(super) fn store_received_again(&mut self, id: SessionId) {
        let inbox = self.sessions.get_mut(id).and_then(|entry| entry.session.inbox_mut());
        for sequence in inbox.map(Inbox::store_again).unwrap_or_default() {
            self.log_received(id, sequence);
        }
    }

    /// It is stored.
    pub(super) fn received_stored<O: Outbox>(&mut self, id: SessionId, sequence: u64, out: &mut O) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let conn = entry.conn;
        let packet_id = entry.session.inbox_mut().and_then(|inbox| inbox.received_stored(sequence));
        if let (Some(conn), Some(packet_id)) = (conn, packet_id) {
            self.send_ack(conn, AckKind::PubRel, packet_id, ReasonCode::SUCCESS, out);
        }
    }

    /// A message has left an inbox; its record comes within the settle interval.
    pub(super) fn left_inbox(&mut self, id: SessionId, gone: Gone) {
        self.release_body(gone);
        if self.sessions.get(id).is_some_and(SessionEntry::is_ending)
            && let Some(number) = id.number()
        {
            let place = (Position::from_u64(gone.at), gone.copy);
            self.unlogged.entry(number).or_default().left_ending.push(place);
            return;
        }
        self.forget_in_inbox(id, gone.sequence);
    }

    /// The same for one whose body was let go before.
    pub(super) fn forget_in_inbox(&mut self, id: SessionId, sequence: u64) {
        if let Some(number) = id.number() {
            self.unlogged.entry(number).or_default().left.push(sequence);
        }
    }

    /// A packet id of a queue's delivery is free; its record comes within the settle interval.
    pub(super) fn note_lease_over(&mut self, id: SessionId, packet_id: PacketId) {
        if let Some(number) = id.number() {
            self.unlogged.entry(number).or_default().leases_over.push(packet_id);
        }
    }

    /// It is in use again: that record must not come behind the one which says so.
    pub(super) fn lease_not_over(&mut self, id: SessionId, packet_id: PacketId) {
        if let Some(unlogged) = id.number().and_then(|number| self.unlogged.get_mut(&number)) {
            unlogged.leases_over.retain(|over| *over != packet_id);
        }
    }

    fn note_unlogged(&mut self, id: SessionId) {
        if let Some(number) = id.number() {
            self.unlogged.entry(number).or_default();
        }
    }

    /// An inbox needs a body no more.
    pub(super) fn release_body(&mut self, gone: Gone) {
        let at = Position::from_u64(gone.at);
        if gone.is_held {
            note(&mut self.turn.holds, at.segment(), -1);
        } else {
            self.turn.release(at);
        }
    }

    /// A record of what left an inbox was not stored: it is to be written again, as far as it still holds.
    pub(super) fn inbox_refused(&mut self, body: &[u8]) {
        let Ok(SessionRecord { number, event }) = SessionRecord::decode(body) else { return };
        let id = self.sessions.durable_id(number);
        let Some(entry) = self.sessions.get(id) else { return };
        let unlogged = self.unlogged.entry(number).or_default();
        match event {
            SessionEvent::Inbox { left, .. } => unlogged.left.extend(left.into_iter().flatten()),
            SessionEvent::LeftEnding(places) => unlogged.left_ending.extend(places),
            SessionEvent::LeasesOver(packet_ids) => {
                // One that is in use again has a record that says so.
                let is_over = |packet_id: &PacketId| {
                    entry.extras.as_ref().is_none_or(|extras| !extras.leases.has(*packet_id))
                };
                unlogged.leases_over.extend(packet_ids.into_iter().filter(is_over));
            }
            _ => {}
        }
    }

    /// Writes what has happened to inboxes since the last time.
    pub(super) fn log_inboxes(&mut self) {
        for (number, unlogged) in std::mem::take(&mut self.unlogged) {
            let id = self.sessions.durable_id(number);
            if let Some(entry) = self.sessions.get_mut(id) {
                entry.account(&self.shared.budgets.memory);
            }
            let inbox = self.sessions.get(id).and_then(|entry| entry.session.inbox());
            let Some(sent_to) = inbox.map(Inbox::sent_to) else { continue };
            if !unlogged.leases_over.is_empty() {
                let event = SessionEvent::LeasesOver(unlogged.leases_over);
                self.log_session(id, event, Waiting::Nobody);
            }
            if !unlogged.left_ending.is_empty() {
                let event = SessionEvent::LeftEnding(unlogged.left_ending);
                self.log_session(id, event, Waiting::Nobody);
            }
            let left = ranges(unlogged.left);
            if left.is_empty() && self.sessions.get(id).is_some_and(SessionEntry::is_ending) {
                continue;
            }
            let event = SessionEvent::Inbox { left, received: Vec::new(), sent_to };
            self.log_session(id, event, Waiting::Nobody);
        }
    }
}

/// A message at QoS 2 goes first to a client of whose connection the log knows: else a restart would not know that it may have
/// been sent.
fn may_go(entry: &SessionEntry, next: &NextKept) -> bool {
    next.kept.qos < QoS::ExactlyOnce || next.dup || entry.told.is_stored()
}

/// Where the body of a message lies that was asked for; none when the message does not wait any more.
fn lies_at(inbox: Option<&Inbox>, asked: Asked) -> Option<u64> {
    let next = inbox.and_then(|inbox| inbox.upcoming(asked.sequence, 1).next());
    next.filter(|next| next.sequence == asked.sequence).map(|next| next.kept.at)
}

/// Tells reads for inboxes from those for queues, whose tokens have 32 bits.
const INBOX_READ: u64 = 1 << 63;

const fn read_token(number: SessionNumber) -> u64 {
    INBOX_READ | number.0
}

/// The session whose inbox asked, if it was one.
pub(super) const fn reader_of(token: u64) -> Option<SessionNumber> {
    if token & INBOX_READ != 0 { Some(SessionNumber(token & !INBOX_READ)) } else { None }
}

fn received(sequence: u64) -> SessionEvent {
    let one: Range<u64> = sequence..sequence + 1;
    SessionEvent::Inbox { left: Vec::new(), received: vec![one], sent_to: 0 }
}

/// What goes out of a record, or of its head. `None` when the head alone does not tell.
fn body_of(
    number: SessionNumber,
    asked: Asked,
    record: Result<Bytes, ReadError>,
) -> Result<Option<Body>, String> {
    let body = record.map_err(|error| error.to_string())?;
    let publish = PublishRecord::decode_head(body).map_err(|error| error.to_string())?;
    let identifiers = match asked.copy {
        Some(copy) => publish.identifiers(number, copy).map_err(|error| error.to_string())?,
        None => Some(SmallVec::new()),
    };
    let Some(identifiers) = identifiers else { return Ok(None) };
    // A copy: what was read at once with it, a list of targets perhaps, must not stay as long as it does.
    let message = publish.message().map_err(|error| error.to_string())?.detached();
    Ok(Some(Body { sequence: asked.sequence, message, identifiers }))
}

/// What waits for a record, by session.
pub(crate) type UnloggedInboxes = HashMap<SessionNumber, Unlogged>;

#[cfg(test)]
mod tests;
