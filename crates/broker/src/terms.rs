//! What a queue or a stream asks of whoever stores a message for it: room, a key, a class of durability. Shared by all shards. It must
//! not know who stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use key_expression::{Facts, KeyExpression, KeyHash, KeySeed, Scratch};
use mqtt_codec::Properties;
use mqtt_router::SinkId;
use mqtt_types::Message;
use queue_engine::{Key, Overflow};

use crate::control::SinkKind;
use crate::directory::{
    Definition, Durability, QueueDefinition, QueueProperties, StreamDefinition, StreamProperties,
};

/// Messages and bytes that a queue has, and that are on their way to it.
///
/// ```text
///  reserve ──────▶ on its way ──── the owner applies the record ────▶ waiting ──── it leaves ────▶ given back
///     │                └────────── the record is not stored ──────▶ given back
///     └── no room: refused
/// ```
/// Whoever writes a record for the queue reserves before, whether the queue has a limit or not, so that a limit that is
/// set later finds the right numbers.
#[derive(Debug, Default)]
pub(crate) struct Room {
    messages: AtomicU64,
    bytes: AtomicU64,
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
}

impl Room {
    /// Takes some, whatever the limits are.
    pub(crate) fn take(&self, load: Load) -> Load {
        Load {
            messages: self.messages.fetch_add(load.messages, Ordering::Relaxed) + load.messages,
            bytes: self.bytes.fetch_add(load.bytes, Ordering::Relaxed) + load.bytes,
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
        Self::of(definition, room, (SinkKind::Queue, limits), key, *durability)
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
        Self::of(definition, room, (SinkKind::Stream, limits), key, *durability)
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
            relaxed: durability != Durability::Sync,
        }
    }

    /// Takes room for a message of that size.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn reserve(&self, size: u32) -> Result<(), Full> {
        let load = Load::of_one(size);
        let taken = self.room.take(load);
        let Some(limits) = &self.limits else { return Ok(()) };
        limits.check(load, taken).map_err(|(limit, max)| {
            self.room.give_back(load);
            Full { what: self.what, name: Arc::clone(&self.name), limit, max }
        })
    }

    /// Whether a message of that size would be refused now.
    pub(crate) fn is_full_for(&self, size: u32) -> bool {
        let (load, taken) = (Load::of_one(size), self.room.taken());
        let next = Load { messages: taken.messages + 1, bytes: taken.bytes + load.bytes };
        self.limits.as_ref().is_some_and(|limits| limits.check(load, next).is_err())
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

    /// Whether the queue has to do with keys.
    pub(crate) const fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The number of a message's key, if the queue has to do with keys, and whether the topic stood in for it.
    pub(crate) fn key_of(&self, facts: &Facts<'_>, scratch: &mut Scratch) -> Option<(u64, bool)> {
        let (expression, seed) = self.key.as_ref()?;
        let key = expression.evaluate(facts, scratch);
        Some((key.hash(seed).get(), key.problem().is_some()))
    }
}

/// A key as queues know it.
pub(crate) fn key_of(seed: &KeySeed, key: &str) -> Key {
    Key(KeyHash::of(seed, key).get())
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

impl Limits {
    /// Whether what is taken with that load is too much; the property that says so.
    fn check(&self, load: Load, taken: Load) -> Result<(), (&'static str, u64)> {
        if let Some(max) = self.bytes
            && load.bytes > max
        {
            return Err(("max_bytes", max));
        }
        if self.makes_room {
            return Ok(());
        }
        match (self.messages, self.bytes) {
            (Some(max), _) if taken.messages > max => Err(("max_messages", max)),
            (_, Some(max)) if taken.bytes > max => Err(("max_bytes", max)),
            _ => Ok(()),
        }
    }
}
