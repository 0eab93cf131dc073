//! A message of a queue as a client gets it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MessageState;
use crate::{MessageProperties, Timestamp};

/// A message of a queue. What it says is left out when its body cannot be read unaltered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueMessageView {
    /// Its place in the queue.
    pub offset: u64,
    /// Where it stands.
    pub state: MessageState,
    /// Deliveries that counted, the one under way not among them.
    pub attempts: u32,
    /// When the broker took it.
    pub publish_ts: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: Option<QueueMessageBody>,
    /// Its key, in a queue that keeps keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a message of a queue says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueMessageBody {
    /// Where it was published to.
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
}

impl QueueMessageBody {
    /// A body with that payload.
    #[must_use]
    pub fn new(topic: &str, payload: &[u8], qos: u8, properties: MessageProperties) -> Self {
        Self {
            topic: topic.to_owned(),
            payload: STANDARD.encode(payload),
            text: std::str::from_utf8(payload).ok().map(str::to_owned),
            qos,
            properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_it_says_stands_beside_where_it_stands() {
        let body = |payload: &[u8]| {
            Some(QueueMessageBody::new("a/b", payload, 1, MessageProperties::default()))
        };
        let view = |body| QueueMessageView {
            offset: 7,
            state: MessageState::InFlight,
            attempts: 2,
            publish_ts: Timestamp::default(),
            body,
            key: None,
        };
        let stands = json!({
            "offset": 7, "state": "in_flight", "attempts": 2, "publish_ts": "1970-01-01T00:00:00.000Z",
        });
        let says = |more: serde_json::Value| {
            let mut json = stands.clone();
            if let (Some(json), Some(more)) = (json.as_object_mut(), more.as_object()) {
                json.extend(more.clone());
            }
            json
        };
        for (view, expected) in [
            (view(None), stands.clone()),
            (
                view(body(b"hi")),
                says(
                    json!({"topic": "a/b", "payload": "aGk=", "text": "hi", "qos": 1, "properties": {}}),
                ),
            ),
            (
                view(body(&[0, 255])),
                says(json!({"topic": "a/b", "payload": "AP8=", "qos": 1, "properties": {}})),
            ),
        ] {
            let json = serde_json::to_value(&view).expect("JSON");
            assert_eq!(json, expected);
            assert_eq!(serde_json::from_value::<QueueMessageView>(json).expect("read"), view);
        }
    }
}
