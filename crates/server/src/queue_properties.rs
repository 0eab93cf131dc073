//! Queue properties between settings, the edge and the broker. It must not know what they do.

use std::time::Duration;

use admin_api::{
    ApiError, DeadLetter, DispatchStrategy, Durability, DurationText, Overflow, QueueProperties,
    SizeText,
};
use broker::QueueDefinition;
use key_expression::KeyExpression;
use queue_engine::QueueConfig;
use settings::Settings;

/// The properties a queue has that says nothing, as the edge shows them.
pub(crate) fn defaults(settings: &Settings) -> QueueProperties {
    use ::settings as from;
    let of = &settings.queues.defaults;
    QueueProperties {
        dispatch_strategy: match of.dispatch_strategy {
            from::DispatchStrategy::RoundRobin => DispatchStrategy::RoundRobin,
            from::DispatchStrategy::Random => DispatchStrategy::Random,
            from::DispatchStrategy::LeastInflight => DispatchStrategy::LeastInflight,
            from::DispatchStrategy::KeyOrdered => DispatchStrategy::KeyOrdered,
            from::DispatchStrategy::SingleActive => DispatchStrategy::SingleActive,
        },
        key_expression: of.key_expression.clone(),
        key_inflight: of.key_inflight,
        last_value: of.last_value,
        durability: durability_set(of.durability),
        retention: DurationText(of.retention.unwrap_or(Duration::ZERO)),
        max_messages: of.max_messages,
        max_bytes: of.max_bytes.map(SizeText),
        overflow: match of.overflow {
            from::Overflow::RejectPublish => Overflow::RejectPublish,
            from::Overflow::DropOldest => Overflow::DropOldest,
        },
        max_inflight: of.max_inflight,
        ack_timeout: DurationText(of.ack_timeout),
        max_attempts: of.max_attempts.unwrap_or(0),
        retry_delay: DurationText(of.retry_delay),
        retry_delay_max: DurationText(of.retry_delay_max),
        dead_letter: match &of.dead_letter {
            from::DeadLetter::Own => DeadLetter::Own,
            from::DeadLetter::None => DeadLetter::None,
            from::DeadLetter::Queue(name) => DeadLetter::Queue(name.clone()),
        },
        dead_letter_expired: of.dead_letter_expired,
        dead_letter_dropped: of.dead_letter_dropped,
        dead_letter_unkeyed: of.dead_letter_unkeyed,
        dedup_window: of.dedup_window.map(DurationText),
        keep_settled: DurationText(of.keep_settled),
        paused: of.paused,
    }
}

/// The properties as the broker has them.
///
/// # Errors
/// The key expression is not legal.
pub(crate) fn to_broker(properties: &QueueProperties) -> Result<broker::QueueProperties, ApiError> {
    let key_expression = KeyExpression::parse(&properties.key_expression)
        .map_err(|error| ApiError::invalid("key_expression", error.to_string()))?;
    let durability = durability_to_broker(properties.durability);
    let dead_letter = match &properties.dead_letter {
        DeadLetter::Own => broker::DeadLetter::Own,
        DeadLetter::None => broker::DeadLetter::None,
        DeadLetter::Queue(name) => broker::DeadLetter::Queue(name.as_str().into()),
    };
    let config = engine_config(properties);
    Ok(broker::QueueProperties { config, key_expression, durability, dead_letter })
}

fn engine_config(properties: &QueueProperties) -> QueueConfig {
    QueueConfig {
        dispatch_strategy: match properties.dispatch_strategy {
            DispatchStrategy::RoundRobin => queue_engine::DispatchStrategy::RoundRobin,
            DispatchStrategy::Random => queue_engine::DispatchStrategy::Random,
            DispatchStrategy::LeastInflight => queue_engine::DispatchStrategy::LeastInflight,
            DispatchStrategy::KeyOrdered => queue_engine::DispatchStrategy::KeyOrdered,
            DispatchStrategy::SingleActive => queue_engine::DispatchStrategy::SingleActive,
        },
        max_inflight: u32::from(properties.max_inflight),
        ack_timeout: properties.ack_timeout.0,
        max_attempts: properties.max_attempts,
        retry_delay: properties.retry_delay.0,
        retry_delay_max: properties.retry_delay_max.0,
        paused: properties.paused,
        key_inflight: properties.key_inflight,
        last_value: properties.last_value,
        retention: properties.retention.0,
        max_messages: properties.max_messages,
        max_bytes: properties.max_bytes.map(|max| max.0),
        overflow: match properties.overflow {
            Overflow::RejectPublish => queue_engine::Overflow::RejectPublish,
            Overflow::DropOldest => queue_engine::Overflow::DropOldest,
        },
        dead_letter_expired: properties.dead_letter_expired,
        dead_letter_dropped: properties.dead_letter_dropped,
        dead_letter_unkeyed: properties.dead_letter_unkeyed,
        dedup_window: properties.dedup_window.map(|window| window.0).unwrap_or_default(),
        keep_settled: properties.keep_settled.0,
        ..QueueConfig::default()
    }
}

