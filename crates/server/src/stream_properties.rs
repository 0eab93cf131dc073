//! Stream properties between settings, the edge and the broker. It must not know what they do.

use std::time::Duration;

use admin_api::{ApiError, DurationText, SizeText, StreamProperties};
use broker::StreamDefinition;
use key_expression::KeyExpression;
use settings::Settings;

use crate::queue_properties::{durability_of, durability_set, durability_to_broker};

/// The properties a stream has that says nothing, as the edge shows them.
pub(crate) fn defaults(settings: &Settings) -> StreamProperties {
    let of = &settings.streams.defaults;
    StreamProperties {
        retention: DurationText(of.retention.unwrap_or(Duration::ZERO)),
        max_messages: of.max_messages,
        max_bytes: of.max_bytes.map(SizeText),
        last_value: of.last_value,
        key_expression: of.key_expression.clone(),
        durability: durability_set(of.durability),
        max_inflight: of.max_inflight,
        retry_delay: DurationText(of.retry_delay),
        retry_delay_max: DurationText(of.retry_delay_max),
        keep_positions: DurationText(of.keep_positions.unwrap_or(Duration::ZERO)),
        paused: of.paused,
    }
}

/// The properties as the broker has them, over those that the edge does not know.
///
/// # Errors
/// The key expression is not legal.
pub(crate) fn to_broker(
    properties: &StreamProperties,
    over: &broker::StreamProperties,
) -> Result<broker::StreamProperties, ApiError> {
    let key_expression = properties.key_expression.as_deref().map(KeyExpression::parse).transpose();
    let key_expression = key_expression
        .map_err(|error| ApiError::invalid("key_expression", error.to_string()))?
        .unwrap_or_default();
    let mut config = over.config.clone();
    config.retention = properties.retention.0;
    config.max_messages = properties.max_messages;
    config.max_bytes = properties.max_bytes.map(|max| max.0);
    config.last_value = properties.last_value;
    config.keyed = properties.key_expression.is_some();
    config.max_inflight = u32::from(properties.max_inflight);
    config.retry_delay = properties.retry_delay.0;
    config.retry_delay_max = properties.retry_delay_max.0;
    config.keep_positions = properties.keep_positions.0;
    config.paused = properties.paused;
    let durability = durability_to_broker(properties.durability);
    Ok(broker::StreamProperties { config, key_expression, durability })
}

/// A stream's properties as the edge shows them.
pub(crate) fn of_definition(definition: &StreamDefinition) -> StreamProperties {
    let broker::StreamProperties { config, key_expression, durability } = &definition.properties;
    StreamProperties {
        retention: DurationText(config.retention),
        max_messages: config.max_messages,
        max_bytes: config.max_bytes.map(SizeText),
        last_value: config.last_value,
        key_expression: config.keyed.then(|| key_expression.as_str().to_owned()),
        durability: durability_of(*durability),
        max_inflight: u16::try_from(config.max_inflight).unwrap_or(u16::MAX),
        retry_delay: DurationText(config.retry_delay),
        retry_delay_max: DurationText(config.retry_delay_max),
        keep_positions: DurationText(config.keep_positions),
        paused: config.paused,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use admin_api::Durability;

    use super::*;

    #[test]
    fn properties_come_back_as_they_went_in() {
        let unusual = StreamProperties {
            retention: DurationText::from_secs(0),
            max_messages: Some(7),
            max_bytes: Some(SizeText(1 << 20)),
            last_value: true,
            key_expression: Some("level(2)".to_owned()),
            durability: Durability::Memory,
            max_inflight: 9,
            retry_delay: DurationText::from_secs(3),
            retry_delay_max: DurationText::from_secs(4),
            keep_positions: DurationText::from_secs(5),
            paused: true,
        };
        let by_topic = StreamProperties {
            key_expression: Some("topic".to_owned()),
            ..StreamProperties::default()
        };
        let mut over = broker::StreamProperties::default();
        over.config.look_ahead = 17;
        assert_eq!(defaults(&Settings::default()), StreamProperties::default());
        for properties in [StreamProperties::default(), unusual, by_topic] {
            let definition = StreamDefinition {
                sink: mqtt_router::SinkId(1),
                name: Arc::from("logs"),
                topic_filter: None,
                owner: log_api::ShardId(0),
                created_at_ms: 0,
                properties: to_broker(&properties, &over).expect("legal"),
                key_seed: key_expression::KeySeed::default(),
            };
            assert_eq!(of_definition(&definition), properties);
            assert_eq!(definition.properties.config.look_ahead, 17, "what the edge does not know");
        }
    }
}
