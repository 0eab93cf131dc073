//! `POST …/purge`: which messages of a stream to remove.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApiError;
use crate::bounds::NUMBER_MAX;
use crate::queue::check_meant;

/// The body of a purge. `{}` removes all that is here; what is given together removes what all of it means.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamPurgeBody {
    /// Only messages before this offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Only messages whose topic matches this filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub filter: Option<String>,
    /// Only messages with this key; the stream has to keep keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65_535)]
    pub key: Option<String>,
}

impl StreamPurgeBody {
    /// Checks what a client sent.
    ///
    /// # Errors
    /// A filter that is none, or a number or key that no message can have; the field is named.
    pub fn check(&self) -> Result<(), ApiError> {
        if self.before.is_some_and(|before| before > NUMBER_MAX) {
            return Err(ApiError::invalid("before", format!("must be up to {NUMBER_MAX}")));
        }
        check_meant(self.filter.as_deref(), self.key.as_deref())
    }
}
