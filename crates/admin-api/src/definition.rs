//! A body that has been checked: what queue or stream to create, what to change of one.

mod properties;
mod schema;

use mqtt_types::{Address, QueueName, TopicFilter};

use crate::ApiError;

pub use properties::Properties;
pub(crate) use properties::{NUMBER, check_rules, given, is_number, properties};
pub(crate) use schema::new_schema;

/// A queue or a stream to create. Its name is simple, or equal to its topic filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spec<P: Properties> {
    name: String,
    topic_filter: Option<String>,
    body: P::Body,
}

/// A change to a queue or a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patch<P: Properties> {
    body: P::Body,
}

impl<P: Properties> Spec<P> {
    /// Checks what a client sent.
    ///
    /// # Errors
    /// A name, a filter or a property that cannot be; the field is named.
    pub fn new(body: P::Body) -> Result<Self, ApiError> {
        let (name, topic_filter) = identity::<P>(&body)?;
        let spec = Self { name, topic_filter, body };
        spec.properties(&P::default())?;
        Ok(spec)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is bound to; `None` is bound to nothing.
    #[must_use]
    pub fn topic_filter(&self) -> Option<&str> {
        self.topic_filter.as_deref()
    }

    /// The properties that it is created with: what was given, the rest from `defaults`.
    ///
    /// # Errors
    /// A value cannot be beside the others.
    pub fn properties(&self, defaults: &P) -> Result<P, ApiError> {
        applied(defaults, &self.body)
    }
}

impl<P: Properties> Patch<P> {
    /// Checks what a client sent. What depends on the other properties is checked by [`Self::properties`].
    ///
    /// # Errors
    /// A property that cannot change, or a filter that is none; the field is named.
    pub fn new(body: P::Body) -> Result<Self, ApiError> {
        let (name, topic_filter) = P::identity(&body);
        if name.is_some() {
            let message = format!("cannot change; create another {}", P::WHAT);
            return Err(ApiError::invalid("name", message));
        }
        if let Some(Some(filter)) = topic_filter {
            check_bound_filter::<P>("topic_filter", filter)?;
        }
        Ok(Self { body })
    }

    /// What it shall be bound to: `None` as it is, `Some(None)` to nothing.
    #[must_use]
    pub fn topic_filter(&self) -> Option<Option<&str>> {
        P::identity(&self.body).1
    }

    /// The properties after the change.
    ///
    /// # Errors
    /// A value cannot be beside the others.
    pub fn properties(&self, current: &P) -> Result<P, ApiError> {
        applied(current, &self.body)
    }
}

fn applied<P: Properties>(base: &P, body: &P::Body) -> Result<P, ApiError> {
    let mut properties = base.clone();
    properties.apply(body);
    properties.check()?;
    Ok(properties)
}

/// Name and filter of what is to be created from what was given of the two.
fn identity<P: Properties>(body: &P::Body) -> Result<(String, Option<String>), ApiError> {
    let (name, topic_filter) = P::identity(body);
    if let Some(Some(filter)) = topic_filter {
        check_bound_filter::<P>("topic_filter", filter)?;
    }
    let what = P::WHAT;
    let missing = |why: String| ApiError::invalid("topic_filter", format!("is missing; {why}"));
    match (name, topic_filter) {
        (None, Some(Some(filter))) => Ok((filter.to_owned(), Some(filter.to_owned()))),
        (None, _) => Err(missing(format!("a {what} without a name is named by its filter"))),
        (Some(name), topic_filter) if QueueName::new(name).is_ok() => {
            let topic_filter = topic_filter.ok_or_else(|| {
                missing(format!("give null for a {what} that is bound to nothing"))
            })?;
            Ok((name.to_owned(), topic_filter.map(str::to_owned)))
        }
        (Some(name), topic_filter) => {
            check_bound_filter::<P>("name", name)?;
            match topic_filter {
                None => Ok((name.to_owned(), Some(name.to_owned()))),
                Some(Some(filter)) if filter == name => {
                    Ok((name.to_owned(), Some(filter.to_owned())))
                }
                Some(_) => {
                    let message = format!(
                        "'{name}' is not simple (a letter or digit, then up to 127 of letters, digits, '-', '.' and '_') and differs from topic_filter"
                    );
                    Err(ApiError::invalid("name", message))
                }
            }
        }
    }
}

/// A filter that something may be bound to: legal, and of topics that are stored.
fn check_bound_filter<P: Properties>(field: &str, filter: &str) -> Result<(), ApiError> {
    let refuse = |cause: &str| {
        // As much of it as a message is to repeat.
        let shown: String = filter.chars().take(128).collect();
        Err(ApiError::invalid(field, format!("'{shown}' cannot be bound to: {cause}")))
    };
    if let Err(cause) = TopicFilter::new(filter) {
        return refuse(&cause.to_string());
    }
    let live = matches!(Address::parse(filter), Ok(Address::Live(_)));
    let head = filter.split('/').next().unwrap_or_default();
    if !live || matches!(head, "$SYS" | "$delayed") {
        return refuse("no message is ever stored by such a topic");
    }
    match P::RESERVED {
        Some((prefix, why)) if filter.starts_with(prefix) => refuse(why),
        _ => Ok(()),
    }
}

/// Whether a text can be the name of a queue or a stream at all.
pub(crate) fn check_name(name: &str) -> Result<(), mqtt_types::FilterError> {
    TopicFilter::new(name).map(|_| ())
}
