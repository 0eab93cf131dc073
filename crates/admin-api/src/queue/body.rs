//! The body of a create or change as it comes in: everything may be missing, nothing unknown may be there.

use serde::{Deserialize, Deserializer, Serialize};

use super::{DeadLetter, DispatchStrategy, Durability, Overflow};
use crate::{DurationText, SizeText};

/// What a client sent for a queue. A field that is `None` was not given; `Some(None)` was given as `null`.
/// [`crate::QueueSpec`] and [`crate::QueuePatch`] make something of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each field is described at QueueProperties")]
pub struct QueueBody {
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub topic_filter: Option<Option<String>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dispatch_strategy: Option<DispatchStrategy>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub key_expression: Option<String>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub key_inflight: Option<u32>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_value: Option<bool>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub retention: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_messages: Option<Option<u64>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Option<SizeText>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_inflight: Option<u16>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub ack_timeout: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub retry_delay_max: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dead_letter_expired: Option<bool>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dead_letter_dropped: Option<bool>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dedup_window: Option<Option<DurationText>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub keep_settled: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// Keeps "not given" and "given as null" apart: a null for what cannot be null is an error and not a silence.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
