//! The OpenAPI 3.1 document, made of the handlers and of the types that they take and give.

use admin_api::ErrorBody;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};

/// What the document says beside paths and schemas. The version is the package's.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "WeirMQ",
        description = "The operator's side of a WeirMQ broker. Lists come in pages: give `next` as `cursor` to go on. \
                       An error has a stable `code`, and in `details.field` the field that is wrong."
    ),
    security(("bearer" = [])),
    tags(
        (name = "sign-in", description = "A token for all that follows."),
        (name = "queues", description = "Durable queues: what they are bound to, what they do, their ledger."),
        (name = "streams", description = "Durable streams: what they keep, and how far who reads them has come."),
        (name = "clients", description = "Sessions with and without a connection, and their subscriptions."),
        (name = "messages", description = "Publishing, what is to be published later, and why messages go where they go."),
        (name = "users", description = "Who may sign in."),
        (name = "node", description = "Health and numbers of this node."),
    ),
    modifiers(&BearerToken)
)]
pub struct Document;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let about = "The token of a login, or the admin token of the data directory.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    }
}

/// What every request may get: nobody is signed in, or the broker cannot answer now.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "the variants describe responses and are never made")]
pub enum Refused {
    /// Nobody is signed in.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// The broker failed.
    #[response(status = 500)]
    Failed(ErrorBody),
    /// The broker cannot answer now; see Retry-After.
    #[response(status = 503)]
    Unavailable(ErrorBody),
}

/// A field is wrong, or the body is no JSON or too large.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "the variants describe responses and are never made")]
pub enum Wrong {
    /// A field is wrong, or the body is not the JSON expected.
    #[response(status = 400)]
    Invalid(ErrorBody),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(ErrorBody),
}

/// There is no such thing.
#[derive(IntoResponses)]
#[response(status = 404, description = "There is no such thing.")]
#[allow(dead_code, reason = "describes a response and is never made")]
pub struct Unknown(ErrorBody);

/// The request contradicts what is there.
#[derive(IntoResponses)]
#[response(
    status = 409,
    description = "The name is taken, or the request contradicts what is there."
)]
#[allow(dead_code, reason = "describes a response and is never made")]
pub struct Taken(ErrorBody);

/// The document as a response.
pub fn response(document: &str) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], document.to_owned())
}
