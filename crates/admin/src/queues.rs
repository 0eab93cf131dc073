//! `/api/v1/queues` and `/api/v1/queues/{name}`.

use std::sync::Arc;

use admin_api::{Page, QueueBody, QueuePatch, QueueSpec, QueueView};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};

use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::listing::{self, ListQuery, percent_encoded};
use crate::shared::Shared;
use crate::sign_in::Identity;

pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<QueueView>>, Failure> {
    Ok(Json(listing::page(query, shared.backend.queues().await?, |queue| &queue.name)?))
}

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

pub async fn show(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<QueueView>, Failure> {
    Ok(Json(shared.backend.queue(listing::name("name", name)?).await?))
}

pub async fn patch(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    name: Result<Path<String>, PathRejection>,
    JsonBody(body): JsonBody<QueueBody>,
) -> Result<Json<QueueView>, Failure> {
    let view =
        shared.backend.patch_queue(listing::name("name", name)?, QueuePatch::new(body)?).await?;
    tracing::info!(queue = %view.name, %by, "queue changed");
    Ok(Json(view))
}

pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let name = listing::name("name", name)?;
    shared.backend.delete_queue(name.clone()).await?;
    tracing::info!(queue = %name, %by, "queue deleted");
    Ok(StatusCode::NO_CONTENT)
}
