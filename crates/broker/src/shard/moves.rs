//! Messages that leave a queue here for another: to the dead letters, or back from them. One record stores a message there
//! and takes it out here, so that it is never in both and never in neither.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use log_api::{FailedRecord, ReadError, RecordKind, ShardSet};
use mqtt_router::SinkId;
use mqtt_types::MessageHead;
use queue_engine::Offset;
use stdx::UnixMillis;

use super::Shard;
use super::dead_letters::{
    DEAD, dead_letter_queue, dead_properties, new_dead_letter_queue, without_dead_properties,
};
use crate::control::{Asker, CONTROL_SHARD, ControlError, ControlRequest};
use crate::directory::{QueueDefinition, owner_of};
use crate::hosting::MOVE_TOKEN;
use crate::mail::Letter;
use crate::record::{
    Leaving, MoreTargets, Moved, PublishRecord, RecordError, Targets, UNKEYED, Why, encode_publish,
};
use crate::terms::{Arriving, Terms};
use crate::timers::Timer;

/// When to try again what could not be stored.
const RETRY: Duration = Duration::from_secs(1);
/// What a message counts beyond its topic, properties and payload (contract §3).
const COUNTED_BYTES: usize = 64;

impl Shard {
    /// Sees to what is to leave queues here.
    pub(super) fn move_messages(&mut self) {
        for sink in self.hosting.take_moving() {
            self.move_of(sink);
        }
    }

    /// What could not leave a queue may be able to now.
    pub(super) fn moves_due(&mut self, sink: SinkId) {
        if let Some(queue) = self.hosting.queue(sink) {
            queue.moves.rests = false;
            self.move_of(sink);
        }
    }

    fn move_of(&mut self, sink: SinkId) {
        let Some(queue) = self.hosting.queue(sink) else { return };
        if !queue.moves.is_waiting() {
            return;
        }
        let has_dead = queue.moves.has_dead();
        let definition = Arc::clone(&queue.definition);
        let name = morgue_of(&definition);
        if !has_dead || self.shared.directory.get(&name).is_some() {
            self.hosting.read_leaving(sink, &mut self.turn);
            return;
        }
        queue.moves.rests = true;
        let queue = new_dead_letter_queue(&name, &self.shared.config.queue_defaults);
        let asker = Asker::Dying { shard: self.id, dying: sink };
        let request = ControlRequest::Ensure { new: queue, asker };
        self.turn.mail(CONTROL_SHARD, Letter::Control(Box::new(request)));
    }

    /// The queue for dead letters is there, or cannot be.
    pub(super) fn dead_letter_queue_ensured(
        &mut self,
        dying: SinkId,
        result: Result<Arc<QueueDefinition>, ControlError>,
    ) {
        match result {
            Ok(_) => self.moves_due(dying),
            Err(error) => {
                let queue = self.hosting.queue(dying).map(|queue| &*queue.definition.name);
                tracing::warn!(queue, %error, "dead letters wait: no queue takes them");
                self.move_later(dying);
            }
        }
    }

    fn move_later(&mut self, sink: SinkId) {
        if let Some(queue) = self.hosting.queue(sink) {
            queue.moves.rests = true;
            self.timers.set(self.turn.now + RETRY, Timer::Moves(sink));
        }
    }

    /// The bodies of leaving messages have come: they are stored where they go.
    pub(super) fn leaving_read(&mut self, sink: SinkId, records: Vec<Result<Bytes, ReadError>>) {
        let Some(queue) = self.hosting.queue(sink) else { return };
        let definition = Arc::clone(&queue.definition);
        let bytes = records.iter().flatten().map(Bytes::len).sum();
        let offsets = queue.moves.take_read(bytes);
        let mut is_kept_back = false;
        for (offset, record) in offsets.into_iter().zip(records) {
            let record = match record {
                Err(ReadError::ShutDown) => return,
                other => other.map_err(|error| error.to_string()),
            };
            let publish = record
                .and_then(|body| PublishRecord::decode(body).map_err(|error| error.to_string()));
            let is_written = publish.and_then(|publish| {
                self.move_one(&definition, offset, &publish).map_err(|error| error.to_string())
            });
            match is_written {
                Ok(true) => {}
                Ok(false) => is_kept_back = true,
                Err(error) => self.leaving_damaged(sink, &error),
            }
        }
        match is_kept_back {
            true => self.move_later(sink),
            false => self.hosting.move_on(sink),
        }
    }

