//! `$delayed/<seconds>/<topic>`: messages that are published when their time has come, also after a restart. A message
//! lies in the log until then; here is only where.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use hashbrown::HashMap;
use log_api::{AppendError, Position, ReadError, RecordKind, ShardId, ShardSet};
use mqtt_types::{Message, MessageHead, ReasonCode, TopicName};
use stdx::{Instant, UnixMillis};

use super::Shard;
use super::agree::wishes;
use super::live::Live;
use super::publish::{Publisher, is_reserved};
use super::refusals::Refusal;
use crate::control::Reply;
use crate::hosting::NO_TOKEN;
use crate::ids::delayed_owner;
use crate::listing::{DelayedError, DelayedId};
use crate::outbox::Outbox;
use crate::record::{Delayed, Lying, MoreTargets, PublishRecord, encode_delayed_done};
use crate::routes::Route;
use crate::timers::Timer;

/// Tells the tokens of the records that a delayed message was published.
const DELAYED_TOKEN: u64 = 1 << 61;
/// Tells reads of delayed messages from others.
const DELAYED_READ: u64 = 1 << 62;
/// Tells such reads by who only looks from those of who publishes.
const LOOK_READ: u64 = DELAYED_READ | 1 << 61;
/// How far a timer is set at most: the wall clock, which delays go by, may jump.
const LOOK: std::time::Duration = std::time::Duration::from_secs(60);
/// When to look again while the log takes nothing.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);
/// What a message counts beyond its bytes, as in queues (contract §3).
const COUNTED_BYTES: u64 = 64;
/// Messages that are published in one go.
const PUBLISH_MAX: usize = 256;

pub(super) const fn is_delayed_token(token: u64) -> bool {
    token >> 61 == DELAYED_TOKEN >> 61
}

/// The delayed message whose body was read to be published, if it was one.
pub(super) const fn delayed_of(read_token: u64) -> Option<u64> {
    if read_token >> 61 == DELAYED_READ >> 61 { Some(read_token & !DELAYED_READ) } else { None }
}

/// The look at delayed messages whose bodies were read, if it was one.
pub(super) const fn look_of(read_token: u64) -> Option<u64> {
    if read_token >> 61 == LOOK_READ >> 61 { Some(read_token & !LOOK_READ) } else { None }
}

/// The token of reads for a look.
pub(super) const fn look_token(key: u64) -> u64 {
    LOOK_READ | key
}

/// The delay and the topic in `$delayed/<seconds>/<topic>`. `None` when it is not of that form.
pub(super) fn parse(topic: &str) -> Option<(u32, TopicName<'_>)> {
    let (seconds, topic) = topic.strip_prefix("$delayed/")?.split_once('/')?;
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = is_number.then(|| seconds.parse().ok()).flatten()?;
    let topic = TopicName::new(topic).ok().filter(|topic| !is_reserved(topic.as_str()))?;
    Some((seconds, topic))
}

/// One that is being published or cancelled.
struct Leaving {
    due_ms: u64,
    lying: Lying,
    /// Where its body was asked for.
    asked_at: Position,
}

/// The delayed messages of a shard.
#[derive(Default)]
pub(crate) struct DelayedMessages {
    next: u64,
    /// When each is due and its number, and where it lies.
    waiting: BTreeMap<(u64, u64), Lying>,
    /// Those that are being published or cancelled: read, or that not yet stored.
    leaving: HashMap<u64, Leaving>,
    /// When those are due that were put off, which the log does not know.
    put_off: HashMap<u64, u64>,
    /// The bytes of all of them.
    bytes: u64,
    /// Who cancelled those that are.
    cancelled: HashMap<u64, Reply<Result<(), DelayedError>>>,
    /// The soonest timer that is set.
    timer: Option<Instant>,
}

impl DelayedMessages {
    fn number(&mut self, shard: ShardId) -> u64 {
        self.next += 1;
        self.next << 6 | u64::from(shard.0)
    }

