//! What an operator may ask of a queue: look at its messages, remove some, set it back. It must not know how a queue does it.

use std::ops::Range;
use std::sync::Arc;

use log_api::ShardId;
use mqtt_router::SinkId;
use mqtt_types::{Message, QoS};
use queue_engine::{ConsumerId, Key, MessageState, Offset};
use stdx::UnixMillis;

use crate::control::Reply;
use crate::listing::Page;

/// A message of a queue as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueMessage {
    /// Its place in the queue.
    pub offset: u64,
    /// Where it stands.
    pub state: MessageState,
    /// Deliveries that counted, the one under way not among them.
    pub attempts: u32,
    /// When it was stored.
    pub stored: UnixMillis,
    /// The message; none when its body cannot be read unaltered.
    pub message: Option<Message>,
    /// Its key, in a queue that keeps keys, where it can be told.
    pub key: Option<String>,
}

/// Which messages to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// The first offset.
    pub from: u64,
    /// How many at most.
    pub limit: usize,
    /// Only those that stand so.
    pub state: Option<MessageState>,
}

/// Where a queue is to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SeekTo {
    /// At that offset.
    Offset(u64),
    /// At the first message that was stored then or later.
    Time(UnixMillis),
    /// At the oldest message that is here, or settled and kept.
    Earliest,
    /// Behind the newest message.
    Latest,
}

/// What a seek did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sought {
    /// Where the queue goes on.
    pub offset: u64,
    /// Messages that were passed over.
    pub purged: u64,
    /// Messages that were settled and are ready again.
    pub restored: u64,
}

/// A consumer of a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueConsumer {
    /// Its number, by which lists of consumers are in order.
    pub number: u64,
    /// The client that it is.
    pub client_id: String,
    /// The address that it subscribed to.
    pub address: String,
    /// The QoS that it gets messages with.
    pub qos: QoS,
    /// Its unsettled messages.
    pub in_flight: u32,
    /// How many it takes at once.
    pub max_inflight: u32,
    /// Whether it said that it was too busy and is left alone for a while.
    pub is_resting: bool,
    /// Since when it consumes.
    pub since: UnixMillis,
}

/// Why a request of an operator's was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OperateError {
    /// There is no queue of that name, or there is none any more.
    #[error("there is no queue '{0}'")]
    NotFound(String),
    /// The queue does not need keys, and so has none.
    #[error("queue '{0}' keeps no keys: it is neither key_ordered nor last_value")]
    NoKeys(String),
    /// Another seek of the queue has not ended.
    #[error("a seek of queue '{0}' is under way; ask again when it has ended")]
    Seeking(String),
    /// The log does not have all of it.
    #[error(
        "not all of it could be stored: {reason}; {purged} messages are gone and {restored} are ready again, which a restart may undo in part"
    )]
    NotStored {
        /// What the log says.
        reason: String,
        /// Messages that were removed.
        purged: u64,
        /// Messages that are ready again.
        restored: u64,
    },
}

/// Which messages a purge means: those of which both hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Meant {
    /// Their topic matches this filter.
    pub(crate) filter: Option<Arc<str>>,
    /// They have this key.
    pub(crate) key: Option<Key>,
}

/// What the owner of a queue says of a consumer: who it is in a queue, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attached {
    pub(crate) consumer: ConsumerId,
    pub(crate) at: ShardId,
    pub(crate) in_flight: u32,
    pub(crate) max_inflight: u32,
    pub(crate) is_resting: bool,
}

/// A part of a queue, read: messages, and from where to go on.
pub type Looked = Result<Page<QueueMessage, u64>, OperateError>;

/// A request to the owner of a queue.
pub(crate) enum Operation {
    /// Messages, as many as a turn may look at.
    Look { look: Look, reply: Reply<Looked> },
    /// Removes all messages, or those that are meant.
    Purge { meant: Meant, reply: Reply<Result<u64, OperateError>> },
    /// Goes on elsewhere.
    Seek { to: SeekTo, reply: Reply<Result<Sought, OperateError>> },
    /// Consumers behind that one.
    Consumers { after: Option<u64>, limit: usize, reply: Reply<Page<Attached, u64>> },
    /// The next step of what takes several, to the shard itself.
    Continue { key: usize },
}

/// What a shard is asked of queues.
pub(crate) enum QueueLetter {
    /// To the owner of that queue.
    Operate { sink: SinkId, name: Arc<str>, operation: Operation },
    /// To the shard of these consumers: who are they?
    Consumers { attached: Vec<Attached>, reply: Reply<Vec<QueueConsumer>> },
}

/// Offsets that are looked at in one turn: what they cost is bounded by it.
pub(crate) const OFFSETS_MAX: u64 = 8192;

/// The part of a range that a step sees to, from that offset on.
pub(crate) fn step(from: Offset, end: Offset) -> Range<Offset> {
    from..Offset(from.0.saturating_add(OFFSETS_MAX)).min(end)
}
