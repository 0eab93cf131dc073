//! Retained messages, shared by all shards: an index of where each topic's message lies in the log, with short bodies at
//! hand as far as there is room for them. It must not know subscriptions; who changes it here tells the log.

mod entry;
mod image;
mod sight;
mod totals;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use log_api::{Log, Position, SegmentUse};
use mqtt_router::{Cursor, RetainedIndex};
use mqtt_types::{Message, TopicFilter, TopicName};
use parking_lot::{RwLock, RwLockWriteGuard};

pub use entry::Entry;
use entry::{Body, Fresh, LEAST_MEMORY, Weight, message_bytes, new_memory};
pub use image::RetainedPart;
pub(crate) use image::StoredRetained;
pub use sight::{Shown, Sight, Standing};
use totals::Totals;
pub use totals::{Holds, note};

use crate::record::Kept;

/// Whether a topic is one by which the broker tells its status: nobody else's, and not worth keeping.
pub fn is_status(topic: &str) -> bool {
    topic.starts_with("$SYS/")
}

/// How many retained messages there may be.
#[derive(Clone, Copy, Debug)]
pub struct RetainedLimits {
    /// Messages, without the broker's own status.
    pub messages: usize,
    /// Bytes of topics, properties and payloads.
    pub bytes: u64,
    /// Memory of topics, and of messages that the log does not have yet.
    pub memory: u64,
    /// Memory of bodies that the log has too.
    pub bodies: u64,
}

/// Which limit another message would be beyond.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRoom {
    /// There are as many as there may be.
    Messages,
    /// They would be too many bytes.
    Bytes,
    /// Their topics, and what the log does not have yet, would take too much memory.
    Memory,
}

impl NoRoom {
    /// The setting that says so.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Messages => "mqtt.max_retained_messages",
            Self::Bytes => "mqtt.max_retained_bytes",
            Self::Memory => "mqtt.max_retained_memory",
        }
    }
}

/// What is to become of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It goes into the log.
    Logged,
    /// It does not, and is gone with the process.
    Unlogged,
}

/// A topic's retained message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It is at hand.
    Message(Message),
    /// It is to be read from the log.
    Stored {
        /// Its topic.
        topic: Box<str>,
        /// Where it lies.
        at: Position,
        /// Bytes of topic, properties and payload.
        size: u32,
    },
}

/// What the log can do for who wants a retained message to be kept for longer than its topic has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holding {
    /// It is held where it lies, once more.
    Held(Position),
    /// Its record is on its way.
    NotYet,
    /// The log will not have it: it is gone with the process.
    Never,
    /// The topic has another one by now, or none.
    Replaced,
}

/// A retained message that is to be written anew, so that its segment can go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relic {
    /// Its topic.
    pub topic: Box<str>,
    /// Which change of the topic it is.
    pub version: u64,
    /// Where it lies.
    pub at: Position,
    /// Bytes of topic, properties and payload.
    pub size: u32,
}

/// The retained message of each topic.
pub struct RetainedStore {
    limits: RetainedLimits,
    /// Counts what subscribers may see differently.
    changes: AtomicU64,
    /// Messages refused for want of room.
    refused: AtomicU64,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    index: RetainedIndex<Entry>,
    /// Counts changes: it tells which of two came later, in whatever order the log has them.
    version: u64,
    totals: Totals,
    /// What the log has and will expire: by moment and version, the topic.
    expiring: BTreeMap<(u64, u64), Box<str>>,
    /// Whether a checkpoint has begun and has not been gathered.
    gathering: bool,
    /// Topics of which nothing is left but a version that the checkpoint must know.
    gone: Vec<Box<str>>,
    /// What was held for sessions since that checkpoint began.
    holding: Vec<Position>,
}

/// Numbers of the store.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RetainedNumbers {
    /// Messages that subscribers see.
    pub messages: u64,
    /// Bytes of their topics, properties and payloads.
    pub bytes: u64,
    /// Bytes that they take in the log, at least.
    pub disk_bytes: u64,
    /// Bytes of memory, with the bodies that are at hand.
    pub memory_bytes: u64,
}

impl RetainedStore {
    /// A store without messages.
    pub fn new(limits: RetainedLimits) -> Self {
        Self {
            limits,
            changes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            inner: RwLock::default(),
        }
    }