    /// Numbers above that one are free.
    pub(crate) fn count_from(&mut self, number: u64) {
        self.next = self.next.max(number >> 6);
    }

    pub(crate) fn insert(&mut self, delayed: Delayed, lying: Lying) {
        self.bytes += u64::from(lying.size);
        self.waiting.insert((delayed.due_ms, delayed.number), lying);
    }

    /// Takes one from those that wait.
    fn leave(&mut self, due_ms: u64, number: u64) -> Option<Lying> {
        let lying = self.waiting.remove(&(due_ms, number))?;
        self.leaving.insert(number, Leaving { due_ms, lying, asked_at: lying.at });
        Some(lying)
    }

    /// One that was to be published waits again.
    fn put_off(&mut self, number: u64, due_ms: u64) {
        if let Some(Leaving { lying, .. }) = self.leaving.remove(&number) {
            self.waiting.insert((due_ms, number), lying);
            self.put_off.insert(number, due_ms);
        }
    }

    /// One that was leaving waits as before. False when there is none.
    fn stays(&mut self, number: u64) -> bool {
        let Some(Leaving { due_ms, lying, .. }) = self.leaving.remove(&number) else {
            return false;
        };
        self.waiting.insert((due_ms, number), lying);
        true
    }

    /// One has left for good.
    fn left(&mut self, number: u64) -> Option<Lying> {
        let Leaving { lying, .. } = self.leaving.remove(&number)?;
        self.put_off.remove(&number);
        self.bytes -= u64::from(lying.size);
        Some(lying)
    }

    /// The body of one lies there from now on, if it has not left. Gives where it was.
    pub(crate) fn relocate(&mut self, delayed: Delayed, to: Position) -> Option<Position> {
        let Delayed { number, due_ms } = delayed;
        // It may have been put off while that was on its way.
        let due_ms = self.put_off.get(&number).copied().unwrap_or(due_ms);
        let leaving = self.leaving.get_mut(&number).map(|leaving| &mut leaving.lying);
        let lying = leaving.or_else(|| self.waiting.get_mut(&(due_ms, number)));
        lying.map(|lying| std::mem::replace(&mut lying.at, to))
    }

    /// Where the body of one is to be asked for once more: it lies elsewhere since it was asked for.
    fn ask_again(&mut self, number: u64) -> Option<Position> {
        let leaving = self.leaving.get_mut(&number)?;
        let before = std::mem::replace(&mut leaving.asked_at, leaving.lying.at);
        (before != leaving.lying.at).then_some(leaving.lying.at)
    }

    /// The bytes of all of them.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Cancellations that are on their way to the disk.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn open_ends(&self) -> usize {
        self.cancelled.len()
    }

    /// Those that wait, from behind that one on, in the order in which they are due.
    pub(crate) fn after(
        &self,
        after: Option<DelayedId>,
    ) -> impl Iterator<Item = (DelayedId, Lying)> + '_ {
        let from = match after {
            Some(id) => Bound::Excluded((id.due_ms, id.number)),
            None => Bound::Unbounded,
        };
        let one = |(&(due_ms, number), lying): (&(u64, u64), &Lying)| {
            (DelayedId { due_ms, number }, *lying)
        };
        self.waiting.range((from, Bound::Unbounded)).map(one)
    }

    pub(crate) fn find(&self, id: DelayedId) -> Option<Lying> {
        self.waiting.get(&(id.due_ms, id.number)).copied()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.leaving.len()
    }

    /// All that have not left, as the log has them.
    pub(crate) fn all(&self) -> Vec<(Delayed, Lying)> {
        let waiting = self.waiting.iter().map(|((due_ms, number), lying)| {
            (Delayed { number: *number, due_ms: *due_ms }, *lying)
        });
        let leaving = self.leaving.iter().map(|(number, Leaving { due_ms, lying, .. })| {
            (Delayed { number: *number, due_ms: *due_ms }, *lying)
        });
        waiting.chain(leaving).collect()
    }

    fn first_due(&self) -> Option<u64> {
        self.waiting.keys().next().map(|(due_ms, _)| *due_ms)
    }
}

