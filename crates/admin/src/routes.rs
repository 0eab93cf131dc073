//! Which path leads where, and what every request passes on its way.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::timeout;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::require_sign_in;
use crate::config::Config;
use crate::failure::Failure;
use crate::shared::Shared;
use crate::{
    alarms, backup, clients, delayed, explain, health, login, metrics_page, openapi, publish,
    queue_operations, queues, retained, start_page, stream_operations, streams, users,
};

/// All routes, behind the sign-in.
pub fn routes(shared: Arc<Shared>) -> Router {
    let sign_in = Arc::clone(&shared.sign_in);
    let (routes, mut document) = documented().split_for_parts();
    document.info.version = shared.config.version.to_owned();
    let document: Arc<str> =
        document.to_json().expect("a document of ours can be written as JSON").into();
    routes
        .route("/", get(start_page::start_page))
        .route("/api/openapi.json", get(async move || openapi::response(&document)))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(shared.config.max_body_bytes))
        .layer(from_fn_with_state(sign_in, require_sign_in))
        .layer(from_fn_with_state(Arc::clone(&shared), bounded))
        .with_state(shared)
}

/// The routes that the OpenAPI document has: their paths stand at the handlers.
fn documented() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics_page::metrics))
        .routes(routes!(login::login))
        .routes(routes!(queues::list, queues::create))
        .routes(routes!(queues::show, queues::patch, queues::delete))
        .routes(routes!(queue_operations::purge))
        .routes(routes!(queue_operations::redrive))
        .routes(routes!(queue_operations::messages))
        .routes(routes!(queue_operations::seek))
        .routes(routes!(queue_operations::pause))
        .routes(routes!(queue_operations::resume))
        .routes(routes!(queue_operations::consumers))
        .routes(routes!(queue_operations::ledger))
        .routes(routes!(streams::list, streams::create))
        .routes(routes!(streams::show, streams::patch, streams::delete))
        .routes(routes!(stream_operations::purge))
        .routes(routes!(stream_operations::messages))
        .routes(routes!(stream_operations::seek))
        .routes(routes!(stream_operations::pause))
        .routes(routes!(stream_operations::resume))
        .routes(routes!(stream_operations::readers))
        .routes(routes!(stream_operations::consumers))
        .routes(routes!(stream_operations::forget))
        .routes(routes!(stream_operations::ledger))
        .routes(routes!(alarms::list))
        .routes(routes!(backup::download))
        .routes(routes!(clients::list))
        .routes(routes!(clients::show, clients::delete))
        .routes(routes!(clients::subscriptions))
        .routes(routes!(publish::one))
        .routes(routes!(publish::bulk))
        .routes(routes!(delayed::list))
        .routes(routes!(delayed::delete))
        .routes(routes!(explain::explain))
        .routes(routes!(retained::list, retained::delete))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::patch, users::delete))
}

/// Bounds the time a request may take and marks every answer as not to be guessed at or kept.
async fn bounded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let limit = time_for(&shared.config, request.uri().path());
    let mut response = match timeout(limit, next.run(request)).await {
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

/// How long a request may take: some walk over all messages of a queue or a stream.
fn time_for(config: &Config, path: &str) -> Duration {
    let walks = ["/purge", "/seek", "/redrive"].iter().any(|verb| path.ends_with(verb));
    let is_long =
        ["/api/v1/queues/", "/api/v1/streams/"].iter().any(|of| path.starts_with(of)) && walks;
    if is_long { config.walk_timeout } else { config.request_timeout }
}

async fn unknown_path(request: Request) -> Failure {
    let message = format!("path '{}' does not exist", request.uri().path());
    Failure::new(StatusCode::NOT_FOUND, "not_found", message)
}

async fn unknown_method(request: Request) -> Failure {
    let message = format!("path '{}' does not take {}", request.uri().path(), request.method());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
