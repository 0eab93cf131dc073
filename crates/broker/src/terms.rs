//! What a queue or a stream asks of whoever stores a message for it: room, a key, a class of durability. Shared by all shards. It must
//! not know who stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use key_expression::{Facts, KeyExpression, KeyHash, KeySeed, Problem, Scratch};
use mqtt_codec::Properties;
use mqtt_router::SinkId;
use mqtt_types::Message;
use parking_lot::Mutex;
use queue_engine::{Dedup, Key, MessageId, Overflow, QueueConfig};
use stdx::UnixMillis;

use crate::control::SinkKind;
use crate::directory::{
    Definition, Durability, QueueDefinition, QueueProperties, StreamDefinition, StreamProperties,
};
use crate::promised::{Change, Promised};
use crate::record::{SinkKey, UNKEYED};

/// Messages and bytes that a queue has, and that are on their way to it.
///
/// ```text
///  reserve ──────▶ on its way ──── the owner applies the record ────▶ waiting ──── it leaves ────▶ given back
///     │                └────────── the record is not stored ──────▶ given back
///     └── no room: refused
/// ```
/// Whoever writes a record for the queue reserves before, whether the queue has a limit or not, so that a limit that is
/// set later finds the right numbers. What replaces another message takes only what it has more.
#[derive(Debug, Default)]
pub(crate) struct Room {
    messages: AtomicU64,
    bytes: AtomicU64,
    promised: Mutex<Promised>,
    /// The message ids that the queue knows, if it can be full.
    known: Mutex<Dedup>,
}

/// A message that is to be stored, as a queue sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arriving {
    pub(crate) size: u32,
    pub(crate) key: Option<u64>,
    pub(crate) message_id: Option<MessageId>,
    pub(crate) stored: UnixMillis,
}

/// What is taken of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Load {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Load {
    pub(crate) const fn of_one(size: u32) -> Self {
        Self { messages: 1, bytes: size as u64 }
    }

    const fn and(self, more: Change) -> Self {
        Self {
            messages: self.messages.wrapping_add(more.messages as u64),
            bytes: self.bytes.wrapping_add(more.bytes as u64),
        }
    }

    const fn up_to(self, now: Self) -> Change {
        Change {
            messages: now.messages.wrapping_sub(self.messages) as i64,
            bytes: now.bytes.wrapping_sub(self.bytes) as i64,
        }
    }
}

impl Room {
    /// Takes some, whatever the limits are.
    pub(crate) fn take(&self, load: Load) -> Load {
        Load {
            messages: self.messages.fetch_add(load.messages, Ordering::Relaxed) + load.messages,
            bytes: self.bytes.fetch_add(load.bytes, Ordering::Relaxed) + load.bytes,
        }
    }

    /// Takes more, or gives back; what is taken then. Wraps around zero and back, as differences do.
    fn change(&self, change: Change) -> Load {
        let before = Load {
            messages: self.messages.fetch_add(change.messages as u64, Ordering::Relaxed),
            bytes: self.bytes.fetch_add(change.bytes as u64, Ordering::Relaxed),
        };
        before.and(change)
    }

    /// Gives back what was taken for a message that does not come.
    pub(crate) fn does_not_come(&self, key: Option<u64>, size: u32) {
        let promised = key.and_then(|key| self.promised.lock().keep(key, size));
        match promised {
            Some(change) => _ = self.change(change),
            None => self.give_back(Load::of_one(size)),
        }
    }

    /// As [`Room::count`], of a queue where messages take over the room of those they replace: a message has come, and
    /// the next message of some keys replaces one of so many bytes now.
    pub(crate) fn count_by_key(
        &self,
        counted: &mut Load,
        came: Option<(Key, u32)>,
        replaceable: impl Iterator<Item = (Key, Option<u32>)>,
        now: Load,
    ) {
        let mut promised = self.promised.lock();
        let mut change = counted.up_to(now);
        if let Some((key, size)) = came {
            let kept = promised.keep(key.0, size);
            change = change.and(kept.unwrap_or_else(|| Load::of_one(size).up_to(Load::default())));
        }
        for (key, waiting) in replaceable {
            change = change.and(promised.replaces(key.0, waiting));
        }
        self.change(change);
        *counted = now;
    }

