//! The control shard: defines, changes and deletes queues and streams, one request for a name at a time. A definition
//! holds when it is committed; then the router and the directory have it, and the shard that owns it.

mod kinds;

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use log_api::{AppendError, CommittedRecord, RecordKind, ShardSet};
use mqtt_router::SinkId;
use mqtt_types::TopicFilter;
use slab::Slab;

use super::Shard;
use crate::control::{Asker, CONTROL_SHARD, ControlError, ControlRequest, New, SinkKind};
use crate::directory::{Definition, QueueProperties, StreamProperties, owner_of};
use crate::record::{DefinitionRecord, decode_deleted, encode_deleted};

pub(crate) use kinds::Kind;

/// Tells the tokens of definitions from those of publishes.
const CONTROL_TOKEN: u64 = 1 << 63;
/// Tells those of streams from those of queues.
const STREAM_TOKEN: u64 = 1 << 62;

pub(super) const fn is_control_token(token: u64) -> bool {
    token & CONTROL_TOKEN != 0
}

/// What the control shard has under way.
pub(crate) struct Control {
    next_sink: u32,
    queues: Requests<QueueProperties>,
    streams: Requests<StreamProperties>,
}

/// Requests for queues, or for streams.
pub(crate) struct Requests<P> {
    /// Those whose record is on its way to disk.
    under_way: Slab<ControlRequest<P>>,
    /// Those for a name that has one under way.
    waiting: HashMap<String, VecDeque<ControlRequest<P>>>,
    /// Those that are making something.
    creating: usize,
}

impl<P> Default for Requests<P> {
    fn default() -> Self {
        Self { under_way: Slab::new(), waiting: HashMap::new(), creating: 0 }
    }
}

impl Control {
    pub(crate) fn new(next_sink: u32) -> Self {
        Self { next_sink, queues: Requests::default(), streams: Requests::default() }
    }

    /// The number of the next queue or stream.
    pub(crate) const fn next_sink(&self) -> u32 {
        self.next_sink
    }
}

/// What a request comes to before anything is written.
enum Check<P> {
    /// Write this definition.
    Define(Box<DefinitionRecord<P>>),
    /// Write that it is gone.
    Delete(Arc<Definition<P>>),
    /// Nothing to write: the answer is known.
    Answer(Result<Arc<Definition<P>>, ControlError>),
}

