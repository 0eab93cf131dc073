//! What a stored message says, as a client gets it. It must not know where the message lies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::MessageProperties;

/// What a stored message says. All of it is left out when it cannot be read unaltered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct MessageBody {
    /// Where it was published to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Its payload, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The same as text, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The QoS it was published with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<u8>,
    /// Its properties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<MessageProperties>,
}

impl MessageBody {
    /// One that cannot be read.
    pub const UNREADABLE: Self =
        Self { topic: None, payload: None, text: None, qos: None, properties: None };

    /// One that says that.
    #[must_use]
    pub fn new(topic: &str, payload: &[u8], qos: u8, properties: MessageProperties) -> Self {
        Self {
            topic: Some(topic.to_owned()),
            payload: Some(STANDARD.encode(payload)),
            text: std::str::from_utf8(payload).ok().map(str::to_owned),
            qos: Some(qos),
            properties: Some(properties),
        }
    }
}
