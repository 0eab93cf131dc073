//! `/healthz` (the process lives) and `/readyz` (the broker takes traffic).

use std::sync::Arc;

use admin_api::{ErrorBody, Health};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::Failure;
use crate::shared::Shared;

/// The body of both when all is well.
#[derive(Serialize, ToSchema)]
pub struct Status {
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "node", operation_id = "live", security(()),
    responses((status = 200, body = Status, description = "It does.")),
)]
pub async fn live() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// Whether the broker takes traffic.
#[utoipa::path(
    get, path = "/readyz", tag = "node", operation_id = "ready", security(()),
    responses(
        (status = 200, body = Status, description = "It does."),
        (status = 503, body = ErrorBody, description = "It does not, and why."),
    ),
)]
pub async fn ready(State(shared): State<Arc<Shared>>) -> Result<Json<Status>, Failure> {
    match shared.backend.health() {
        Health { ready: true, .. } => Ok(Json(Status { status: "ready" })),
        Health { reasons, .. } => {
            let message = format!("not ready: {}", reasons.join("; "));
            Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message).retry_after(1))
        }
    }
}
