//! A message of a queue as a client gets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MessageState;
use crate::{MessageBody, Timestamp};

/// A message of a queue. What it says, from `topic` to `properties`, is left out when its body cannot be read unaltered.
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
    pub body: MessageBody,
    /// Its key, in a queue that keeps keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl QueueMessageView {
    /// One of which no more is known than where it stands.
    #[must_use]
    pub const fn new(
        offset: u64,
        state: MessageState,
        attempts: u32,
        publish_ts: Timestamp,
    ) -> Self {
        Self { offset, state, attempts, publish_ts, body: MessageBody::UNREADABLE, key: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::MessageProperties;

    #[test]
    fn what_it_says_stands_beside_where_it_stands() {
        let bare = || QueueMessageView::new(7, MessageState::InFlight, 2, Timestamp::default());
        let view = |payload: &[u8]| {
            let body = MessageBody::new("a/b", payload, 1, MessageProperties::default());
            QueueMessageView { body, ..bare() }
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
            (bare(), stands.clone()),
            (
                view(b"hi"),
                says(
                    json!({"topic": "a/b", "payload": "aGk=", "text": "hi", "qos": 1, "properties": {}}),
                ),
            ),
            (
                view(&[0, 255]),
                says(json!({"topic": "a/b", "payload": "AP8=", "qos": 1, "properties": {}})),
            ),
        ] {
            let json = serde_json::to_value(&view).expect("JSON");
            assert_eq!(json, expected);
            assert_eq!(serde_json::from_value::<QueueMessageView>(json).expect("read"), view);
        }
    }
}
