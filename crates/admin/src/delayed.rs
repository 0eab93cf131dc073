//! `/api/v1/delayed` and `/api/v1/delayed/{id}`.

use std::sync::Arc;

use admin_api::{DelayedView, Page};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};

use crate::failure::Failure;
use crate::listing::{self, ListQuery};
use crate::openapi::{Refused, Unknown, Wrong};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// Messages that are to be published later, the next one first.
#[utoipa::path(
    get, path = "/api/v1/delayed", tag = "messages", operation_id = "list_delayed",
    params(ListQuery),
    responses((status = 200, body = Page<DelayedView>, description = "A page of messages; it may have fewer than asked for."), Refused, Wrong),
)]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<DelayedView>>, Failure> {
    let ListQuery { limit, cursor } = listing::query(query)?;
    let page = shared.backend.delayed(listing::page_request(limit, cursor)?).await?;
    Ok(Json(listing::with_cursor(page)))
}

/// Cancels a message that is to be published later.
#[utoipa::path(
    delete, path = "/api/v1/delayed/{id}", tag = "messages", operation_id = "cancel_delayed",
    params(("id" = String, Path, description = "The message's id.")),
    responses((status = 204, description = "It never comes, for a restart too."), Refused, Unknown),
)]
pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let id = listing::name("id", id)?;
    shared.backend.cancel_delayed(id.clone()).await?;
    tracing::info!(id, %by, "delayed message cancelled");
    Ok(StatusCode::NO_CONTENT)
}
