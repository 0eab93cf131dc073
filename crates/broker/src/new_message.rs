//! A message of an operator's, checked before it goes anywhere, and what became of it. It must not know sessions.

use mqtt_types::{Message, MessageHead, QoS, ReasonCode, TopicName};

use crate::config::Config;

/// A message to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewMessage {
    /// Where to publish it.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// The QoS to publish it with.
    pub qos: QoS,
    /// Whether it is to be the topic's retained message.
    pub retain: bool,
    /// Its Message Expiry Interval in seconds.
    pub message_expiry_interval: Option<u32>,
    /// The raw block of its other properties.
    pub properties: Vec<u8>,
}

/// Why a message cannot be published.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {message}")]
pub struct MessageError {
    /// Which part of it is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// What a publisher's acknowledgement would say.
    pub reason: ReasonCode,
    /// And its reason string.
    pub words: Option<String>,
    /// Whether it is the message that is wrong: it would be refused again.
    pub is_wrong: bool,
}

impl From<ReasonCode> for Published {
    fn from(reason: ReasonCode) -> Self {
        Self { reason, words: None, is_wrong: false }
    }
}

impl NewMessage {
    /// The message, held to the limits that clients are held to.
    pub(crate) fn check(&self, config: &Config) -> Result<Message, MessageError> {
        let error = |field, message: String| Err(MessageError { field, message });
        let limits = &config.limits;
        let topic = match TopicName::new(&self.topic) {
            Ok(topic) => topic,
            Err(reason) => return error("topic", reason.to_string()),
        };
        if topic.levels().count() > config.max_topic_levels {
            return error("topic", format!("has more than {} levels", config.max_topic_levels));
        }
        if self.qos > limits.maximum_qos {
            return error("qos", format!("is above mqtt.max_qos, {}", limits.maximum_qos.as_u8()));
        }
        if self.retain && !limits.retain_available {
            return error("retain", "cannot be: mqtt.retain_available is off".to_owned());
        }
        let len = self.topic.len() + self.payload.len() + self.properties.len();
        if len > limits.maximum_packet_size as usize {
            let most = limits.maximum_packet_size;
            return error("payload", format!("is too large: mqtt.max_packet_size is {most} bytes"));
        }
        let head = MessageHead {
            qos: self.qos,
            retain: self.retain,
            expiry_interval: self.message_expiry_interval,
            ..MessageHead::default()
        };
        match Message::new(head, topic, &self.properties, &self.payload) {
            Some(message) => Ok(message),
            None => error("payload", "is too large".to_owned()),
        }
    }
}
