//! The will of a session. It must not know when the connection ended.

use mqtt_types::{Message, MessageHead, TopicName};
use stdx::UnixMillis;

use crate::negotiate::WillRequest;

/// The message that is published when the client goes without saying so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Will {
    message: Message,
    delay_interval: u32,
}

impl Will {
    /// Takes the will out of a CONNECT. `None` when the topic is no topic name or the properties do not fit 32 bits.
    #[must_use]
    pub fn new(request: &WillRequest<'_>) -> Option<Self> {
        let head = MessageHead {
            qos: request.qos,
            retain: request.retain,
            received_at_ms: 0,
            expiry_interval: request.message_expiry_interval,
        };
        let topic = TopicName::new(request.topic).ok()?;
        let message = Message::new(head, topic, request.properties, request.payload)?;
        Some(Self { message, delay_interval: request.delay_interval })
    }

    /// The same will over another owner of its message.
    #[must_use]
    pub fn with_message(self, message: impl FnOnce(&Message) -> Message) -> Self {
        Self { message: message(&self.message), ..self }
    }

    /// How long to wait after the connection ended, in seconds.
    #[must_use]
    pub const fn delay_interval(&self) -> u32 {
        self.delay_interval
    }

    /// The message as it was given at CONNECT.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The topic it will be published to.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.message.topic()
    }

    /// The message as published now: its expiry counts from here, not from CONNECT.
    #[must_use]
    pub fn into_message(self, now: UnixMillis) -> Message {
        let head = MessageHead { received_at_ms: now.0, ..*self.message.head() };
        let topic =
            TopicName::new(self.message.topic()).expect("the message was made from a topic name");
        Message::new(head, topic, self.message.properties(), self.message.payload())
            .expect("its parts made a message before")
    }
}
