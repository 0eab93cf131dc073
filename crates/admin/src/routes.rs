//! Which path leads where, and what every request passes on its way.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use tokio::time::timeout;

use crate::access::require_sign_in;
use crate::failure::Failure;
use crate::shared::Shared;
use crate::{
    alarms, clients, delayed, health, login, metrics_page, publish, queues, start_page, users,
};

/// All routes, behind the sign-in.
pub fn routes(shared: Arc<Shared>) -> Router {
    let sign_in = Arc::clone(&shared.sign_in);
    Router::new()
        .route("/", get(start_page::start_page))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics_page::metrics))
        .route("/api/v1/login", post(login::login))
        .route("/api/v1/queues", get(queues::list).post(queues::create))
        .route(
            "/api/v1/queues/{name}",
            get(queues::show).patch(queues::patch).delete(queues::delete),
        )
        .route("/api/v1/alarms", get(alarms::list))
        .route("/api/v1/clients", get(clients::list))
        .route("/api/v1/clients/{client_id}", get(clients::show).delete(clients::delete))
        .route("/api/v1/subscriptions", get(clients::subscriptions))
        .route("/api/v1/publish", post(publish::one))
        .route("/api/v1/publish/bulk", post(publish::bulk))
        .route("/api/v1/delayed", get(delayed::list))
        .route("/api/v1/delayed/{id}", delete(delayed::delete))
        .route("/api/v1/users", get(users::list).post(users::create))
        .route(
            "/api/v1/users/{username}",
            get(users::show).patch(users::patch).delete(users::delete),
        )
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(shared.config.max_body_bytes))
        .layer(from_fn_with_state(sign_in, require_sign_in))
        .layer(from_fn_with_state(Arc::clone(&shared), bounded))
        .with_state(shared)
}

/// Bounds the time a request may take and marks every answer as not to be guessed at or kept.
async fn bounded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match timeout(shared.config.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the broker did not answer in time",
        )
        .retry_after(1)
        .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn unknown_path(request: Request) -> Failure {
    let message = format!("path '{}' does not exist", request.uri().path());
    Failure::new(StatusCode::NOT_FOUND, "not_found", message)
}

async fn unknown_method(request: Request) -> Failure {
    let message = format!("path '{}' does not take {}", request.uri().path(), request.method());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
