//! `/api/v1/streams` and `/api/v1/streams/{name}`.

use std::sync::Arc;

use admin_api::{Page, StreamBody, StreamPatch, StreamSpec, StreamView};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};

use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::listing::{self, ListQuery, Name, percent_encoded};
use crate::openapi::{Refused, Taken, Unknown, Wrong};
use crate::shared::Shared;
use crate::sign_in::Identity;

type Answer = Result<Json<StreamView>, Failure>;

/// All streams, in the order of their names.
#[utoipa::path(
    get, path = "/api/v1/streams", tag = "streams", operation_id = "list_streams",
    params(ListQuery),
    responses((status = 200, body = Page<StreamView>, description = "A page of streams."), Refused, Wrong),
)]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<StreamView>>, Failure> {
    Ok(Json(listing::page(query, shared.backend.streams().await?, |stream| &stream.name)?))
}

/// Creates a stream, durably.
#[utoipa::path(
    post, path = "/api/v1/streams", tag = "streams", operation_id = "create_stream",
    request_body = StreamBody,
    responses((status = 201, body = StreamView, description = "The stream.", headers(("location" = String, description = "Its path."))), Refused, Wrong, Taken),
)]
pub async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    JsonBody(body): JsonBody<StreamBody>,
) -> Result<impl IntoResponse, Failure> {
    let view = shared.backend.create_stream(StreamSpec::new(body)?).await?;
    tracing::info!(stream = %view.name, %by, "stream created");
    let location = format!("/api/v1/streams/{}", percent_encoded(&view.name));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)))
}

/// A stream with its numbers.
#[utoipa::path(
    get, path = "/api/v1/streams/{name}", tag = "streams", operation_id = "show_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    responses((status = 200, body = StreamView, description = "The stream."), Refused, Unknown),
)]
pub async fn show(State(shared): State<Arc<Shared>>, Name(name): Name) -> Answer {
    Ok(Json(shared.backend.stream(name).await?))
}

/// Changes a living stream, at once.
#[utoipa::path(
    patch, path = "/api/v1/streams/{name}", tag = "streams", operation_id = "change_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    request_body = StreamPatch,
    responses((status = 200, body = StreamView, description = "The stream as it is now."), Refused, Wrong, Unknown),
)]
pub async fn patch(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
    JsonBody(body): JsonBody<StreamBody>,
) -> Answer {
    let view = shared.backend.patch_stream(name, StreamPatch::new(body)?).await?;
    tracing::info!(stream = %view.name, %by, "stream changed");
    Ok(Json(view))
}

/// Deletes a stream with its messages and the positions of its readers.
#[utoipa::path(
    delete, path = "/api/v1/streams/{name}", tag = "streams", operation_id = "delete_stream",
    params(("name" = String, Path, description = "The stream's name, percent-encoded.")),
    responses((status = 204, description = "It is gone."), Refused, Unknown),
)]
pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
) -> Result<StatusCode, Failure> {
    shared.backend.delete_stream(name.clone()).await?;
    tracing::info!(stream = %name, %by, "stream deleted");
    Ok(StatusCode::NO_CONTENT)
}
