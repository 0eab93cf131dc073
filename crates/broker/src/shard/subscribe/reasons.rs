//! Why a subscription is refused, as a SUBACK says it. It must not know sessions.

use mqtt_types::ReasonCode;

use crate::control::ControlError;

/// The reason code of a SUBACK for a queue or a stream that could not be created.
pub(super) const fn suback_code(error: &ControlError) -> ReasonCode {
    match error {
        ControlError::TooMany { .. } => ReasonCode::QUOTA_EXCEEDED,
        ControlError::BoundElsewhere { .. } | ControlError::FilterTooLarge { .. } => {
            ReasonCode::TOPIC_FILTER_INVALID
        }
        _ => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    }
}

/// One text speaks for all filters of the packet, so it names the one that it is about.
pub(super) fn why_not_made(address: &str, error: &ControlError) -> String {
    match error {
        ControlError::TooMany { .. } | ControlError::NotStored(_) => {
            format!("'{}': {error}", beginning_of(address))
        }
        _ => error.to_string(),
    }
}

/// As much of a text as a reason is to repeat.
pub(in crate::shard) fn beginning_of(text: &str) -> &str {
    let end = text.char_indices().nth(128).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}
