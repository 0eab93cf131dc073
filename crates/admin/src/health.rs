//! `/healthz` (the process lives) and `/readyz` (the broker takes traffic).

use std::sync::Arc;

use admin_api::Health;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use crate::failure::Failure;
use crate::shared::Shared;

/// The body of both when all is well.
#[derive(Serialize)]
pub struct Status {
    status: &'static str,
}

pub async fn live() -> Json<Status> {
    Json(Status { status: "ok" })
}

pub async fn ready(State(shared): State<Arc<Shared>>) -> Result<Json<Status>, Failure> {
    match shared.backend.health() {
        Health { ready: true, .. } => Ok(Json(Status { status: "ready" })),
        Health { reasons, .. } => {
            let message = format!("not ready: {}", reasons.join("; "));
            Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message).retry_after(1))
        }
    }
}
