//! What can be said of why a message goes where it goes: of a publish that would come now, of a message that is stored, of
//! a queue or a stream that delivers or does not. Nothing of it is recorded: it is what holds at this moment. It must not
//! know who asks.

use std::sync::Arc;

use mqtt_router::SinkId;
use mqtt_types::QoS;
use queue_engine::{ConsumerId, Key};
use stdx::UnixMillis;
use stream_engine::ReaderName;

use crate::control::{Reply, SinkKind};
use crate::groups::SharedStrategy;
use crate::ids::SessionId;
use crate::operate::{Attached, OperateError, QueueConsumer};

/// Something that keeps a message where it is, or takes it elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// What it is, in a word that stays.
    pub code: &'static str,
    /// The same for people.
    pub message: String,
    /// The message that it is about, beside the one that was asked for.
    pub offset: Option<u64>,
    /// The number of the consumer that it is about.
    pub consumer: Option<u64>,
    /// Until when it holds.
    pub until: Option<UnixMillis>,
    /// How many things it is about.
    pub count: Option<u64>,
}

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageStands {
    /// Nothing was stored at that offset yet.
    NotYet,
    /// It was here and has left.
    Left,
    /// It was given up, and is on its way to another queue.
    Moving,
    /// It waits for a consumer.
    Ready,
    /// A consumer has it.
    InFlight,
    /// It waits for its time.
    Delayed,
    /// It was settled and is kept for a while.
    Settled,
    /// The stream has it, for whoever reads.
    Kept,
}

/// All that is known of one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageExplained {
    /// Its place.
    pub offset: u64,
    /// Where it stands.
    pub stands: MessageStands,
    /// What keeps it there.
    pub reasons: Vec<Reason>,
    /// Deliveries that counted, one under way not among them.
    pub attempts: u32,
    /// When it was stored, if it is here.
    pub stored: Option<UnixMillis>,
    /// When it expires, if it does.
    pub expires: Option<UnixMillis>,
    /// The number of the consumer that has it.
    pub consumer: Option<u64>,
    /// Since when.
    pub since: Option<UnixMillis>,
}

/// How a message of a stream stands to a reader of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReaderExplained {
    /// Who reads.
    pub name: ReaderName,
    /// All messages below are settled by it, or not wanted.
    pub position: u64,
    /// Whether it has settled the message.
    pub has_settled: bool,
    /// Why it has not.
    pub reason: Option<Reason>,
}

/// What a queue or a stream does now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    /// When that was.
    pub at: UnixMillis,
    /// Why it delivers nothing to anybody, as far as messages wait.
    pub held: Vec<Reason>,
    /// How many messages and consumers there are, by name.
    pub counts: Vec<(&'static str, u64)>,
    /// How messages have left it, since it was made.
    pub left_as: Vec<(&'static str, u64)>,
    /// The oldest message that is here, or kept.
    pub earliest: u64,
    /// The offset that the next message gets.
    pub next_offset: u64,
    /// The first message that is here and was stored since the time asked for.
    pub first_since: Option<u64>,
    /// Whether a message of the key asked for would replace one that waits.
    pub replaces: bool,
    /// The message asked for.
    pub message: Option<MessageExplained>,
    /// Readers of a stream and how that message stands to them, the first ones by name.
    pub readers: Vec<ReaderExplained>,
    /// The first consumers, and those that are spoken of above.
    pub consumers: Vec<QueueConsumer>,
}

/// What is asked of a queue or a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Inquiry {
    /// About that message.
    pub offset: Option<u64>,
    /// What was stored from then on.
    pub since: Option<UnixMillis>,
    /// What a message of that key would do, see [`SinkExplained::key`].
    pub key: Option<Key>,
    /// Consumers and readers at most.
    pub limit: usize,
}

/// Who would publish.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WouldPublish<'a> {
    /// Its client id.
    pub client_id: Option<&'a str>,
    /// Whether it is connected: then it is known which user it is.
    pub is_connected: bool,
    /// The user that it is connected as.
    pub username: Option<&'a str>,
}

