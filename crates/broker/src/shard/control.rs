//! The control shard: defines, changes and deletes queues, one request for a name at a time. A definition holds when
//! it is committed; then the router and the directory have it, and the queue's owner.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use log_api::{AppendError, CommittedRecord, RecordKind, ShardSet};
use mqtt_router::SinkId;
use mqtt_types::TopicFilter;
use slab::Slab;

use super::Shard;
use super::dead_letters::DEAD;
use crate::control::{CONTROL_SHARD, ControlError, ControlRequest, NewQueue};
use crate::directory::{DeadLetter, QueueDefinition, QueueProperties, owner_of};
use crate::mail::Letter;
use crate::record::{DefinitionRecord, decode_deleted, encode_deleted};

/// Tells the tokens of definitions from those of publishes.
const CONTROL_TOKEN: u64 = 1 << 63;

pub(super) const fn is_control_token(token: u64) -> bool {
    token & CONTROL_TOKEN != 0
}

/// What the control shard has under way.
pub(crate) struct Control {
    next_sink: u32,
    /// Requests whose record is on its way to disk.
    under_way: Slab<ControlRequest>,
    /// Requests for a name that has one under way.
    waiting: HashMap<String, VecDeque<ControlRequest>>,
    /// Queues that are being created.
    creating: usize,
}

impl Control {
    pub(crate) fn new(next_sink: u32) -> Self {
        Self { next_sink, under_way: Slab::new(), waiting: HashMap::new(), creating: 0 }
    }

    /// The number of the next queue.
    pub(crate) const fn next_sink(&self) -> u32 {
        self.next_sink
    }
}

/// What a request comes to before anything is written.
enum Check {
    /// Write this definition.
    Define(Box<DefinitionRecord>),
    /// Write that the queue is gone.
    Delete(Arc<QueueDefinition>),
    /// Nothing to write: the answer is known.
    Answer(Result<Arc<QueueDefinition>, ControlError>),
}

impl Shard {
    /// Serves a request, or lets it wait for the one before it.
    pub(super) fn control_request(&mut self, request: ControlRequest) {
        if let Some(waiting) = self.control.waiting.get_mut(request.name()) {
            waiting.push_back(request);
            return;
        }
        match self.check(&request) {
            Check::Answer(result) => self.answer_control(request, result),
            Check::Define(record) => {
                let is_new = self.shared.directory.get(&record.name).is_none();
                self.control.creating += usize::from(is_new);
                let shards = self.shared.config.shards;
                let notify = ShardSet::single(owner_of(record.sink, shards)).with(CONTROL_SHARD);
                let token = self.control_under_way(request);
                self.turn
                    .batch
                    .push(RecordKind::QueueDefined, 0, 0, notify, token, |out| record.encode(out));
            }
            Check::Delete(definition) => {
                let notify = ShardSet::single(definition.owner).with(CONTROL_SHARD);
                let token = self.control_under_way(request);
                let sink = definition.sink;
                self.turn.batch.push(RecordKind::QueueDeleted, 0, 0, notify, token, |out| {
                    encode_deleted(out, sink)
                });
            }
        }
    }

    fn control_under_way(&mut self, request: ControlRequest) -> u64 {
        self.control.waiting.insert(request.name().to_owned(), VecDeque::new());
        self.control.under_way.insert(request) as u64 | CONTROL_TOKEN
    }

    /// Whether dead letters of a queue would come back to it.
    fn dead_letters_return(
        &self,
        name: &str,
        properties: &QueueProperties,
    ) -> Result<(), ControlError> {
        let mut next = properties.dead_letter.clone();
        let mut by = name.to_owned();
        // Longer chains than there are queues go round.
        for _ in 0..=self.shared.directory.len() {
            let target = match next {
                DeadLetter::None => return Ok(()),
                DeadLetter::Own => format!("{DEAD}{by}"),
                DeadLetter::Queue(target) => target.into(),
            };
            if target == name {
                return Err(ControlError::DeadLettersReturn { name: name.to_owned(), by });
            }
            let Some(queue) = self.shared.directory.get(&target) else { return Ok(()) };
            next = queue.properties.dead_letter.clone();
            by = target;
        }
        Ok(())
    }

    fn check(&mut self, request: &ControlRequest) -> Check {
        let known = self.shared.directory.get(request.name());
        match (request, known) {
            (ControlRequest::Ensure { queue, .. }, Some(known)) => {
                let same = known.topic_filter.as_deref() == queue.topic_filter.as_deref();
                Check::Answer(if same { Ok(known) } else { Err(bound_elsewhere(&known)) })
            }
            (ControlRequest::EnsureDead { .. }, Some(known)) => Check::Answer(Ok(known)),
            (ControlRequest::Create { queue, .. }, Some(_)) => {
                Check::Answer(Err(ControlError::Exists(queue.name.clone())))
            }
            (
                ControlRequest::Create { queue, .. }
                | ControlRequest::Ensure { queue, .. }
                | ControlRequest::EnsureDead { queue, .. },
                None,
            ) => match self.dead_letters_return(&queue.name, &queue.properties) {
                Ok(()) => self.define(queue),
                Err(error) => Check::Answer(Err(error)),
            },
            (ControlRequest::Change { change, .. }, Some(known)) => {
                let mut properties =
                    change.properties.clone().unwrap_or_else(|| known.properties.clone());
                if let Some(paused) = change.paused {
                    properties.config.paused = paused;
                }
                if let Err(error) = self.dead_letters_return(&known.name, &properties) {
                    return Check::Answer(Err(error));
                }
                // Hashes that are kept must stay what they are; before the first one any seed will do.
                let keyless = !known.properties.config.needs_keys();
                let key_seed = if keyless { self.shared.key_seed } else { known.key_seed };
                let same = known.topic_filter.as_deref().map(str::to_owned);
                Check::Define(Box::new(DefinitionRecord {
                    sink: known.sink,
                    name: known.name.to_string(),
                    topic_filter: change.topic_filter.clone().unwrap_or(same),
                    created_at_ms: known.created_at_ms,
                    properties,
                    key_seed,
                }))
            }
            (ControlRequest::Delete { .. }, Some(known)) => Check::Delete(known),
            (ControlRequest::Change { name, .. } | ControlRequest::Delete { name, .. }, None) => {
                Check::Answer(Err(ControlError::NotFound(name.clone())))
            }
        }
    }

