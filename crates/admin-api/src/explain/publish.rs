//! What a publish that would come now leads to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ExplainReason, SinkWord};

/// The first of some things, and how many there are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Counted<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them, 100 at most.
    pub data: Vec<T>,
}

/// What a publish to a topic would come to: of a small message at QoS 1 or 2. One at QoS 0 that is refused for want of room
/// runs live all the same, and its publisher is not told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedPublish {
    /// Where it would be published; of a delayed one, in the end.
    pub topic: String,
    /// How many seconds later, for `$delayed/<seconds>/<topic>`.
    pub delayed_seconds: Option<u32>,
    /// What the publisher's acknowledgement would say.
    pub reason_code: u8,
    /// Whether the publisher may, and by which rule.
    pub policy: PolicyDecision,
    /// Whether the topic has a retained message now, that new subscribers get.
    pub has_retained: bool,
    /// Whether a message may be retained.
    pub may_retain: bool,
    /// Sessions with subscriptions that match, and the subscriptions of the first of them: the live road.
    pub subscriptions: Counted<ExplainedSubscription>,
    /// Shared groups that match: one member of each would get it.
    pub groups: Counted<ExplainedGroup>,
    /// Queues and streams that match, and what each would do: the stored road.
    pub sinks: Counted<ExplainedSink>,
}

/// What the policy says of a publish.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PolicyDecision {
    /// Whether it allows it.
    pub allowed: bool,
    /// The rule that decides; `null` when none does.
    pub rule: Option<String>,
    /// The same for people.
    pub message: String,
    /// The user that the client is; `null` for nobody in particular, or when that is not known.
    pub username: Option<String>,
    /// The roles of the user.
    pub roles: Vec<String>,
    /// Whether that client is connected; `null` when none was named.
    pub connected: Option<bool>,
}

/// A subscription that matches, or of a client that was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedSubscription {
    /// Whose it is.
    pub client_id: String,
    /// What was subscribed to, as the client wrote it.
    pub topic_filter: String,
    /// The granted QoS.
    pub qos: u8,
    /// Whether the client is connected.
    pub connected: bool,
    /// Whether its session outlives the connection: messages at QoS 1 and 2 wait for it.
    pub durable: bool,
    /// Why it would not get the message all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ExplainReason>,
}

/// A shared group that matches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedGroup {
    /// Its share name.
    pub name: String,
    /// Its filter.
    pub topic_filter: String,
    /// How the member is chosen.
    pub strategy: String,
    /// Members.
    pub members: u64,
    /// Members that are connected and answer.
    pub present: u64,
}

/// A queue or a stream, and what it would do with the message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedSink {
    /// Which it is.
    pub kind: SinkWord,
    /// Its name.
    pub name: String,
    /// What it is bound to.
    pub topic_filter: Option<String>,
    /// What it would do.
    pub outcome: SinkOutcome,
    /// The key that the message would have, if it keeps keys and the key follows from what was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Why, and what would come of it.
    pub reasons: Vec<ExplainReason>,
}

/// What a queue or a stream would do with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkOutcome {
    /// It would store it.
    Stored,
    /// It would refuse it, so that nobody gets it.
    Refused,
    /// It would store it, but the publish is refused for another reason.
    NotStored,
    /// Its filter does not match the topic.
    NotMatched,
}

impl SinkOutcome {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Refused => "refused",
            Self::NotStored => "not_stored",
            Self::NotMatched => "not_matched",
        }
    }
}
