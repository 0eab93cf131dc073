//! What a request can be refused for, and the body that says so.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApiError {
    /// There is no such thing: 404.
    #[error("{kind} '{name}' does not exist")]
    NotFound {
        /// What was looked for, such as `queue`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The request contradicts what is there, a duplicate or a full set: 409.
    #[error("{message}")]
    Conflict {
        /// The thing and the cause.
        message: String,
    },
    /// A field has a value that cannot be: 400.
    #[error("{field}: {message}")]
    Invalid {
        /// The JSON name of the field.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A field asks for behaviour that this version does not have: 400. Never accepted and ignored.
    #[error("{field}: {message}")]
    Unsupported {
        /// The JSON name of the field.
        field: String,
        /// What this version has instead.
        message: String,
    },
    /// The broker cannot answer now: 503 with Retry-After.
    #[error("{message}")]
    Unavailable {
        /// The cause.
        message: String,
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// Something of ours failed: 500.
    #[error("{message}")]
    Internal {
        /// The cause.
        message: String,
    },
}

impl ApiError {
    /// A value that cannot be.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// A value whose behaviour this version does not have.
    #[must_use]
    pub fn unsupported(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unsupported { field: field.into(), message: message.into() }
    }

    /// A queue that does not exist.
    #[must_use]
    pub fn no_queue(name: impl Into<String>) -> Self {
        Self::NotFound { kind: "queue", name: name.into() }
    }

    /// A stream that does not exist.
    #[must_use]
    pub fn no_stream(name: impl Into<String>) -> Self {
        Self::NotFound { kind: "stream", name: name.into() }
    }

    /// The stable code of the error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Conflict { .. } => "conflict",
            Self::Invalid { .. } => "invalid",
            Self::Unsupported { .. } => "unsupported",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal { .. } => "internal",
        }
    }

    /// The body that tells the client.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        let field = match self {
            Self::Invalid { field, .. } | Self::Unsupported { field, .. } => Some(field.clone()),
            _ => None,
        };
        ErrorBody {
            code: self.code().to_owned(),
            message: self.to_string(),
            details: ErrorDetails { field },
        }
    }
}

/// The body of every response that is an error.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// A stable code, such as `not_found`.
    pub code: String,
    /// The thing, the cause and, where there is one, the way out.
    pub message: String,
    /// What a program can use of it.
    #[serde(default)]
    pub details: ErrorDetails,
}

/// What a program can use of an error.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetails {
    /// The field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}
