//! `$delayed/<seconds>/<topic>`: messages that are published when their time has come, also after a restart. A message
//! lies in the log until then; here is only where.

use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::HashMap;
use log_api::{Position, ReadError, RecordKind, ShardId, ShardSet};
use mqtt_types::{Message, MessageHead, ReasonCode, TopicName};
use stdx::UnixMillis;

use super::Shard;
use super::live::Live;
use super::publish::{Publisher, is_reserved};
use crate::hosting::NO_TOKEN;
use crate::outbox::Outbox;
use crate::record::{Delayed, MoreTargets, PublishRecord, encode_delayed_done};
use crate::routes::Route;
use crate::timers::Timer;

/// Tells the tokens of the records that a delayed message was published.
const DELAYED_TOKEN: u64 = 1 << 61;
/// Tells reads of delayed messages from others.
const DELAYED_READ: u64 = 1 << 62;
/// How far a timer is set at most: the wall clock, which delays go by, may jump.
const LOOK: std::time::Duration = std::time::Duration::from_secs(60);
/// When to look again while the log takes nothing.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);
/// Messages that are published in one go.
const PUBLISH_MAX: usize = 256;

pub(super) const fn is_delayed_token(token: u64) -> bool {
    token >> 61 == DELAYED_TOKEN >> 61
}

/// The delayed message whose body was read, if it was one.
pub(super) const fn delayed_of(read_token: u64) -> Option<u64> {
    if read_token >> 62 == DELAYED_READ >> 62 { Some(read_token & !DELAYED_READ) } else { None }
}

/// The delay and the topic in `$delayed/<seconds>/<topic>`. `None` when it is not of that form.
pub(super) fn parse(topic: &str) -> Option<(u32, TopicName<'_>)> {
    let (seconds, topic) = topic.strip_prefix("$delayed/")?.split_once('/')?;
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = is_number.then(|| seconds.parse().ok()).flatten()?;
    let topic = TopicName::new(topic).ok().filter(|topic| !is_reserved(topic.as_str()))?;
    Some((seconds, topic))
}

/// The shard that publishes a delayed message, by its number:
///
/// ```text
/// count (55) | shard that took it (6)
/// ```
pub(crate) const fn owner_of(number: u64, shards: u16) -> ShardId {
    let shards = if shards == 0 { 1 } else { shards };
    ShardId((number & 63) as u16 % shards)
}

/// The delayed messages of a shard.
#[derive(Default)]
pub(crate) struct DelayedMessages {
    next: u64,
    /// When each is due and its number, and where it lies.
    waiting: BTreeMap<(u64, u64), Position>,
    /// Those that are being published: read, or published and that not yet stored.
    leaving: HashMap<u64, (u64, Position)>,
    has_timer: bool,
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

    pub(crate) fn insert(&mut self, delayed: Delayed, at: Position) {
        self.waiting.insert((delayed.due_ms, delayed.number), at);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.leaving.len()
    }

    /// All that have not left, as the log has them.
    pub(crate) fn all(&self) -> Vec<(Delayed, Position)> {
        let waiting = self
            .waiting
            .iter()
            .map(|((due_ms, number), at)| (Delayed { number: *number, due_ms: *due_ms }, *at));
        let leaving = self
            .leaving
            .iter()
            .map(|(number, (due_ms, at))| (Delayed { number: *number, due_ms: *due_ms }, *at));
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
        if self.delayed.len() >= self.shared.config.max_delayed_messages {
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
        self.store(&Route::default(), live, Some(more), token);
    }

    /// A delayed message is stored.
    pub(super) fn delayed_stored(&mut self, delayed: Delayed, at: Position) {
        if owner_of(delayed.number, self.shared.config.shards) == self.id {
            self.delayed.insert(delayed, at);
            self.watch_delayed();
        }
    }

    /// Takes one in from before a restart.
    pub(crate) fn restore_delayed(&mut self, delayed: Delayed, at: Position) {
        self.delayed.insert(delayed, at);
        if !std::mem::replace(&mut self.delayed.has_timer, true) {
            self.timers.set(stdx::Instant::ZERO, Timer::Delayed);
        }
    }

    /// Sets a timer for the first one. One that comes before an earlier timer gets another, which is harmless.
    fn watch_delayed(&mut self) {
        let Some(due) = self.delayed.first_due() else { return };
        let wait = UnixMillis(due).since(UnixMillis(self.turn.unix_ms)).min(LOOK);
        self.delayed.has_timer = true;
        self.timers.set(self.turn.now + wait, Timer::Delayed);
    }

    /// Asks for the bodies of those whose time has come.
    pub(super) fn delayed_due(&mut self) {
        if self.storage_refusal().is_some() {
            // They would miss the queues that should get them.
            self.timers.set(self.turn.now + RETRY, Timer::Delayed);
            return;
        }
        for _ in 0..PUBLISH_MAX {
            let Some(entry) = self.delayed.waiting.first_entry() else { break };
            let (due_ms, number) = *entry.key();
            if due_ms > self.turn.unix_ms {
                break;
            }
            let at = entry.remove();
            self.delayed.leaving.insert(number, (due_ms, at));
            self.turn.read(DELAYED_READ | number, vec![at]);
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
            let message = record
                .map_err(|error| error.to_string())
                .and_then(|body| PublishRecord::decode(body).map_err(|error| error.to_string()))
                .and_then(|publish| publish.message().map_err(|error| error.to_string()));
            match message {
                Ok(message) => {
                    if let Some(message) = published_now(&message, self.turn.unix_ms) {
                        self.publish_message(&message, None, out);
                    }
                }
                Err(error) => tracing::error!(number, error, "delayed message lost: it is damaged"),
            }
            let token = DELAYED_TOKEN | number;
            let notify = ShardSet::single(self.id);
            let write = |body: &mut Vec<u8>| encode_delayed_done(body, number);
            self.turn.batch.push(RecordKind::Delayed, 0, 0, notify, token, write);
        }
    }

    /// It is stored that one was published.
    pub(super) fn delayed_done(&mut self, token: u64) {
        if let Some((_, at)) = self.delayed.leaving.remove(&(token & !DELAYED_TOKEN)) {
            self.turn.release(at);
        }
    }

    /// That could not be stored, and neither could what it led to in queues: once more, later.
    pub(super) fn delayed_not_done(&mut self, token: u64) {
        let number = token & !DELAYED_TOKEN;
        if let Some((due_ms, at)) = self.delayed.leaving.remove(&number) {
            self.delayed.insert(Delayed { number, due_ms }, at);
            self.timers.set(self.turn.now + RETRY, Timer::Delayed);
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
