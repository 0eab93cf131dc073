//! `/api/v1/clients`, `/api/v1/clients/{client_id}` and `/api/v1/subscriptions`.

use std::sync::Arc;

use admin_api::{ClientView, Page, SubscriptionView, SubscriptionsWanted};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::failure::Failure;
use crate::listing;
use crate::openapi::{Refused, Unknown, Wrong};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// Which clients.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClientsQuery {
    /// How many at most; 100 if not given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1_000)]
    limit: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$")]
    cursor: Option<String>,
    /// Only those with a connection, or only those without.
    #[param(value_type = Option<bool>)]
    connected: Option<String>,
}

/// What becomes of the session.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndQuery {
    /// `keep` keeps the session; otherwise it ends.
    #[param(pattern = "^(end|keep)$")]
    session: Option<String>,
}

/// Which subscriptions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubscriptionsQuery {
    /// How many at most; 100 if not given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1_000)]
    limit: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$")]
    cursor: Option<String>,
    /// Only those of that client.
    client_id: Option<String>,
    /// Only those that get what is published there, or that are to exactly that.
    topic: Option<String>,
}

/// Clients, in no particular order.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "clients", operation_id = "list_clients",
    params(ClientsQuery),
    responses((status = 200, body = Page<ClientView>, description = "A page of clients."), Refused, Wrong),
)]
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

/// A client.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}", tag = "clients", operation_id = "show_client",
    params(("client_id" = String, Path, description = "The client id, percent-encoded.")),
    responses((status = 200, body = ClientView, description = "The client."), Refused, Unknown),
)]
pub async fn show(
    State(shared): State<Arc<Shared>>,
    client_id: Result<Path<String>, PathRejection>,
) -> Result<Json<ClientView>, Failure> {
    Ok(Json(shared.backend.client(listing::name("client_id", client_id)?).await?))
}

/// Ends a client's connection with 0x98, and its session unless that is to be kept.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}", tag = "clients", operation_id = "delete_client",
    params(("client_id" = String, Path, description = "The client id, percent-encoded."), EndQuery),
    responses((status = 204, description = "It is gone, for a restart too."), Refused, Wrong, Unknown),
)]
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

/// Subscriptions, in no particular order.
#[utoipa::path(
    get, path = "/api/v1/subscriptions", tag = "clients", operation_id = "list_subscriptions",
    params(SubscriptionsQuery),
    responses((status = 200, body = Page<SubscriptionView>, description = "A page of subscriptions."), Refused, Wrong),
)]
pub async fn subscriptions(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<SubscriptionsQuery>, QueryRejection>,
) -> Result<Json<Page<SubscriptionView>>, Failure> {
    let SubscriptionsQuery { limit, cursor, client_id, topic } = listing::query(query)?;
    let page = listing::page_request(limit, cursor)?;
    let wanted = SubscriptionsWanted { client_id, topic };
    Ok(Json(listing::with_cursor(shared.backend.subscriptions(page, wanted).await?)))
}
