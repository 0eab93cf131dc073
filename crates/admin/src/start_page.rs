//! `GET /`: what this is and where to go, until the dashboard is there.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse};

use crate::shared::Shared;

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

pub async fn start_page(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 1] = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, Html(include_str!("start_page.html").replace("{version}", shared.config.version)))
}
