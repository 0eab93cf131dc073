//! `/api/v1/publish` and `/api/v1/publish/bulk`.

use std::sync::Arc;

use admin_api::{ApiError, BulkOutcome, BulkSpec, MESSAGES_MAX, MessageSpec, PublishOutcome};
use axum::Json;
use axum::extract::State;

use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::openapi::{Refused, Wrong};
use crate::shared::Shared;

/// Publishes a message, and answers when it is where it belongs.
#[utoipa::path(
    post, path = "/api/v1/publish", tag = "messages", operation_id = "publish",
    request_body = MessageSpec,
    responses((status = 200, body = PublishOutcome, description = "What became of it."), Refused, Wrong),
)]
pub async fn one(
    State(shared): State<Arc<Shared>>,
    JsonBody(message): JsonBody<MessageSpec>,
) -> Result<Json<PublishOutcome>, Failure> {
    let outcomes = shared.backend.publish(vec![message]).await.map_err(of_the_only_one)?;
    let nothing = || ApiError::Internal { message: "nothing was published".to_owned() };
    let outcome = outcomes.into_iter().next().ok_or_else(nothing)?;
    match outcome.refusal() {
        Some(refusal) => Err(refusal.into()),
        None => Ok(Json(outcome)),
    }
}

/// Publishes messages in their order. When one of them cannot be, none is published.
#[utoipa::path(
    post, path = "/api/v1/publish/bulk", tag = "messages", operation_id = "publish_bulk",
    request_body = BulkSpec,
    responses((status = 200, body = BulkOutcome, description = "What became of each."), Refused, Wrong),
)]
pub async fn bulk(
    State(shared): State<Arc<Shared>>,
    JsonBody(BulkSpec { messages }): JsonBody<BulkSpec>,
) -> Result<Json<BulkOutcome>, Failure> {
    if messages.len() > MESSAGES_MAX {
        let many =
            format!("{} are too many for one request, {MESSAGES_MAX} can be", messages.len());
        return Err(Failure::field("messages", many));
    }
    Ok(Json(BulkOutcome { data: shared.backend.publish(messages).await? }))
}

/// The error without the place of the message in a list that the client does not know.
fn of_the_only_one(error: ApiError) -> ApiError {
    match error {
        ApiError::Invalid { field, message } => match field.strip_prefix("messages[0].") {
            Some(field) => ApiError::invalid(field, message),
            None => ApiError::Invalid { field, message },
        },
        other => other,
    }
}
