//! What an operator may ask of a queue or a stream: look at its messages, remove some, set it or its readers elsewhere. It
//! must not know how that is done.

use std::ops::Range;
use std::sync::Arc;

use log_api::ShardId;
use mqtt_router::SinkId;
use mqtt_types::{Message, QoS};
use queue_engine::{ConsumerId, Key, MessageState, Offset};
use stdx::UnixMillis;
use stream_engine::ReaderName;

use crate::control::{Reply, SinkKind};
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
    /// There is none of that name, or there is none any more.
    #[error("there is no {0} '{1}'")]
    NotFound(SinkKind, String),
    /// It does not need keys, and so has none.
    #[error("{0} '{1}' keeps no keys: {why}", why = why_no_keys(*.0))]
    NoKeys(SinkKind, String),
    /// The stream keeps no position of that reader.
    #[error("{reader} has no position in stream '{stream}'")]
    NoReader {
        /// The stream.
        stream: String,
        /// Who has none.
        reader: ReaderName,
    },
    /// The reader is connected.
    #[error(
        "{reader} reads stream '{stream}' at this moment; it can be forgotten when it has gone"
    )]
    ReaderBusy {
        /// The stream.
        stream: String,
        /// Who reads.
        reader: ReaderName,
    },
    /// Another seek of the queue has not ended.
    #[error("a seek of queue '{0}' is under way; ask again when it has ended")]
    Seeking(String),
    /// The log does not have it, and it was taken back.
    #[error("not stored: {0}; the reader is as it was")]
    ReaderNotStored(String),
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

const fn why_no_keys(what: SinkKind) -> &'static str {
    match what {
        SinkKind::Queue => "it is neither key_ordered nor last_value",
        SinkKind::Stream => "it has no key_expression and is not last_value",
    }
}

/// A message of a stream as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamMessage {
    /// Its place in the stream.
    pub offset: u64,
    /// When it was stored.
    pub stored: UnixMillis,
    /// The message; none when its body cannot be read unaltered.
    pub message: Option<Message>,
    /// Its key, in a stream that keeps keys, where it can be told.
    pub key: Option<String>,
}

/// Which messages of a stream to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamLook {
    /// The first offset.
    pub from: u64,
    /// How many at most.
    pub limit: usize,
}

/// Which messages of a stream a purge removes: those of which all that is given holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StreamPurge<'a> {
    /// Their topic matches this filter, which must be legal.
    pub filter: Option<&'a str>,
    /// They have this key.
    pub key: Option<&'a str>,
    /// They are before this offset.
    pub before: Option<u64>,
}

/// Who has a position in a stream, and how far it has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamReader {
    /// Who: a client or a group.
    pub name: ReaderName,
    /// All messages below are settled by it, or not wanted.
    pub position: u64,
    /// Messages that are here and that it has not settled.
    pub lag: u64,
    /// Their bytes.
    pub lag_bytes: u64,
    /// The age of the oldest of these, in milliseconds; 0 without one.
    pub lag_ms: u64,
    /// Subscriptions that read for it now.
    pub members: u64,
    /// Messages that they have and have not settled.
    pub in_flight: u64,
    /// Messages that were read and wait to be delivered again, or for their key.
    pub waiting: u64,
    /// Messages that it rejected.
    pub rejected: u64,
    /// Messages passed by because they were too large for it, or gone before they were handed over.
    pub skipped: u64,
}

/// Which messages a purge means: those of which all holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Meant {
    /// Their topic matches this filter.
    pub(crate) filter: Option<Arc<str>>,
    /// They have this key.
    pub(crate) key: Option<Key>,
    /// They are before this offset.
    pub(crate) before: Option<Offset>,
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

/// Readers of a stream, and the last of them if there are more.
pub type ReadersPage = Result<Page<StreamReader, ReaderName>, OperateError>;

/// A part of a queue, read: messages, and from where to go on.
pub type Looked = Result<Page<QueueMessage, u64>, OperateError>;

/// A request to the owner of a queue or a stream.
pub(crate) enum Operation {
    /// Messages, as many as a turn may look at.
    Look { look: Look, reply: Reply<Looked> },
    /// Removes all messages, or those that are meant.
    Purge { meant: Meant, reply: Reply<Result<u64, OperateError>> },
    /// Goes on elsewhere.
    Seek { to: SeekTo, reply: Reply<Result<Sought, OperateError>> },
    /// Consumers behind that one.
    Consumers { after: Option<u64>, limit: usize, reply: Reply<Page<Attached, u64>> },
    /// Readers of a stream behind that one, in the order of their names.
    Readers { after: Option<ReaderName>, limit: usize, reply: Reply<ReadersPage> },
    /// A reader of a stream goes on elsewhere.
    SeekReader { reader: ReaderName, to: SeekTo, reply: Reply<Result<u64, OperateError>> },
    /// A reader of a stream is not to be known any more.
    ForgetReader { reader: ReaderName, reply: Reply<Result<(), OperateError>> },
    /// The next step of what takes several, to the shard itself.
    Continue { key: usize },
}

/// What a shard is asked of queues and streams.
pub(crate) enum QueueLetter {
    /// To the owner of that one.
    Operate { what: SinkKind, sink: SinkId, name: Arc<str>, operation: Operation },
    /// To the shard of these consumers: who are they?
    Consumers { attached: Vec<Attached>, reply: Reply<Vec<QueueConsumer>> },
}

/// Offsets that are looked at in one turn: what they cost is bounded by it.
pub(crate) const OFFSETS_MAX: u64 = 8192;

/// The part of a range that a step sees to, from that offset on.
pub(crate) fn step(from: Offset, end: Offset) -> Range<Offset> {
    from..Offset(from.0.saturating_add(OFFSETS_MAX)).min(end)
}
