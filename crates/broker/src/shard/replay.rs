//! Retained messages for a new subscription: as fast as the client takes them, however many there are, and a few at a
//! time, so that others are served meanwhile. Bodies that are not at hand are read from the log, many at once.

use std::sync::Arc;

use bytes::Bytes;
use log_api::{Position, ReadError};
use mqtt_router::Cursor;
use mqtt_session::{Admission, Delivery, Origin, OutgoingFlags, SubscriptionRecord};
use mqtt_types::{Address, Message, QoS, TopicName};

use super::Shard;
use super::kept_replay::{KeptPage, is_kept};
use super::live_since::{LiveSince, Verdict};
use super::retained_list::RetainedLook;
use super::send::{Sent, put_delivery};
use super::state::Replay;
use super::trace::To;
use crate::ids::SessionId;
use crate::outbox::Outbox;
use crate::record::PublishRecord;
use crate::retained::{Found, RetainedStore, Shown, Sight, Standing};

/// Retained messages looked up at once, so that the index is not held for long.
const PAGE_MESSAGES: usize = 128;
/// Bytes of bodies that are read at once, but for a single larger one.
pub(super) const READ_BYTES_MAX: usize = 256 * 1024;
/// Messages that are sent to one client before others are served.
const TURN_MESSAGES: usize = 256;
/// Bytes that wait in the client's output before others are served.
pub(super) const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// Tells reads for replays from others.
pub(super) const RETAINED_READ: u64 = 1 << 60;

/// The replay whose bodies were read, if they were read for one.
pub(super) const fn replay_of(read_token: u64) -> Option<usize> {
    match read_token >> 60 == RETAINED_READ >> 60 {
        true => Some((read_token & !RETAINED_READ) as usize),
        false => None,
    }
}

/// Bodies of retained messages that are being read.
pub(crate) enum Reading {
    Replay(Asked),
    Look(RetainedLook),
}

/// Bodies that a replay waits for.
pub(crate) struct Asked {
    session: SessionId,
    /// Where they lie, and their places in the page.
    places: Vec<(Position, usize)>,
}

/// What a session's replays come to next.
enum Next {
    Message(u64, Message),
    /// Its body is being read, or what came before it is being stored.
    Later,
    /// All of the first replay has been sent.
    Through,
    /// There is none.
    Done,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    Yes,
    /// Nothing more is taken for now: it will be asked for again.
    No,
    /// Its topic has another one by now.
    Again,
}

impl Shard {
    /// Notes that the retained messages that match a new subscription are to be sent. `[MQTT-3.3.1-9]`
    pub(super) fn begin_replay(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        since: u64,
    ) {
        // A shared subscription brings none (MQTT 5.0 §4.8.2), nor does a queue.
        let Ok(Address::Live(_)) = Address::parse(address) else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let replays = &mut entry.extras.get_or_insert_default().replays;
        replays.retain(|replay| &*replay.address != address);
        let live = LiveSince::new(since);
        replays.push_back(Replay::new(address, record, live, is_kept(id, address, &record)));
    }

