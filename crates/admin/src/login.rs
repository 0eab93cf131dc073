//! `POST /api/v1/login`.

use std::sync::Arc;
use std::time::SystemTime;

use admin_api::{ErrorBody, LoginRequest, LoginResponse, Timestamp};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use stdx::UnixMillis;

use crate::access::Peer;
use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::openapi::{Refused, Wrong};
use crate::shared::Shared;
use crate::sign_in::LoginRefusal;

const PASSWORD_BYTES_MAX: usize = 1_024;

/// Signs in by name and password; the user must have the role `admin`.
#[utoipa::path(
    post, path = "/api/v1/login", tag = "sign-in", operation_id = "login", security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, body = LoginResponse, description = "What goes behind `Authorization: Bearer`."),
        (status = 403, body = ErrorBody, description = "The user is no admin."),
        (status = 429, body = ErrorBody, description = "Too many ask at once, or have failed; see Retry-After."),
        Refused, Wrong,
    ),
)]
pub async fn login(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<Json<LoginResponse>, Failure> {
    if request.password.len() > PASSWORD_BYTES_MAX {
        return Err(Failure::field("password", "is longer than 1024 bytes"));
    }
    match shared.sign_in.login(peer.ip(), &request.username, &request.password).await {
        Ok(token) => {
            tracing::info!(%peer, username = %request.username, "signed in");
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let ends = (now + shared.config.token_lifetime).as_millis();
            let expires_at = Timestamp(UnixMillis(u64::try_from(ends).unwrap_or(u64::MAX)));
            Ok(Json(LoginResponse { token, expires_at }))
        }
        Err(LoginRefusal::Wrong) => {
            tracing::warn!(%peer, username = ?request.username, "login refused");
            Err(wrong())
        }
        Err(LoginRefusal::NoAdmin) => {
            tracing::warn!(%peer, username = ?request.username, "login refused: no role admin");
            let message = "user has no role admin, which REST asks of everyone";
            Err(Failure::new(StatusCode::FORBIDDEN, "forbidden", message))
        }
        Err(LoginRefusal::Busy) => Err(Failure::too_many(1)),
        Err(LoginRefusal::TooManyFailures) => {
            tracing::warn!(%peer, "login refused: too many have failed");
            Err(Failure::too_many(10))
        }
        Err(LoginRefusal::Failed) => Err(Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "password could not be checked",
        )),
    }
}

fn wrong() -> Failure {
    Failure::unauthorized("no such user and password")
}
