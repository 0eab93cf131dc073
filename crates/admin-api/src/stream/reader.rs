//! A reader of a stream as a client gets it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApiError;

/// What kind of reader it is. A client and a group of one name have nothing in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReaderKind {
    /// A client that reads on its own, named by its client id.
    #[default]
    Client,
    /// A group whose members share the messages.
    Group,
}

/// Who has a position in a stream, and how far it has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReaderView {
    /// What kind of reader it is.
    pub kind: ReaderKind,
    /// The client id, or the name of the group.
    pub name: String,
    /// All messages before are settled by it, or not wanted.
    pub position: u64,
    /// Messages that are here and that it has not settled.
    pub lag: u64,
    /// Their bytes.
    #[serde(default)]
    pub lag_bytes: u64,
    /// The age of the oldest of these.
    pub lag_ms: u64,
    /// Subscriptions that read for it now; 0 when it is away.
    pub members: u64,
    /// Messages that they have and have not settled.
    pub in_flight: u64,
    /// Messages that wait to be delivered again, or for their key.
    pub waiting: u64,
    /// Messages that it rejected.
    pub rejected: u64,
    /// Messages passed by because they were too large for it, or gone before they were handed over.
    pub skipped: u64,
}

impl ReaderKind {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Group => "group",
        }
    }
}

impl FromStr for ReaderKind {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        match text {
            "client" => Ok(Self::Client),
            "group" => Ok(Self::Group),
            _ => Err(ApiError::invalid("kind", format!("'{text}' is neither client nor group"))),
        }
    }
}
