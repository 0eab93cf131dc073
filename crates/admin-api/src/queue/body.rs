//! The body of a create or change as it comes in: everything may be missing, nothing unknown may be there.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{DeadLetter, DispatchStrategy, Durability, Overflow, QueueProperties};
use crate::{DurationText, SizeText};

/// What a client sent for a queue. A field that is `None` was not given; `Some(None)` was given as `null`.
/// [`crate::QueueSpec`] and [`crate::QueuePatch`] make something of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each field is described at QueueProperties")]
pub struct QueueBody {
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub topic_filter: Option<Option<String>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dispatch_strategy: Option<DispatchStrategy>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub key_expression: Option<String>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub key_inflight: Option<u32>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_value: Option<bool>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub retention: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_messages: Option<Option<u64>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Option<SizeText>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_inflight: Option<u16>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub ack_timeout: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub retry_delay_max: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dead_letter_expired: Option<bool>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dead_letter_dropped: Option<bool>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dedup_window: Option<Option<DurationText>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub keep_settled: Option<DurationText>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

impl PartialSchema for QueueBody {
    /// What [`QueueProperties`] has, nothing of it required; a derived schema would allow null for all of it.
    fn schema() -> RefOr<Schema> {
        let mut object = match QueueProperties::schema() {
            RefOr::T(Schema::Object(object)) => object,
            _ => Object::new(),
        };
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The name, simple or equal to the filter; it cannot change."));
        let topic_filter = ObjectBuilder::new()
            .schema_type(
                [Type::String, Type::Null]
                    .into_iter()
                    .collect::<utoipa::openapi::schema::SchemaType>(),
            )
            .description(Some("What the queue is bound to; `null` is bound to nothing."));
        object.properties.insert("name".to_owned(), name.build().into());
        object.properties.insert("topic_filter".to_owned(), topic_filter.build().into());
        object.required.clear();
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        let about =
            "What to create, or what to change. What is not given has its default, or stays.";
        object.description = Some(about.to_owned());
        Schema::Object(object).into()
    }
}

impl ToSchema for QueueBody {
    /// [`QueueProperties`] has references to these.
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        QueueProperties::schemas(schemas);
    }
}

/// Keeps "not given" and "given as null" apart: a null for what cannot be null is an error and not a silence.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
