//! `POST …/purge`: which messages of a queue to remove.

use key_expression::KEY_BYTES_MAX;
use mqtt_types::TopicFilter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApiError;

/// The body of a purge. `{}` removes all that is not in flight; a filter and a key together remove what both mean.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PurgeBody {
    /// Only messages whose topic matches this filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub filter: Option<String>,
    /// Only messages with this key; the queue has to keep keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65_535)]
    pub key: Option<String>,
}

/// What a purge removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PurgeResult {
    /// How many messages.
    pub purged: u64,
}

impl PurgeBody {
    /// Checks what a client sent.
    ///
    /// # Errors
    /// A filter that is none, or a key that no message can have; the field is named.
    pub fn check(&self) -> Result<(), ApiError> {
        check_meant(self.filter.as_deref(), self.key.as_deref())
    }
}

/// Checks what messages are told by.
pub(crate) fn check_meant(filter: Option<&str>, key: Option<&str>) -> Result<(), ApiError> {
    if let Some(filter) = filter {
        TopicFilter::new(filter)
            .map_err(|cause| ApiError::invalid("filter", format!("'{filter}': {cause}")))?;
    }
    match key {
        Some(key) if key.len() > KEY_BYTES_MAX => {
            let message = format!("is longer than {KEY_BYTES_MAX} bytes, as no key is");
            Err(ApiError::invalid("key", message))
        }
        _ => Ok(()),
    }
}