    /// Takes in what was recovered.
    pub fn restore(&self, index: RetainedIndex<Entry>, version: u64) {
        let mut inner = self.inner.write();
        let Inner { totals, expiring, .. } = &mut *inner;
        let none = Weight::default();
        index.page(
            &Cursor::default(),
            usize::MAX,
            |_| true,
            |topic, entry| {
                let weight = entry.weight(topic.as_str());
                totals.change(&none, &weight, &mut Holds::new());
                if let Some(key) = weight.expires {
                    expiring.insert(key, topic.as_str().into());
                }
            },
        );
        inner.index = index;
        inner.version = version;
    }

    /// Keeps the message, or with an empty payload removes what its topic has, and gives the version of that change:
    /// `None` when there was nothing to remove. `[MQTT-3.3.1-6]`
    ///
    /// A change that goes into the log must be followed by [`Self::stored`] or [`Self::not_stored`].
    ///
    /// # Errors
    /// The message would be beyond a limit, and changed nothing.
    pub fn publish(&self, message: &Message, change: Change) -> Result<Option<u64>, NoRoom> {
        let text = message.topic();
        let Ok(topic) = TopicName::new(text) else { return Ok(None) };
        let is_removal = message.payload().is_empty();
        let mut inner = self.inner.write();
        let known = inner.index.get(topic);
        if is_removal && known.is_none() {
            return Ok(None);
        }
        if !is_removal && !is_status(text) {
            let before = known.map(|entry| entry.weight(text));
            let room = self.limits.has_room(&inner.totals, before, message);
            room.inspect_err(|_| {
                self.refused.fetch_add(1, Ordering::Relaxed);
            })?;
        }
        inner.version += 1;
        let version = inner.version;
        let message = (!is_removal).then(|| message.clone());
        inner.change(topic, &mut Holds::new(), |entry| {
            entry.on_the_way += u32::from(change == Change::Logged);
            entry.fresh = Some(Box::new(Fresh { version, message }));
        });
        self.changed(inner);
        Ok(Some(version))
    }

    /// Whether there is room for the message.
    pub fn has_room(&self, message: &Message) -> bool {
        let Ok(topic) = TopicName::new(message.topic()) else { return true };
        let inner = self.inner.read();
        let known = inner.index.get(topic).map(|entry| entry.weight(topic.as_str()));
        message.payload().is_empty() || self.limits.has_room(&inner.totals, known, message).is_ok()
    }

    /// A change is in the log; it may be one that was there before, and was written anew.
    pub fn stored(&self, topic: TopicName<'_>, version: u64, kept: Kept, holds: &mut Holds) {
        let mut inner = self.inner.write();
        let room = self.limits.bodies.saturating_sub(inner.totals.bodies);
        inner.change(topic, holds, |entry| {
            entry.on_the_way = entry.on_the_way.saturating_sub(1);
            entry.apply(version, kept);
            let of_it = entry.fresh.take_if(|fresh| fresh.version == version);
            if let Some(message) = of_it.and_then(|fresh| fresh.message) {
                entry.body = Body::of(&message).filter(|body| body.memory() <= room);
            }
        });
    }

    /// A change is not in the log, and will not be. What `keeps` says no to is undone.
    pub fn not_stored(&self, topic: TopicName<'_>, version: u64, keeps: bool) {
        let mut inner = self.inner.write();
        inner.change(topic, &mut Holds::new(), |entry| {
            entry.on_the_way = entry.on_the_way.saturating_sub(1);
            entry.fresh.take_if(|fresh| fresh.version == version && !keeps);
        });
        self.changed(inner);
    }

    /// Removes what has expired, a number of messages at most. Says whether there may be more.
    pub fn expire(&self, unix_ms: u64, limit: usize, holds: &mut Holds) -> bool {
        if !self.inner.read().is_due(unix_ms) {
            return false;
        }
        let mut inner = self.inner.write();
        for _ in 0..limit {
            if !inner.is_due(unix_ms) {
                break;
            }
            let Some(((_, version), text)) = inner.expiring.pop_first() else { break };
            let Ok(topic) = TopicName::new(&text) else { continue };
            inner.change(topic, holds, |entry| {
                if entry.version == version {
                    entry.clear();
                    entry.body = None;
                }
            });
        }
        let more = inner.is_due(unix_ms);
        self.changed(inner);
        more
    }

    /// The message of a topic, with its version.
    pub fn find(&self, topic: TopicName<'_>, unix_ms: u64) -> Option<(u64, Found)> {
        let inner = self.inner.read();
        let entry = inner.index.get(topic)?;
        Some((entry.seen(unix_ms)?, found(topic, entry)?))
    }