    /// Says anew which keys have a message to be replaced.
    pub(crate) fn set_replaceable(&self, replaceable: impl Iterator<Item = (Key, Option<u32>)>) {
        let mut promised = self.promised.lock();
        let mut change = promised.forget_waiting();
        for (key, waiting) in replaceable {
            change = change.and(promised.replaces(key.0, waiting));
        }
        self.change(change);
    }

    /// Says anew which message ids the queue knows.
    pub(crate) fn set_known(&self, known: Dedup) {
        *self.known.lock() = known;
    }

    /// The queue has a message with that id.
    pub(crate) fn remember(&self, id: MessageId, stored: UnixMillis, config: &QueueConfig) {
        let mut known = self.known.lock();
        if !known.is_known(id, stored, config.dedup_window) {
            known.remember(id, stored, config);
        }
    }

    /// Gives some back.
    pub(crate) fn give_back(&self, load: Load) {
        self.messages.fetch_sub(load.messages, Ordering::Relaxed);
        self.bytes.fetch_sub(load.bytes, Ordering::Relaxed);
    }

    /// What is here has changed from `counted` to `now`, of which so much was taken before.
    pub(crate) fn count(&self, counted: &mut Load, reserved: Load, now: Load) {
        let before = Load {
            messages: counted.messages + reserved.messages,
            bytes: counted.bytes + reserved.bytes,
        };
        if now != before {
            // Wraps around zero and back, as differences do.
            self.give_back(Load {
                messages: before.messages.wrapping_sub(now.messages),
                bytes: before.bytes.wrapping_sub(now.bytes),
            });
        }
        *counted = now;
    }

    /// What is taken.
    pub(crate) fn taken(&self) -> Load {
        Load {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Which limit another message would be beyond.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("message not stored: {what} '{name}' is full, its {limit} is {max}")]
pub(crate) struct Full {
    what: SinkKind,
    name: Arc<str>,
    /// The property.
    limit: &'static str,
    max: u64,
}

/// How many messages and bytes a queue takes.
#[derive(Clone, Copy, Debug)]
struct Limits {
    messages: Option<u64>,
    bytes: Option<u64>,
    /// Whether it makes room for a new message by itself.
    makes_room: bool,
}

/// One queue's terms, or one stream's. They are replaced, never altered.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) sink: SinkId,
    what: SinkKind,
    name: Arc<str>,
    pub(crate) room: Arc<Room>,
    limits: Option<Limits>,
    key: Option<(KeyExpression, KeySeed)>,
    /// Of which making its keys are.
    key_generation: u8,
    /// Whether a message whose key expression has no value is given up.
    gives_up_unkeyed: bool,
    /// Whether a message takes over the room of the one that it replaces.
    takes_over: bool,
    /// How long message ids are known, when it matters for the room.
    dedup_window: Duration,
    /// Whether an acknowledgement may come before the message is synced.
    pub(crate) relaxed: bool,
}

impl Terms {
    pub(crate) fn of_queue(definition: &QueueDefinition, room: Arc<Room>) -> Self {
        let QueueProperties { config, key_expression, durability, .. } = &definition.properties;
        let limits = Limits {
            messages: config.max_messages,
            bytes: config.max_bytes,
            makes_room: config.overflow == Overflow::DropOldest,
        };
        let key = config.needs_keys().then_some(key_expression);
        Self {
            gives_up_unkeyed: config.dead_letter_unkeyed,
            key_generation: config.key_generation,
            takes_over: takes_over(config),
            dedup_window: if knows_ids(config) { config.dedup_window } else { Duration::ZERO },
            ..Self::of(definition, room, (SinkKind::Queue, limits), key, *durability)
        }
    }

    pub(crate) fn of_stream(definition: &StreamDefinition, room: Arc<Room>) -> Self {
        let StreamProperties { config, key_expression, durability } = &definition.properties;
        let limits = Limits {
            messages: config.max_messages,
            bytes: config.max_bytes,
            // One that keeps nothing has no oldest message to let go.
            makes_room: config.max_messages != Some(0),
        };
        let key = config.needs_keys().then_some(key_expression);
        let terms = Self::of(definition, room, (SinkKind::Stream, limits), key, *durability);
        Self { key_generation: config.key_generation, ..terms }
    }

