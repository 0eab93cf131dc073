//! A message's properties as JSON has them. It must not know where the message lies.

use admin_api::{MessageBody, MessageProperties};
use mqtt_codec::{Peer, Properties, PropertyOwner};
use mqtt_types::{Message, Property};

/// What a message says, if it can be read.
pub(crate) fn body(message: Option<&Message>) -> MessageBody {
    message.map_or(MessageBody::UNREADABLE, |message| {
        let qos = message.head().qos.as_u8();
        MessageBody::new(message.topic(), message.payload(), qos, properties(message))
    })
}

/// The properties as JSON has them; the expiry as it was published.
pub(crate) fn properties(message: &Message) -> MessageProperties {
    let mut json = MessageProperties {
        message_expiry_interval: message.head().expiry_interval,
        ..MessageProperties::default()
    };
    // They were checked when the message was taken.
    let block = Properties::parse(message.properties(), PropertyOwner::Publish, Peer::Server);
    for property in block.iter().flat_map(Properties::iter) {
        match property {
            Property::PayloadFormatIndicator(one) => json.payload_format_indicator = Some(one),
            Property::ContentType(text) => json.content_type = Some(text.to_owned()),
            Property::ResponseTopic(topic) => json.response_topic = Some(topic.to_owned()),
            Property::CorrelationData(data) => json.set_correlation_bytes(data),
            Property::UserProperty(key, value) => {
                json.user_properties.push((key.to_owned(), value.to_owned()));
            }
            _ => {}
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use mqtt_codec::PropertyBlock;
    use mqtt_types::{MessageHead, QoS, TopicName};

    use super::*;

    #[test]
    fn properties_come_out_as_a_publisher_gave_them() {
        let given = [
            Property::PayloadFormatIndicator(1),
            Property::ContentType("text/plain"),
            Property::ResponseTopic("reply"),
            Property::CorrelationData(&[0, 255]),
            Property::UserProperty("k", "1"),
            Property::UserProperty("k", "2"),
        ];
        let block = PropertyBlock::of(&given).expect("legal");
        let head = MessageHead {
            qos: QoS::AtLeastOnce,
            expiry_interval: Some(60),
            ..MessageHead::default()
        };
        let topic = TopicName::new("a").expect("legal");
        let message = Message::new(head, topic, block.properties().raw(), b"x").expect("it fits");
        let expected = MessageProperties {
            payload_format_indicator: Some(1),
            message_expiry_interval: Some(60),
            content_type: Some("text/plain".to_owned()),
            response_topic: Some("reply".to_owned()),
            correlation_data: Some("AP8=".to_owned()),
            user_properties: vec![
                ("k".to_owned(), "1".to_owned()),
                ("k".to_owned(), "2".to_owned()),
            ],
        };
        assert_eq!(properties(&message), expected);
    }
}
