//! Sessions that are over and keep messages of shared groups for the other members. It must not know clients.
//!
//! At QoS 1 such a message is lent, see `loans`. At QoS 2 only a durable session may have it, which gets it by a record that
//! stores it there and takes it from here at once: a crash finds it with one of them and not with both.
//!
//! ```text
//!   Waiting ── lent ──────────────────▶ Lent ── the borrower's client has it ──▶ Gone
//!      │ ▲                              │
//!      │ └── lost, no room, not stored ─┤
//!      └──── stored for another ──────▶ Lent ── that is stored ────────────────▶ Gone
//! ```

use std::sync::atomic::Ordering;
use std::time::Duration;

use log_api::{FailedRecord, Position};
use mqtt_router::Member;
use mqtt_session::{InboxImage, Kept, Session, SessionImage};
use mqtt_types::{Message, QoS, TopicName};
use stdx::{Instant, UnixMillis};

use super::Shard;
use super::live::Live;
use super::loans::Lending;
use super::publish::pick_target;
use super::session_log::Waiting;
use super::state::{Ending, SessionEntry};
use crate::groups::GroupMark;
use crate::hosting::PASS_TOKEN;
use crate::ids::{SessionId, SessionNumber};
use crate::outbox::Outbox;
use crate::record::{KeptCopy, MoreTargets, PublishRecord, SessionEvent, SessionTarget, ranges};
use crate::routes::Route;

/// How long a session that is over waits before it looks again whether somebody has room for what it keeps. Nobody tells
/// it of room, so the longest wait is how late a message may come.
const ENDING_LOOK_MIN: Duration = Duration::from_millis(500);
const ENDING_LOOK_MAX: Duration = Duration::from_secs(1);

impl Shard {
    /// Takes a session from its client: it only keeps messages for others.
    pub(super) fn begin_ending(&mut self, id: SessionId) {
        self.sessions.forget_client(id);
        self.take_seat(id);
        if let Some(entry) = self.sessions.get_mut(id) {
            // For a restart it is over too.
            let _ = entry.session.change_expiry(0, 0);
            let (seen, at, wait) = (u64::MAX, Instant::ZERO, ENDING_LOOK_MIN);
            entry.extras.get_or_insert_default().ending = Some(Ending { seen, at, wait });
        }
    }

    /// What a session that ends has for its own client is nobody's: what it subscribed to itself, and what may have been sent
    /// at QoS 2. `[MQTT-4.8.2-5]`
    pub(super) fn drop_unpassable(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(inbox) = entry.session.inbox_mut() else { return };
        let gone = inbox.keep_passable(0);
        let sent_to = inbox.sent_to();
        entry.account(&self.shared.budgets.memory);
        gone.iter().for_each(|gone| self.release_body(*gone));
        if !gone.is_empty() {
            let left = ranges(gone.iter().map(|gone| gone.sequence).collect());
            let event = SessionEvent::Inbox { left, received: Vec::new(), sent_to };
            self.log_session(id, event, Waiting::Nobody);
        }
    }

    pub(super) fn is_over(&self, id: SessionId) -> bool {
        self.sessions.get(id).is_some_and(SessionEntry::is_ending)
    }

    /// A message is stored for a session that has ended since it was routed, by a shared group: another member is to have
    /// it. The session comes to be once more to keep it until then, as it does in a replay.
    pub(super) fn keep_for_others(&mut self, number: SessionNumber) {
        let id = self.sessions.durable_id(number);
        if self.sessions.get(id).is_none() {
            let now = UnixMillis(self.turn.unix_ms);
            self.sessions.restore(number, Session::from_image(&nobodys(now), now));
            self.begin_ending(id);
        }
    }

    /// Gives another member what such a session keeps. False when it keeps it on, or drops it.
    pub(super) fn pass_on_kept<O: Outbox>(
        &mut self,
        id: SessionId,
        (sequence, qos): (u64, QoS),
        mark: GroupMark,
        message: &Message,
        out: &mut O,
    ) -> bool {
        let mut passing = Lending::NoMember;
        if qos == QoS::AtLeastOnce {
            passing = self.lend(id, sequence, mark, message, false, out);
        }
        if passing == Lending::NoMember {
            passing = self.store_for_another(id, (sequence, qos), mark, message, out);
        }
        if passing == Lending::NoGroup {
            self.counts.shared_dropped_total += 1;
            self.drop_of_ending(id, sequence);
        }
        self.counts.shared_handed_over_total += u64::from(passing == Lending::Lent);
        passing == Lending::Lent
    }