    fn of<P>(
        definition: &Definition<P>,
        room: Arc<Room>,
        (what, limits): (SinkKind, Limits),
        key: Option<&KeyExpression>,
        durability: Durability,
    ) -> Self {
        let is_limited = limits.messages.is_some() || limits.bytes.is_some();
        Self {
            sink: definition.sink,
            what,
            name: Arc::clone(&definition.name),
            room,
            limits: is_limited.then_some(limits),
            key: key.map(|key| (key.clone(), definition.key_seed)),
            key_generation: 0,
            gives_up_unkeyed: false,
            takes_over: false,
            dedup_window: Duration::ZERO,
            relaxed: durability != Durability::Sync,
        }
    }

    /// Takes room for a message. One that the queue knows already will not stay, so it is taken whether there is room or
    /// not.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn reserve(&self, new: &Arriving) -> Result<(), Full> {
        let reserved = match new.key.filter(|key| self.takes_over && *key != UNKEYED) {
            Some(key) => self.reserve_by_key(key, new.size),
            None => self.reserve_plainly(new.size),
        };
        match reserved {
            Err(_) if self.knows(new) => {
                self.room.take(Load::of_one(new.size));
                Ok(())
            }
            reserved => reserved,
        }
    }

    fn reserve_plainly(&self, size: u32) -> Result<(), Full> {
        let load = Load::of_one(size);
        let taken = self.room.take(load);
        let reserved = self.check(size, Load::default().up_to(load), taken);
        reserved.inspect_err(|_| self.room.give_back(load))
    }

    fn reserve_by_key(&self, key: u64, size: u32) -> Result<(), Full> {
        let mut promised = self.room.promised.lock();
        let more = promised.promise(key, size);
        let taken = self.room.change(more);
        let reserved = self.check(size, more, taken);
        reserved.inspect_err(|_| _ = self.room.change(promised.take_back(key)))
    }

    /// Whether a message would be refused now.
    pub(crate) fn is_full_for(&self, new: &Arriving) -> bool {
        self.full_for(new).is_some()
    }

    /// Which limit a message would be beyond now, that it is refused for.
    pub(crate) fn full_for(&self, new: &Arriving) -> Option<Full> {
        let more = self.needs_more(new);
        let taken = self.room.taken().and(more);
        self.check(new.size, more, taken).err().filter(|_| !self.knows(new))
    }

    /// Whether the oldest message has to go when another one comes.
    pub(crate) fn drops_for(&self, new: &Arriving) -> bool {
        let more = self.needs_more(new);
        let taken = self.room.taken().and(more);
        let Some(limits) = self.limits.filter(|limits| limits.makes_room) else { return false };
        let limits = Limits { makes_room: false, ..limits };
        limits.check(new.size, more, taken).is_err()
    }

    fn needs_more(&self, new: &Arriving) -> Change {
        match new.key.filter(|key| self.takes_over && *key != UNKEYED) {
            Some(key) => {
                let mut promised = self.room.promised.lock();
                let more = promised.promise(key, new.size);
                promised.take_back(key);
                more
            }
            None => Load::default().up_to(Load::of_one(new.size)),
        }
    }

    fn check(&self, size: u32, more: Change, taken: Load) -> Result<(), Full> {
        let Some(limits) = &self.limits else { return Ok(()) };
        limits.check(size, more, taken).map_err(|(limit, max)| Full {
            what: self.what,
            name: Arc::clone(&self.name),
            limit,
            max,
        })
    }

    fn knows(&self, new: &Arriving) -> bool {
        let id = new.message_id.filter(|_| !self.dedup_window.is_zero());
        let is_known = |id| self.room.known.lock().is_known(id, new.stored, self.dedup_window);
        id.is_some_and(is_known)
    }

    /// The number of the key of a message whose publisher is not known any more.
    pub(crate) fn key_of_message(&self, message: &Message, scratch: &mut Scratch) -> Option<u64> {
        let properties = message.properties();
        let facts = Facts {
            user_property: &|name| Properties::trusted(properties).user_property(name),
            payload: message.payload(),
            ..Facts::of_topic(message.topic())
        };
        self.key_of(&facts, scratch).map(|(key, _)| key)
    }