/// What a publish to a topic would come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishExplained {
    /// Where it would be published in the end.
    pub topic: String,
    /// How many seconds later.
    pub delayed: Option<u32>,
    /// Why nobody may publish there.
    pub reserved: Option<&'static str>,
    /// Why it cannot be taken at this moment, whoever would get it, and the reason code.
    pub refusal: Option<(u8, String)>,
    /// How many sessions have subscriptions that match, shared ones apart.
    pub subscribers: usize,
    /// The first of them.
    pub sessions: Vec<SessionId>,
    /// How many shared groups match.
    pub group_count: usize,
    /// The first of them.
    pub groups: Vec<GroupExplained>,
    /// How many queues and streams match.
    pub sink_count: usize,
    /// The first of them.
    pub sinks: Vec<SinkExplained>,
    /// Whether the topic has a retained message.
    pub has_retained: bool,
    /// Whether a message may be retained.
    pub may_retain: bool,
}

/// A shared group that would get the message once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupExplained {
    /// Its share name.
    pub name: String,
    /// Its filter.
    pub filter: String,
    /// How the member is chosen.
    pub strategy: SharedStrategy,
    /// How many members it has.
    pub members: usize,
    /// How many of these are connected and answer.
    pub present: usize,
}

/// A queue or a stream that would take the message, or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SinkExplained {
    /// Which it is.
    pub what: SinkKind,
    /// Its name.
    pub name: Arc<str>,
    /// What it is bound to.
    pub topic_filter: Option<Arc<str>>,
    /// Why it would refuse the message, which refuses it for all.
    pub refusal: Option<String>,
    /// Whether the oldest message would have to go.
    pub drops_oldest: bool,
    /// The key that the message would have.
    pub key: KeyExplained,
}

/// The key that a message would have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyExplained {
    /// It keeps no keys.
    None,
    /// This one; if there is a problem, the topic stands in for it.
    Known {
        /// Its text.
        text: String,
        /// What queues know it by.
        key: Key,
        /// Why the expression has no value.
        problem: Option<&'static str>,
    },
    /// It depends on what the message says.
    Depends {
        /// The expression.
        expression: String,
        /// What of the message it asks for.
        on: Vec<&'static str>,
    },
}

/// A subscription that matches a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscribed {
    /// Whose it is.
    pub client_id: String,
    /// Whether that client is connected.
    pub is_connected: bool,
    /// Whether its session outlives the connection.
    pub is_durable: bool,
    /// The filter, as the client gave it.
    pub address: String,
    /// The granted QoS.
    pub qos: QoS,
    /// Whether its own messages stay away.
    pub no_local: bool,
}

/// The answer of an owner: consumers have no names yet.
pub(crate) type OwnersAnswer = Result<Box<(Explained, Vec<Attached>)>, OperateError>;

/// What a shard is asked.
pub(crate) enum ExplainLetter {
    /// The owner of a queue or a stream.
    Sink {
        what: SinkKind,
        sink: SinkId,
        name: Arc<str>,
        inquiry: Inquiry,
        reply: Reply<OwnersAnswer>,
    },
    /// The shard of these sessions: by which subscriptions does a topic lead to them? So many at most.
    Subscribed {
        sessions: Vec<SessionId>,
        topic: Arc<str>,
        limit: usize,
        reply: Reply<Vec<Subscribed>>,
    },
}

impl Reason {
    /// One that is about nothing in particular.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, offset: None, consumer: None, until: None, count: None }
    }

    /// It is about that message.
    pub(crate) fn about(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// It is about that consumer.
    pub(crate) fn at(self, consumer: Option<ConsumerId>) -> Self {
        Self { consumer: consumer.map(|consumer| consumer.0), ..self }
    }

    /// It holds until then.
    pub(crate) fn until(self, until: UnixMillis) -> Self {
        Self { until: Some(until), ..self }
    }

    /// It is about so many.
    pub(crate) fn of(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }
}
