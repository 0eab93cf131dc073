//! `/api/v1/clients`, `/api/v1/clients/{client_id}` and `/api/v1/subscriptions`.

use std::sync::Arc;

use admin_api::{ClientView, Page, SubscriptionView, SubscriptionsWanted};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use crate::failure::Failure;
use crate::listing;
use crate::shared::Shared;
use crate::sign_in::Identity;

/// Which clients.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientsQuery {
    limit: Option<String>,
    cursor: Option<String>,
    connected: Option<String>,
}

/// What becomes of the session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndQuery {
    session: Option<String>,
}

/// Which subscriptions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionsQuery {
    limit: Option<String>,
    cursor: Option<String>,
    client_id: Option<String>,
    topic: Option<String>,
}

pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ClientsQuery>, QueryRejection>,
) -> Result<Json<Page<ClientView>>, Failure> {
    let ClientsQuery { limit, cursor, connected } = listing::query(query)?;
    let connected = match connected.as_deref() {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(Failure::field("connected", "is neither true nor false")),
    };
    let page = listing::page_request(limit, cursor)?;
    Ok(Json(listing::with_cursor(shared.backend.clients(page, connected).await?)))
}

pub async fn show(
    State(shared): State<Arc<Shared>>,
    client_id: Result<Path<String>, PathRejection>,
) -> Result<Json<ClientView>, Failure> {
    Ok(Json(shared.backend.client(listing::name("client_id", client_id)?).await?))
}

pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    client_id: Result<Path<String>, PathRejection>,
    query: Result<Query<EndQuery>, QueryRejection>,
) -> Result<StatusCode, Failure> {
    let client_id = listing::name("client_id", client_id)?;
    let ends_session = match listing::query(query)?.session.as_deref() {
        None | Some("end") => true,
        Some("keep") => false,
        Some(_) => return Err(Failure::field("session", "is neither end nor keep")),
    };
    shared.backend.end_client(client_id.clone(), ends_session).await?;
    tracing::info!(client_id, ends_session, %by, "client sent away");
    Ok(StatusCode::NO_CONTENT)
}

pub async fn subscriptions(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<SubscriptionsQuery>, QueryRejection>,
) -> Result<Json<Page<SubscriptionView>>, Failure> {
    let SubscriptionsQuery { limit, cursor, client_id, topic } = listing::query(query)?;
    let page = listing::page_request(limit, cursor)?;
    let wanted = SubscriptionsWanted { client_id, topic };
    Ok(Json(listing::with_cursor(shared.backend.subscriptions(page, wanted).await?)))
}
