//! Retained messages at QoS 1 and 2 for a durable session: a page of them becomes entries of its inbox by one record, which
//! also says how far the replay has come. Their bodies stay where they lie, and are held there. So a crash loses none, and
//! sends none twice.

use std::collections::VecDeque;
use std::time::Duration;

use log_api::Position;
use mqtt_router::Cursor;
use mqtt_session::{Kept, OutgoingFlags, SubscriptionRecord};
use mqtt_types::{Address, Message, QoS, TopicName};
use smallvec::SmallVec;

use super::Shard;
use super::live_since::LiveSince;
use super::replay::{OUTPUT_BYTES_MAX, READ_BYTES_MAX, Taken, sight_of};
use super::session_log::{Granted, Waiting};
use super::state::Replay;
use crate::ids::SessionId;
use crate::outbox::Outbox;
use crate::record::{KeptReplay, RetainedPage, SessionEvent};
use crate::retained::{Holding, note};
use crate::timers::Timer;

/// Messages of one page.
const PAGE_MESSAGES: usize = 128;
/// What a message counts beside topic, properties and payload (contract §3).
const MESSAGE_BYTES_MORE: usize = 64;
/// When to look again for a message whose record is on its way.
const SOON: Duration = Duration::from_millis(10);

/// A page on its way to the log.
#[derive(Default)]
pub(crate) struct KeptPage {
    /// What its record says.
    page: RetainedPage,
    /// The messages of its entries, by version.
    messages: Vec<(u64, Message)>,
    bytes: usize,
}

/// Whether the retained messages of a subscription go by the log.
pub(super) fn is_kept(id: SessionId, address: &str, record: &SubscriptionRecord) -> bool {
    let is_live = matches!(Address::parse(address), Ok(Address::Live(_)));
    is_live && id.is_durable() && record.qos > QoS::AtMostOnce
}

impl KeptPage {
    /// A message has got its turn.
    pub(super) fn passed(&mut self, topic: &str) {
        self.page.through = topic.into();
    }

    /// It was the last one.
    pub(super) const fn is_last(&mut self) {
        self.page.is_last = true;
    }

    fn push(&mut self, at: Position, version: u64, message: &Message, record: SubscriptionRecord) {
        let flags = OutgoingFlags::retained(message.head().qos, &record);
        let size = message.bytes().len() + MESSAGE_BYTES_MORE;
        self.page.entries.push(Kept {
            at: at.as_u64(),
            size: u32::try_from(size).unwrap_or(u32::MAX),
            qos: flags.qos,
            retain: flags.retain,
            has_identifiers: false,
            copy: 0,
            set: None,
            is_shared: false,
            is_held: true,
            identifier: record.subscription_identifier,
        });
        self.bytes += size;
        // A copy: the original may lie in a buffer with all that was read with it.
        self.messages.push((version, message.detached()));
    }

    fn positions(&self) -> impl Iterator<Item = Position> {
        self.page.entries.iter().map(|kept| Position::from_u64(kept.at))
    }
}

impl Shard {
    /// Takes a message into the page, if the client takes more now.
    pub(super) fn keep_retained<O: Outbox>(
        &mut self,
        id: SessionId,
        (version, message): (u64, &Message),
        record: SubscriptionRecord,
        page: &mut KeptPage,
        out: &mut O,
    ) -> Taken {
        if !self.takes_one_more(id, page, message, out) {
            return Taken::No;
        }
        let Ok(topic) = TopicName::new(message.topic()) else { return Taken::Yes };
        match self.shared.retained.hold(topic, version, &*self.shared.log) {
            Holding::Held(at) => {
                page.push(at, version, message, record);
                Taken::Yes
            }
            Holding::NotYet => {
                self.look_again(id);
                Taken::No
            }
            Holding::Replaced => Taken::Again,
            Holding::Never => match self.send_retained(id, message, record, out) {
                true => Taken::Yes,
                false => Taken::No,
            },
        }
    }

    pub(super) fn look_again(&mut self, id: SessionId) {
        let at = self.turn.now + SOON;
        if let Some(replay) = self.first_replay(id).filter(|replay| !replay.has_timer) {
            replay.has_timer = true;
            self.timers.set(at, Timer::Replay(id));
        }
    }