    /// A subscription has no retained messages to be sent any more.
    pub(super) fn end_replay(&mut self, id: SessionId, address: &str) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if let Some(extras) = entry.extras.as_mut() {
            extras.replays.retain(|replay| &*replay.address != address);
        }
        entry.give_back_extras();
    }

    /// A retained message at QoS 0 could not be sent to the session when it was published.
    pub(super) fn missed_live(&mut self, id: SessionId) {
        let newest = self.shared.retained.newest();
        let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
        let replays = extras.into_iter().flat_map(|extras| &mut extras.replays);
        replays.for_each(|replay| replay.live.missed(newest));
    }

    /// Sends retained messages as far as the window and the output go. What waits in the session goes first.
    pub(super) fn replay<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        let is_ready = |entry: &super::state::SessionEntry| {
            entry.is_replaying() && entry.conn.is_some() && entry.session.pending_len() == 0
        };
        if !self.sessions.get(id).is_some_and(is_ready) {
            return;
        }
        let mut page = KeptPage::default();
        let is_whole_turn = self.replay_turn(id, &mut page, out);
        self.log_page(id, page);
        if is_whole_turn && let Some(conn) = self.sessions.get(id).and_then(|entry| entry.conn) {
            out.notify_drained(conn);
        }
    }

    /// One turn's messages. Says whether there may be more at once.
    fn replay_turn<O: Outbox>(&mut self, id: SessionId, page: &mut KeptPage, out: &mut O) -> bool {
        for _ in 0..TURN_MESSAGES {
            let (version, message) = match self.next_retained(id) {
                Next::Message(version, message) => (version, message),
                Next::Later => return false,
                Next::Through => {
                    if self.first_replay(id).is_some_and(|replay| replay.is_kept) {
                        page.is_last();
                        return false;
                    }
                    self.end_first_replay(id);
                    continue;
                }
                Next::Done => return false,
            };
            let taken = self.take_retained(id, (version, &message), page, out);
            if taken == Taken::Yes {
                page.passed(message.topic());
                continue;
            }
            if let Some(replay) = self.first_replay(id) {
                replay.page.push_front(sight_of(version, message));
                if taken == Taken::Again {
                    replay.as_of = u64::MAX; // What was looked up is looked up again.
                }
            }
            if taken == Taken::No {
                return false;
            }
        }
        true
    }

    fn take_retained<O: Outbox>(
        &mut self,
        id: SessionId,
        (version, message): (u64, &Message),
        page: &mut KeptPage,
        out: &mut O,
    ) -> Taken {
        let Some(replay) = self.first_replay(id) else { return Taken::No };
        let (record, is_kept) = (replay.record, replay.is_kept);
        if is_kept && message.head().qos > QoS::AtMostOnce {
            return self.keep_retained(id, (version, message), record, page, out);
        }
        match self.send_retained(id, message, record, out) {
            true => Taken::Yes,
            false => Taken::No,
        }
    }

    fn end_first_replay(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if let Some(extras) = entry.extras.as_mut() {
            extras.replays.pop_front();
        }
        entry.give_back_extras();
    }

    pub(super) fn first_replay(&mut self, id: SessionId) -> Option<&mut Replay> {
        self.sessions.get_mut(id)?.extras.as_mut()?.replays.front_mut()
    }

    /// The next message of the first replay.
    fn next_retained(&mut self, id: SessionId) -> Next {
        let unix_ms = self.turn.unix_ms;
        loop {
            let store = &self.shared.retained;
            let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
            let Some(extras) = extras else { return Next::Done };
            let Some(replay) = extras.replays.front_mut() else { return Next::Done };
            let is_kept_back = replay.is_being_stored || replay.is_paused || replay.ended.is_some();
            if replay.reading.is_some() || is_kept_back {
                return Next::Later;
            }
            let Some(first) = replay.page.pop_front() else {
                let Some(from) = replay.from.take() else { return Next::Through };
                if let Ok(Address::Live(filter)) = Address::parse(&replay.address) {
                    replay.as_of = store.changes();
                    let page = &mut replay.page;
                    let visit = |sight| page.push_back(sight);
                    replay.from = store.look_on(filter, &from, PAGE_MESSAGES, unix_ms, visit);
                }
                continue;
            };
            let is_old = replay.as_of != store.changes() || first.standing == Standing::OnItsWay;
            let first = if is_old { newer(store, first, unix_ms) } else { Some(first) };
            let Some(first) = first else { continue };
            let verdict = replay.live.verdict(&first, replay.record.qos, id.is_durable());
            match (verdict, first.shown) {
                (Verdict::Send, Shown::Found(Found::Message(message))) => {
                    return Next::Message(first.version, message);
                }
                (Verdict::Skip, _) => {}
                (verdict, shown) => {
                    replay.page.push_front(Sight { shown, ..first });
                    match verdict {
                        Verdict::Wait => self.look_again(id),
                        _ => self.read_page(id),
                    }
                    return Next::Later;
                }
            }
        }
    }

    /// Asks the log for bodies of the first replay.
    fn read_page(&mut self, id: SessionId) {
        let key = self.retained.reads.vacant_key();
        let Some(replay) = self.first_replay(id) else { return };
        let mut bytes = 0;
        let mut places = Vec::new();
        for (place, item) in replay.page.iter().enumerate() {
            let Shown::Found(Found::Stored { at, size, .. }) = &item.shown else { continue };
            bytes += *size as usize;
            if bytes > READ_BYTES_MAX && !places.is_empty() {
                break;
            }
            places.push((*at, place, *size));
        }
        replay.reading = Some(key);
        places.sort_unstable();
        let heads = places.iter().map(|(at, _, size)| (*at, *size)).collect();
        let places = places.into_iter().map(|(at, place, _)| (at, place)).collect();
        self.retained.reads.insert(Reading::Replay(Asked { session: id, places }));
        self.turn.read_heads(RETAINED_READ | key as u64, heads);
    }

    /// Bodies that a replay asked for. It may have ended meanwhile.
    pub(super) fn replay_read<O: Outbox>(
        &mut self,
        key: usize,
        records: Vec<Result<Bytes, ReadError>>,
        out: &mut O,
    ) {
        let Asked { session, places } = match self.retained.reads.try_remove(key) {
            Some(Reading::Replay(asked)) => asked,
            Some(Reading::Look(look)) => return self.retained_look_read(look, records),
            None => return,
        };
        let shared = Arc::clone(&self.shared);
        let unix_ms = self.turn.unix_ms;
        let replay = self.first_replay(session).filter(|replay| replay.reading == Some(key));
        let Some(replay) = replay else {
            // It has ended; the one behind it may go on.
            self.pump(session, out);
            return;
        };
        replay.reading = None;
        let mut gone = Vec::new();
        for ((at, place), record) in places.into_iter().zip(records) {
            let Some(sight) = replay.page.get_mut(place) else { continue };
            if record == Err(ReadError::ShutDown) {
                continue;
            }
            let message = record
                .map_err(|error| error.to_string())
                .and_then(|body| {
                    PublishRecord::decode_head(body).map_err(|error| error.to_string())
                })
                .and_then(|publish| publish.message().map_err(|error| error.to_string()));
            match message {
                Ok(message) => {
                    shared.retained.offer(sight.version, &message);
                    sight.shown = Shown::Found(Found::Message(message));
                }
                Err(error) => {
                    // It was replaced, or was written anew elsewhere and its segment has gone.
                    let now = look(&shared.retained, sight.topic(), unix_ms);
                    let is_there = matches!(
                        &now,
                        Some(Sight { shown: Shown::Found(Found::Stored { at: now, .. }), .. })
                            if *now == at
                    );
                    if is_there {
                        tracing::error!(position = %at, error, "retained message not sent: it is damaged");
                    }
                    match now.filter(|_| !is_there) {
                        Some(now) => *sight = now,
                        None => gone.push(place),
                    }
                }
            }
        }
        gone.sort_unstable();
        for place in gone.into_iter().rev() {
            replay.page.remove(place);
        }
        self.pump(session, out);
    }

    /// False when the client takes no more for now: it will be asked again.
    pub(super) fn send_retained<O: Outbox>(
        &mut self,
        id: SessionId,
        message: &Message,
        record: SubscriptionRecord,
        out: &mut O,
    ) -> bool {
        let flags = OutgoingFlags::retained(message.head().qos, &record);
        let Some(entry) = self.sessions.get_mut(id) else { return false };
        let Some(conn) = entry.conn else { return false };
        let Some(buffer) = out.buffer(conn) else { return false };
        let open = buffer.len() < OUTPUT_BYTES_MAX && self.shared.takes_more(buffer.len());
        let Admission::Send(packet_id) = entry.session.admit(flags.qos, open) else {
            if !open {
                out.notify_drained(conn);
            }
            return false;
        };
        let kept = packet_id.is_some() && entry.session.outlives_connection();
        let delivery = Delivery {
            // A copy: the original may lie in a buffer with all that was read with it.
            message: if kept { message.detached() } else { message.clone() },
            qos: flags.qos,
            retain: flags.retain,
            subscription_identifiers: record
                .subscription_identifier
                .iter()
                .map(|id| id.get())
                .collect(),
        };
        let Some(state) = self.conns.get_mut(conn) else { return false };
        let unix_ms = self.turn.unix_ms;
        let to = To::of(&mut self.traces, &self.consumers, entry, Origin::Live, unix_ms);
        if put_delivery(buffer, &mut state.connection, &delivery, packet_id, (unix_ms, to))
            == Sent::Yes
        {
            self.counts.publishes_sent_total += 1;
            let kept = kept.then(|| Arc::new(delivery));
            entry.session.sent(packet_id, flags.qos, Origin::Live, kept, 0);
        }
        true
    }
}

