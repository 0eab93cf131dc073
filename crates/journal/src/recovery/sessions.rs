//! Durable sessions on their way back. It must not know queues or streams.

mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use log_api::Position;
use mqtt_router::SinkId;
use mqtt_session::{Inbox, Kept, KeptPlace, SessionImage, SubscriptionRecord, Will};
use mqtt_types::{Address, PacketId};
use queue_engine::Offset;
use stdx::UnixMillis;
use stream_engine::ReaderName;

use super::Releases;
use crate::checkpoint::held_in;
use crate::ids::SessionNumber;
use crate::record::{
    ConnectedAs, KeptCopy, KeptLease, KeptReplay, MoreTargets, RetainedPage, SessionEvent,
    SessionRecord, StoredSession, StoredSubscription, copies,
};
use moves::Moves;

/// All sessions that have not ended; and those whose beginning has not been met, for it may be stored later than what it is
/// the beginning of. An inbox counts from then on.
#[derive(Default)]
pub(super) struct Sessions {
    next: u64,
    /// Whether records are lost: of sessions that come later no number in their inboxes is sure.
    has_holes: bool,
    sessions: BTreeMap<SessionNumber, Session>,
    /// Those that have ended since the checkpoint, and whether what comes for them later is for others: older brokers had that
    /// stored anew.
    ended: BTreeMap<SessionNumber, bool>,
    /// The count of the next session's number by shards, as of the checkpoint.
    numbered: Vec<u64>,
}

/// One session, as far as it is known.
#[derive(Default)]
struct Session {
    /// Whether its beginning has been met.
    has_begun: bool,
    /// Whether the checkpoint has it anew, after its end, for what came for it by a shared group. Its inbox counts from there
    /// on: what records say that come before its end is of the one before, and is done.
    is_nobodys: bool,
    client_id: Box<str>,
    owner: Option<Box<str>>,
    expiry_interval: u32,
    /// With whether deliveries bear metadata.
    subscriptions: BTreeMap<Box<str>, (SubscriptionRecord, bool)>,
    inbox: Inbox,
    /// Where messages of it were before.
    moves: Moves,
    /// Numbers below are those that records speak of; `None` when nothing is lost.
    sure: Option<u64>,
    incoming_qos2: BTreeSet<PacketId>,
    will: Option<Will>,
    disconnected_at: Option<UnixMillis>,
    leases: BTreeMap<PacketId, (SinkId, Offset)>,
    /// Subscriptions whose retained messages are being sent.
    replays: BTreeMap<Box<str>, KeptReplay>,
    /// Subscriptions to streams that read for a group.
    groups: BTreeMap<Box<str>, Box<str>>,
}

impl Sessions {
    /// Takes in what a checkpoint has. Its references have what the inboxes hold; what they hold in the end is said anew.
    pub(super) fn restore(
        &mut self,
        next: u64,
        stored: Vec<StoredSession>,
        released: &mut Releases,
    ) {
        self.next = self.next.max(next);
        self.numbered.push(next);
        for session in stored {
            held_in(&session.image.inbox).for_each(|at| released.add(at));
            self.sessions.insert(session.number, Session::of(session));
        }
    }

    /// Something happened to a session.
    pub(super) fn apply(&mut self, record: SessionRecord, released: &mut Releases) {
        let SessionRecord { number, event } = record;
        match event {
            SessionEvent::Ended(heard_to) => {
                self.ended.insert(number, heard_to.is_some());
                let ended = self.sessions.remove(&number);
                let place = heard_to.map_or(u64::MAX, Position::as_u64);
                let rest = ended.and_then(|session| session.ended(place, released));
                self.sessions.extend(rest.map(|rest| (number, rest)));
            }
            event => {
                let session = self.of(number);
                if session.is_nobodys && !matches!(event, SessionEvent::LeftEnding(_)) {
                    return;
                }
                session.apply(event, released);
            }
        }
    }

