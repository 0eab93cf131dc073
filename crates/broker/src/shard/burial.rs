//! Dead letters: what a queue has given up is stored in the queue that takes its dead letters, and leaves by the same
//! record. That queue is made when it is needed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use log_api::{FailedRecord, ReadError, RecordKind, ShardSet};
use mqtt_codec::{Properties, PropertyBlock};
use mqtt_router::SinkId;
use mqtt_types::{MessageHead, Property, TopicFilter};
use queue_engine::{DeadReason, Departure, Offset, QueueConfig};

use super::Shard;
use crate::control::{CONTROL_SHARD, ControlError, ControlRequest, NewQueue};
use crate::directory::{DeadLetter, QueueDefinition, QueueProperties, owner_of};
use crate::hosting::MOVE_TOKEN;
use crate::mail::Letter;
use crate::record::{Dying, MoreTargets, Moved, PublishRecord, Targets, encode_publish};
use crate::terms::Terms;
use crate::timers::Timer;

/// When to try again what could not be stored.
const RETRY: Duration = Duration::from_secs(1);

/// How the name of a queue's own dead-letter queue begins. No client can give a queue such a name.
pub(crate) const DEAD: &str = "dead:";

/// The user properties of a dead letter (contract §3).
pub(super) const DEAD_PROPERTIES: [&str; 4] =
    ["dead-reason", "dead-attempts", "dead-queue", "dead-offset"];

/// The name of the queue that takes a queue's dead letters; `None` when it keeps none.
pub(super) fn dead_letter_queue(definition: &QueueDefinition) -> Option<Cow<'_, str>> {
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

impl Shard {
    /// Sees to what queues here have given up.
    pub(super) fn bury(&mut self) {
        for sink in self.hosting.take_mourning() {
            self.bury_of(sink);
        }
    }

    /// Sees to what one queue has given up.
    pub(super) fn bury_of(&mut self, sink: SinkId) {
        let Some(queue) = self.hosting.queue(sink) else { return };
        if !queue.burial.is_waiting() {
            return;
        }
        let definition = Arc::clone(&queue.definition);
        // It kept dead letters when it gave these up.
        let name = dead_letter_queue(&definition)
            .unwrap_or_else(|| Cow::Owned(format!("{DEAD}{}", definition.name)));
        if self.shared.directory.get(&name).is_some() {
            self.hosting.read_dying(sink, &mut self.turn);
            return;
        }
        let queue = new_dead_letter_queue(&name, &self.shared.config.queue_defaults);
        let request = ControlRequest::EnsureDead { queue, shard: self.id, dying: sink };
        self.turn.mail(CONTROL_SHARD, Letter::Control(Box::new(request)));
    }

    /// The queue for dead letters is there, or cannot be.
    pub(super) fn dead_letter_queue_ensured(
        &mut self,
        dying: SinkId,
        result: Result<Arc<QueueDefinition>, ControlError>,
    ) {
        match result {
            Ok(_) => self.bury_of(dying),
            Err(error) => {
                let queue = self.hosting.queue(dying).map(|queue| &*queue.definition.name);
                tracing::warn!(queue, %error, "dead letters wait: no queue takes them");
                self.bury_later(dying);
            }
        }
    }

    fn bury_later(&mut self, dying: SinkId) {
        self.timers.set(self.turn.now + RETRY, Timer::Burial(dying));
    }

    /// The bodies of dying messages have come: they are stored as dead letters.
    pub(super) fn dying_read(&mut self, sink: SinkId, records: Vec<Result<Bytes, ReadError>>) {
        let Some(queue) = self.hosting.queue(sink) else { return };
        let definition = Arc::clone(&queue.definition);
        let offsets = queue.burial.take_read();
        let name = dead_letter_queue(&definition)
            .unwrap_or_else(|| Cow::Owned(format!("{DEAD}{}", definition.name)));
        let target = self.shared.directory.get(&name);
        let terms = target.and_then(|target| self.shared.routes.terms(target.sink));
        let Some(terms) = terms else { return self.bury_later(sink) };
        for (offset, record) in offsets.into_iter().zip(records) {
            let record = match record {
                Err(ReadError::ShutDown) => return,
                other => other.map_err(|error| error.to_string()),
            };
            let publish = record
                .and_then(|body| PublishRecord::decode(body).map_err(|error| error.to_string()));
            let is_written = publish.and_then(|publish| {
                self.bury_one(&definition, &terms, offset, &publish)
                    .map_err(|error| error.to_string())
            });
            match is_written {
                Ok(true) => {}
                Ok(false) => return self.bury_later(sink),
                Err(error) => self.dying_damaged(sink, &error),
            }
        }
        self.hosting.mourn_again(sink);
    }

