//! `/api/v1/queues` and `/api/v1/queues/{name}`.

use std::sync::Arc;

use admin_api::{Page, QueueBody, QueuePatch, QueueSpec, QueueView};
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

/// All queues, in the order of their names.
#[utoipa::path(
    get, path = "/api/v1/queues", tag = "queues", operation_id = "list_queues",
    params(ListQuery),
    responses((status = 200, body = Page<QueueView>, description = "A page of queues."), Refused, Wrong),
)]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<QueueView>>, Failure> {
    Ok(Json(listing::page(query, shared.backend.queues().await?, |queue| &queue.name)?))
}

/// Creates a queue, durably.
#[utoipa::path(
    post, path = "/api/v1/queues", tag = "queues", operation_id = "create_queue",
    request_body = QueueBody,
    responses((status = 201, body = QueueView, description = "The queue.", headers(("location" = String, description = "Its path."))), Refused, Wrong, Taken),
)]
pub async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    JsonBody(body): JsonBody<QueueBody>,
) -> Result<impl IntoResponse, Failure> {
    let view = shared.backend.create_queue(QueueSpec::new(body)?).await?;
    tracing::info!(queue = %view.name, %by, "queue created");
    let location = format!("/api/v1/queues/{}", percent_encoded(&view.name));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)))
}

/// A queue with its numbers.
#[utoipa::path(
    get, path = "/api/v1/queues/{name}", tag = "queues", operation_id = "show_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    responses((status = 200, body = QueueView, description = "The queue."), Refused, Unknown),
)]
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
) -> Result<Json<QueueView>, Failure> {
    Ok(Json(shared.backend.queue(name).await?))
}

/// Changes a living queue, at once.
#[utoipa::path(
    patch, path = "/api/v1/queues/{name}", tag = "queues", operation_id = "change_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    request_body = QueuePatch,
    responses((status = 200, body = QueueView, description = "The queue as it is now."), Refused, Wrong, Unknown),
)]
pub async fn patch(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
    JsonBody(body): JsonBody<QueueBody>,
) -> Result<Json<QueueView>, Failure> {
    let view = shared.backend.patch_queue(name, QueuePatch::new(body)?).await?;
    tracing::info!(queue = %view.name, %by, "queue changed");
    Ok(Json(view))
}

/// Deletes a queue and what waits in it.
#[utoipa::path(
    delete, path = "/api/v1/queues/{name}", tag = "queues", operation_id = "delete_queue",
    params(("name" = String, Path, description = "The queue's name, percent-encoded.")),
    responses((status = 204, description = "It is gone."), Refused, Unknown),
)]
pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    Name(name): Name,
) -> Result<StatusCode, Failure> {
    shared.backend.delete_queue(name.clone()).await?;
    tracing::info!(queue = %name, %by, "queue deleted");
    Ok(StatusCode::NO_CONTENT)
}