/// A queue's properties as the edge shows them.
pub(crate) fn of_definition(definition: &QueueDefinition) -> QueueProperties {
    let broker::QueueProperties { config, key_expression, durability, dead_letter } =
        &definition.properties;
    let some = |duration: Duration| (!duration.is_zero()).then_some(DurationText(duration));
    QueueProperties {
        dispatch_strategy: match config.dispatch_strategy {
            queue_engine::DispatchStrategy::RoundRobin => DispatchStrategy::RoundRobin,
            queue_engine::DispatchStrategy::Random => DispatchStrategy::Random,
            queue_engine::DispatchStrategy::LeastInflight => DispatchStrategy::LeastInflight,
            queue_engine::DispatchStrategy::KeyOrdered => DispatchStrategy::KeyOrdered,
            queue_engine::DispatchStrategy::SingleActive => DispatchStrategy::SingleActive,
        },
        key_expression: key_expression.as_str().to_owned(),
        key_inflight: config.key_inflight,
        last_value: config.last_value,
        durability: durability_of(*durability),
        retention: DurationText(config.retention),
        max_messages: config.max_messages,
        max_bytes: config.max_bytes.map(SizeText),
        overflow: match config.overflow {
            queue_engine::Overflow::RejectPublish => Overflow::RejectPublish,
            queue_engine::Overflow::DropOldest => Overflow::DropOldest,
        },
        max_inflight: u16::try_from(config.max_inflight).unwrap_or(u16::MAX),
        ack_timeout: DurationText(config.ack_timeout),
        max_attempts: config.max_attempts,
        retry_delay: DurationText(config.retry_delay),
        retry_delay_max: DurationText(config.retry_delay_max),
        dead_letter: match dead_letter {
            broker::DeadLetter::Own => DeadLetter::Own,
            broker::DeadLetter::None => DeadLetter::None,
            broker::DeadLetter::Queue(name) => DeadLetter::Queue(name.to_string()),
        },
        dead_letter_expired: config.dead_letter_expired,
        dead_letter_dropped: config.dead_letter_dropped,
        dead_letter_unkeyed: config.dead_letter_unkeyed,
        dedup_window: some(config.dedup_window),
        keep_settled: DurationText(config.keep_settled),
        paused: config.paused,
    }
}

/// What is set, as the edge shows it.
pub(crate) const fn durability_set(of: settings::Durability) -> Durability {
    match of {
        settings::Durability::Sync => Durability::Sync,
        settings::Durability::Os => Durability::Os,
        settings::Durability::Memory => Durability::Memory,
    }
}

pub(crate) const fn durability_to_broker(of: Durability) -> broker::Durability {
    match of {
        Durability::Sync => broker::Durability::Sync,
        Durability::Os => broker::Durability::Os,
        Durability::Memory => broker::Durability::Memory,
    }
}

/// What the broker has, as the edge shows it.
pub(crate) const fn durability_of(of: broker::Durability) -> Durability {
    match of {
        broker::Durability::Sync => Durability::Sync,
        broker::Durability::Os => Durability::Os,
        broker::Durability::Memory => Durability::Memory,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn properties_come_back_as_they_went_in() {
        let unusual = QueueProperties {
            dispatch_strategy: DispatchStrategy::KeyOrdered,
            key_expression: "level(2)".to_owned(),
            key_inflight: 3,
            last_value: true,
            retention: DurationText::from_secs(0),
            max_messages: Some(7),
            max_bytes: Some(SizeText(1 << 20)),
            overflow: Overflow::DropOldest,
            max_inflight: 9,
            ack_timeout: DurationText::from_secs(7),
            max_attempts: 2,
            retry_delay: DurationText::from_secs(3),
            retry_delay_max: DurationText::from_secs(4),
            dead_letter: DeadLetter::Queue("morgue".to_owned()),
            dead_letter_expired: true,
            dead_letter_dropped: true,
            dead_letter_unkeyed: true,
            dedup_window: Some(DurationText::from_secs(60)),
            keep_settled: DurationText::from_secs(5),
            paused: true,
            durability: Durability::Memory,
        };
        let os = QueueProperties { durability: Durability::Os, ..QueueProperties::default() };
        for properties in [QueueProperties::default(), unusual, os] {
            let definition = QueueDefinition {
                sink: mqtt_router::SinkId(1),
                name: Arc::from("jobs"),
                topic_filter: None,
                owner: log_api::ShardId(0),
                created_at_ms: 0,
                properties: to_broker(&properties).expect("supported"),
                key_seed: key_expression::KeySeed::default(),
            };
            assert_eq!(of_definition(&definition), properties);
        }
    }
}
