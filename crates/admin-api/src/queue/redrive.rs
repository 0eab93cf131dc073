//! `POST …/redrive`: dead letters back to a queue.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApiError;
use crate::definition::check_name;

/// The most messages a second that can be asked for.
const RATE_MAX: u32 = 1_000_000;
/// The most messages that can be asked for: what JSON's readers agree on.
const LIMIT_MAX: u64 = i64::MAX as u64;

/// The body of a redrive. `{}` sends all dead letters of the queue back to its tail, as fast as they are stored.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedriveBody {
    /// To that queue instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub to: Option<String>,
    /// Messages a second at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub rate: Option<u32>,
    /// Messages altogether at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub limit: Option<u64>,
}

/// What a redrive did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RedriveResult {
    /// Messages that were sent back.
    pub redriven: u64,
    /// Why it ended early, if it did: the others are still dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

impl RedriveBody {
    /// Checks what a client sent.
    ///
    /// # Errors
    /// A value that cannot be; the field is named.
    pub fn check(&self) -> Result<(), ApiError> {
        if let Some(name) = &self.to {
            check_name(name)
                .map_err(|cause| ApiError::invalid("to", format!("is no queue's name: {cause}")))?;
        }
        if self.rate.is_some_and(|rate| rate == 0 || rate > RATE_MAX) {
            return Err(ApiError::invalid("rate", "must be from 1 to 1000000 messages a second"));
        }
        if self.limit.is_some_and(|limit| limit == 0 || limit > LIMIT_MAX) {
            return Err(ApiError::invalid("limit", "must be from 1 to 9223372036854775807"));
        }
        Ok(())
    }
}
