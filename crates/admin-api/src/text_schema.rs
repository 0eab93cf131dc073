//! How types that are texts in JSON look in the OpenAPI document.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::bounds::NUMBER_MAX;
use crate::{DeadLetter, DurationText, SizeText, Timestamp};

macro_rules! texts {
    ($($type:ty = $description:literal, $pattern:expr, $number_max:expr, $example:literal;)*) => {
        $(
            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    text($description, $pattern, $number_max, $example)
                }
            }

            impl ToSchema for $type {}
        )*
    };
}

texts! {
    DurationText = "A duration: a whole number with `ms`, `s`, `m`, `h` or `d`, or `0`, as a number too. It echoes in its shortest form.",
        Some("^(0|[0-9]{1,20}(ms|s|m|h|d))$"), Some(0), "30s";
    SizeText = "A size: bytes, or a whole number with `KiB`, `MiB`, `GiB` or `TiB`. It echoes in its shortest form. A request may give a number of bytes too.",
        Some("^[0-9]{1,20}(KiB|MiB|GiB|TiB|B|KB|MB|GB)?$"), Some(NUMBER_MAX), "64KiB";
    Timestamp = "A point in time, RFC 3339. A request may give milliseconds since 1970 too.",
        None, None, "2026-11-24T10:37:00.000Z";
    DeadLetter = "Where dead letters go: `own` is the queue's own dead-letter queue, `none` is nowhere, else the name of a queue.",
        None, None, "own";
}

/// A text, or a number up to that one.
fn text(
    description: &str,
    pattern: Option<&str>,
    number_max: Option<u64>,
    example: &str,
) -> RefOr<Schema> {
    let types = match number_max {
        Some(_) => SchemaType::from_iter([Type::String, Type::Integer]),
        None => SchemaType::from(Type::String),
    };
    ObjectBuilder::new()
        .schema_type(types)
        .description(Some(description))
        .pattern(pattern)
        .minimum(number_max.map(|_| 0))
        .maximum(number_max)
        .examples([example])
        .build()
        .into()
}