impl Shard {
    /// Serves a request, or lets it wait for the one before it.
    pub(super) fn control_request<P: Kind>(&mut self, request: ControlRequest<P>) {
        if let Some(waiting) = P::requests(&mut self.control).waiting.get_mut(request.name()) {
            waiting.push_back(request);
            return;
        }
        match self.check(&request) {
            Check::Answer(result) => self.answer_control(request, result),
            Check::Define(record) => {
                let is_new = P::directory(&self.shared).get(&record.name).is_none();
                P::requests(&mut self.control).creating += usize::from(is_new);
                let shards = self.shared.config.shards;
                let notify = ShardSet::single(owner_of(record.sink, shards)).with(CONTROL_SHARD);
                let token = self.control_under_way(request);
                self.turn.batch.push(P::RECORD, 0, 0, notify, token, |out| record.encode(out));
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

    fn control_under_way<P: Kind>(&mut self, request: ControlRequest<P>) -> u64 {
        let requests = P::requests(&mut self.control);
        requests.waiting.insert(request.name().to_owned(), VecDeque::new());
        let of_kind = if P::WHAT == SinkKind::Stream { STREAM_TOKEN } else { 0 };
        requests.under_way.insert(request) as u64 | CONTROL_TOKEN | of_kind
    }

    fn check<P: Kind>(&mut self, request: &ControlRequest<P>) -> Check<P> {
        let known = P::directory(&self.shared).get(request.name());
        match (request, known) {
            (ControlRequest::Ensure { asker: Asker::Dying { .. }, .. }, Some(known)) => {
                Check::Answer(Ok(known))
            }
            (ControlRequest::Ensure { new, .. }, Some(known)) => {
                let same = known.topic_filter.as_deref() == new.topic_filter.as_deref();
                Check::Answer(if same { Ok(known) } else { Err(bound_elsewhere(&known)) })
            }
            (ControlRequest::Create { new, .. }, Some(_)) => {
                Check::Answer(Err(ControlError::Exists(P::WHAT, new.name.clone())))
            }
            (ControlRequest::Create { new, .. } | ControlRequest::Ensure { new, .. }, None) => {
                let filter = self.check_filter(new.topic_filter.as_deref());
                match filter.and_then(|()| new.properties.check(&new.name, &self.shared)) {
                    Ok(()) => self.define(new),
                    Err(error) => Check::Answer(Err(error)),
                }
            }
            (ControlRequest::Change { change, .. }, Some(known)) => {
                let mut properties =
                    change.properties.clone().unwrap_or_else(|| known.properties.clone());
                if let Some(paused) = change.paused {
                    properties.set_paused(paused);
                }
                // What it is bound to already stays, also where the limits are lower now.
                let filter =
                    self.check_filter(change.topic_filter.as_ref().and_then(Option::as_deref));
                if let Err(error) =
                    filter.and_then(|()| properties.check(&known.name, &self.shared))
                {
                    return Check::Answer(Err(error));
                }
                // Hashes that are kept must stay what they are; before the first one any seed will do.
                let keyless = !known.properties.needs_keys();
                let key_seed = if keyless { self.shared.key_seed } else { known.key_seed };
                properties.number_keys(&known.properties);
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
                Check::Answer(Err(ControlError::NotFound(P::WHAT, name.clone())))
            }
        }
    }

    /// Whether something may be bound to a filter, as clients may subscribe to it.
    fn check_filter(&self, filter: Option<&str>) -> Result<(), ControlError> {
        let config = &self.shared.config;
        let filter = filter.unwrap_or_default();
        for (count, limit, of) in [
            (filter.len(), config.max_topic_length, "bytes"),
            (filter.split('/').count(), config.max_topic_levels, "levels"),
        ] {
            if count > limit {
                return Err(ControlError::FilterTooLarge { limit, of });
            }
        }
        Ok(())
    }

    fn define<P: Kind>(&mut self, new: &New<P>) -> Check<P> {
        let limit = self.shared.config.max_queues;
        let creating = P::requests(&mut self.control).creating;
        if P::directory(&self.shared).len() + creating >= limit {
            return Check::Answer(Err(ControlError::TooMany { what: P::WHAT, limit }));
        }
        let sink = SinkId(self.control.next_sink);
        self.control.next_sink += 1;
        Check::Define(Box::new(DefinitionRecord {
            sink,
            name: new.name.clone(),
            topic_filter: new.topic_filter.clone(),
            created_at_ms: self.turn.unix_ms,
            properties: new.properties.clone(),
            key_seed: self.shared.key_seed,
        }))
    }

    /// A definition is committed: it holds from here on.
    pub(super) fn defined<P: Kind>(&mut self, record: &CommittedRecord) {
        let shards = self.shared.config.shards;
        let definition = match DefinitionRecord::<P>::decode(&record.body) {
            Ok(definition) => Arc::new(definition.into_definition(shards)),
            Err(error) => {
                tracing::error!(%error, "a definition of this process is not legal");
                return;
            }
        };
        let room = self.shared.routes.room(definition.sink);
        if definition.owner == self.id {
            let (definition, room) = (Arc::clone(&definition), Arc::clone(&room));
            P::host(&mut self.hosting, definition, room, &mut self.turn);
        }
        if self.id != CONTROL_SHARD {
            return;
        }
        let old = P::directory(&self.shared).insert(Arc::clone(&definition));
        self.shared.routes.set_terms(P::terms(&definition, room));
        let old_filter = old.as_ref().and_then(|old| old.topic_filter.clone());
        if old_filter != definition.topic_filter {
            self.bind(definition.sink, old_filter.as_deref(), definition.topic_filter.as_deref());
        }
        if old.is_none() {
            let creating = &mut P::requests(&mut self.control).creating;
            *creating = creating.saturating_sub(1);
            let (name, filter) = (&*definition.name, definition.topic_filter.as_deref());
            tracing::info!(name, filter, "{} created", P::WHAT);
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
    pub(super) fn deleted(&mut self, record: &CommittedRecord) {
        let Ok(sink) = decode_deleted(&record.body) else { return };
        if self.id == CONTROL_SHARD && !self.delete_one::<QueueProperties>(sink, record.token) {
            self.delete_one::<StreamProperties>(sink, record.token);
        }
        if let Some(resource) = self.hosting.alarm_resource(sink) {
            self.forget_alarms_of(&resource);
        }
        self.hosting.delete(sink, &mut self.turn);
    }

    fn delete_one<P: Kind>(&mut self, sink: SinkId, token: u64) -> bool {
        let Some(definition) = P::directory(&self.shared).find(sink) else { return false };
        P::directory(&self.shared).remove(&definition.name);
        self.bind(sink, definition.topic_filter.as_deref(), None);
        self.shared.routes.remove_terms(sink);
        tracing::info!(name = &*definition.name, "{} deleted", P::WHAT);
        self.control_done(token, Ok(definition));
        true
    }

    /// A record of the control shard was not stored.
    pub(super) fn control_failed(&mut self, token: u64, error: &AppendError) {
        let error = ControlError::NotStored(error.to_string());
        match token & STREAM_TOKEN == 0 {
            true => self.control_done::<QueueProperties>(token, Err(error)),
            false => self.control_done::<StreamProperties>(token, Err(error)),
        }
    }

    fn control_done<P: Kind>(
        &mut self,
        token: u64,
        result: Result<Arc<Definition<P>>, ControlError>,
    ) {
        let key = token & !(CONTROL_TOKEN | STREAM_TOKEN);
        let requests = P::requests(&mut self.control);
        let Some(request) = requests.under_way.try_remove(key as usize) else { return };
        if result.is_err() && request.is_new() {
            requests.creating = requests.creating.saturating_sub(1);
        }
        let waiting = requests.waiting.remove(request.name()).unwrap_or_default();
        self.answer_control(request, result);
        for request in waiting {
            self.control_request(request);
        }
    }

    fn answer_control<P: Kind>(
        &mut self,
        request: ControlRequest<P>,
        result: Result<Arc<Definition<P>>, ControlError>,
    ) {
        match request {
            ControlRequest::Create { reply, .. } | ControlRequest::Change { reply, .. } => {
                reply(result)
            }
            ControlRequest::Delete { reply, .. } => reply(result.map(|_| ())),
            ControlRequest::Ensure { asker, .. } => {
                let (Asker::Subscription { shard, .. } | Asker::Dying { shard, .. }) = asker;
                self.turn.mail(shard, P::ensured(asker, result));
            }
        }
    }
}

fn bound_elsewhere<P: Kind>(definition: &Definition<P>) -> ControlError {
    let bound = definition.topic_filter.as_deref();
    ControlError::BoundElsewhere {
        what: P::WHAT,
        name: definition.name.to_string(),
        bound: bound.map_or("nothing".to_owned(), |bound| format!("'{bound}'")),
    }
}