    /// A key of its making.
    pub(crate) const fn made(&self, key: u64) -> SinkKey {
        SinkKey { sink: self.sink, key, generation: self.key_generation }
    }

    /// Whether a key is of another making than those that it makes now.
    pub(crate) fn is_made_otherwise(&self, made: &SinkKey) -> bool {
        made.sink == self.sink && made.generation != self.key_generation
    }

    /// Whether the queue has to do with keys.
    pub(crate) const fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The number of a message's key, if the queue has to do with keys, and why the topic stands in for it, or nothing.
    pub(crate) fn key_for(
        &self,
        facts: &Facts<'_>,
        scratch: &mut Scratch,
    ) -> Option<(u64, Option<Problem>)> {
        let (key, problem) = self.key_of(facts, scratch)?;
        let is_given_up = self.gives_up_unkeyed && problem.is_some();
        Some((if is_given_up { UNKEYED } else { key }, problem))
    }

    fn key_of(&self, facts: &Facts<'_>, scratch: &mut Scratch) -> Option<(u64, Option<Problem>)> {
        let (expression, seed) = self.key.as_ref()?;
        let key = expression.evaluate(facts, scratch);
        Some((key.hash(seed).get(), key.problem()))
    }
}

/// A key as queues know it.
pub(crate) fn key_of(seed: &KeySeed, key: &str) -> Key {
    Key(KeyHash::of(seed, key).get())
}

/// Keys that there were not, by the number of the problem.
pub(crate) type Missing = [u64; Problem::ALL.len()];

/// The key of a stored message, or what stands in for it, and why there is none. What its publisher was is not known any
/// more.
pub(crate) fn key_of_stored(
    expression: &KeyExpression,
    seed: &KeySeed,
    message: &Message,
    scratch: &mut Scratch,
) -> (Key, Option<Problem>) {
    let properties = message.properties();
    let facts = Facts {
        user_property: &|name| Properties::trusted(properties).user_property(name),
        payload: message.payload(),
        ..Facts::of_topic(message.topic())
    };
    let key = expression.evaluate(&facts, scratch);
    (Key(key.hash(seed).get()), key.problem())
}

/// The text of a message's key, if it can be told from the message: what its publisher was is not known any more.
pub(crate) fn key_text(
    expression: &KeyExpression,
    seed: &KeySeed,
    message: &Message,
    key: Key,
) -> Option<String> {
    if key == Key::NONE {
        return None;
    }
    let mut scratch = Scratch::default();
    let properties = message.properties();
    let facts = Facts {
        user_property: &|name| Properties::trusted(properties).user_property(name),
        payload: message.payload(),
        ..Facts::of_topic(message.topic())
    };
    let text = expression.evaluate(&facts, &mut scratch);
    let is_it = text.hash(seed).get() == key.0;
    is_it.then(|| text.key().to_owned())
}

/// Whether a message of such a queue takes over the room of the one that it replaces.
pub(crate) fn takes_over(config: &QueueConfig) -> bool {
    config.last_value && can_be_full(config)
}

/// Whether it matters for the room of such a queue which message ids it knows.
pub(crate) fn knows_ids(config: &QueueConfig) -> bool {
    !config.dedup_window.is_zero() && can_be_full(config)
}

fn can_be_full(config: &QueueConfig) -> bool {
    let is_limited = config.max_messages.is_some() || config.max_bytes.is_some();
    is_limited && config.overflow == Overflow::RejectPublish
}

impl Limits {
    /// Whether what is taken with a message, and so much more than before, is too much; the property that says so.
    fn check(&self, size: u32, more: Change, taken: Load) -> Result<(), (&'static str, u64)> {
        if let Some(max) = self.bytes
            && u64::from(size) > max
        {
            return Err(("max_bytes", max));
        }
        if self.makes_room {
            return Ok(());
        }
        match (self.messages, self.bytes) {
            (Some(max), _) if more.messages > 0 && taken.messages > max => {
                Err(("max_messages", max))
            }
            (_, Some(max)) if more.bytes > 0 && taken.bytes > max => Err(("max_bytes", max)),
            _ => Ok(()),
        }
    }
}
