//! The messages that storage keeps for a session until its client has them: where each lies and how far its handshake
//! is. It must not know bodies, storage or the connection's output.

mod entry;
mod identifiers;
mod image;
mod line;
mod over;
mod relocating;
mod unsure;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use mqtt_types::{PacketId, QoS, ReasonCode};

use entry::{Entry, State};
use identifiers::Identifiers;
pub use image::{InboxEntryImage, InboxImage};
use line::Line;
pub use relocating::KeptPlace;

/// Packet ids from 1 up to this one are the inbox's. The upper half is for deliveries that are not kept here.
pub(crate) const INBOX_IDS: u16 = 32_767;

/// A message to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Where storage has it; the caller's own mark.
    pub at: u64,
    /// What it counts against byte limits.
    pub size: u32,
    /// The QoS to send it with: 1 or 2.
    pub qos: QoS,
    /// The RETAIN flag to send it with.
    pub retain: bool,
    /// Whether Subscription Identifiers go along, which storage has too.
    pub has_identifiers: bool,
    /// Which of the session's copies of the message it is: one comes for its own subscriptions, one for each shared group.
    pub copy: u8,
    /// Which combination of identifiers goes along, see [`Inbox::identifiers`]. `None` when the inbox does not know: then
    /// storage says it, by the copy. The inbox chooses the number.
    pub set: Option<u16>,
    /// Whether it came by a shared subscription, so that another member may have it.
    pub is_shared: bool,
    /// Whether storage has the body for something else, and keeps it for this as well because it is held.
    pub is_held: bool,
    /// The Subscription Identifier that goes along with a message that is held, which storage does not have.
    pub identifier: Option<NonZeroU32>,
}

/// The next message to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NextKept {
    /// Its number in the inbox.
    pub sequence: u64,
    /// Its packet id, the same after every restart.
    pub packet_id: PacketId,
    /// The message.
    pub kept: Kept,
    /// Whether it was sent before, as far as that is known. `[MQTT-3.3.1-1]`
    pub dup: bool,
    /// Whether it is at QoS 2 and the client may hold its packet id, though it was perhaps not sent. When it does not go out
    /// then, it must end by [`Inbox::forget`].
    pub may_be_held: bool,
}

/// A message that storage need not keep any more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Gone {
    /// Its number in the inbox.
    pub sequence: u64,
    /// Where storage has it.
    pub at: u64,
    /// Which of the session's copies it was, see [`Kept::copy`].
    pub copy: u8,
    /// Whether it was held there.
    pub is_held: bool,
}

impl Gone {
    const fn of(sequence: u64, entry: &Entry) -> Self {
        Self { sequence, at: entry.at, copy: entry.copy(), is_held: entry.is_held() }
    }
}

/// What a PUBREC for a kept message leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeptPubRec {
    /// The client has it. That must be stored before PUBREL goes out, or a crash would send the message twice; then say
    /// [`Inbox::received_stored`]. The body is not needed any more.
    Received(Gone),
    /// The client said so before, and it is being stored: nothing to do.
    BeingStored,
    /// The client said so before, and it could not be stored: try again with that number.
    StoreAgain(u64),
    /// The client said so before, and it is stored: send PUBREL.
    Stored,
    /// The client refused it. `[MQTT-4.4.0-2]`
    Refused(Gone),
}

/// Numbers are given in the order of storage, and the packet id follows from the number: so a restart finds the ids that
/// the client knows without any of them being written down.
///
/// ```text
/// entries:   | 17 sent | 18 gone | 19 received | 20 sent | 21 waiting | 22 waiting |
///              oldest                                      ▲ next       end = oldest + 6
/// packet id: number mod 32,767 + 1
/// ```
#[derive(Debug, Default)]
pub struct Inbox {
    line: Line,
    /// The number of the next to send on this connection.
    next: u64,
    /// Messages below that number have been sent at some time.
    sent_to: u64,
    /// Messages below that number may have been sent, on a connection that ended with the process.
    unsure_to: u64,
    /// Messages that wait or are sent, and their sizes.
    messages: usize,
    bytes: u64,
    /// Messages on the wire of this connection that count against the client's Receive Maximum.
    outstanding: usize,
    /// Messages that another session has, and this client has not.
    lent: usize,
    /// How many messages at QoS 2 the client has said PUBREC for: the next one's place.
    pubrecs: u64,
    /// Subscription Identifiers of messages that are held, which are few: no more than a client takes at once.
    identifiers: BTreeMap<u64, NonZeroU32>,
    /// Those of others.
    sets: Option<Box<Identifiers>>,
}

