//! What is known of one topic's retained message: what the log has, and what is newer than that.
//! It must not know other topics.

use log_api::Position;
use mqtt_types::{Message, MessageHead, QoS, TopicName};

use super::is_status;
use crate::record::Kept;

/// Bodies that are longer lie in the log only.
const BODY_BYTES_MAX: usize = 4096;

/// What a topic takes in memory beside its name and bodies: its place in a tree whose nodes are some two thirds full.
const ENTRY_BYTES: u64 = 128;

/// What bodies and messages take in memory beside their bytes.
const BODY_BYTES_MORE: u64 = 32;

/// What a topic with a message takes in memory at least.
pub(super) const LEAST_MEMORY: u64 = ENTRY_BYTES + 2 * BODY_BYTES_MORE;

/// The position of what the log does not have.
const NOWHERE: u64 = u64::MAX;

const FLAG_RETAIN: u8 = 0b0000_0100;
const FLAG_EXPIRY: u8 = 0b0000_1000;

/// One topic.
///
/// ```text
///                    publish                      stored
///   log: v4 at 3:64 ─────────► log: v4, fresh: v5 ───────► log: v5 at 9:128
///                                      │ not stored
///                                      └──────────► log: v4
/// ```
/// What subscribers see is the fresh one if there is one, else the log's.
#[derive(Default, Debug)]
pub struct Entry {
    /// The newest change that the log has; 0 when it has none.
    pub(super) version: u64,
    /// Where it lies.
    at: Place,
    /// When it expires, in milliseconds since 1970; 0 for never.
    pub(super) due_ms: u64,
    /// Bytes of its topic, properties and payload.
    pub(super) size: u32,
    /// Records of changes that the log has neither stored nor refused. As long as there are some, a removed message is
    /// remembered by its version: an older one may come into the log after it.
    pub(super) on_the_way: u32,
    /// Its body, if there is room for it.
    pub(super) body: Option<Body>,
    /// What is newer than the log.
    pub(super) fresh: Option<Box<Fresh>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place(u64);

impl Default for Place {
    fn default() -> Self {
        Self(NOWHERE)
    }
}

/// A change that the log does not have, or not yet.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) version: u64,
    /// `None` when the topic's message was removed.
    pub(super) message: Option<Message>,
}

/// What a topic counts towards totals and limits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Weight {
    /// Whether subscribers see a message.
    pub(super) messages: u64,
    /// Whether it counts towards the limit of messages: the broker's own status does not.
    pub(super) limited: u64,
    /// Its bytes.
    pub(super) bytes: u64,
    /// Memory that cannot be given back.
    pub(super) memory: u64,
    /// Memory of a body that the log has too.
    pub(super) body: u64,
    /// Where the log has it, and how much.
    pub(super) stored: Option<(Position, u32)>,
    /// When it expires, and which version.
    pub(super) expires: Option<(u64, u64)>,
}

impl Entry {
    /// A topic as a checkpoint or a record has it.
    pub(crate) fn kept(version: u64, kept: Kept) -> Self {
        let mut entry = Self { version, ..Self::default() };
        entry.set(kept);
        entry
    }

    /// The newest change that the log has.
    #[cfg(test)]
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Where the log has it.
    pub(crate) const fn at(&self) -> Option<Position> {
        if self.at.0 == NOWHERE { None } else { Some(Position::from_u64(self.at.0)) }
    }

    /// The log has a change. An older one than it had before changes nothing; the same again has moved.
    pub(crate) fn apply(&mut self, version: u64, kept: Kept) {
        if version < self.version {
            return;
        }
        if version > self.version || kept.at.is_none() {
            self.body = None;
        }
        self.version = version;
        self.set(kept);
    }

    const fn set(&mut self, kept: Kept) {
        let Kept { at, size, due_ms } = kept;
        match at {
            Some(at) => {
                self.at = Place(at.as_u64());
                (self.size, self.due_ms) = (size, due_ms);
            }
            None => self.clear(),
        }
    }

    /// The log's message is none any more.
    pub(super) const fn clear(&mut self) {
        self.at = Place(NOWHERE);
        (self.size, self.due_ms) = (0, 0);
    }

    /// Whether nothing is left of it but perhaps its version.
    pub(super) fn is_gone(&self) -> bool {
        let has_fresh = self.fresh.as_ref().is_some_and(|fresh| fresh.message.is_some());
        self.on_the_way == 0 && self.at.0 == NOWHERE && !has_fresh
    }