impl Shard {
    /// Takes a message that is to be published later.
    pub(super) fn take_delayed<O: Outbox>(
        &mut self,
        live: &mut Live<'_>,
        due_ms: u64,
        publisher: Publisher,
        out: &mut O,
    ) {
        let refusal = self.storage_refusal();
        match (refusal, publisher.packet_id) {
            (None, _) => {}
            (Some(reason), Some(packet_id)) => {
                return self.refuse_or_hold(
                    publisher,
                    packet_id,
                    live,
                    (reason, Some(due_ms)),
                    out,
                );
            }
            (Some(_), None) => {
                self.counts.unstored_qos0_total += 1;
                return;
            }
        }
        if let Err(disagreement) = wishes(live) {
            // When it is due, nobody can be told.
            return match publisher.packet_id {
                Some(packet_id) => {
                    let refusal = Refusal::Queues(disagreement);
                    self.refuse_for(publisher, packet_id, live, &refusal, out);
                }
                None => self.refuse(publisher, ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, out),
            };
        }
        if self.has_no_room_for_delayed(live) {
            self.refuse(publisher, ReasonCode::QUOTA_EXCEEDED, out);
            return;
        }
        let mut more = None;
        let token = match publisher.packet_id {
            None => NO_TOKEN,
            Some(packet_id) => self.expect(publisher, packet_id, ReasonCode::SUCCESS, &mut more),
        };
        self.store_delayed(live, due_ms, more, token);
        self.throttle(publisher.conn, out);
    }

    pub(super) fn store_delayed(
        &mut self,
        live: &Live<'_>,
        due_ms: u64,
        more: Option<MoreTargets>,
        token: u64,
    ) {
        let number = self.delayed.number(self.id);
        let mut more = more.unwrap_or_default();
        more.delayed = Some(Delayed { number, due_ms });
        let publisher = live.publisher.and_then(|id| self.sessions.get(id));
        more.delayed_by = publisher.map(|entry| entry.session.client_id().into());
        self.store(&Route::default(), live, Some(more), token);
    }

    /// A delayed message is stored.
    pub(super) fn delayed_stored(&mut self, delayed: Delayed, lying: Lying) {
        if delayed_owner(delayed.number, self.shared.config.shards) == self.id {
            self.delayed.insert(delayed, lying);
            self.watch_delayed();
        }
    }

    /// Takes one in from before a restart.
    pub(crate) fn restore_delayed(&mut self, delayed: Delayed, lying: Lying) {
        self.delayed.insert(delayed, lying);
        self.wake_for_delayed(Instant::ZERO);
    }

    /// Sets a timer for the first one, unless one is set that is not later.
    fn watch_delayed(&mut self) {
        let Some(due) = self.delayed.first_due() else { return };
        let wait = UnixMillis(due).since(UnixMillis(self.turn.unix_ms)).min(LOOK);
        self.wake_for_delayed(self.turn.now + wait);
    }

    fn wake_for_delayed(&mut self, at: Instant) {
        if self.delayed.timer.is_none_or(|timer| at < timer) {
            self.delayed.timer = Some(at);
            self.timers.set(at, Timer::Delayed);
        }
    }

    /// Asks for the bodies of those whose time has come.
    pub(super) fn delayed_due(&mut self) {
        if self.delayed.timer.is_some_and(|timer| timer <= self.turn.now) {
            self.delayed.timer = None;
        }
        if self.storage_refusal().is_some() {
            // They would miss the queues that should get them.
            self.wake_for_delayed(self.turn.now + RETRY);
            return;
        }
        for _ in 0..PUBLISH_MAX {
            let Some((&(due_ms, number), _)) = self.delayed.waiting.first_key_value() else {
                break;
            };
            if due_ms > self.turn.unix_ms {
                break;
            }
            if let Some(lying) = self.delayed.leave(due_ms, number) {
                self.turn.read(DELAYED_READ | number, vec![lying.at]);
            }
        }
        self.watch_delayed();
    }

