//! What an expression can ask about a message.

/// A message and its publisher, as far as keys go. A message that no client published, or whose publisher is no longer
/// known, has no client id.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The topic name.
    pub topic: &'a str,
    /// The client id of the publisher.
    pub client_id: Option<&'a str>,
    /// The user name with which the publisher signed in.
    pub username: Option<&'a str>,
    /// The value of the first user property of a name; a way to the raw property block, which is walked only if asked.
    pub user_property: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Facts<'a> {
    /// A message of which nothing but the topic is known.
    #[must_use]
    pub const fn of_topic(topic: &'a str) -> Self {
        Self { topic, client_id: None, username: None, user_property: &|_| None, payload: &[] }
    }
}
