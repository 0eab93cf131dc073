//! Property values that are words.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which consumer gets the next message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchStrategy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The one with the fewest unsettled messages.
    LeastInflight,
    /// All messages of a key to one consumer, in order.
    KeyOrdered,
    /// One consumer; the next takes over.
    SingleActive,
}

/// What an acknowledgement to the publisher stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Synced to disk.
    #[default]
    Sync,
    /// Written, synced soon.
    Os,
    /// Kept in memory.
    Memory,
}

/// What happens to a publish when the queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The publish is refused.
    #[default]
    RejectPublish,
    /// The oldest message makes room.
    DropOldest,
}

/// Where dead letters go: `own`, `none` or a queue's name in JSON.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum DeadLetter {
    /// To the queue's own dead-letter queue, `dead:<name>`.
    #[default]
    Own,
    /// Nowhere; they count as dropped.
    None,
    /// To that queue.
    Queue(String),
}

impl From<String> for DeadLetter {
    fn from(text: String) -> Self {
        match text.as_str() {
            "own" => Self::Own,
            "none" => Self::None,
            _ => Self::Queue(text),
        }
    }
}

impl From<DeadLetter> for String {
    fn from(value: DeadLetter) -> Self {
        value.to_string()
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "own",
            Self::None => "none",
            Self::Queue(name) => name,
        })
    }
}