impl Inbox {
    /// Adds a message, and gives its number.
    pub fn push(&mut self, kept: Kept) -> u64 {
        let sequence = self.end();
        self.line.push(Entry::new(kept));
        self.identifiers.extend(kept.identifier.map(|identifier| (sequence, identifier)));
        self.messages += 1;
        self.bytes += u64::from(kept.size);
        sequence
    }

    /// The number that the next message gets.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.line.end()
    }

    /// The number of the oldest message that is not gone; [`Self::end`] when there is none.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.line.oldest()
    }

    /// How many messages wait or are on their way.
    #[must_use]
    pub const fn messages(&self) -> usize {
        self.messages
    }

    /// How many entries it has: those messages, and packet ids that the client may hold though their messages need nothing more.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.line.len()
    }

    /// What they count against byte limits.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many count against the client's Receive Maximum on this connection.
    #[must_use]
    pub const fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether messages may wait that were not sent on this connection.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.next < self.end()
    }

    /// Whether there is nothing to remember at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// The messages from `from` on that could be sent next, as many as `count` and as far as packet ids are free.
    pub fn upcoming(&self, from: u64, count: usize) -> impl Iterator<Item = NextKept> + '_ {
        let end = self.line.oldest() + u64::from(INBOX_IDS);
        let free = self.line.iter_from(from.max(self.next)).take_while(move |(n, _)| *n < end);
        let waiting = free.filter(|(_, entry)| entry.state == State::Waiting);
        waiting.take(count).map(|(sequence, entry)| self.next_kept(sequence, entry))
    }

    /// Whether the client may hold its packet id.
    fn may_be_held(&self, sequence: u64, entry: &Entry) -> bool {
        entry.qos() == QoS::ExactlyOnce && (entry.was_sent() || sequence < self.unsure_to)
    }

    fn next_kept(&self, sequence: u64, entry: &Entry) -> NextKept {
        NextKept {
            sequence,
            packet_id: packet_id(sequence),
            kept: self.kept(sequence, entry),
            dup: entry.was_sent(),
            may_be_held: self.may_be_held(sequence, entry),
        }
    }

    /// The message goes out; it is one of [`Self::upcoming`], the first of them.
    pub fn sent(&mut self, sequence: u64) {
        if let Some(entry) = self.entry_mut(sequence) {
            entry.state = State::Sent;
            entry.set_sent();
            self.outstanding += 1;
            self.next = sequence + 1;
            self.sent_to = self.sent_to.max(self.next);
        }
    }

    /// The message does not go out: it has expired or is too large. `None` when it is not waiting.
    pub fn give_up(&mut self, sequence: u64) -> Option<Gone> {
        let entry = self.entry_mut(sequence).filter(|entry| entry.state == State::Waiting)?;
        let gone = Gone::of(sequence, entry);
        self.leave(sequence);
        Some(gone)
    }

    /// The oldest waiting message, which has to go because the inbox holds more than the limits allow: by [`Self::give_up`], or
    /// by [`Self::forget`]. One at QoS 2 that is known to be sent stays.
    #[must_use]
    pub fn overflow(&self, messages_max: usize, bytes_max: u64) -> Option<NextKept> {
        if self.messages <= messages_max && self.bytes <= bytes_max {
            return None;
        }
        let may_go = |entry: &Entry| entry.state == State::Waiting && !entry.is_begun();
        let oldest = self.line.iter_from(self.next).find(|(_, entry)| may_go(entry));
        oldest.map(|(sequence, entry)| self.next_kept(sequence, entry))
    }

    /// The message does not go out, and the client may hold its packet id: that comes to an end as if PUBREC had come, see
    /// [`KeptPubRec::Received`]. `None` when it is not waiting.
    pub fn forget(&mut self, sequence: u64) -> Option<Gone> {
        let entry = self.entry_mut(sequence).filter(|entry| entry.state == State::Waiting)?;
        let gone = Gone::of(sequence, entry);
        self.receive(sequence, State::Receiving);
        self.next += u64::from(self.next == sequence);
        Some(gone)
    }

    /// PUBACK from the client.
    ///
    /// # Errors
    /// 0x92 when the packet id is not in flight; 0x82 when its message is at QoS 2.
    pub fn puback(&mut self, id: PacketId) -> Result<Gone, ReasonCode> {
        let (sequence, entry) = self.on_the_wire(id)?;
        match entry.state {
            State::Sent | State::Lent if entry.qos() == QoS::AtLeastOnce => {}
            State::Given => {
                self.leave(sequence);
                return Err(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
            }
            _ => return Err(ReasonCode::PROTOCOL_ERROR),
        }
        let gone = Gone::of(sequence, &entry);
        self.leave(sequence);
        Ok(gone)
    }

    /// PUBREC from the client.
    ///
    /// # Errors
    /// 0x92 when the packet id is not in flight; 0x82 when its message is at QoS 1.
    pub fn pubrec(&mut self, id: PacketId, reason: ReasonCode) -> Result<KeptPubRec, ReasonCode> {
        let (sequence, entry) = self.on_the_wire(id)?;
        let gone = Gone::of(sequence, &entry);
        match entry.state {
            State::Lent | State::Given => Err(ReasonCode::PROTOCOL_ERROR),
            State::Sent if entry.qos() != QoS::ExactlyOnce => Err(ReasonCode::PROTOCOL_ERROR),
            State::Sent if reason.is_error() => {
                self.leave(sequence);
                Ok(KeptPubRec::Refused(gone))
            }
            State::Sent => {
                self.receive(sequence, State::Receiving);
                Ok(KeptPubRec::Received(gone))
            }
            State::Receiving => Ok(KeptPubRec::BeingStored),
            State::Unstored => {
                self.set_state(sequence, State::Receiving);
                Ok(KeptPubRec::StoreAgain(sequence))
            }
            State::Received | State::Waiting | State::Gone => Ok(KeptPubRec::Stored),
        }
    }

    /// It is stored that the client has the message: gives the packet id for its PUBREL.
    pub fn received_stored(&mut self, sequence: u64) -> Option<PacketId> {
        let entry = self.entry_mut(sequence).filter(|entry| entry.state == State::Receiving)?;
        entry.state = State::Received;
        Some(packet_id(sequence))
    }

    /// It could not be stored that the client has the message: PUBREL waits until that is tried again.
    pub fn received_not_stored(&mut self, sequence: u64) {
        if self.line.get(sequence).is_some_and(|entry| entry.state == State::Receiving) {
            self.set_state(sequence, State::Unstored);
        }
    }

    /// What could not be stored is to be tried again: the numbers of the messages, in the order of their PUBRECs. Each
    /// comes to [`Self::received_stored`] or [`Self::received_not_stored`].
    pub fn store_again(&mut self) -> Vec<u64> {
        let unstored = self.by_pubrec(State::Unstored);
        for sequence in &unstored {
            self.set_state(*sequence, State::Receiving);
        }
        unstored
    }

    /// PUBCOMP from the client: gives the number of the message, whose packet id is free.
    ///
    /// # Errors
    /// 0x92 when the packet id is not in flight; 0x82 when PUBREL has not gone out.
    pub fn pubcomp(&mut self, id: PacketId) -> Result<u64, ReasonCode> {
        let (sequence, entry) = self.on_the_wire(id)?;
        if entry.state != State::Received {
            return Err(ReasonCode::PROTOCOL_ERROR);
        }
        self.leave(sequence);
        Ok(sequence)
    }

    /// A client connects: the packet ids whose PUBREL must go out again, in the order of the PUBRECs. `[MQTT-4.4.0-1]`,
    /// `[MQTT-4.6.0-4]`
    pub fn pubrels(&self) -> impl Iterator<Item = PacketId> {
        self.by_pubrec(State::Received).into_iter().map(packet_id)
    }

    /// The messages in that state, which the client has, in the order of its PUBRECs.
    fn by_pubrec(&self, state: State) -> Vec<u64> {
        let there = self.line.iter().filter(|(_, entry)| entry.state == state);
        let mut found: Vec<_> = there.map(|(sequence, entry)| (entry.at, sequence)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, sequence)| sequence).collect()
    }

    /// The connection is gone: what was on the wire will be sent again, in order.
    pub fn disconnect(&mut self) {
        let given: Vec<u64> = self
            .line
            .iter()
            .filter(|(_, entry)| entry.state == State::Given)
            .map(|(n, _)| n)
            .collect();
        given.into_iter().for_each(|sequence| self.leave(sequence));
        self.next = self.line.oldest();
        self.outstanding = 0;
        for (_, entry) in self.line.iter_mut() {
            self.lent += usize::from(entry.state == State::Lent && entry.is_counted());
            if entry.state == State::Sent {
                entry.state = State::Waiting;
            }
            entry.set_counted(false);
        }
    }

    /// All messages whose bodies are still needed.
    pub fn stored(&self) -> impl Iterator<Item = Gone> + '_ {
        let with_body = self.line.iter().filter(|(_, entry)| entry.has_body());
        with_body.map(|(sequence, entry)| Gone::of(sequence, entry))
    }

    /// Messages below that number may have been sent.
    #[must_use]
    pub const fn sent_to(&self) -> u64 {
        self.sent_to
    }

    /// Gives back memory that a busy spell took.
    pub fn shrink(&mut self) {
        self.line.shrink();
        self.sets.take_if(|_| self.messages == 0);
    }

    // Shared subscriptions.

    /// The messages of shared subscriptions from `from` on that another session could have: at QoS 1, for one at QoS 2
    /// is finished with this client. Those that were sent on this connection only if `sent_too`.
    pub fn lendable(&self, from: u64, sent_too: bool) -> impl Iterator<Item = (u64, Kept)> + '_ {
        let may_go = move |entry: &Entry| {
            let is_free = match entry.state {
                State::Waiting => true,
                State::Sent => sent_too,
                _ => false,
            };
            is_free && entry.may_be_lent()
        };
        let all = self.line.iter_from(from).filter(move |(_, entry)| may_go(entry));
        all.map(|(sequence, entry)| (sequence, self.kept(sequence, entry)))
    }

    /// Another session gets the message; it stays here until that one's client has it. False when it cannot be lent.
    pub fn lend(&mut self, sequence: u64) -> bool {
        let Some(entry) = self.entry_mut(sequence) else { return false };
        let may_go = matches!(entry.state, State::Waiting | State::Sent) && entry.is_shared();
        if may_go {
            entry.state = State::Lent;
            self.lent += usize::from(!self.is_counted(sequence));
        }
        may_go
    }

    /// The other session could not deliver the message: it waits here again, or is still this client's to answer.
    pub fn take_back(&mut self, sequence: u64) {
        let Some(entry) = self.entry_mut(sequence).filter(|entry| entry.state == State::Lent)
        else {
            return;
        };
        if entry.is_counted() {
            entry.state = State::Sent;
        } else {
            entry.state = State::Waiting;
            self.lent -= 1;
            self.next = self.next.min(sequence);
        }
    }

    /// The other session's client has the message. `None` when it is not lent any more.
    pub fn settle_lent(&mut self, sequence: u64) -> Option<Gone> {
        let entry = self.entry_mut(sequence).filter(|entry| entry.state == State::Lent)?;
        let gone = Gone::of(sequence, entry);
        if entry.is_counted() {
            // This client has it too, and answers some time: until then it counts.
            self.receive(sequence, State::Given);
        } else {
            self.leave(sequence);
        }
        Some(gone)
    }

    /// How many messages another session has, and this client has not.
    #[must_use]
    pub const fn lent(&self) -> usize {
        self.lent
    }

    /// Whether messages of shared subscriptions are kept.
    #[must_use]
    pub fn has_shared(&self) -> bool {
        self.line.iter().any(|(_, entry)| entry.has_body() && entry.is_shared())
    }

    /// The number of the oldest message of a shared subscription that is on the wire.
    pub(crate) fn oldest_shared(&self) -> Option<u64> {
        let on_the_wire = |entry: &Entry| entry.state == State::Sent && entry.is_shared();
        self.line.iter().find(|(_, entry)| on_the_wire(entry)).map(|(sequence, _)| sequence)
    }

    fn is_counted(&self, sequence: u64) -> bool {
        self.line.get(sequence).is_some_and(Entry::is_counted)
    }

    // Replay of what was stored.

    /// A message left, as storage says. `None` when it had left before.
    pub fn replay_left(&mut self, sequence: u64) -> Option<Gone> {
        let entry = self.entry_mut(sequence).filter(|entry| entry.state != State::Gone)?;
        let gone = Gone::of(sequence, entry);
        let has_body = entry.has_body();
        self.leave(sequence);
        has_body.then_some(gone)
    }

    /// The client has a message, as storage says. `None` when that was known.
    pub fn replay_received(&mut self, sequence: u64) -> Option<Gone> {
        let entry = self.entry_mut(sequence).filter(|entry| entry.has_body())?;
        let gone = Gone::of(sequence, entry);
        self.receive(sequence, State::Received);
        Some(gone)
    }

    /// A message may have been sent, as storage says.
    pub fn replay_sent(&mut self, sequence: u64) {
        if let Some(entry) = self.entry_mut(sequence) {
            entry.set_sent();
        }
    }

    /// Messages below that number may have been sent, as storage says.
    pub fn replay_sent_to(&mut self, sequence: u64) {
        let sent = self.line.iter_mut().take_while(|(number, _)| *number < sequence);
        sent.for_each(|(_, entry)| entry.set_sent());
        self.sent_to = self.sent_to.max(sequence);
    }

    /// Whether counts are right and the front is not gone.
    pub(crate) fn is_sound(&self) -> bool {
        let with_body = || self.line.iter().filter(|(_, entry)| entry.has_body());
        let on_the_wire = self.line.iter().filter(|(_, entry)| entry.is_counted()).count();
        let is_lent = |entry: &Entry| entry.state == State::Lent && !entry.is_counted();
        let lent = self.line.iter().filter(|(_, entry)| is_lent(entry)).count();
        self.lent == lent
            && self.messages == with_body().count()
            && self.bytes == with_body().map(|(_, entry)| u64::from(entry.size)).sum::<u64>()
            && self.outstanding == on_the_wire
            && self.next <= self.end()
            && self.identifiers.keys().all(|of| self.line.get(*of).is_some_and(Entry::is_held))
            && self.line.is_sound()
    }

    fn kept(&self, sequence: u64, entry: &Entry) -> Kept {
        let identifier =
            entry.is_held().then(|| self.identifiers.get(&sequence).copied()).flatten();
        Kept { identifier, ..entry.kept() }
    }

    fn entry_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        self.line.get_mut(sequence)
    }

    fn on_the_wire(&self, id: PacketId) -> Result<(u64, Entry), ReasonCode> {
        let unknown = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        let period = u64::from(INBOX_IDS);
        let place = u64::from(id.get()) - 1;
        let oldest = self.line.oldest();
        let sequence = oldest - oldest % period + place;
        let sequence = if sequence < oldest { sequence + period } else { sequence };
        let entry = *self.line.get(sequence).ok_or(unknown)?;
        match entry.state {
            State::Waiting | State::Gone => Err(unknown),
            State::Lent if !entry.is_counted() => Err(unknown),
            _ => Ok((sequence, entry)),
        }
    }

    /// The client has the message: the body is not needed any more, the packet id is.
    fn receive(&mut self, sequence: u64, state: State) {
        self.identifiers.remove(&sequence);
        let place = self.pubrecs;
        let Some(entry) = self.entry_mut(sequence) else { return };
        let size = entry.size;
        entry.state = state;
        entry.at = place;
        self.pubrecs += 1;
        self.messages -= 1;
        self.bytes -= u64::from(size);
        self.forget_sets();
    }

    fn set_state(&mut self, sequence: u64, state: State) {
        if let Some(entry) = self.entry_mut(sequence) {
            entry.state = state;
        }
    }

    fn leave(&mut self, sequence: u64) {
        let Some(entry) = self.entry_mut(sequence) else { return };
        let (size, has_body, is_counted) = (entry.size, entry.has_body(), entry.is_counted());
        let is_lent = entry.state == State::Lent && !is_counted;
        if has_body {
            self.messages -= 1;
            self.bytes -= u64::from(size);
            self.forget_sets();
        }
        self.outstanding -= usize::from(is_counted);
        self.lent -= usize::from(is_lent);
        self.identifiers.remove(&sequence);
        self.line.remove(sequence);
        self.next = self.next.max(self.line.oldest());
    }
}

/// The packet id of the message of that number.
fn packet_id(sequence: u64) -> PacketId {
    let place = (sequence % u64::from(INBOX_IDS)) as u16;
    PacketId::new(place + 1).expect("one more than a remainder is not 0")
}

#[cfg(test)]
mod tests;
