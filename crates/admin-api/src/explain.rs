//! Why a message goes where it goes: the question, and the answer. It must not know how the answer is found.

mod publish;
mod query;
mod stored;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AlarmView, ClientView, ConsumerView, Timestamp};

pub use publish::{
    Counted, ExplainedGroup, ExplainedPublish, ExplainedSink, ExplainedSubscription,
    PolicyDecision, SinkOutcome,
};
pub use query::{ExplainAbout, ExplainQuery, ExplainQuestion, ExplainRequest, SinkName};
pub use stored::{ExplainedMessage, ExplainedReader, ExplainedSource, SinkWord};

/// The answer to `GET /api/v1/explain`: what holds at this moment, and what the log still has of a message. Nothing is
/// recorded of what became of each publish.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// What was asked.
    pub question: ExplainQuestion,
    /// When it was answered.
    pub at: Timestamp,
    /// The answer in a word.
    pub verdict: Verdict,
    /// The answer in a sentence.
    pub summary: String,
    /// Why it is so, the most important first.
    pub reasons: Vec<ExplainReason>,
    /// What a publish to the topic would come to, if a topic was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<ExplainedPublish>,
    /// The message, if an offset was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<ExplainedMessage>,
    /// The queue or the stream, if one was asked for without a topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ExplainedSource>,
    /// The client, if one was asked for and is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientView>,
    /// Consumers of the queue or the stream, 100 at most beside those that the reasons name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<ConsumerView>,
    /// How the message stands to readers of the stream, 100 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readers: Vec<ExplainedReader>,
    /// Subscriptions of the client, 100 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<ExplainedSubscription>,
    /// Alarms that stand and have to do with it; with `since`, those that were raised then or later.
    pub alarms: Vec<AlarmView>,
}

/// The answer in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A publish would be taken.
    Accepted,
    /// It would be taken, and nobody would get it.
    NoTakers,
    /// It would be refused.
    Refused,
    /// The message waits for a consumer.
    Ready,
    /// A consumer has the message.
    InFlight,
    /// The message waits for its time.
    Delayed,
    /// The message was settled, and is kept for a while.
    Settled,
    /// The message was given up, and is among the dead letters, or on its way there.
    DeadLettered,
    /// The message is on its way to another queue.
    Moving,
    /// The message has left, and nothing more is known of it.
    Left,
    /// Nothing was stored at that offset yet.
    NotYet,
    /// The stream has the message.
    Kept,
    /// The queue or stream has nothing that waits.
    Idle,
    /// It delivers what waits, or is about to.
    Delivering,
    /// Messages wait, and it delivers none.
    Held,
    /// The client is connected.
    Connected,
    /// The client has a session and is not connected.
    Away,
}

/// Something that makes it so.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ExplainReason {
    /// What it is, in a word that stays, such as `paused`, `no_credit`, `key_busy`.
    pub code: String,
    /// The same for people.
    pub message: String,
    /// What it is about.
    #[serde(default)]
    pub details: ReasonDetails,
}

/// What a reason is about. What does not apply is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ReasonDetails {
    /// A queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// A stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// A client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Another message of the same queue or stream, or of that `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many there are of what the message speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What an MQTT client would hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<u8>,
}

impl ExplainReason {
    /// One that is about nothing in particular.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), details: ReasonDetails::default() }
    }
}

impl Verdict {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NoTakers => "no_takers",
            Self::Refused => "refused",
            Self::Ready => "ready",
            Self::InFlight => "in_flight",
            Self::Delayed => "delayed",
            Self::Settled => "settled",
            Self::DeadLettered => "dead_lettered",
            Self::Moving => "moving",
            Self::Left => "left",
            Self::NotYet => "not_yet",
            Self::Kept => "kept",
            Self::Idle => "idle",
            Self::Delivering => "delivering",
            Self::Held => "held",
            Self::Connected => "connected",
            Self::Away => "away",
        }
    }
}
