//! `/api/v1/queues` and `/api/v1/queues/{name}`.

use std::sync::Arc;

use admin_api::{Page, PageRequest, QueueBody, QueuePatch, QueueSpec, QueueView};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;

use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::secret::{hex, unhex};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// The query of a list. Texts, so that a wrong value is refused with the field named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<QueueView>>, Failure> {
    let Query(query) = query.map_err(|rejection| Failure::field("query", rejection.body_text()))?;
    let request = page_request(query)?;
    let page = request.cut(shared.backend.queues().await?, |queue| &queue.name)?;
    Ok(Json(Page { next: page.next.map(|name| hex(name.as_bytes())), ..page }))
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
    Ok(Json(shared.backend.queue(queue_name(name)?).await?))
}

pub async fn patch(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    name: Result<Path<String>, PathRejection>,
    JsonBody(body): JsonBody<QueueBody>,
) -> Result<Json<QueueView>, Failure> {
    let view = shared.backend.patch_queue(queue_name(name)?, QueuePatch::new(body)?).await?;
    tracing::info!(queue = %view.name, %by, "queue changed");
    Ok(Json(view))
}

pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let name = queue_name(name)?;
    shared.backend.delete_queue(name.clone()).await?;
    tracing::info!(queue = %name, %by, "queue deleted");
    Ok(StatusCode::NO_CONTENT)
}

fn queue_name(name: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    name.map(|Path(name)| name).map_err(|rejection| Failure::field("name", rejection.body_text()))
}

fn page_request(query: ListQuery) -> Result<PageRequest, Failure> {
    let limit = match query.limit {
        Some(text) => Some(
            text.parse()
                .map_err(|_| Failure::field("limit", format!("'{text}' is no whole number")))?,
        ),
        None => None,
    };
    let after = match query.cursor {
        Some(text) => {
            let name = unhex(&text).and_then(|bytes| String::from_utf8(bytes).ok());
            Some(
                name.ok_or_else(|| Failure::field("cursor", "is not the `next` of a page before"))?,
            )
        }
        None => None,
    };
    Ok(PageRequest { limit, after })
}

/// A name as one segment of a path: all but unreserved characters are encoded (RFC 3986 §2.3).
fn percent_encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
