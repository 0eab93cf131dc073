//! Numbers and times of requests, as the OpenAPI document bounds them. It must not know what they are for.

use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::ApiError;

/// The largest whole number that the document admits: that of a signed integer of 64 bits.
pub(crate) const NUMBER_MAX: u64 = i64::MAX as u64;

/// A point in time that a request gives, or none.
pub(crate) fn moment() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer, Type::Null]))
        .description(Some("A point in time, RFC 3339, or milliseconds since 1970."))
        .minimum(Some(0))
        .maximum(Some(NUMBER_MAX))
        .examples(["2026-11-24T10:37:00.000Z"])
        .build()
        .into()
}

/// A whole number of a query, whose field that is.
pub(crate) fn number(field: &str, text: &str) -> Result<u64, ApiError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|number| *number <= NUMBER_MAX).ok_or_else(|| {
        ApiError::invalid(field, format!("'{text}' is no whole number up to {NUMBER_MAX}"))
    })
}
