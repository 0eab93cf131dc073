//! How the bodies of a create and of a change look in the OpenAPI document.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{Patch, Properties};

/// The body of a create: a change with a name.
pub(crate) fn new_schema<P: Properties>() -> RefOr<Schema> {
    let about = format!("A {} to create. What is not given has its default.", P::WHAT);
    let mut object = change::<P>(about);
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).description(
        Some("The name, simple or equal to the filter. Without one it is the filter."),
    );
    object.properties.insert("name".to_owned(), name.build().into());
    Schema::Object(object).into()
}

impl<P: Properties> PartialSchema for Patch<P> {
    fn schema() -> RefOr<Schema> {
        let about = format!("A change to a {}. What is not given stays.", P::WHAT);
        Schema::Object(change::<P>(about)).into()
    }
}

impl<P: Properties> ToSchema for Patch<P> {
    fn name() -> Cow<'static, str> {
        P::PATCH
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        P::schemas(schemas);
    }
}

/// What the properties have, and the filter; nothing is required. A derived schema would allow null for all of it.
fn change<P: Properties>(about: String) -> Object {
    let mut object = match P::schema() {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::new(),
    };
    let bound = format!("What the {} is bound to; `null` is bound to nothing.", P::WHAT);
    let topic_filter = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .min_length(Some(1))
        .description(Some(bound));
    object.properties.insert("topic_filter".to_owned(), topic_filter.build().into());
    object.required.clear();
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    object.description = Some(about);
    object
}
