//! What the properties of a queue and those of a stream have in common: one list for the type, the defaults, the body of a
//! request and the change by it. It must not know any of them.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::ApiError;
use crate::bounds::NUMBER_MAX;

/// The properties of what a client can create and change.
pub trait Properties: Clone + Default + ToSchema {
    /// What a client sends: everything may be missing, nothing unknown may be there.
    type Body: Clone + PartialEq + Eq + std::fmt::Debug;

    /// The word for what has them.
    const WHAT: &str;
    /// The name of a change in the OpenAPI document.
    const PATCH: Cow<'static, str>;
    /// What a name may not begin with, and why.
    const RESERVED: Option<(&str, &str)>;

    /// The name and the filter that a body gives.
    fn identity(body: &Self::Body) -> (Option<&str>, Option<Option<&str>>);

    /// Takes over what the body gives.
    fn apply(&mut self, body: &Self::Body);

    /// Holds the values against each other and against what makes sense.
    ///
    /// # Errors
    /// A value is out of bounds; the field is named.
    fn check(&self) -> Result<(), ApiError>;
}

/// Keeps "not given" and "given as null" apart: a null for what cannot be null is an error and not a silence.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The first rule that does not hold, as an error: the field, whether it holds, what would be right.
pub(crate) fn check_rules(rules: &[(&str, bool, &str)]) -> Result<(), ApiError> {
    match rules.iter().find(|(_, holds, _)| !holds) {
        Some((field, _, message)) => Err(ApiError::invalid(*field, *message)),
        None => Ok(()),
    }
}

/// What a limit in messages must be.
pub(crate) const NUMBER: &str = "must be from 1 to 9223372036854775807, or null for no limit";

/// Whether it is that.
pub(crate) fn is_number(limit: Option<u64>) -> bool {
    limit.is_none_or(|limit| (1..=NUMBER_MAX).contains(&limit))
}

/// One list, so that a property cannot be in one place and be forgotten in another.
macro_rules! properties {
    (
        $(#[$about:meta])* $properties:ident, $body:ident, $names:ident, $what:literal, $patch:literal, $reserved:expr;
        $($(#[$doc:meta])* $name:ident: $type:ty = $default:expr,)*
    ) => {
        #[doc = concat!("The names of all properties that [`", stringify!($properties), "`] has.")]
        pub const $names: &[&str] = &[$(stringify!($name)),*];

        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub struct $properties {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for $properties {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        #[doc = concat!("What a client sent for a ", $what, ". A field that is `None` was not given; `Some(None)` was given as `null`.")]
        #[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[allow(missing_docs, reason = "each field is described at the properties")]
        pub struct $body {
            #[serde(deserialize_with = "crate::definition::given", skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            #[serde(deserialize_with = "crate::definition::given", skip_serializing_if = "Option::is_none")]
            pub topic_filter: Option<Option<String>>,
            $(
                #[serde(deserialize_with = "crate::definition::given", skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*
        }

        impl crate::definition::Properties for $properties {
            type Body = $body;

            const WHAT: &str = $what;
            const PATCH: std::borrow::Cow<'static, str> = std::borrow::Cow::Borrowed($patch);
            const RESERVED: Option<(&str, &str)> = $reserved;

            fn identity(body: &$body) -> (Option<&str>, Option<Option<&str>>) {
                (body.name.as_deref(), body.topic_filter.as_ref().map(Option::as_deref))
            }

            fn apply(&mut self, body: &$body) {
                $(if let Some(value) = &body.$name { self.$name.clone_from(value); })*
            }

            fn check(&self) -> Result<(), crate::ApiError> {
                self.check_values()
            }
        }

        impl $properties {
            /// The names of the properties whose value is not the default of the contract.
            fn unusual(&self) -> Vec<&'static str> {
                let default = Self::default();
                let mut names = Vec::new();
                $(if self.$name != default.$name { names.push(stringify!($name)); })*
                names
            }

            /// For a backend that has only some of the properties: refuses each other one that is not at the contract's
            /// default, so that nothing is accepted and then ignored.
            ///
            /// # Errors
            /// The first property that is neither in `supported` nor at its default, by name.
            pub fn refuse_unsupported(&self, supported: &[&str]) -> Result<(), crate::ApiError> {
                match self.unusual().into_iter().find(|name| !supported.contains(name)) {
                    Some(name) => Err(crate::ApiError::unsupported(
                        name,
                        "this version has only the default behaviour; leave it out",
                    )),
                    None => Ok(()),
                }
            }
        }

        impl utoipa::PartialSchema for $body {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                crate::definition::new_schema::<$properties>()
            }
        }

        impl utoipa::ToSchema for $body {
            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                <$properties as utoipa::ToSchema>::schemas(schemas);
            }
        }
    };
}

pub(crate) use properties;
