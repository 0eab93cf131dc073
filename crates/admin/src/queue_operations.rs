//! `/api/v1/queues/{name}/…`: what operators do to a queue beside changing its properties.

use std::sync::Arc;

use admin_api::{
    ConsumerView, LedgerView, Page, PeekQuery, PurgeBody, PurgeResult, QueueMessageView, QueueView,
    RedriveBody, RedriveResult, SeekBody, SeekResult,
};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};

use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::listing::{self, ListQuery, Name};
use crate::long_request::LongRequest;
use crate::openapi::{Refused, Taken, Unknown, Wrong};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// Removes messages that are not in flight: all, or those that a filter and a key mean. What comes meanwhile stays. The
/// answer may take long; the purge goes on when nobody waits for it.
#[utoipa::path(
    post, path = "/api/v1/queues/{name}/purge", tag = "queues", operation_id = "purge_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    request_body = PurgeBody,
    responses((status = 200, body = PurgeResult, description = "They are gone, for a restart too."), Refused, Wrong, Unknown),
)]
pub async fn purge(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
    JsonBody(body): JsonBody<PurgeBody>,
) -> Result<Json<PurgeResult>, Failure> {
    body.check()?;
    let (filter, key) = (body.filter.clone(), body.key.clone());
    let request = LongRequest::new("queue purge, which goes on", &name, &by);
    let result = shared.backend.purge_queue(name.clone(), body).await;
    request.answered();
    let result = result?;
    tracing::info!(queue = %name, filter, key, purged = result.purged, %by, "queue purged");
    Ok(Json(result))
}

/// Sends a queue's dead letters back to its tail, or to another queue: tried anew, without what says why they died. What
/// dies meanwhile stays. The answer may take long; when nobody waits for it, it ends early.
#[utoipa::path(
    post, path = "/api/v1/queues/{name}/redrive", tag = "queues", operation_id = "redrive_queue",
    params(("name" = String, Path, description = "The queue that gave them up, or that has them (dead:…); percent-encoded.")),
    request_body = RedriveBody,
    responses((status = 200, body = RedriveResult, description = "They are back, for a restart too."), Refused, Wrong, Unknown, Taken),
)]
pub async fn redrive(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
    JsonBody(body): JsonBody<RedriveBody>,
) -> Result<Json<RedriveResult>, Failure> {
    body.check()?;
    let to = body.to.clone();
    let request = LongRequest::new("redrive, which ends", &name, &by);
    let result = shared.backend.redrive_queue(name.clone(), body).await;
    request.answered();
    let result = result?;
    let RedriveResult { redriven, stopped } = &result;
    tracing::info!(queue = %name, to, redriven, stopped, %by, "dead letters sent back");
    Ok(Json(result))
}

/// Messages in their order, without changing anything: those that are here, and those that were settled and are kept.
#[utoipa::path(
    get, path = "/api/v1/queues/{name}/messages", tag = "queues", operation_id = "peek_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded."), PeekQuery),
    responses((status = 200, body = Page<QueueMessageView>, description = "A page of messages; it may have fewer than asked for, or none."), Refused, Wrong, Unknown),
)]
pub async fn messages(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    query: Result<Query<PeekQuery>, QueryRejection>,
) -> Result<Json<Page<QueueMessageView>>, Failure> {
    let request = listing::query(query)?.request()?;
    Ok(Json(shared.backend.peek_queue(name, request).await?))
}

/// Lets a queue go on at another message. What waits before it is passed over and counts as purged; what was settled from
/// there on and is still kept is ready again. Meanwhile the queue delivers nothing. The answer may take long.
#[utoipa::path(
    post, path = "/api/v1/queues/{name}/seek", tag = "queues", operation_id = "seek_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    request_body = SeekBody,
    responses((status = 200, body = SeekResult, description = "It goes on there, after a restart too."), Refused, Wrong, Unknown, Taken),
)]
pub async fn seek(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
    JsonBody(body): JsonBody<SeekBody>,
) -> Result<Json<SeekResult>, Failure> {
    let seek = body.seek()?;
    let request = LongRequest::new("queue seek, which goes on", &name, &by);
    let result = shared.backend.seek_queue(name.clone(), seek).await;
    request.answered();
    let result = result?;
    let SeekResult { offset, purged, restored } = result;
    tracing::info!(queue = %name, offset, purged, restored, %by, "queue set elsewhere");
    Ok(Json(result))
}

/// Lets a queue store and not deliver, durably. What is in flight may be settled.
#[utoipa::path(
    post, path = "/api/v1/queues/{name}/pause", tag = "queues", operation_id = "pause_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    responses((status = 200, body = QueueView, description = "The queue as it is now."), Refused, Wrong, Unknown),
)]
pub async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
) -> Result<Json<QueueView>, Failure> {
    let view = shared.backend.set_queue_paused(name, true).await?;
    tracing::info!(queue = %view.name, %by, "queue paused");
    Ok(Json(view))
}

/// Lets a paused queue deliver again.
#[utoipa::path(
    post, path = "/api/v1/queues/{name}/resume", tag = "queues", operation_id = "resume_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    responses((status = 200, body = QueueView, description = "The queue as it is now."), Refused, Wrong, Unknown),
)]
pub async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
) -> Result<Json<QueueView>, Failure> {
    let view = shared.backend.set_queue_paused(name, false).await?;
    tracing::info!(queue = %view.name, %by, "queue resumed");
    Ok(Json(view))
}

/// Consumers, in no particular order.
#[utoipa::path(
    get, path = "/api/v1/queues/{name}/consumers", tag = "queues", operation_id = "list_queue_consumers",
    params(("name" = String, Path, description = "The queue's name, percent-encoded."), ListQuery),
    responses((status = 200, body = Page<ConsumerView>, description = "A page of consumers."), Refused, Wrong, Unknown),
)]
pub async fn consumers(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<ConsumerView>>, Failure> {
    let ListQuery { limit, cursor } = listing::query(query)?;
    let page = listing::page_request(limit, cursor)?;
    Ok(Json(listing::with_cursor(shared.backend.queue_consumers(name, page).await?)))
}

/// The account of a queue's messages: each that came is in one term of it.
#[utoipa::path(
    get, path = "/api/v1/queues/{name}/ledger", tag = "queues", operation_id = "queue_ledger",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    responses((status = 200, body = LedgerView, description = "The account at this moment."), Refused, Wrong, Unknown),
)]
pub async fn ledger(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
) -> Result<Json<LedgerView>, Failure> {
    let view = shared.backend.queue(name).await?;
    Ok(Json(LedgerView::new(view.name, &view.stats)))
}