    fn leaving_damaged(&mut self, sink: SinkId, error: &str) {
        let Some(queue) = self.hosting.queue(sink) else { return };
        let name = &*queue.definition.name;
        tracing::error!(queue = name, error, "queue stopped: a stored message is damaged");
        queue.moves.rests = true;
        queue.damage(&mut self.turn);
    }

    /// Where a leaving message goes. A queue that is gone meanwhile is not worth a message: it stays with those it is among.
    fn target_of(&self, definition: &QueueDefinition, leaving: Leaving) -> Option<Arc<Terms>> {
        let target = match leaving.why {
            Why::Dead { .. } => self.shared.directory.get(&morgue_of(definition))?.sink,
            Why::Redriven { to } => to,
        };
        let terms = |sink| self.shared.routes.terms(sink);
        terms(target).or_else(|| terms(definition.sink))
    }

    /// Writes the record by which a message leaves. False when it cannot be stored now.
    pub(super) fn move_one(
        &mut self,
        definition: &QueueDefinition,
        offset: Offset,
        publish: &PublishRecord,
    ) -> Result<bool, RecordError> {
        let from = definition.sink;
        let Some(queue) = self.hosting.queue(from) else { return Ok(true) };
        let Some(leaving) = queue.moves.get(offset) else { return Ok(true) };
        let Some(terms) = self.target_of(definition, leaving) else { return Ok(false) };
        let message = publish.message()?;
        let properties = match leaving.why {
            Why::Dead { reason, attempts } => {
                let died = (reason, attempts);
                dead_properties(message.properties(), &definition.name, offset, died)
            }
            Why::Redriven { .. } if terms.sink == from => message.properties().to_vec(),
            Why::Redriven { .. } => without_dead_properties(message.properties()),
        };
        let head = MessageHead {
            qos: message.head().qos,
            retain: false,
            received_at_ms: self.turn.unix_ms,
            expiry_interval: None,
        };
        let mut more = MoreTargets {
            moved: Some(Moved { from, offset, how: leaving.why.departure() }),
            ..MoreTargets::default()
        };
        // The key goes along, for the queue that made it.
        more.keys = publish.more()?.map(|more| more.keys).unwrap_or_default();
        // What had none and is sent back has its topic as key, if it has none by now.
        more.keys.retain(|made| made.key != UNKEYED && !terms.is_made_otherwise(made));
        if more.key_of(terms.sink).is_none()
            && let Some(key) = terms.key_of_message(&message, &mut self.key_scratch)
        {
            more.keys.push(terms.made(key));
        }
        let topic = message.topic();
        let size = topic.len() + properties.len() + message.payload().len() + COUNTED_BYTES;
        if self.storage_refusal().is_some() {
            return Ok(false);
        }
        let arriving = Arriving {
            size: u32::try_from(size).unwrap_or(u32::MAX),
            key: more.key_of(terms.sink),
            message_id: None,
            stored: UnixMillis(self.turn.unix_ms),
        };
        if let Err(full) = terms.reserve(&arriving) {
            tracing::warn!(queue = &*definition.name, %full, "messages wait for room elsewhere");
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
        if let Some(queue) = self.hosting.queue(from) {
            queue.moves.written(offset);
        }
        tracing::debug!(queue = &*definition.name, offset = offset.0, why = ?leaving.why, "message moves");
        Ok(true)
    }

    /// A record by which a message should have left a queue for another was not stored.
    pub(super) fn move_not_stored(&mut self, record: &FailedRecord) {
        let Ok(publish) = PublishRecord::decode(record.body.clone()) else { return };
        let Ok(Some(MoreTargets { moved: Some(moved), .. })) = publish.more() else { return };
        self.hosting.not_moved(moved);
        self.move_later(moved.from);
        self.redrive_failed(moved);
    }
}

/// The queue that takes the dead letters of one that kept them when it gave something up.
fn morgue_of(definition: &QueueDefinition) -> Cow<'_, str> {
    let own = || Cow::Owned(format!("{DEAD}{}", definition.name));
    dead_letter_queue(definition).unwrap_or_else(own)
}
