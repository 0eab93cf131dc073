//! Dead letters: which queue takes a queue's, and what they say. It must not know how they get there.

use std::borrow::Cow;
use std::time::Duration;

use mqtt_codec::{Properties, PropertyBlock};
use mqtt_types::{Property, TopicFilter};
use queue_engine::{DeadReason, Offset, QueueConfig};

use crate::control::NewQueue;
use crate::directory::{DeadLetter, QueueDefinition, QueueProperties};

/// How the name of a queue's own dead-letter queue begins. No client can give a queue such a name.
pub const DEAD: &str = "dead:";

/// The user properties of a dead letter (contract §3).
const DEAD_PROPERTIES: [&str; 4] = ["dead-reason", "dead-attempts", "dead-queue", "dead-offset"];

/// The name of the queue that takes a queue's dead letters; `None` when it keeps none.
pub(crate) fn dead_letter_queue(definition: &QueueDefinition) -> Option<Cow<'_, str>> {
    match &definition.properties.dead_letter {
        DeadLetter::Own => Some(Cow::Owned(format!("{DEAD}{}", definition.name))),
        DeadLetter::None => None,
        DeadLetter::Queue(name) => Some(Cow::Borrowed(name)),
    }
}

/// A queue for dead letters. It gives nothing up by itself: what is there has been given up once.
pub(super) fn new_dead_letter_queue(name: &str, defaults: &QueueProperties) -> NewQueue {
    let is_filter = !name.starts_with(DEAD) && name.contains(['/', '+', '#']);
    NewQueue {
        name: name.to_owned(),
        topic_filter: (is_filter && TopicFilter::new(name).is_ok()).then(|| name.to_owned()),
        properties: QueueProperties {
            config: QueueConfig {
                max_attempts: 0,
                retention: Duration::ZERO,
                ..QueueConfig {
                    max_inflight: defaults.config.max_inflight,
                    ack_timeout: defaults.config.ack_timeout,
                    retry_delay: defaults.config.retry_delay,
                    retry_delay_max: defaults.config.retry_delay_max,
                    ..QueueConfig::default()
                }
            },
            dead_letter: DeadLetter::None,
            ..QueueProperties::default()
        },
    }
}

/// The queue that a dead letter was given up by, as its properties say.
pub(super) fn dead_queue(properties: &[u8]) -> Option<&str> {
    Properties::trusted(properties).user_property("dead-queue")
}

/// A message's properties, and what says why it died. What an earlier death said is gone.
pub(super) fn dead_properties(
    raw: &[u8],
    queue: &str,
    offset: Offset,
    (reason, attempts): (DeadReason, u32),
) -> Vec<u8> {
    let mut properties = without_dead_properties(raw);
    let (attempts, offset) = (attempts.to_string(), offset.0.to_string());
    let values = [reason.as_str(), &attempts, queue, &offset];
    let added: Vec<Property<'_>> = DEAD_PROPERTIES
        .into_iter()
        .zip(values)
        .map(|(key, value)| Property::UserProperty(key, value))
        .collect();
    if let Ok(block) = PropertyBlock::of(&added) {
        properties.extend_from_slice(block.properties().raw());
    }
    properties
}

/// A message's properties without those of a dead letter.
pub(super) fn without_dead_properties(raw: &[u8]) -> Vec<u8> {
    let is_dead = |property: &Property<'_>| matches!(property, Property::UserProperty(key, _) if DEAD_PROPERTIES.contains(key));
    let properties = Properties::trusted(raw);
    if !properties.iter().any(|property| is_dead(&property)) {
        return raw.to_vec();
    }
    let kept: Vec<Property<'_>> = properties.iter().filter(|property| !is_dead(property)).collect();
    PropertyBlock::of(&kept)
        .map_or_else(|_| raw.to_vec(), |block| block.properties().raw().to_vec())
}
