//! What the broker refuses, as the edge says it.

use admin_api::ApiError;
use broker::{ControlError, OperateError, SinkKind};

use crate::answer::RETRY_AFTER;

pub(crate) fn not_found(what: SinkKind, name: String) -> ApiError {
    ApiError::NotFound { kind: what.as_str(), name }
}

/// What is said of a definition.
pub(crate) fn of_control(error: ControlError) -> ApiError {
    match error {
        ControlError::NotFound(what, name) => not_found(what, name),
        ControlError::NotStored(_) => {
            ApiError::Unavailable { message: error.to_string(), retry_after: RETRY_AFTER }
        }
        ControlError::DeadLettersReturn { .. } => {
            ApiError::invalid("dead_letter", error.to_string())
        }
        ControlError::FilterTooLarge { .. } => ApiError::invalid("topic_filter", error.to_string()),
        ControlError::Exists(..)
        | ControlError::BoundElsewhere { .. }
        | ControlError::TooMany { .. } => ApiError::Conflict { message: error.to_string() },
    }
}

/// What is said of an operation.
pub(crate) fn of_operation(error: OperateError) -> ApiError {
    match error {
        OperateError::NotFound(what, name) => not_found(what, name),
        OperateError::NoKeys(..) => ApiError::invalid("key", error.to_string()),
        OperateError::NoReader { ref reader, .. } => {
            let field = if reader.is_group() { "group" } else { "reader" };
            ApiError::invalid(field, error.to_string())
        }
        OperateError::ReaderBusy { .. } | OperateError::Seeking(_) => {
            ApiError::Conflict { message: error.to_string() }
        }
        OperateError::NotStored { .. } | OperateError::ReaderNotStored(_) => {
            ApiError::Unavailable { message: error.to_string(), retry_after: RETRY_AFTER }
        }
    }
}
