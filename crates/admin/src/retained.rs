//! `/api/v1/retained`.

use std::sync::Arc;

use admin_api::{Page, RetainedRemoved, RetainedView};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::failure::Failure;
use crate::listing;
use crate::openapi::{Refused, Wrong};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// Which retained messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RetainedQuery {
    /// How many at most; 100 if not given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1_000)]
    limit: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$")]
    cursor: Option<String>,
    /// Only those of topics that this filter matches; `#` if not given.
    #[param(min_length = 1)]
    filter: Option<String>,
}

/// Which of them are to go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RemoveQuery {
    /// Those of topics that this filter matches.
    #[param(min_length = 1, required = true)]
    filter: Option<String>,
}

/// Retained messages, level by level in the order of their topics. `#` does not match topics that begin with `$`.
#[utoipa::path(
    get, path = "/api/v1/retained", tag = "messages", operation_id = "list_retained",
    params(RetainedQuery),
    responses((status = 200, body = Page<RetainedView>, description = "A page of messages; it may have fewer than asked for."), Refused, Wrong),
)]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<RetainedQuery>, QueryRejection>,
) -> Result<Json<Page<RetainedView>>, Failure> {
    let RetainedQuery { limit, cursor, filter } = listing::query(query)?;
    let page = listing::page_request(limit, cursor)?;
    let filter = filter.unwrap_or_else(|| "#".to_owned());
    Ok(Json(listing::with_cursor(shared.backend.retained(page, filter).await?)))
}

/// Removes retained messages. Who is subscribed does not hear of it.
#[utoipa::path(
    delete, path = "/api/v1/retained", tag = "messages", operation_id = "remove_retained",
    params(RemoveQuery),
    responses((status = 200, body = RetainedRemoved, description = "They are gone, for a restart too."), Refused, Wrong),
)]
pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    query: Result<Query<RemoveQuery>, QueryRejection>,
) -> Result<Json<RetainedRemoved>, Failure> {
    let RemoveQuery { filter } = listing::query(query)?;
    let filter = filter
        .ok_or_else(|| Failure::field("filter", "is missing; '#' removes all retained messages"))?;
    let removed = shared.backend.remove_retained(filter.clone()).await?;
    tracing::info!(filter, removed, %by, "retained messages removed");
    Ok(Json(RetainedRemoved { removed }))
}
