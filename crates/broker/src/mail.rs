//! What shards, the log and the outside say to a shard between its packets.

use std::sync::Arc;

use log_api::{LogEvent, ShardId};
use mqtt_router::{SinkId, SubscriptionOptions};
use mqtt_types::Message;
use policy::Verdict;
use queue_engine::{ConsumerId, Ledger, Offset, Outcome};
use stream_engine::{Place, ReaderName, Report, Start};

use crate::control::{ControlError, ControlRequest, Reply};
use crate::directory::{QueueDefinition, QueueProperties, StreamDefinition, StreamProperties};
use crate::explain::ExplainLetter;
use crate::groups::GroupMark;
use crate::ids::{ConnId, SessionId};
use crate::listing::{ClientError, DelayedError, DelayedId, List, RemovedStep};
use crate::new_message::Published;
use crate::operate::QueueLetter;
use crate::redrive::{RedriveError, RedrivePage, RedriveRequest};
use crate::routes::Route;

/// A letter to a shard. Letters of one sender arrive in order.
pub struct Mail(pub(crate) Letter);

/// What a letter says.
pub(crate) enum Letter {
    /// A live message for the route's subscribers at this shard.
    Live { route: Arc<Route>, message: Message, publisher: Option<SessionId> },
    /// A live message for one member of a shared subscription, which so many were asked for before.
    Member {
        session: SessionId,
        options: SubscriptionOptions,
        mark: GroupMark,
        message: Message,
        hops: u8,
    },
    /// A message of a shared subscription for another member than that one, to the shard itself.
    HandOver { mark: GroupMark, message: Message, except: SessionId, hops: u8 },
    /// A message that a durable session keeps, for another member of a shared subscription.
    Lend(Loan),
    /// What became of such a message, to the shard that keeps it.
    LoanOver { loan: u64, outcome: LoanOutcome },
    /// A queue's message for one of its consumers at this shard.
    Lease(Lease),
    /// A consumer's verdict on a lease, to the queue's owner.
    Settle { sink: SinkId, consumer: ConsumerId, offset: Offset, attempt: u32, outcome: Outcome },
    /// The consumer cannot take a message of that size, to the queue's owner.
    TooLarge { sink: SinkId, consumer: ConsumerId, offset: Offset, attempt: u32 },
    /// A consumer begins, to the queue's owner.
    Attach { sink: SinkId, consumer: ConsumerId, at: ShardId, max_inflight: u32 },
    /// A consumer begins to read a stream, to its owner. `asked` says which SUBSCRIBE waits for the answer, and which of its
    /// filters.
    Read {
        sink: SinkId,
        consumer: ConsumerId,
        at: ShardId,
        reading: Reading,
        asked: Option<(usize, usize)>,
    },
    /// The answer: a refusal always comes, the rest if it was asked for.
    Reading {
        consumer: ConsumerId,
        asked: Option<(usize, usize)>,
        /// What it has made of its reader, if anything.
        result: Result<Option<Box<Began>>, ReadRefused>,
    },
    /// A consumer of a stream wants to go on elsewhere, to the stream's owner.
    SeekReader { sink: SinkId, consumer: ConsumerId, to: Start },
    /// A subscription that made a reader begin could not be stored: the reader is as it was, to the stream's owner.
    PutBack { sink: SinkId, moved: Box<Moved> },
    /// A consumer ends; the offsets are those of its leases that were written to its socket, which count an attempt.
    Detach { sink: SinkId, consumer: ConsumerId, written: Vec<Offset> },
    /// Which of these messages are still there? They were sent to the consumer's client before, to the queue's owner.
    AreThere { sink: SinkId, consumer: ConsumerId, at: ShardId, offsets: Vec<Offset> },
    /// These are not, to the consumer's shard.
    Gone { consumer: ConsumerId, offsets: Vec<Offset> },
    /// The queue or stream is no more, to the consumer's shard.
    QueueGone { consumer: ConsumerId },
    /// A request to define, change or delete a queue, to the control shard.
    Control(Box<ControlRequest<QueueProperties>>),
    /// The same of streams.
    ControlStreams(Box<ControlRequest<StreamProperties>>),
    /// The answer to a subscription that had to create its queue or stream.
    Ensured { subscribe: usize, filter: usize, result: Result<Ensured, ControlError> },
    /// The answer to a queue with messages for a dead-letter queue that had to be created.
    DeadEnsured { dying: SinkId, result: Result<Arc<QueueDefinition>, ControlError> },
    /// What the log did.
    Log(LogEvent),
    /// The ledgers of all queues here.
    Ledgers(Reply<Vec<(SinkId, QueueState)>>),
    /// The numbers of all streams here.
    StreamLedgers(Reply<Vec<(SinkId, StreamState)>>),
    /// What the sign-in of a client of this shard came to.
    SignedIn { conn: ConnId, verdict: Verdict },
    /// Users were changed: connections of those who are no more end.
    UsersChanged,
    /// Part of a list for an operator.
    List(List),
    /// A delayed message is not to come.
    CancelDelayed { id: DelayedId, reply: Reply<Result<(), DelayedError>> },
    /// A client is to go, and perhaps its session with it.
    EndClient { client_id: String, ends_session: bool, reply: Reply<Result<(), ClientError>> },
    /// A page of dead letters is to be sent back, to their queue's owner.
    Redrive { request: RedriveRequest, reply: Reply<Result<RedrivePage, RedriveError>> },
    /// Retained messages that the filter matches are to go, those behind that topic.
    RemoveRetained { filter: String, after: Option<String>, reply: Reply<RemovedStep> },
    /// A message of the operator's.
    Publish { message: Message, reply: Reply<Published> },
    /// What an operator asks of a queue.
    Queue(QueueLetter),
    /// Why messages go where they go.
    Explain(ExplainLetter),
    /// Ends all connections, flushes settlements, then answers.
    Drain(Reply<()>),
}

