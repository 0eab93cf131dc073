//! Numbers and times of requests, as the OpenAPI document bounds them. It must not know what they are for.

use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

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