    /// The body of one that is due: it is published like any message that nobody waits for.
    pub(super) fn delayed_read<O: Outbox>(
        &mut self,
        number: u64,
        records: Vec<Result<Bytes, ReadError>>,
        out: &mut O,
    ) {
        for record in records {
            if record == Err(ReadError::ShutDown) || !self.delayed.leaving.contains_key(&number) {
                continue;
            }
            if record.is_err()
                && let Some(at) = self.delayed.ask_again(number)
            {
                self.turn.read(DELAYED_READ | number, vec![at]);
                continue;
            }
            let message = record
                .map_err(|error| error.to_string())
                .and_then(|body| PublishRecord::decode(body).map_err(|error| error.to_string()))
                .and_then(|publish| publish.message().map_err(|error| error.to_string()));
            match message {
                // It is kept, for a time when there is room.
                Ok(message)
                    if self.storage_refusal().is_some() || self.queues_full_for(&message, None) =>
                {
                    self.put_off(number);
                    continue;
                }
                Ok(message) => {
                    if let Some(message) = published_now(&message, self.turn.unix_ms)
                        && !self.publish_message(&message, None, out)
                    {
                        self.put_off(number);
                        continue;
                    }
                }
                Err(error) => tracing::error!(number, error, "delayed message lost: it is damaged"),
            }
            self.store_delayed_done(number);
        }
    }

    /// One that cannot be stored now is tried again.
    fn put_off(&mut self, number: u64) {
        let retry_ms = RETRY.as_millis() as u64;
        self.delayed.put_off(number, self.turn.unix_ms.saturating_add(retry_ms));
        self.watch_delayed();
    }

    fn store_delayed_done(&mut self, number: u64) {
        let token = DELAYED_TOKEN | number;
        let notify = ShardSet::single(self.id);
        let write = |body: &mut Vec<u8>| encode_delayed_done(body, number);
        self.turn.batch.push(RecordKind::Delayed, 0, 0, notify, token, write);
    }

    /// It is stored that one was published, or cancelled.
    pub(super) fn delayed_done(&mut self, token: u64) {
        let number = token & !DELAYED_TOKEN;
        if let Some(lying) = self.delayed.left(number) {
            self.turn.release(lying.at);
        }
        if let Some(reply) = self.delayed.cancelled.remove(&number) {
            reply(Ok(()));
        }
    }

    /// Cancels one that waits: once that is stored it never comes, and until then it does.
    pub(super) fn cancel_delayed(&mut self, id: DelayedId, reply: Reply<Result<(), DelayedError>>) {
        if let Some(reason) = self.storage_refusal() {
            let reason = self.storage_reason(reason).unwrap_or_default();
            return reply(Err(DelayedError::NotStored(reason)));
        }
        if self.delayed.leave(id.due_ms, id.number).is_none() {
            return reply(Err(DelayedError::NotFound));
        }
        self.delayed.cancelled.insert(id.number, reply);
        self.store_delayed_done(id.number);
    }

    /// Whether there are as many as there may be, of all shards. What is on its way to the disk comes on top.
    fn has_no_room_for_delayed(&self, live: &Live<'_>) -> bool {
        let config = &self.shared.config;
        let (mut messages, mut bytes) = (self.delayed.len() as u64, self.delayed.bytes);
        for (_, counts) in
            self.shared.counts.iter().enumerate().filter(|(n, _)| *n != usize::from(self.id.0))
        {
            let counts = counts.read();
            messages += counts.delayed_messages;
            bytes += counts.delayed_bytes;
        }
        let size = live.topic.as_str().len() + live.properties.len() + live.payload.len();
        messages >= config.max_delayed_messages as u64
            || bytes.saturating_add(size as u64 + COUNTED_BYTES) > config.max_delayed_bytes
    }