    /// The session of that number; if it is not known it may be one that has ended, when a checkpoint is ahead of its records.
    fn of(&mut self, number: SessionNumber) -> &mut Session {
        // Even one that never comes to be has its number for itself: there are messages in the log that name it.
        self.next = self.next.max(number.count() + 1);
        let sure = self.has_holes.then_some(0);
        self.sessions.entry(number).or_insert_with(|| Session { sure, ..Session::default() })
    }

    /// By client id, messages that may have left.
    pub(super) fn doubts(&self) -> BTreeMap<String, u64> {
        let begun = self.sessions.values().filter(|session| session.has_begun);
        let of_session = |session: &Session| {
            let sure = session.sure?;
            let unsure = session.inbox.stored().filter(|gone| gone.sequence >= sure).count() as u64;
            (unsure > 0).then(|| (session.client_id.to_string(), unsure))
        };
        begun.filter_map(of_session).collect()
    }

    /// Records are lost between those that were applied and those that come.
    pub(super) fn lost(&mut self) {
        self.has_holes = true;
        for session in self.sessions.values_mut() {
            session.sure.get_or_insert(session.inbox.end());
            // One may have been released. A message that comes again is better than one that is taken for it.
            session.incoming_qos2.clear();
        }
    }

    /// Whom a session reads a stream for, if that is one reader only. Older records do not say it.
    pub(super) fn reader_of(&self, number: SessionNumber, stream: &str) -> Option<ReaderName> {
        let session = self.sessions.get(&number)?;
        let addresses = session.subscriptions.keys().filter(|address| names(address, stream));
        let readers = addresses.map(|address| match session.groups.get(address) {
            Some(group) => ReaderName::group(group),
            None => ReaderName::client(&session.client_id),
        });
        let readers: BTreeSet<ReaderName> = readers.collect();
        if readers.len() == 1 { readers.into_iter().next() } else { None }
    }

    /// A message is stored for sessions.
    pub(super) fn publish(
        &mut self,
        more: &MoreTargets,
        position: Position,
        size: u32,
        released: &mut Releases,
    ) {
        for KeptCopy { number, at, copy } in more.passed_on() {
            self.of(number).apply(SessionEvent::LeftEnding(vec![(at, copy)]), released);
        }
        for (copy, target) in copies(&more.sessions) {
            let kept = Kept {
                at: position.as_u64(),
                size,
                qos: target.qos,
                retain: target.retain,
                has_identifiers: !target.identifiers.is_empty(),
                copy,
                set: None,
                is_shared: target.shared.is_some(),
                is_held: false,
                identifier: None,
            };
            self.of(target.number).inbox.push_with(kept, &target.identifiers);
        }
        if let Some((number, packet_id)) = more.publisher {
            self.of(number).incoming_qos2.insert(packet_id);
        }
    }

    /// The body of a message lies elsewhere. Gives where it was, if its session has it.
    pub(super) fn relocated(
        &mut self,
        number: SessionNumber,
        place: &KeptPlace,
        to: Position,
    ) -> Option<Position> {
        let session = self.sessions.get_mut(&number)?;
        let is_there = session.inbox.relocate(place, to.as_u64());
        is_there.then(|| {
            session.moves.add((place.at, place.copy), to.as_u64());
            Position::from_u64(place.at)
        })
    }

    /// The count of the next session's number, and all sessions that have begun. One that has ended, or was never to be, is
    /// nobody's; but what came to it by a shared group is for the other members too, and it goes on keeping that for them.
    pub(super) fn finish(self, released: &mut Releases) -> (u64, Vec<StoredSession>) {
        let Self { next, sessions, ended, numbered, .. } = self;
        // In the order of shards, as long as there are so many.
        let has_ended = |number: SessionNumber| {
            let shards = u16::try_from(numbered.len()).unwrap_or(u16::MAX);
            let next = numbered.get(usize::from(number.owner(shards).0));
            ended.contains_key(&number) || next.is_some_and(|next| number.count() < *next)
        };
        let left = |(number, mut session): (SessionNumber, Session)| {
            if !session.has_begun && !has_ended(number) {
                // Its CONNECT was not stored, and its client may have been sent messages.
                session.inbox.sent_is_unsure();
            }
            let is_over = !session.has_begun || session.expiry_interval == 0;
            let place = if ended.get(&number) == Some(&false) { u64::MAX } else { 0 };
            let left = if is_over { session.ended(place, released)? } else { session };
            Some(left.stored(number))
        };
        (next, sessions.into_iter().filter_map(left).collect())
    }
}

