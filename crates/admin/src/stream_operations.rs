//! `/api/v1/streams/{name}/…`: what operators do to a stream and its readers beside changing its properties.

use std::sync::Arc;

use admin_api::{
    ConsumerView, Page, PurgeResult, ReaderKind, ReaderView, StreamLedgerView, StreamMessageView,
    StreamPeekQuery, StreamPurgeBody, StreamSeekBody, StreamSeekResult, StreamView,
};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::listing::{self, ListQuery, Name};
use crate::long_request::LongRequest;
use crate::openapi::{Refused, Taken, Unknown, Wrong};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// Which reader of that name.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ForgetQuery {
    /// Whether the name is a client's, as if not given, or a group's.
    #[param(value_type = Option<ReaderKind>)]
    kind: Option<String>,
}

/// Removes messages: all, or those that are before an offset, and of a filter and a key. What comes meanwhile stays. The
/// answer may take long; the purge goes on when nobody waits for it.
#[utoipa::path(
    post, path = "/api/v1/streams/{name}/purge", tag = "streams", operation_id = "purge_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    request_body = StreamPurgeBody,
    responses((status = 200, body = PurgeResult, description = "They are gone, for a restart too."), Refused, Wrong, Unknown),
)]
pub async fn purge(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
    JsonBody(body): JsonBody<StreamPurgeBody>,
) -> Result<Json<PurgeResult>, Failure> {
    body.check()?;
    let request = LongRequest::new("stream purge, which goes on", &name, &by);
    let result = shared.backend.purge_stream(name.clone(), body.clone()).await;
    request.answered();
    let result = result?;
    let StreamPurgeBody { before, filter, key } = body;
    tracing::info!(stream = %name, before, filter, key, purged = result.purged, %by, "stream purged");
    Ok(Json(result))
}

/// Messages in their order, without changing anything.
#[utoipa::path(
    get, path = "/api/v1/streams/{name}/messages", tag = "streams", operation_id = "peek_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded."), StreamPeekQuery),
    responses((status = 200, body = Page<StreamMessageView>, description = "A page of messages; it may have fewer than asked for, or none."), Refused, Wrong, Unknown),
)]
pub async fn messages(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    query: Result<Query<StreamPeekQuery>, QueryRejection>,
) -> Result<Json<Page<StreamMessageView>>, Failure> {
    let request = listing::query(query)?.request()?;
    Ok(Json(shared.backend.peek_stream(name, request).await?))
}

/// Lets a reader that the stream knows go on at another message. What its clients have at that moment stays with them.
#[utoipa::path(
    post, path = "/api/v1/streams/{name}/seek", tag = "streams", operation_id = "seek_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    request_body = StreamSeekBody,
    responses((status = 200, body = StreamSeekResult, description = "It goes on there, after a restart too."), Refused, Wrong, Unknown),
)]
pub async fn seek(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
    JsonBody(body): JsonBody<StreamSeekBody>,
) -> Result<Json<StreamSeekResult>, Failure> {
    let seek = body.seek()?;
    let (kind, reader) = (seek.kind.as_str(), seek.name.clone());
    let result = shared.backend.seek_stream(name.clone(), seek).await?;
    let position = result.position;
    tracing::info!(stream = %name, kind, reader, position, %by, "reader set elsewhere");
    Ok(Json(result))
}

/// Lets a stream store and not deliver, durably. What readers have may be settled.
#[utoipa::path(
    post, path = "/api/v1/streams/{name}/pause", tag = "streams", operation_id = "pause_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    responses((status = 200, body = StreamView, description = "The stream as it is now."), Refused, Wrong, Unknown),
)]
pub async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(by): Extension<Identity>,
    Name(name): Name,
) -> Result<Json<StreamView>, Failure> {
    set_paused(&shared, name, true, by).await
}

/// Lets a paused stream deliver again.
#[utoipa::path(
    post, path = "/api/v1/streams/{name}/resume", tag = "streams", operation_id = "resume_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    responses((status = 200, body = StreamView, description = "The stream as it is now."), Refused, Wrong, Unknown),
)]
pub async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(by): Extension<Identity>,
    Name(name): Name,
) -> Result<Json<StreamView>, Failure> {
    set_paused(&shared, name, false, by).await
}

async fn set_paused(
    shared: &Shared,
    name: String,
    paused: bool,
    Identity(by): Identity,
) -> Result<Json<StreamView>, Failure> {
    let view = shared.backend.set_stream_paused(name, paused).await?;
    tracing::info!(stream = %view.name, paused, %by, "stream paused or resumed");
    Ok(Json(view))
}

/// Readers, there or away: clients, then groups, in the order of their names.
#[utoipa::path(
    get, path = "/api/v1/streams/{name}/readers", tag = "streams", operation_id = "list_stream_readers",
    params(("name" = String, Path, description = "The stream's name, percent-encoded."), ListQuery),
    responses((status = 200, body = Page<ReaderView>, description = "A page of readers."), Refused, Wrong, Unknown),
)]
pub async fn readers(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<ReaderView>>, Failure> {
    let ListQuery { limit, cursor } = listing::query(query)?;
    let page = listing::page_request(limit, cursor)?;
    Ok(Json(listing::with_cursor(shared.backend.stream_readers(name, page).await?)))
}

/// Clients that read it now, in no particular order.
#[utoipa::path(
    get, path = "/api/v1/streams/{name}/consumers", tag = "streams", operation_id = "list_stream_consumers",
    params(("name" = String, Path, description = "The stream's name, percent-encoded."), ListQuery),
    responses((status = 200, body = Page<ConsumerView>, description = "A page of consumers."), Refused, Wrong, Unknown),
)]
pub async fn consumers(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<ConsumerView>>, Failure> {
    let ListQuery { limit, cursor } = listing::query(query)?;
    let page = listing::page_request(limit, cursor)?;
    Ok(Json(listing::with_cursor(shared.backend.stream_consumers(name, page).await?)))
}

/// Forgets the position of a reader that is away: it begins anew when it comes.
#[utoipa::path(
    delete, path = "/api/v1/streams/{name}/readers/{reader}", tag = "streams", operation_id = "forget_stream_reader",
    params(
        ("name" = String, Path, description = "The stream's name, percent-encoded."),
        ("reader" = String, Path, description = "The client id, or the name of the group; percent-encoded."),
        ForgetQuery,
    ),
    responses((status = 204, description = "It is forgotten, after a restart too."), Refused, Wrong, Unknown, Taken),
)]
pub async fn forget(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    names: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<ForgetQuery>, QueryRejection>,
) -> Result<StatusCode, Failure> {
    let names = names.map_err(|rejection| Failure::field("reader", rejection.body_text()));
    let Path((name, reader)) = names?;
    let kind = listing::query(query)?.kind.as_deref().map(str::parse).transpose()?;
    let kind: ReaderKind = kind.unwrap_or_default();
    shared.backend.forget_reader(name.clone(), (kind, reader.clone())).await?;
    tracing::info!(stream = %name, kind = kind.as_str(), reader, %by, "reader forgotten");
    Ok(StatusCode::NO_CONTENT)
}

/// The account of a stream's messages: each that came is in one term of it.
#[utoipa::path(
    get, path = "/api/v1/streams/{name}/ledger", tag = "streams", operation_id = "stream_ledger",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    responses((status = 200, body = StreamLedgerView, description = "The account at this moment."), Refused, Wrong, Unknown),
)]
pub async fn ledger(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
) -> Result<Json<StreamLedgerView>, Failure> {
    let view = shared.backend.stream(name).await?;
    Ok(Json(StreamLedgerView::new(view.name, &view.stats)))
}