    /// That could not be stored, and neither could what it led to in queues: once more, later. One that was to be
    /// cancelled waits as before.
    pub(super) fn delayed_not_done(&mut self, token: u64, error: &AppendError) {
        let number = token & !DELAYED_TOKEN;
        if self.delayed.stays(number) {
            self.timers.set(self.turn.now + RETRY, Timer::Delayed);
        }
        if let Some(reply) = self.delayed.cancelled.remove(&number) {
            reply(Err(DelayedError::NotStored(error.to_string())));
        }
    }
}

/// The message as published now, with what is left of its expiry. `None` when that has run out.
fn published_now(message: &Message, unix_ms: u64) -> Option<Message> {
    let left = match message.expiry_left(unix_ms) {
        Some(None) => return None,
        left => left.flatten(),
    };
    let head = MessageHead { received_at_ms: unix_ms, expiry_interval: left, ..*message.head() };
    let topic = TopicName::new(message.topic()).ok()?;
    Message::new(head, topic, message.properties(), message.payload())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever becomes of it while the record is on its way that its body lies elsewhere.
    #[test]
    fn one_is_found_where_it_lies_however_often_it_was_put_off() {
        let delayed = Delayed { number: 64, due_ms: 100 };
        let at = |segment| Position::new(segment, 0);
        let mut messages = DelayedMessages::default();
        messages.insert(delayed, Lying { at: at(1), size: 7 });
        messages.insert(Delayed { number: 128, due_ms: 100 }, Lying { at: at(9), size: 7 });
        assert_eq!(messages.relocate(delayed, at(2)), Some(at(1)), "it waits");
        assert!(messages.leave(100, 64).is_some());
        assert_eq!(messages.relocate(delayed, at(3)), Some(at(2)), "it leaves");
        assert_eq!(messages.ask_again(64), Some(at(3)));
        assert_eq!(messages.ask_again(64), None, "it lies there");
        messages.put_off(64, 1100);
        assert_eq!(messages.relocate(delayed, at(4)), Some(at(3)), "it was put off");
        assert!(messages.leave(1100, 64).is_some());
        assert_eq!(messages.relocate(delayed, at(5)), Some(at(4)));
        messages.put_off(64, 2100);
        let put_off = Delayed { number: 64, due_ms: 1100 };
        assert_eq!(messages.relocate(put_off, at(6)), Some(at(5)), "the log knew it put off");
        assert!(messages.leave(2100, 64).is_some());
        // What it led to is not stored.
        messages.stays(64);
        assert_eq!(messages.relocate(put_off, at(7)), Some(at(6)));
        assert!(messages.leave(2100, 64).is_some());
        assert_eq!(messages.left(64).map(|lying| lying.at), Some(at(7)));
        assert_eq!(messages.relocate(delayed, at(8)), None, "it has left");
        assert_eq!((messages.len(), messages.bytes(), messages.put_off.len()), (1, 7, 0));
    }

    #[test]
    fn an_address_is_a_delay_and_a_topic() {
        let cases = [
            ("$delayed/5/a/b", Some((5, "a/b"))),
            ("$delayed/0/a", Some((0, "a"))),
            ("$delayed/4294967295/a", Some((u32::MAX, "a"))),
            ("$delayed/5//", Some((5, "/"))),
            ("$delayed/4294967296/a", None),
            ("$delayed/+5/a", None),
            ("$delayed/5s/a", None),
            ("$delayed/-5/a", None),
            ("$delayed//a", None),
            ("$delayed/5/", None),
            ("$delayed/5", None),
            ("$delayed/5/$SYS/a", None),
            ("$delayed/5/$delayed/5/a", None),
            ("$delayed/5/$q/a", None),
        ];
        for (text, expected) in cases {
            let parsed = parse(text).map(|(seconds, topic)| (seconds, topic.as_str().to_owned()));
            assert_eq!(parsed, expected.map(|(n, topic)| (n, topic.to_owned())), "{text}");
        }
    }
}
