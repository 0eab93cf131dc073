//! What queues and streams are bound to when they change.

use admin_api::ApiError;
use broker::SinkKind;

/// What something is to be bound to from now on; what is named by its filter keeps it.
pub(crate) fn rebound(
    what: SinkKind,
    name: &str,
    bound: Option<&str>,
    asked: Option<Option<&str>>,
) -> Result<Option<Option<String>>, ApiError> {
    if bound == Some(name) && asked.is_some_and(|filter| filter != bound) {
        let message = format!("cannot change: the {what} is named by it");
        return Err(ApiError::invalid("topic_filter", message));
    }
    Ok(asked.map(|filter| filter.map(str::to_owned)))
}