    /// What a replay waits for may be in the log.
    pub(super) fn replay_due<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        if let Some(replay) = self.first_replay(id) {
            replay.has_timer = false;
        }
        self.replay_again(id, out);
    }

    /// Whether one more message of the page could go out at once when it is stored.
    fn takes_one_more<O: Outbox>(
        &self,
        id: SessionId,
        page: &KeptPage,
        message: &Message,
        out: &mut O,
    ) -> bool {
        let limits = &self.shared.config.limits;
        let Some(entry) = self.sessions.get(id) else { return false };
        let Some(inbox) = entry.session.inbox() else { return false };
        let Some(buffer) = entry.conn.and_then(|conn| out.buffer(conn)) else { return false };
        let is_open = buffer.len() < OUTPUT_BYTES_MAX && self.shared.takes_more(buffer.len());
        if !is_open && let Some(conn) = entry.conn {
            out.notify_drained(conn);
        }
        if !is_open || inbox.has_more() || self.storage_refusal().is_some() {
            return false;
        }
        let count = page.messages.len();
        let window = entry.session.inbox_window().min(PAGE_MESSAGES);
        let is_first = count == 0 && inbox.messages() == 0;
        let bytes = page.bytes + message.bytes().len();
        let fits = inbox.messages() + count < limits.max_pending_messages
            && inbox.bytes() as usize + bytes < limits.max_pending_bytes
            && (count == 0 || bytes < READ_BYTES_MAX);
        count < window && (is_first || fits)
    }

    /// Hands a page to the log; nothing more of the first replay is sent until it is stored.
    pub(super) fn log_page(&mut self, id: SessionId, mut kept: KeptPage) {
        let Some(replay) = self.first_replay(id) else { return };
        if kept.messages.is_empty() && !kept.page.is_last {
            // Nothing but messages at QoS 0: a crash may send those again.
            if !kept.page.through.is_empty() {
                replay.through = kept.page.through;
            }
            return;
        }
        replay.is_being_stored = true;
        kept.page.address = replay.address.clone();
        let event = SessionEvent::Retained(kept.page.clone());
        self.log_session(id, event, Waiting::Retained { session: id, page: Box::new(kept) });
    }

    /// A page is stored: its messages are in the inbox, and go out.
    pub(super) fn page_stored<O: Outbox>(&mut self, id: SessionId, kept: KeptPage, out: &mut O) {
        let KeptPage { page, messages, .. } = kept;
        if self.sessions.get(id).is_none_or(|entry| entry.session.inbox().is_none()) {
            // The session has ended meanwhile, and the log knows.
            return self.let_bodies_go(&page);
        }
        self.end_page(id, &page.address, |replays, place| {
            if page.is_last {
                drop(replays.remove(place));
            } else if let Some(replay) = replays.get_mut(place) {
                replay.through = page.through;
            }
        });
        for (kept, (_, message)) in page.entries.into_iter().zip(messages) {
            let Some(entry) = self.sessions.get_mut(id) else { return };
            let Some(sequence) = entry.session.inbox_mut().map(|inbox| inbox.push(kept)) else {
                return;
            };
            if entry.conn.is_some() {
                self.offer(id, sequence, &message, SmallVec::new(), out);
            }
        }
        self.keep_inbox_limits(id);
        self.pump(id, out);
    }

    /// A page is not stored: its messages wait for the log to take records again.
    pub(super) fn page_not_stored(&mut self, id: SessionId, kept: KeptPage) {
        let KeptPage { page, messages, .. } = kept;
        self.let_bodies_go(&page);
        self.end_page(id, &page.address, |replays, place| {
            let Some(replay) = replays.get_mut(place) else { return };
            for (version, message) in messages.into_iter().rev() {
                replay.page.push_front(sight_of(version, message));
            }
            // What was looked up before is looked at again.
            replay.as_of = u64::MAX;
        });
    }

    /// Gives the replay whose page has come to an end, if there is still that one.
    fn end_page(
        &mut self,
        id: SessionId,
        address: &str,
        end: impl FnOnce(&mut VecDeque<Replay>, usize),
    ) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(extras) = entry.extras.as_mut() else { return };
        let is_it = |replay: &Replay| &*replay.address == address && replay.is_being_stored;
        if let Some(place) = extras.replays.iter().position(is_it) {
            if let Some(replay) = extras.replays.get_mut(place) {
                replay.is_being_stored = false;
            }
            end(&mut extras.replays, place);
        }
        entry.give_back_extras();
    }

    fn let_bodies_go(&mut self, page: &RetainedPage) {
        for kept in &page.entries {
            note(&mut self.turn.holds, Position::from_u64(kept.at).segment(), -1);
        }
    }

    /// Bodies that are held for pages on their way to the log.
    pub(super) fn holding(&self) -> Vec<Position> {
        let pages = self.answers.iter().filter_map(|(_, waiting)| match waiting {
            Waiting::Retained { page, .. } => Some(page),
            _ => None,
        });
        pages.flat_map(|page| page.positions()).collect()
    }

    /// What the record of a subscription is to say of retained messages that are on their way for it: if there may be some,
    /// and they go by the log.
    pub(super) fn begins_kept_replay(
        &mut self,
        id: SessionId,
        granted: &mut Granted,
    ) -> Option<KeptReplay> {
        let since = granted.replays?;
        if !is_kept(id, &granted.address, &granted.record) {
            return None;
        }
        let Ok(Address::Live(filter)) = Address::parse(&granted.address) else { return None };
        let (unix_ms, mut has_some) = (self.turn.unix_ms, false);
        let from = Cursor::default();
        let rest = self.shared.retained.look_on(filter, &from, 1, unix_ms, |_| has_some = true);
        if !has_some && rest.is_none() {
            granted.replays = None;
            return None;
        }
        self.pause_replay(id, &granted.address, true);
        Some(KeptReplay { since, through: Box::default() })
    }

    /// A subscription is being made again: what it asked for before does not go on until that is stored, or is not.
    pub(super) fn pause_replay(&mut self, id: SessionId, address: &str, is_paused: bool) {
        if let Some(replay) = self.replay_mut(id, address) {
            replay.is_paused = is_paused;
        }
    }

    /// A subscription has left the router, which knew changes up to `newest`. What it asked for does not go on until its end is
    /// stored, or it comes back.
    pub(super) fn suspend_replay(&mut self, id: SessionId, address: &str, newest: u64) {
        if let Some(replay) = self.replay_mut(id, address) {
            replay.ended.get_or_insert(newest);
        }
    }

    /// It is in the router as it was.
    pub(super) fn resume_replay(&mut self, id: SessionId, address: &str, newest: u64) {
        if let Some(replay) = self.replay_mut(id, address)
            && let Some(ended) = replay.ended.take()
        {
            replay.live.was_away(ended, newest);
        }
    }

    fn replay_mut(&mut self, id: SessionId, address: &str) -> Option<&mut Replay> {
        let extras = self.sessions.get_mut(id)?.extras.as_mut()?;
        extras.replays.iter_mut().find(|replay| &*replay.address == address)
    }

    /// Subscriptions of a session whose retained messages have not all been sent, and how far the log knows.
    pub(super) fn replays_of(&self, id: SessionId) -> Vec<(Box<str>, KeptReplay)> {
        let extras = self.sessions.get(id).and_then(|entry| entry.extras.as_ref());
        let replays = extras.into_iter().flat_map(|extras| &extras.replays);
        let kept = replays.filter(|replay| replay.is_kept);
        let of = |replay: &Replay| {
            let (since, through) = (replay.live.since(), replay.through.clone());
            (replay.address.clone(), KeptReplay { since, through })
        };
        kept.map(of).collect()
    }

    /// Takes in what had not been sent before the restart.
    pub(super) fn restore_replays(&mut self, id: SessionId, replays: Vec<(Box<str>, KeptReplay)>) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let newest = self.shared.retained.newest();
        for (address, KeptReplay { since, through }) in replays {
            let Some(record) = entry.session.subscription(&address).copied() else { continue };
            let from = TopicName::new(&through).map(Cursor::after).unwrap_or_default();
            // Of an older version it is not known: what is there now did not come since the restart.
            let mut live = LiveSince::new(since.min(newest));
            live.missed(newest);
            let replay =
                Replay { from: Some(from), through, ..Replay::new(&address, record, live, true) };
            entry.extras.get_or_insert_default().replays.push_back(replay);
        }
    }

    /// What a replay waited for may be over.
    pub(super) fn replay_again<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        if self.sessions.get(id).is_some_and(|entry| entry.is_replaying() && entry.conn.is_some()) {
            self.pump(id, out);
        }
    }
}
