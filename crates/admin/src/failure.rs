//! Errors as HTTP responses: status, JSON body, and the headers that go with them.

use admin_api::{ApiError, ErrorBody, ErrorDetails};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A request that ends in an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    status: StatusCode,
    body: ErrorBody,
    retry_after_seconds: Option<u64>,
}

impl Failure {
    /// An error of HTTP itself.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let body = ErrorBody {
            code: code.to_owned(),
            message: message.into(),
            details: ErrorDetails::default(),
        };
        Self { status, body, retry_after_seconds: None }
    }

    /// A request whose field is wrong.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::from(ApiError::invalid(field, message))
    }

    /// 401: nobody is signed in.
    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 429: others have to be served first.
    pub fn too_many(retry_after_seconds: u64) -> Self {
        let message = "too many requests at once; come again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
            .retry_after(retry_after_seconds)
    }

    /// The same error with a Retry-After.
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let status = match &error {
            ApiError::NotFound { .. } => StatusCode::NOT_FOUND,
            ApiError::Conflict { .. } => StatusCode::CONFLICT,
            ApiError::Invalid { .. } | ApiError::Unsupported { .. } => StatusCode::BAD_REQUEST,
            ApiError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let retry_after_seconds = match &error {
            ApiError::Unavailable { retry_after, .. } => {
                Some(retry_after.as_millis().div_ceil(1_000).max(1) as u64)
            }
            _ => None,
        };
        Self { status, body: error.body(), retry_after_seconds }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"weir\""),
            );
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