    /// The version of the newest change of all.
    pub fn newest(&self) -> u64 {
        self.inner.read().version
    }

    /// A topic as one sees it who tells apart what was there before a moment and what has come since.
    pub fn look(&self, topic: TopicName<'_>, unix_ms: u64) -> Option<Sight> {
        Sight::of(topic, self.inner.read().index.get(topic)?, unix_ms)
    }

    /// The same of topics that match the filter, a number at most; returns where to go on, `None` when through.
    pub fn look_on(
        &self,
        filter: TopicFilter<'_>,
        from: &Cursor,
        limit: usize,
        unix_ms: u64,
        mut visit: impl FnMut(Sight),
    ) -> Option<Cursor> {
        let inner = self.inner.read();
        inner.index.matching(filter, from, limit, |topic, entry| {
            Sight::of(topic, entry, unix_ms).into_iter().for_each(&mut visit);
        })
    }

    /// Visits messages that match the filter, a number at most, and returns where to go on; `None` when through.
    pub fn page(
        &self,
        filter: TopicFilter<'_>,
        from: &Cursor,
        limit: usize,
        unix_ms: u64,
        mut visit: impl FnMut(u64, Found),
    ) -> Option<Cursor> {
        let inner = self.inner.read();
        inner.index.matching(filter, from, limit, |topic, entry| {
            if let (Some(version), Some(found)) = (entry.seen(unix_ms), found(topic, entry)) {
                visit(version, found);
            }
        })
    }

    /// Keeps a body that was read from the log, if there is room.
    pub fn offer(&self, version: u64, message: &Message) {
        let Ok(topic) = TopicName::new(message.topic()) else { return };
        if self.inner.read().totals.bodies >= self.limits.bodies {
            return;
        }
        let mut inner = self.inner.write();
        let room = self.limits.bodies.saturating_sub(inner.totals.bodies);
        let known = inner.index.get(topic);
        if known.is_some_and(|entry| entry.version == version && entry.at().is_some()) {
            inner.change(topic, &mut Holds::new(), |entry| {
                entry.body = Body::of(message).filter(|body| body.memory() <= room);
            });
        }
    }

    /// Holds a message in the log beyond its topic, for a session whose record names it. Who holds it lets go of it some time,
    /// and has it in each checkpoint until then.
    ///
    /// The log hears of it before the topic can have another message, and so before nobody needs the body any more.
    pub fn hold(&self, topic: TopicName<'_>, version: u64, log: &dyn Log) -> Holding {
        let mut inner = self.inner.write();
        let Some(entry) = inner.index.get(topic) else { return Holding::Replaced };
        let at = match (&entry.fresh, entry.at()) {
            (Some(fresh), _) if fresh.version == version && entry.on_the_way > 0 => {
                return Holding::NotYet;
            }
            (Some(fresh), _) if fresh.version == version => return Holding::Never,
            (_, Some(at)) if entry.version == version => at,
            _ => return Holding::Replaced,
        };
        log.hold_bodies(&[(at.segment(), 1)]);
        if inner.gathering {
            inner.holding.push(at);
        }
        Holding::Held(at)
    }