/// What a subscription needed to be there.
pub(crate) enum Ensured {
    Queue(Arc<QueueDefinition>),
    Stream(Arc<StreamDefinition>),
}

/// How a consumer of a stream reads.
#[derive(Clone)]
pub(crate) struct Reading {
    /// Whose position it reads from.
    pub(crate) reader: ReaderName,
    pub(crate) start: Start,
    /// Messages in flight that it takes.
    pub(crate) window: u32,
}

/// A change of a reader that waits for its record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Moved {
    pub(crate) reader: ReaderName,
    /// How and where it was; none when it was not known.
    pub(crate) before: Option<(Report, Place)>,
    /// Where it is; none when it was forgotten.
    pub(crate) to: Option<Place>,
}

/// A reader that begins, or goes elsewhere, because somebody subscribed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Began {
    pub(crate) owner: ShardId,
    pub(crate) sink: SinkId,
    pub(crate) moved: Moved,
}

/// Why a stream is not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ReadRefused {
    /// It was deleted meanwhile.
    Deleted,
    /// It keeps the positions of as many readers as it may; what there is to say.
    Engine(String),
}

/// A message that one session keeps and another delivers.
pub(crate) struct Loan {
    /// What the keeper's shard calls it, and which shard that is.
    pub(crate) loan: u64,
    /// Who delivers it.
    pub(crate) session: SessionId,
    pub(crate) options: SubscriptionOptions,
    /// The group by which it comes.
    pub(crate) group: u32,
    pub(crate) message: Message,
}

/// How a loan ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoanOutcome {
    /// The client has the message, or nobody shall have it any more.
    Settled,
    /// The client is gone or stalls: another may have it now.
    Lost,
    /// There is no room: another may have it later.
    NoRoom,
}

/// One message leased to one consumer.
pub(crate) struct Lease {
    pub(crate) consumer: ConsumerId,
    pub(crate) offset: Offset,
    pub(crate) attempt: u32,
    pub(crate) message: Message,
}

/// What a live message in a mailbox counts beyond its bytes.
const LIVE_OVERHEAD_BYTES: usize = 128;

impl Letter {
    /// The bytes of a live message, which nothing but its publisher's patience bounds.
    pub(crate) fn live_bytes(&self) -> usize {
        match self {
            Self::Live { message, .. }
            | Self::Member { message, .. }
            | Self::Lend(Loan { message, .. }) => message.bytes().len() + LIVE_OVERHEAD_BYTES,
            _ => 0,
        }
    }
}

/// A queue's numbers at one moment.
#[derive(Clone, Debug)]
pub struct QueueState {
    /// The terms of the ledger, and more counts.
    pub ledger: Ledger,
    /// Messages whose keys are still to be made anew.
    pub rekeying: u64,
    /// How long the oldest message that is still here has been stored, in milliseconds; 0 without one.
    pub oldest_age_ms: u64,
    /// How long the message that is next could have been delivered and was not, in milliseconds; 0 without one.
    pub lag_ms: u64,
    /// How long until the oldest message that is still here expires by retention, in milliseconds; none when it does not.
    pub data_loss_ms: Option<u64>,
}

/// A stream's numbers at one moment.
#[derive(Clone, Debug)]
pub struct StreamState {
    /// The terms of the ledger, and more counts.
    pub ledger: stream_engine::Ledger,
    /// Messages whose keys are still to be made anew.
    pub rekeying: u64,
    /// How far the readers are behind, there or away.
    pub behind: stream_engine::Behind,
    /// How long the oldest message that one of them has not settled has been stored, in milliseconds; 0 without one.
    pub lag_ms: u64,
    /// How long until that message is lost to it, by what takes it.
    pub losses: stream_engine::Losses,
    /// The offset that the next message gets.
    pub next_offset: u64,
    /// How long the oldest message that is still here has been stored, in milliseconds; 0 without one.
    pub oldest_age_ms: u64,
}

impl From<LogEvent> for Mail {
    fn from(event: LogEvent) -> Self {
        Self(Letter::Log(event))
    }
}