/// Whether a subscription is one to that stream.
fn names(address: &str, stream: &str) -> bool {
    match Address::parse(address) {
        Ok(Address::Stream { name, .. }) => name.as_str() == stream,
        Ok(Address::FilterStream { filter, .. }) => filter.as_str() == stream,
        _ => false,
    }
}

impl Session {
    fn of(stored: StoredSession) -> Self {
        let StoredSession { image, owner, with_metadata, leases, replays, groups, .. } = stored;
        let subscription = |(address, record)| {
            let wants_metadata = with_metadata.contains(&address);
            (address, (record, wants_metadata))
        };
        Self {
            has_begun: true,
            is_nobodys: image.client_id.is_empty(),
            client_id: image.client_id,
            owner,
            expiry_interval: image.expiry_interval,
            subscriptions: image.subscriptions.into_iter().map(subscription).collect(),
            inbox: Inbox::from_image(&image.inbox),
            moves: Moves::default(),
            sure: None,
            incoming_qos2: image.incoming_qos2.into_iter().collect(),
            will: image.will,
            disconnected_at: image.disconnected_at,
            leases: leases.iter().map(|one| (one.packet_id, (one.sink, one.offset))).collect(),
            replays: replays.into_iter().collect(),
            groups: groups.into_iter().collect(),
        }
    }

    fn connect(&mut self, connected: ConnectedAs) {
        let ConnectedAs { client_id, owner, expiry_interval, will } = connected;
        self.has_begun = true;
        (self.client_id, self.owner, self.expiry_interval) = (client_id, owner, expiry_interval);
        self.will = will.map(|will| *will);
        self.disconnected_at = None;
    }

    fn subscribe(&mut self, subscriptions: Vec<StoredSubscription>) {
        for one in subscriptions {
            let replay = one.replay.map(|from| (one.address.clone(), from));
            self.replays.extend(replay);
            self.subscriptions.insert(one.address, (one.record, one.wants_metadata));
        }
    }

    /// The session is over. What is left of it came by shared groups, and lies at that place of the log or behind it.
    fn ended(mut self, place: u64, released: &mut Releases) -> Option<Self> {
        let known = self.inbox.replay_left_from(&self.moves.came_from_before(place));
        let gone = known.into_iter().chain(self.inbox.keep_passable(place));
        gone.for_each(|gone| released.add_gone(gone));
        let (inbox, moves) = (self.inbox, self.moves);
        (!inbox.is_empty()).then(|| Self { inbox, moves, ..Self::default() })
    }