    /// What subscribers see is the same as long as this is.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn changed(&self, inner: RwLockWriteGuard<'_, Inner>) {
        self.changes.fetch_add(1, Ordering::Release);
        drop(inner);
    }

    /// Segments whose retained messages are worth being written anew.
    pub fn sparse(&self, segments: &[SegmentUse]) -> Vec<u32> {
        self.inner.read().totals.sparse(segments)
    }

    /// Visits what lies in those segments, looking at a number of topics at most, and returns where to go on; `None` when
    /// through.
    pub fn relics(
        &self,
        segments: &[u32],
        from: &Cursor,
        limit: usize,
        mut visit: impl FnMut(Relic),
    ) -> Option<Cursor> {
        let is_there =
            |entry: &Entry| entry.at().is_some_and(|at| segments.contains(&at.segment()));
        let inner = self.inner.read();
        inner.index.page(from, limit, is_there, |topic, entry| {
            if let Some(at) = entry.at() {
                let topic = topic.as_str().into();
                visit(Relic { topic, version: entry.version, at, size: entry.size });
            }
        })
    }

    /// Whether the message still lies there. Then it is on its way to another place, and [`Self::stored`] or
    /// [`Self::not_stored`] must follow.
    pub fn begin_copy(&self, relic: &Relic) -> bool {
        let Ok(topic) = TopicName::new(&relic.topic) else { return false };
        let mut inner = self.inner.write();
        let known = inner.index.get_mut(topic);
        match known.filter(|entry| entry.version == relic.version && entry.at() == Some(relic.at)) {
            Some(entry) => entry.on_the_way += 1,
            None => return false,
        }
        true
    }

    /// A checkpoint begins: until it is gathered, what is removed is remembered.
    pub fn begin_gathering(&self) {
        self.inner.write().gathering = true;
    }

    /// What all messages come to now.
    pub fn numbers(&self) -> RetainedNumbers {
        let inner = self.inner.read();
        let Totals { messages, bytes, memory, bodies, .. } = inner.totals;
        let disk_bytes = inner.totals.disk_bytes();
        RetainedNumbers { messages, bytes, disk_bytes, memory_bytes: memory + bodies }
    }

    /// How many messages were refused for want of room, and whether the next one would be, however short.
    pub fn refusals(&self) -> (u64, bool) {
        let limits = &self.limits;
        let inner = self.inner.read();
        let is_full = inner.totals.limited >= limits.messages as u64
            || inner.totals.bytes >= limits.bytes
            || inner.totals.memory + LEAST_MEMORY > limits.memory;
        (self.refused.load(Ordering::Relaxed), is_full)
    }

    /// Bodies in the log that are needed here.
    #[cfg(any(test, feature = "testing"))]
    pub fn held(&self) -> u64 {
        self.inner.read().totals.held()
    }

    /// The segments that they lie in.
    #[cfg(any(test, feature = "testing"))]
    pub fn segments(&self) -> Vec<u32> {
        self.inner.read().totals.segments()
    }
}

impl RetainedLimits {
    /// Whether a message fits in the place of what its topic weighs.
    fn has_room(
        &self,
        totals: &Totals,
        known: Option<Weight>,
        message: &Message,
    ) -> Result<(), NoRoom> {
        let is_new = known.is_none();
        let known = known.unwrap_or_default();
        let size = message.bytes().len() as u64;
        let memory = if is_new { new_memory(message) } else { message_bytes(message) };
        if known.limited == 0 && totals.limited >= self.messages as u64 {
            return Err(NoRoom::Messages);
        }
        if size > known.bytes && totals.bytes - known.bytes + size > self.bytes {
            return Err(NoRoom::Bytes);
        }
        if totals.memory + memory > self.memory {
            return Err(NoRoom::Memory);
        }
        Ok(())
    }
}

impl Inner {
    fn is_due(&self, unix_ms: u64) -> bool {
        self.expiring.first_key_value().is_some_and(|((due_ms, _), _)| *due_ms <= unix_ms)
    }

    /// Changes what is known of a topic, and all that follows from it.
    fn change(&mut self, topic: TopicName<'_>, holds: &mut Holds, change: impl FnOnce(&mut Entry)) {
        let text = topic.as_str();
        let entry = self.index.get_or_default(topic);
        let before = entry.weight(text);
        change(entry);
        let mut after = entry.weight(text);
        if entry.is_gone() && !(self.gathering && entry.version > 0) {
            self.index.remove(topic);
            after = Weight::default();
        } else if entry.is_gone() {
            self.gone.push(text.into());
        }
        self.totals.change(&before, &after, holds);
        if before.expires != after.expires {
            before.expires.map(|key| self.expiring.remove(&key));
            after.expires.map(|key| self.expiring.insert(key, text.into()));
        }
    }

    /// Forgets what was remembered for a checkpoint.
    fn end_gathering(&mut self) {
        self.gathering = false;
        self.holding = Vec::new();
        for text in std::mem::take(&mut self.gone) {
            if let Ok(topic) = TopicName::new(&text)
                && self.index.get(topic).is_some()
            {
                self.change(topic, &mut Holds::new(), |_| ());
            }
        }
    }
}

/// What subscribers see of a topic, but for its expiry.
fn found(topic: TopicName<'_>, entry: &Entry) -> Option<Found> {
    match (&entry.fresh, &entry.body) {
        (Some(fresh), _) => fresh.message.clone().map(Found::Message),
        (None, Some(body)) => body.message(topic).map(Found::Message),
        (None, None) => {
            let topic = topic.as_str().into();
            Some(Found::Stored { topic, at: entry.at()?, size: entry.size })
        }
    }
}
