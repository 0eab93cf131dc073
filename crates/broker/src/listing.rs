//! What an operator may see of delayed messages, clients and subscriptions, and how lists of them are walked: so much in
//! a turn, however much there is. It must not know how a shard keeps them.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use mqtt_types::{Message, ProtocolVersion, QoS, ReasonCode};
use stdx::UnixMillis;

use crate::control::Reply;

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T, C> {
    /// The things of this page.
    pub data: Vec<T>,
    /// From where to go on; `None` at the end.
    pub next: Option<C>,
}

/// What a delayed message is called, in the order in which they are due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DelayedId {
    /// When it is due, in milliseconds since 1970.
    pub(crate) due_ms: u64,
    pub(crate) number: u64,
}

impl fmt::Display for DelayedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.due_ms, self.number)
    }
}

/// A text is no id of a delayed message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no id of a delayed message")]
pub struct NoDelayedId;

impl FromStr for DelayedId {
    type Err = NoDelayedId;

    fn from_str(text: &str) -> Result<Self, NoDelayedId> {
        let (due_ms, number) = text.split_once('-').ok_or(NoDelayedId)?;
        let number_of = |text: &str| u64::from_str_radix(text, 16).map_err(|_| NoDelayedId);
        let id = Self { due_ms: number_of(due_ms)?, number: number_of(number)? };
        // One thing has one name.
        if id.to_string() == text { Ok(id) } else { Err(NoDelayedId) }
    }
}

/// A message that is to be published later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DelayedMessage {
    /// What it is called.
    pub id: DelayedId,
    /// When it is published.
    pub due: UnixMillis,
    /// Where to; `None` when its body cannot be read.
    pub topic: Option<String>,
    /// The QoS it was published with.
    pub qos: QoS,
    /// Whether it will be its topic's retained message.
    pub retain: bool,
    /// Bytes of topic, properties and payload.
    pub size: u64,
    /// The client id of who published it, if one did.
    pub publisher: Option<String>,
}

/// Why a delayed message was not cancelled.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DelayedError {
    /// None of that id waits: it was published, cancelled, or never there.
    #[error("no such delayed message waits")]
    NotFound,
    /// The log does not take it: the message will come.
    #[error("the cancellation could not be stored: {0}")]
    NotStored(String),
}

/// A client: a session with or without a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientState {
    /// Its client id.
    pub client_id: String,
    /// The version that it speaks, while it is connected.
    pub connected_with: Option<ProtocolVersion>,
    /// Whose session it is; `None` of an anonymous client's.
    pub username: Option<Arc<str>>,
    /// The roles of the user, while it is connected.
    pub roles: Vec<Box<str>>,
    /// Whether the session outlives the connection.
    pub is_durable: bool,
    /// How long the session outlives the connection, in seconds; `u32::MAX` is for ever.
    pub session_expiry_interval: u32,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Messages that wait for it, those on their way included.
    pub waiting_messages: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Messages on their way to it that it has not acknowledged.
    pub in_flight: u64,
    /// Since when it is away.
    pub disconnected_at: Option<UnixMillis>,
}

/// Why a client was not sent away for good.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientError {
    /// There is none of that client id.
    #[error("no such client")]
    NotFound,
    /// It is gone, but the log does not have that yet.
    #[error("the session has ended, but a restart could bring it back: {0}")]
    NotStored(String),
}

/// A subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriptionState {
    /// Whose it is.
    pub client_id: String,
    /// The address as the client gave it: a filter, `$share/…`, `$q/…`, `$queue/…`.
    pub address: String,
    /// The granted QoS.
    pub qos: QoS,
    /// Whether its own messages stay away.
    pub no_local: bool,
    /// Whether RETAIN comes as it was published.
    pub retain_as_published: bool,
    /// When retained messages are sent, by its number on the wire.
    pub retain_handling: u8,
    /// The Subscription Identifier.
    pub subscription_identifier: Option<NonZeroU32>,
}

/// Where a walk over the sessions of all shards goes on. Sessions that come and go meanwhile may be missed; one that
/// stays is seen once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WalkCursor {
    pub(crate) shard: u16,
    pub(crate) slot: u32,
    /// Things of that slot's session that were given already.
    pub(crate) skip: u32,
}

impl fmt::Display for WalkCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.shard, self.slot, self.skip)
    }
}

impl FromStr for WalkCursor {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let mut part = || parts.next().unwrap_or_default();
        Ok(Self { shard: part().parse()?, slot: part().parse()?, skip: part().parse()? })
    }
}

/// What a shard is asked to list.
pub(crate) enum List {
    /// Delayed messages behind that one: ids and sizes.
    Delayed { after: Option<DelayedId>, limit: usize, reply: Reply<Vec<(DelayedId, u32)>> },
    /// These delayed messages, those that still wait.
    DelayedMessages { ids: Vec<DelayedId>, reply: Reply<Vec<DelayedMessage>> },
    /// Retained messages of topics that the filter matches, behind that topic.
    Retained { filter: String, after: Option<String>, limit: usize, reply: Reply<RetainedStep> },
    /// Clients, from that place on.
    Clients { step: Step, connected: Option<bool>, reply: Reply<Walked<ClientState>> },
    /// One client.
    Client { client_id: String, reply: Reply<Option<ClientState>> },
    /// Subscriptions, from that place on.
    Subscriptions { step: Step, topic: Option<String>, reply: Reply<Walked<SubscriptionState>> },
    /// Subscriptions of one client.
    SubscriptionsOf {
        client_id: String,
        skip: u32,
        limit: usize,
        topic: Option<String>,
        reply: Reply<Walked<SubscriptionState>>,
    },
}

/// A step over retained messages, and the topic behind which the next one begins.
#[derive(Default)]
pub(crate) struct RetainedStep {
    pub(crate) found: Vec<Message>,
    pub(crate) next: Option<String>,
}

/// A step in removing them.
#[derive(Default)]
pub(crate) struct RemovedStep {
    pub(crate) removed: u64,
    /// Why some were not removed.
    pub(crate) refused: Option<ReasonCode>,
    pub(crate) next: Option<String>,
}

/// Why retained messages were not all removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{removed} were removed; the removal of others could not be stored: {reason}")]
pub struct RemoveError {
    /// How many a restart does not bring back.
    pub removed: u64,
    /// What the log says.
    pub reason: ReasonCode,
}

/// A step of a walk over one shard's sessions.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) slot: u32,
    pub(crate) skip: u32,
    /// Things to find at most.
    pub(crate) limit: usize,
}

/// What a step found, and where the next one begins in the same shard: slot and things of it to skip.
pub(crate) struct Walked<T> {
    pub(crate) found: Vec<T>,
    pub(crate) next: Option<(u32, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_cursors_are_texts_and_one_each() {
        let id = DelayedId { due_ms: 0x18b_cfe5_6800, number: 0x41 };
        assert_eq!(id.to_string(), "18bcfe56800-41");
        assert_eq!("18bcfe56800-41".parse(), Ok(id));
        for text in ["", "-", "18bcfe56800", "018bcfe56800-41", "18BCFE56800-41", "+1-1", "1-1-1"] {
            assert_eq!(text.parse::<DelayedId>(), Err(NoDelayedId), "{text}");
        }
        let cursor = WalkCursor { shard: 2, slot: 70_000, skip: 3 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("1.2".parse::<WalkCursor>().is_err() && "1.2.x".parse::<WalkCursor>().is_err());
    }
}
