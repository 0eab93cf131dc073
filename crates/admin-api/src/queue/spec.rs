//! A body that has been checked: what to create, what to change.

use mqtt_types::{Address, QueueName, TopicFilter};

use super::{QueueBody, QueueProperties};
use crate::ApiError;

/// Names of dead-letter queues start so; nobody else's may.
const DEAD_LETTER_PREFIX: &str = "dead:";

/// A queue to create. Its name is simple, or equal to its topic filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueSpec {
    name: String,
    topic_filter: Option<String>,
    body: QueueBody,
}

/// A change to a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueuePatch {
    body: QueueBody,
}

impl QueueSpec {
    /// Checks what a client sent.
    ///
    /// # Errors
    /// A name, a filter or a property that cannot be; the field is named.
    pub fn new(body: QueueBody) -> Result<Self, ApiError> {
        let (name, topic_filter) = identity(body.name.clone(), body.topic_filter.clone())?;
        let spec = Self { name, topic_filter, body };
        spec.properties(&QueueProperties::default())?;
        Ok(spec)
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is bound to; `None` is bound to nothing.
    #[must_use]
    pub fn topic_filter(&self) -> Option<&str> {
        self.topic_filter.as_deref()
    }

    /// The properties that the queue is created with: what was given, the rest from `defaults`.
    ///
    /// # Errors
    /// A value cannot be beside the others.
    pub fn properties(&self, defaults: &QueueProperties) -> Result<QueueProperties, ApiError> {
        applied(defaults, &self.body)
    }
}

impl QueuePatch {
    /// Checks what a client sent. What depends on the queue's other properties is checked by [`Self::properties`].
    ///
    /// # Errors
    /// A property that cannot change, or a filter that is none; the field is named.
    pub fn new(body: QueueBody) -> Result<Self, ApiError> {
        if body.name.is_some() {
            return Err(ApiError::invalid("name", "cannot change; create another queue"));
        }
        if let Some(Some(filter)) = &body.topic_filter {
            check_bound_filter("topic_filter", filter)?;
        }
        Ok(Self { body })
    }

    /// What the queue shall be bound to: `None` as it is, `Some(None)` to nothing.
    #[must_use]
    pub fn topic_filter(&self) -> Option<Option<&str>> {
        self.body.topic_filter.as_ref().map(Option::as_deref)
    }

    /// The properties after the change.
    ///
    /// # Errors
    /// A value cannot be beside the others.
    pub fn properties(&self, current: &QueueProperties) -> Result<QueueProperties, ApiError> {
        applied(current, &self.body)
    }
}

fn applied(base: &QueueProperties, body: &QueueBody) -> Result<QueueProperties, ApiError> {
    let mut properties = base.clone();
    properties.apply(body);
    properties.check()?;
    Ok(properties)
}

/// Name and filter of a new queue from what was given of the two.
fn identity(
    name: Option<String>,
    topic_filter: Option<Option<String>>,
) -> Result<(String, Option<String>), ApiError> {
    if let Some(Some(filter)) = &topic_filter {
        check_bound_filter("topic_filter", filter)?;
    }
    match (name, topic_filter) {
        (None, Some(Some(filter))) => Ok((filter.clone(), Some(filter))),
        (None, _) => Err(ApiError::invalid(
            "topic_filter",
            "is missing; a queue without a name is named by its filter",
        )),
        (Some(name), topic_filter) if QueueName::new(&name).is_ok() => {
            let message = "is missing; give null for a queue that is bound to nothing";
            let topic_filter =
                topic_filter.ok_or_else(|| ApiError::invalid("topic_filter", message))?;
            Ok((name, topic_filter))
        }
        (Some(name), topic_filter) => {
            check_bound_filter("name", &name)?;
            match topic_filter {
                None => Ok((name.clone(), Some(name))),
                Some(Some(filter)) if filter == name => Ok((name, Some(filter))),
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

/// A filter that a queue may be bound to: legal, and of topics that are enqueued.
fn check_bound_filter(field: &str, filter: &str) -> Result<(), ApiError> {
    let refuse = |cause: &str| {
        Err(ApiError::invalid(field, format!("'{filter}' cannot be bound to: {cause}")))
    };
    if let Err(cause) = TopicFilter::new(filter) {
        return refuse(&cause.to_string());
    }
    let live = matches!(Address::parse(filter), Ok(Address::Live(_)));
    let head = filter.split('/').next().unwrap_or_default();
    if !live || matches!(head, "$SYS" | "$delayed") {
        return refuse("no message is ever enqueued by such a topic");
    }
    if filter.starts_with(DEAD_LETTER_PREFIX) {
        return refuse("names that start with 'dead:' are those of dead-letter queues");
    }
    Ok(())
}

/// Whether a text can be the name of a queue at all.
pub(super) fn check_queue_name(name: &str) -> Result<(), mqtt_types::FilterError> {
    TopicFilter::new(name).map(|_| ())
}
