//! What is known of a queue or a stream and of a message of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ExplainReason;
use crate::{ReaderKind, Timestamp};

/// Whether something is a queue or a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkWord {
    /// A queue.
    Queue,
    /// A stream.
    Stream,
}

/// What a queue or a stream has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedSource {
    /// Which it is.
    pub kind: SinkWord,
    /// Its name.
    pub name: String,
    /// What it is bound to; `null` is nothing.
    pub topic_filter: Option<String>,
    /// The oldest message that is here, or settled and kept.
    pub earliest_offset: u64,
    /// The offset that the next message gets.
    pub next_offset: u64,
    /// The first message that is here and was stored at `since` or later, if that was asked and there is one.
    pub first_since: Option<u64>,
    /// How many there are now: `ready`, `in_flight`, `delayed` of a queue, `kept`, `readers` of a stream, `consumers`.
    pub counts: BTreeMap<String, u64>,
    /// How many have left, and how, since it was made: `settled`, `expired`, `dropped`, `replaced`, `dead_lettered`, `purged`.
    /// What is not here did not happen.
    pub left_as: BTreeMap<String, u64>,
}

/// What is known of a message. What it says is left out when it has left, or cannot be read unaltered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ExplainedMessage {
    /// Its place.
    pub offset: u64,
    /// Deliveries that counted, the one under way not among them.
    pub attempts: u32,
    /// When the broker took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_ts: Option<Timestamp>,
    /// When it expires, by its own time or `retention`, if it is not settled before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Where it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The QoS it was published with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<u8>,
    /// Bytes of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<u64>,
    /// Its key, where keys are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_since: Option<Timestamp>,
}

/// How a message of a stream stands to a reader.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedReader {
    /// What kind of reader it is.
    pub kind: ReaderKind,
    /// The client id, or the name of the group.
    pub name: String,
    /// All messages before are settled by it, or not wanted.
    pub position: u64,
    /// Whether it has settled this one, or does not want it.
    pub settled: bool,
    /// Why it has not.
    pub reasons: Vec<ExplainReason>,
}

impl SinkWord {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Stream => "stream",
        }
    }
}
