//! `GET …/messages`: messages of a stream. Looking changes nothing.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::queue::part;
use crate::{ApiError, MessageBody, Timestamp};

/// A message of a stream. What it says, from `topic` to `properties`, is left out when its body cannot be read unaltered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamMessageView {
    /// Its place in the stream.
    pub offset: u64,
    /// When the broker took it.
    pub publish_ts: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: MessageBody,
    /// Its key, in a stream that keeps keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The query of a look at a stream's messages. Texts, so that a wrong value is refused with the field named.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamPeekQuery {
    /// The first offset to look at; 0 if not given.
    #[param(value_type = Option<u64>)]
    pub offset: Option<String>,
    /// The `next` of the page before, instead of an offset.
    #[param(value_type = Option<u64>)]
    pub cursor: Option<String>,
    /// How many at most; 100 if not given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1_000)]
    pub limit: Option<String>,
}

/// What a look asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamPeekRequest {
    /// The first offset to look at.
    pub offset: u64,
    /// How many at most.
    pub limit: usize,
}

impl StreamPeekQuery {
    /// What the client wants.
    ///
    /// # Errors
    /// A value that cannot be; the field is named.
    pub fn request(&self) -> Result<StreamPeekRequest, ApiError> {
        let Self { offset, cursor, limit } = self;
        let (offset, limit) = part(offset.as_deref(), cursor.as_deref(), limit.as_deref())?;
        Ok(StreamPeekRequest { offset, limit })
    }
}
