//! How types that are texts in JSON look in the OpenAPI document.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::{DeadLetter, DurationText, SizeText, Timestamp};

macro_rules! texts {
    ($($type:ty = $description:literal, $pattern:expr, $example:literal;)*) => {
        $(
            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    text($description, $pattern, $example)
                }
            }

            impl ToSchema for $type {}
        )*
    };
}

texts! {
    DurationText = "A duration: a whole number with `ms`, `s`, `m`, `h` or `d`, or `0`. It echoes in its shortest form.",
        Some("^(0|[0-9]{1,10}(ms|s|m|h|d))$"), "30s";
    SizeText = "A size: bytes, or a whole number with `KiB`, `MiB`, `GiB` or `TiB`. It echoes in its shortest form. A request may give a number of bytes too.",
        Some("^[0-9]{1,6}(KiB|MiB|GiB|TiB|B|KB|MB|GB)?$"), "64KiB";
    Timestamp = "A point in time, RFC 3339. A request may give milliseconds since 1970 too.",
        None, "2026-11-24T10:37:00.000Z";
    DeadLetter = "Where dead letters go: `own` is the queue's own dead-letter queue, `none` is nowhere, else the name of a queue.",
        None, "own";
}

fn text(description: &str, pattern: Option<&str>, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(pattern)
        .examples([example])
        .build()
        .into()
}
