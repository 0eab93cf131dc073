//! How the bodies of a create and of a change look in the OpenAPI document.

use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{QueueBody, QueuePatch, QueueProperties};

impl PartialSchema for QueueBody {
    fn schema() -> RefOr<Schema> {
        let mut object = change("A queue to create. What is not given has its default.");
        let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).description(
            Some("The name, simple or equal to the filter. Without one it is the filter."),
        );
        object.properties.insert("name".to_owned(), name.build().into());
        Schema::Object(object).into()
    }
}

impl ToSchema for QueueBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        QueueProperties::schemas(schemas);
    }
}

impl PartialSchema for QueuePatch {
    fn schema() -> RefOr<Schema> {
        Schema::Object(change("A change to a queue. What is not given stays.")).into()
    }
}

impl ToSchema for QueuePatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        QueueProperties::schemas(schemas);
    }
}

/// What [`QueueProperties`] has, and the filter; nothing is required. A derived schema would allow null for all of it.
fn change(about: &str) -> Object {
    let mut object = match QueueProperties::schema() {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::new(),
    };
    let topic_filter = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .min_length(Some(1))
        .description(Some("What the queue is bound to; `null` is bound to nothing."));
    object.properties.insert("topic_filter".to_owned(), topic_filter.build().into());
    object.required.clear();
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object.description = Some(about.to_owned());
    object
}