    fn apply(&mut self, event: SessionEvent, released: &mut Releases) {
        match event {
            SessionEvent::Connected(connected) => self.connect(connected),
            SessionEvent::ConnectedAndSubscribed(connected, subscriptions) => {
                self.connect(connected);
                self.subscribe(subscriptions);
            }
            SessionEvent::Disconnected { at, expiry_interval, keeps_will, sent_to, unsure_to } => {
                // Behind a hole numbers are those of other messages, and any of them may have been sent.
                self.inbox.replay_sent_to(sent_to.min(self.sure.unwrap_or(u64::MAX)));
                match self.sure {
                    None => self.inbox.replay_unsure_to(unsure_to),
                    Some(_) => self.inbox.sent_is_unsure(),
                }
                self.disconnected_at = Some(at);
                self.expiry_interval = expiry_interval;
                self.will = self.will.take().filter(|_| keeps_will);
            }
            SessionEvent::Subscribed(subscriptions) => self.subscribe(subscriptions),
            SessionEvent::Unsubscribed(addresses) => {
                for address in &addresses {
                    self.subscriptions.remove(address);
                    self.replays.remove(address);
                    self.groups.remove(address);
                }
            }
            SessionEvent::Retained(page) => self.retained(page),
            SessionEvent::Inbox { left, received, sent_to } => {
                let sure = self.sure.unwrap_or(u64::MAX);
                let (oldest, end) = (self.inbox.oldest(), self.inbox.end().min(sure));
                let held = |range: Range<u64>| range.start.max(oldest)..range.end.min(end);
                let left = left.into_iter().flat_map(held);
                let left = left.filter_map(|n| self.inbox.replay_left(n));
                left.for_each(|gone| released.add_gone(gone));
                let received = received.into_iter().flat_map(held);
                let received = received.filter_map(|n| self.inbox.replay_received(n));
                received.for_each(|gone| released.add_gone(gone));
                self.inbox.replay_sent_to(sent_to.min(sure));
            }
            SessionEvent::ReadsFor { address, group: None } => drop(self.groups.remove(&address)),
            SessionEvent::ReadsFor { address, group: Some(group) } => {
                self.groups.insert(address, group);
            }
            SessionEvent::Released(packet_id) => {
                self.incoming_qos2.remove(&packet_id);
            }
            SessionEvent::Leased(lease) => {
                // Another packet id of that message never went out, or was refused: else it would have been borne again.
                let message = (lease.sink, lease.offset);
                self.leases.retain(|_, other| *other != message);
                self.leases.insert(lease.packet_id, message);
            }
            SessionEvent::LeasesOver(packet_ids) => {
                for packet_id in &packet_ids {
                    self.leases.remove(packet_id);
                }
            }
            SessionEvent::LeftEnding(places) => {
                let places = places.into_iter().map(|(at, copy)| (at.as_u64(), copy));
                let places = places.map(|place| self.moves.now(place)).collect();
                let left = self.inbox.replay_left_from(&places);
                left.into_iter().for_each(|gone| released.add_gone(gone));
            }
            SessionEvent::Ended(_) | SessionEvent::LeaseReceived(..) => {}
        }
    }

    fn retained(&mut self, page: RetainedPage) {
        for kept in page.entries {
            // It went out as soon as this was stored.
            let sequence = self.inbox.push(kept);
            self.inbox.replay_sent(sequence);
        }
        if page.is_last {
            self.replays.remove(&page.address);
        } else if let Some(replay) = self.replays.get_mut(&page.address) {
            replay.through = page.through;
        }
    }

    fn stored(mut self, number: SessionNumber) -> StoredSession {
        if self.has_begun && self.disconnected_at.is_none() {
            // What was sent in the last moment of a connection is not known.
            self.inbox.sent_is_unsure();
        }
        let with_metadata = self.subscriptions.iter().filter(|(_, (_, metadata))| *metadata);
        let with_metadata = with_metadata.map(|(address, _)| address.clone()).collect();
        let subscriptions = self.subscriptions.into_iter();
        let image = SessionImage {
            client_id: self.client_id,
            expiry_interval: self.expiry_interval,
            subscriptions: subscriptions.map(|(address, (record, _))| (address, record)).collect(),
            inbox: self.inbox.image(),
            incoming_qos2: self.incoming_qos2.into_iter().collect(),
            will: self.will,
            disconnected_at: self.disconnected_at,
        };
        let leases = self.leases.into_iter();
        let leases =
            leases.map(|(packet_id, (sink, offset))| KeptLease { packet_id, sink, offset });
        let (leases, as_of) = (leases.collect(), UnixMillis(0));
        let replays = self.replays.into_iter().collect();
        let (owner, groups) = (self.owner, self.groups.into_iter().collect());
        StoredSession { number, image, owner, with_metadata, replays, leases, groups, as_of }
    }
}

#[cfg(test)]
mod tests;
