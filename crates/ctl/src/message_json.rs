//! A message as JSON, in the words of the REST resources.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mqtt_client::Delivery;
use mqtt_types::Property;
use serde_json::{Map, Value, json};

/// The message; a payload that is text as `payload`, any other as `payload_base64`.
pub fn message_json(delivery: &Delivery) -> Value {
    let (key, payload) = match std::str::from_utf8(&delivery.payload) {
        Ok(text) => ("payload", text.to_owned()),
        Err(_) => ("payload_base64", STANDARD.encode(&delivery.payload)),
    };
    json!({
        "topic": delivery.topic,
        key: payload,
        "qos": delivery.qos.as_u8(),
        "retain": delivery.retain,
        "dup": delivery.dup,
        "properties": properties_json(delivery),
    })
}

fn properties_json(delivery: &Delivery) -> Value {
    let mut properties = Map::new();
    let mut user_properties = Vec::new();
    let mut subscription_identifiers = Vec::new();
    for property in delivery.properties() {
        let (key, value) = match property {
            Property::PayloadFormatIndicator(value) => ("payload_format_indicator", json!(value)),
            Property::MessageExpiryInterval(seconds) => ("message_expiry_interval", json!(seconds)),
            Property::ContentType(text) => ("content_type", json!(text)),
            Property::ResponseTopic(topic) => ("response_topic", json!(topic)),
            Property::CorrelationData(data) => ("correlation_data", json!(STANDARD.encode(data))),
            Property::UserProperty(key, value) => {
                user_properties.push(json!([key, value]));
                continue;
            }
            Property::SubscriptionIdentifier(identifier) => {
                subscription_identifiers.push(json!(identifier));
                continue;
            }
            _ => continue,
        };
        properties.insert(key.to_owned(), value);
    }
    for (key, list) in [
        ("user_properties", user_properties),
        ("subscription_identifiers", subscription_identifiers),
    ] {
        if !list.is_empty() {
            properties.insert(key.to_owned(), Value::Array(list));
        }
    }
    Value::Object(properties)
}