    fn define(&mut self, queue: &NewQueue) -> Check {
        let limit = self.shared.config.max_queues;
        if self.shared.directory.len() + self.control.creating >= limit {
            return Check::Answer(Err(ControlError::TooMany { limit }));
        }
        let sink = SinkId(self.control.next_sink);
        self.control.next_sink += 1;
        Check::Define(Box::new(DefinitionRecord {
            sink,
            name: queue.name.clone(),
            topic_filter: queue.topic_filter.clone(),
            created_at_ms: self.turn.unix_ms,
            properties: queue.properties.clone(),
            key_seed: self.shared.key_seed,
        }))
    }

    /// A definition is committed: it holds from here on.
    pub(super) fn queue_defined(&mut self, record: &CommittedRecord) {
        let shards = self.shared.config.shards;
        let definition = match DefinitionRecord::decode(&record.body) {
            Ok(definition) => Arc::new(definition.into_definition(shards)),
            Err(error) => {
                tracing::error!(%error, "a definition of this process is not legal");
                return;
            }
        };
        if definition.owner == self.id {
            let room = self.shared.routes.room(definition.sink);
            self.hosting.define(Arc::clone(&definition), None, room, &mut self.turn);
        }
        if self.id != CONTROL_SHARD {
            return;
        }
        let old = self.shared.directory.insert(Arc::clone(&definition));
        self.shared.routes.set_terms(&definition);
        let old_filter = old.as_ref().and_then(|old| old.topic_filter.clone());
        if old_filter != definition.topic_filter {
            self.bind(definition.sink, old_filter.as_deref(), definition.topic_filter.as_deref());
        }
        if old.is_none() {
            self.control.creating = self.control.creating.saturating_sub(1);
            tracing::info!(
                queue = &*definition.name,
                filter = definition.topic_filter.as_deref(),
                "queue created"
            );
        }
        self.control_done(record.token, Ok(definition));
    }

    fn bind(&mut self, sink: SinkId, old: Option<&str>, new: Option<&str>) {
        let filter = |text: Option<&'_ str>| text.map(str::to_owned);
        let (old, new) = (filter(old), filter(new));
        self.shared.routes.change(|router| {
            if let Some(filter) = old.as_deref().and_then(|text| TopicFilter::new(text).ok()) {
                router.unbind(filter, sink);
            }
            if let Some(filter) = new.as_deref().and_then(|text| TopicFilter::new(text).ok()) {
                router.bind(filter, sink);
            }
        });
    }

    /// A deletion is committed.
    pub(super) fn queue_deleted(&mut self, record: &CommittedRecord) {
        let Ok(sink) = decode_deleted(&record.body) else { return };
        if self.id == CONTROL_SHARD
            && let Some(definition) = self.shared.directory.find(sink)
        {
            self.shared.directory.remove(&definition.name);
            self.bind(sink, definition.topic_filter.as_deref(), None);
            self.shared.routes.remove_terms(sink);
            tracing::info!(queue = &*definition.name, "queue deleted");
            self.control_done(record.token, Ok(definition));
        }
        if let Some(name) =
            self.hosting.hosted(sink).map(|queue| Arc::clone(&queue.definition.name))
        {
            self.forget_alarms_of(&name);
        }
        self.hosting.delete(sink, &mut self.turn);
    }

    /// A record of the control shard was not stored.
    pub(super) fn control_failed(&mut self, token: u64, error: &AppendError) {
        self.control_done(token, Err(ControlError::NotStored(error.to_string())));
    }

    fn control_done(&mut self, token: u64, result: Result<Arc<QueueDefinition>, ControlError>) {
        let key = usize::try_from(token & !CONTROL_TOKEN).unwrap_or(usize::MAX);
        let Some(request) = self.control.under_way.try_remove(key) else { return };
        if result.is_err() && request.is_new() {
            self.control.creating = self.control.creating.saturating_sub(1);
        }
        let waiting = self.control.waiting.remove(request.name()).unwrap_or_default();
        self.answer_control(request, result);
        for request in waiting {
            self.control_request(request);
        }
    }

    fn answer_control(
        &mut self,
        request: ControlRequest,
        result: Result<Arc<QueueDefinition>, ControlError>,
    ) {
        match request {
            ControlRequest::Create { reply, .. } | ControlRequest::Change { reply, .. } => {
                reply(result)
            }
            ControlRequest::Delete { reply, .. } => reply(result.map(|_| ())),
            ControlRequest::EnsureDead { shard, dying, .. } => {
                self.turn.mail(shard, Letter::DeadEnsured { dying, result });
            }
            ControlRequest::Ensure { shard, subscribe, filter, .. } => {
                self.turn.mail(shard, Letter::Ensured { subscribe, filter, result });
            }
        }
    }
}

fn bound_elsewhere(definition: &QueueDefinition) -> ControlError {
    let bound = definition.topic_filter.as_deref();
    ControlError::BoundElsewhere {
        name: definition.name.to_string(),
        bound: bound.map_or("nothing".to_owned(), |bound| format!("'{bound}'")),
    }
}