    /// The same for what nobody can borrow: it is stored for another durable session, or if there is none, given to a member
    /// that could not finish it after a crash anyway.
    fn store_for_another<O: Outbox>(
        &mut self,
        home: SessionId,
        (sequence, qos): (u64, QoS),
        mark: GroupMark,
        message: &Message,
        out: &mut O,
    ) -> Lending {
        let Ok(topic) = TopicName::new(message.topic()) else { return Lending::NoGroup };
        let route = self.routes.route(&self.shared.routes, topic);
        let Some(group) = route.group(mark.group) else { return Lending::NoGroup };
        let Some(mut live) = Live::of(message, None, self.turn.unix_ms) else {
            self.counts.live_dropped_total += 1;
            self.drop_of_ending(home, sequence);
            return Lending::Own;
        };
        let published = message.head().qos;
        let may_borrow = |member: &Member| published.min(member.options.qos) < QoS::ExactlyOnce;
        let can_be_lent = qos < QoS::ExactlyOnce && group.group.members().iter().any(may_borrow);
        if can_be_lent || self.storage_refusal().is_some() {
            return Lending::NoMember;
        }
        let Some(pick) = self.pick_member(group, published, mark.key, Some(home)) else {
            return Lending::NoMember;
        };
        match pick_target(&pick, live.head) {
            Some(target) => self.store_in_place(home, sequence, target, &live),
            None => {
                self.drop_of_ending(home, sequence);
                self.deliver_pick(&pick, &mut live, 0, out);
                Lending::Lent
            }
        }
    }

    fn store_in_place(
        &mut self,
        home: SessionId,
        sequence: u64,
        target: SessionTarget,
        live: &Live<'_>,
    ) -> Lending {
        let Some(number) = home.number() else { return Lending::Own };
        let entry = self.sessions.get_mut(home);
        let Some(inbox) = entry.and_then(|entry| entry.session.inbox_mut()) else {
            return Lending::Own;
        };
        let next = inbox.passable(sequence).next().filter(|(of, _)| *of == sequence);
        // One that is being written anew is looked at again later: the record would name its old place.
        let relocation = &self.relocation;
        let is_still = |kept: &Kept| !relocation.is_on_the_way(number, kept.at, kept.copy);
        let next = next.filter(|(_, kept)| is_still(kept) && inbox.lend(sequence));
        let Some((_, kept)) = next else { return Lending::Own };
        let place = KeptCopy { number, at: Position::from_u64(kept.at), copy: kept.copy };
        let target = SessionTarget { in_place_of: Some(place), ..target };
        let more = MoreTargets { sessions: vec![target], ..MoreTargets::default() };
        self.store(&Route::default(), live, Some(more), PASS_TOKEN);
        Lending::Lent
    }

    /// What such a session kept is stored for another.
    pub(super) fn passed_on(&mut self, kept: KeptCopy) {
        let KeptCopy { number, at, copy } = kept;
        if number.owner(self.shared.config.shards) != self.id {
            return;
        }
        let id = self.sessions.durable_id(number);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(inbox) = entry.session.inbox_mut() else { return };
        let gone = inbox.replay_left_from(&[(at.as_u64(), copy)].into());
        entry.account(&self.shared.budgets.memory);
        gone.into_iter().for_each(|gone| self.release_body(gone));
        self.finish_ending(id);
    }

    /// It could not be stored, and is to be passed on another time.
    pub(super) fn pass_not_stored(&mut self, record: &FailedRecord) {
        let more = PublishRecord::decode(record.body.clone()).and_then(|publish| publish.more());
        for KeptCopy { number, at, copy } in more.iter().flatten().flat_map(MoreTargets::passed_on)
        {
            let id = self.sessions.durable_id(number);
            let entry = self.sessions.get_mut(id);
            let Some(inbox) = entry.and_then(|entry| entry.session.inbox_mut()) else { continue };
            if let Some(sequence) = inbox.find(at.as_u64(), copy) {
                inbox.take_back(sequence);
            }
        }
    }

    /// Looks again whether somebody takes what such a session keeps: when a member has come, and now and then.
    pub(super) fn look_at_ending(&mut self, id: SessionId) {
        let now = self.turn.now;
        let come = self.shared.members_come.load(Ordering::Relaxed);
        let entry = self.sessions.get_mut(id);
        let ending = entry.and_then(|entry| entry.extras.as_mut()?.ending.as_mut());
        let Some(ending) = ending else { return };
        if ending.seen != come {
            (ending.seen, ending.wait) = (come, ENDING_LOOK_MIN);
        } else if now < ending.at {
            return;
        } else {
            ending.wait = (ending.wait * 2).min(ENDING_LOOK_MAX);
        }
        ending.at = now + ending.wait;
        self.lend_out(id, None);
        self.finish_ending(id);
    }

    fn drop_of_ending(&mut self, id: SessionId, sequence: u64) {
        let Some(entry) = self.sessions.get_mut(id).filter(|entry| entry.is_ending()) else {
            return;
        };
        if let Some(gone) = entry.session.inbox_mut().and_then(|inbox| inbox.give_up(sequence)) {
            entry.account(&self.shared.budgets.memory);
            self.left_inbox(id, gone);
        }
    }

    /// Ends such a session once it keeps nothing any more.
    pub(super) fn finish_ending(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get(id).filter(|entry| entry.is_ending()) else { return };
        let inbox = entry.session.inbox();
        if inbox.is_some_and(|inbox| inbox.lent() > 0 || inbox.passable(0).next().is_some()) {
            return;
        }
        self.remove_session(id);
        self.log_session(id, SessionEvent::Ended(Some(self.heard_to)), Waiting::Nobody);
    }
}

/// A session of no client that has ended.
fn nobodys(now: UnixMillis) -> SessionImage {
    SessionImage {
        client_id: "".into(),
        expiry_interval: 0,
        subscriptions: Vec::new(),
        inbox: InboxImage::default(),
        incoming_qos2: Vec::new(),
        will: None,
        disconnected_at: Some(now),
    }
}