    /// The version that subscribers see at that moment.
    pub(super) fn seen(&self, unix_ms: u64) -> Option<u64> {
        match &self.fresh {
            Some(fresh) => {
                let message = fresh.message.as_ref()?;
                (message.expiry_left(unix_ms) != Some(None)).then_some(fresh.version)
            }
            None if self.at.0 == NOWHERE || self.due_ms != 0 && self.due_ms <= unix_ms => None,
            None => Some(self.version),
        }
    }

    pub(super) fn weight(&self, topic: &str) -> Weight {
        if self.version == 0 && self.is_gone() {
            return Weight::default();
        }
        let stored = self.at().map(|at| (at, self.size));
        let (messages, bytes) = match &self.fresh {
            None if stored.is_some() => (1, u64::from(self.size)),
            None => (0, 0),
            Some(fresh) => {
                fresh.message.as_ref().map_or((0, 0), |message| (1, message.bytes().len() as u64))
            }
        };
        let fresh = self
            .fresh
            .as_ref()
            .map_or(0, |fresh| BODY_BYTES_MORE + fresh.message.as_ref().map_or(0, message_bytes));
        Weight {
            messages,
            limited: if is_status(topic) { 0 } else { messages },
            bytes,
            memory: topic.len() as u64 + ENTRY_BYTES + fresh,
            body: self.body.as_ref().map_or(0, Body::memory),
            stored,
            expires: stored.filter(|_| self.due_ms != 0).map(|_| (self.due_ms, self.version)),
        }
    }
}

/// Memory that one more topic takes with such a message.
pub(super) fn new_memory(message: &Message) -> u64 {
    message.topic().len() as u64 + ENTRY_BYTES + BODY_BYTES_MORE + message_bytes(message)
}

/// Memory of a message.
pub(super) fn message_bytes(message: &Message) -> u64 {
    message.bytes().len() as u64 + BODY_BYTES_MORE
}

/// A message without its topic, in one piece.
///
/// ```text
/// flags u8 (QoS in bits 0-1, RETAIN 2, has expiry 3) | received_at_ms u64 | expiry_interval u32 | properties_len u32
/// | properties | payload
/// ```
#[derive(Debug)]
pub(super) struct Body(Box<[u8]>);

impl Body {
    /// `None` when it is too long to be kept.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let (properties, payload) = (message.properties(), message.payload());
        if properties.len() + payload.len() > BODY_BYTES_MAX {
            return None;
        }
        let head = message.head();
        let mut flags = head.qos.as_u8();
        flags |= if head.retain { FLAG_RETAIN } else { 0 };
        flags |= if head.expiry_interval.is_some() { FLAG_EXPIRY } else { 0 };
        let mut bytes = Vec::with_capacity(17 + properties.len() + payload.len());
        bytes.push(flags);
        bytes.extend_from_slice(&head.received_at_ms.to_le_bytes());
        bytes.extend_from_slice(&head.expiry_interval.unwrap_or_default().to_le_bytes());
        bytes.extend_from_slice(&(properties.len() as u32).to_le_bytes());
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload);
        Some(Self(bytes.into_boxed_slice()))
    }

    pub(super) fn memory(&self) -> u64 {
        self.0.len() as u64 + BODY_BYTES_MORE
    }

    /// The message of that topic.
    pub(super) fn message(&self, topic: TopicName<'_>) -> Option<Message> {
        let (flags, rest) = self.0.split_first()?;
        let (received_at_ms, rest) = rest.split_first_chunk()?;
        let (expiry, rest) = rest.split_first_chunk()?;
        let (properties, rest) = rest.split_first_chunk()?;
        let (properties, payload) =
            rest.split_at_checked(u32::from_le_bytes(*properties) as usize)?;
        let head = MessageHead {
            qos: QoS::from_u8(flags & 0b11)?,
            retain: flags & FLAG_RETAIN != 0,
            received_at_ms: u64::from_le_bytes(*received_at_ms),
            expiry_interval: (flags & FLAG_EXPIRY != 0).then(|| u32::from_le_bytes(*expiry)),
        };
        Message::new(head, topic, properties, payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_out_as_it_went_in_unless_it_is_long() {
        let topic = TopicName::new("a/b").expect("legal");
        for expiry_interval in [None, Some(7)] {
            let head = MessageHead {
                qos: QoS::AtLeastOnce,
                retain: true,
                received_at_ms: 99,
                expiry_interval,
            };
            let message = Message::new(head, topic, &[1, 1], b"payload").expect("small");
            let body = Body::of(&message).expect("short");
            assert_eq!(body.message(topic), Some(message));
        }
        let long = vec![0; BODY_BYTES_MAX + 1];
        let message = Message::new(MessageHead::default(), topic, &[], &long).expect("small");
        assert!(Body::of(&message).is_none());
    }
}
