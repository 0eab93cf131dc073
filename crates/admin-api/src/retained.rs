//! The retained message resource.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MessageProperties, Timestamp};

/// A topic's retained message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetainedView {
    /// Its topic.
    pub topic: String,
    /// Its payload, in base64.
    pub payload: String,
    /// The same as text, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The QoS it was published with.
    pub qos: u8,
    /// Its properties.
    pub properties: MessageProperties,
    /// When the broker took it.
    pub publish_ts: Timestamp,
}

/// What a removal came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetainedRemoved {
    /// How many retained messages are gone.
    pub removed: u64,
}

impl RetainedView {
    /// A message with that payload.
    #[must_use]
    pub fn new(
        topic: &str,
        payload: &[u8],
        qos: u8,
        properties: MessageProperties,
        publish_ts: Timestamp,
    ) -> Self {
        Self {
            topic: topic.to_owned(),
            payload: STANDARD.encode(payload),
            text: std::str::from_utf8(payload).ok().map(str::to_owned),
            qos,
            properties,
            publish_ts,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_that_is_no_text_is_base64_only() {
        let none = MessageProperties::default;
        for (payload, expected) in [
            (
                &b"hi"[..],
                json!({
                    "topic": "a/b", "payload": "aGk=", "text": "hi", "qos": 1, "properties": {},
                    "publish_ts": "1970-01-01T00:00:00.000Z",
                }),
            ),
            (
                &[0, 255],
                json!({
                    "topic": "a/b", "payload": "AP8=", "qos": 1, "properties": {},
                    "publish_ts": "1970-01-01T00:00:00.000Z",
                }),
            ),
        ] {
            let view = RetainedView::new("a/b", payload, 1, none(), Timestamp::default());
            let json = serde_json::to_value(&view).expect("JSON");
            assert_eq!(json, expected);
            assert_eq!(serde_json::from_value::<RetainedView>(json).expect("read"), view);
        }
    }
}