/// What there is of a topic now.
fn look(store: &RetainedStore, topic: &str, unix_ms: u64) -> Option<Sight> {
    store.look(TopicName::new(topic).ok()?, unix_ms)
}

/// The same of one that was looked up a while ago, with the body if it was read since.
fn newer(store: &RetainedStore, known: Sight, unix_ms: u64) -> Option<Sight> {
    let now = look(store, known.topic(), unix_ms)?;
    let is_same = now.version == known.version && matches!(known.shown, Shown::Found(_));
    Some(if is_same { Sight { shown: known.shown, ..now } } else { now })
}

/// A message that is to be looked at again.
pub(super) fn sight_of(version: u64, message: Message) -> Sight {
    let shown = Shown::Found(Found::Message(message));
    Sight { version, standing: Standing::OnItsWay, stored: 0, shown }
}

impl Replay {
    pub(super) fn new(
        address: &str,
        record: SubscriptionRecord,
        live: LiveSince,
        is_kept: bool,
    ) -> Self {
        Self {
            address: address.into(),
            record,
            live,
            is_kept,
            through: Box::default(),
            is_being_stored: false,
            is_paused: false,
            ended: None,
            has_timer: false,
            from: Some(Cursor::default()),
            page: Default::default(),
            as_of: 0,
            reading: None,
        }
    }
}