    fn dying_damaged(&mut self, sink: SinkId, error: &str) {
        let Some(queue) = self.hosting.queue(sink) else { return };
        let name = &*queue.definition.name;
        tracing::error!(queue = name, error, "queue stopped: a stored message is damaged");
        queue.damage(&mut self.turn);
    }

    /// Writes a dead letter. False when there is no room for it now.
    fn bury_one(
        &mut self,
        definition: &QueueDefinition,
        terms: &Terms,
        offset: Offset,
        publish: &PublishRecord,
    ) -> Result<bool, crate::record::RecordError> {
        let Some(queue) = self.hosting.queue(definition.sink) else { return Ok(true) };
        let Some(dying) = queue.burial.get(offset) else { return Ok(true) };
        let message = publish.message()?;
        let properties = dead_properties(message.properties(), definition, offset, dying);
        let head = MessageHead {
            qos: message.head().qos,
            retain: false,
            received_at_ms: self.turn.unix_ms,
            expiry_interval: None,
        };
        let key = publish.more()?.and_then(|more| more.key_of(definition.sink));
        let mut more = MoreTargets {
            moved: Some(Moved { from: definition.sink, offset, how: Departure::DeadLettered }),
            ..MoreTargets::default()
        };
        more.keys.extend(key.map(|key| (terms.sink, key)));
        let topic = message.topic();
        let size = topic.len() + properties.len() + message.payload().len() + 64;
        if self.storage_refusal().is_some() {
            return Ok(false);
        }
        if let Err(full) = terms.reserve(u32::try_from(size).unwrap_or(u32::MAX)) {
            tracing::warn!(queue = &*definition.name, %full, "dead letters wait for room");
            return Ok(false);
        }
        let shards = self.shared.config.shards;
        let notify = ShardSet::single(self.id).with(owner_of(terms.sink, shards));
        let sinks = [terms.sink];
        let targets = Targets { sinks: &sinks, more: Some(&more) };
        self.turn.batch.push(RecordKind::Publish, 0, 1, notify, MOVE_TOKEN, |body| {
            encode_publish(body, &head, targets, topic, &properties, message.payload());
        });
        self.turn.hand_over_long_batch(&*self.shared.log);
        if let Some(queue) = self.hosting.queue(definition.sink) {
            queue.burial.written(offset);
        }
        tracing::debug!(
            queue = &*definition.name,
            offset = offset.0,
            reason = dying.reason.as_str(),
            attempts = dying.attempts,
            "message dead-lettered"
        );
        Ok(true)
    }

    /// A record by which a message should have left a queue for another was not stored.
    pub(super) fn move_not_stored(&mut self, record: &FailedRecord) {
        let Ok(publish) = PublishRecord::decode(record.body.clone()) else { return };
        let Ok(Some(MoreTargets { moved: Some(moved), .. })) = publish.more() else { return };
        self.hosting.not_moved(moved);
        self.bury_later(moved.from);
    }
}

/// A message's properties, and what says why it died. What an earlier death said is gone.
fn dead_properties(
    raw: &[u8],
    definition: &QueueDefinition,
    offset: Offset,
    dying: Dying,
) -> Vec<u8> {
    let mut properties = without_dead_properties(raw);
    let (attempts, offset) = (dying.attempts.to_string(), offset.0.to_string());
    let reason: DeadReason = dying.reason;
    let values = [reason.as_str(), &attempts, &definition.name, &offset];
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
