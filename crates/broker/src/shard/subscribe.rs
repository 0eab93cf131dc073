//! SUBSCRIBE and UNSUBSCRIBE. A SUBACK tells the truth (contract §2).

mod reasons;

use std::borrow::Cow;
use std::sync::Arc;

use mqtt_codec::{Subscribe, SubscribeOptions, Unsubscribe};
use mqtt_router::SubscriptionOptions;
use mqtt_session::{RetainHandling, SubscriptionRecord};
use mqtt_types::{Address, ReasonCode, TopicFilter};
use queue_engine::ConsumerId;
use stream_engine::Start;

use super::Shard;
use super::control::Kind;
use super::dead_letters::{DEAD, dead_letter_queue, new_dead_letter_queue};
use super::read::{Reads, StreamWish};
use super::restore::options_of;
use super::session_log::{Granted, SubAckToSend, Waiting};
use super::state::{OpenFilter, PendingSubscribe};
use crate::control::{
    Asker, CONTROL_SHARD, ControlError, ControlRequest, NewQueue, NewStream, SinkKind,
};
use crate::directory::{Definition, QueueDefinition};
use crate::ids::{ConnId, SessionId};
use crate::mail::{Began, Ensured, Letter};
use crate::outbox::Outbox;
use crate::record::SessionEvent;
pub(super) use reasons::beginning_of;
use reasons::{suback_code, why_not_made};

/// What a SUBACK says for one filter, with a reason in words if it is a refusal.
pub(super) struct Verdict {
    pub(super) code: ReasonCode,
    pub(super) reason: Option<String>,
    /// The newest change of a retained message when the subscription entered the router.
    pub(super) since: u64,
    /// Where the reader of a stream is to go on once this is stored.
    pub(super) seek: Option<Start>,
    /// What the subscription has made of its reader.
    pub(super) began: Option<Box<Began>>,
}

impl Verdict {
    pub(super) const fn granted(record: &SubscriptionRecord) -> Self {
        Self {
            code: ReasonCode(record.qos.as_u8()),
            reason: None,
            since: 0,
            seek: None,
            began: None,
        }
    }

    pub(super) fn refused(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self { code, reason: Some(reason.into()), since: 0, seek: None, began: None }
    }
}

/// What one filter comes to.
enum Outcome {
    Known(Verdict),
    /// The queue has to be created first.
    Create(Box<NewQueue>),
    /// The stream has.
    CreateStream(Box<NewStream>),
    /// The stream is asked.
    Asked,
}

/// A queue or a stream that a subscription names.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// The filter it must be bound to; `None` takes any.
    pub(super) filter: Option<TopicFilter<'a>>,
}

impl Shard {
    pub(super) fn subscribe<O: Outbox>(
        &mut self,
        conn: ConnId,
        subscribe: &Subscribe<'_>,
        out: &mut O,
    ) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let identifier = subscribe.subscription_identifier().and_then(std::num::NonZeroU32::new);
        let wish = StreamWish::of(subscribe);
        let wants_metadata = wish.wants_metadata();
        let mut suback = SubAckToSend {
            conn,
            packet_id: subscribe.packet_id,
            codes: Vec::new(),
            reason: None,
            granted: Vec::new(),
            wants_metadata,
            tells_connection: false,
        };
        // Nothing else is put there before this is.
        let key = self.subscribes.vacant_key();
        let mut open = Vec::new();
        for (n, (address, options)) in subscribe.filters.iter().enumerate() {
            let mut record = record_of(options, identifier);
            // `[MQTT-3.2.2-10]`
            record.qos = record.qos.min(self.shared.config.limits.maximum_qos);
            let before = self.subscription_of(id, address);
            let is_new = before.is_none();
            let how = (is_new, &wish, (key, n));
            let outcome = self.subscribe_one(id, address, record, how, out);
            match &outcome {
                Outcome::Known(verdict) => {
                    self.note_refused_subscription(conn, address, verdict);
                    suback.codes.push(verdict.code.0);
                    let is_granted = !verdict.code.is_error();
                    suback.reason = suback.reason.or_else(|| verdict.reason.clone());
                    self.set_metadata(id, address, wants_metadata);
                    let replays = record.retain_handling.sends(is_new).then_some(verdict.since);
                    let granted = Granted::new(address, record, (replays, verdict.seek));
                    if is_granted && (granted.has_to_do() || id.is_durable()) {
                        self.change_begins(id, address, before);
                        suback.granted.push(granted);
                    }
                }
                Outcome::Create(_) | Outcome::CreateStream(_) | Outcome::Asked => {
                    self.set_metadata(id, address, wants_metadata);
                    suback.codes.push(ReasonCode::UNSPECIFIED_ERROR.0);
                    open.push(OpenFilter { place: n, address: address.to_owned(), record, before });
                }
            }
            let asker = Asker::Subscription { shard: self.id, subscribe: key, filter: n };
            let letter = match outcome {
                Outcome::Create(new) => {
                    let request = ControlRequest::Ensure { new: *new, asker };
                    Letter::Control(Box::new(request))
                }
                Outcome::CreateStream(new) => {
                    let request = ControlRequest::Ensure { new: *new, asker };
                    Letter::ControlStreams(Box::new(request))
                }
                Outcome::Known(_) | Outcome::Asked => continue,
            };
            self.turn.mail(CONTROL_SHARD, letter);
        }
        if open.is_empty() {
            self.finish_subscribe(id, suback, out);
            return;
        }
        self.subscribes.insert(PendingSubscribe { session: id, suback, wish, open });
    }

    fn subscribe_one<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        (is_new, wish, asked): (bool, &StreamWish, (usize, usize)),
        out: &O,
    ) -> Outcome {
        let config = &self.shared.config;
        let invalid = |reason: &str| {
            Outcome::Known(Verdict::refused(ReasonCode::TOPIC_FILTER_INVALID, reason))
        };
        let parsed = match Address::parse(address) {
            Ok(parsed) => parsed,
            // One text speaks for all filters of the packet.
            Err(error) => return invalid(&format!("'{}': {error}", beginning_of(address))),
        };
        if address.len() > config.max_topic_length {
            let limit = config.max_topic_length;
            return invalid(&format!("topic filter has more than {limit} bytes"));
        }
        if address.split('/').count() > config.max_topic_levels {
            let limit = config.max_topic_levels;
            return invalid(&format!("topic filter has more than {limit} levels"));
        }
        let count = self.sessions.get(id).map_or(0, |entry| entry.session.subscription_count());
        if is_new && count >= config.max_subscriptions {
            let reason =
                format!("the session has {count} subscriptions, as many as a session may have");
            return Outcome::Known(Verdict::refused(ReasonCode::QUOTA_EXCEEDED, reason));
        }
        if is_new && !self.has_room_for(address) {
            let reason = "all subscriptions together take as much memory as they may";
            return Outcome::Known(Verdict::refused(ReasonCode::QUOTA_EXCEEDED, reason));
        }
        if let Some(verdict) = self.refuses_metadata(&parsed, wish) {
            return Outcome::Known(verdict);
        }
        let wanted = match parsed {
            Address::Live(filter) => return self.subscribe_live(id, address, filter, None, record),
            Address::Shared { group, filter } => {
                return self.subscribe_live(id, address, filter, Some(group), record);
            }
            Address::FilterQueue(filter) => Wanted { name: filter.as_str(), filter: Some(filter) },
            Address::Queue { name, filter } => Wanted { name: name.as_str(), filter },
            Address::Dead(name) => {
                self.leave_old_dead_letters(id, address, name, out);
                return self.subscribe_dead(id, address, name, record);
            }
            Address::Stream { name, filter } => {
                let wanted = Wanted { name: name.as_str(), filter };
                return self.subscribe_stream(id, address, &wanted, record, (wish, asked), out);
            }
            Address::FilterStream { filter, .. } => {
                let wanted = Wanted { name: filter.as_str(), filter: Some(filter) };
                return self.subscribe_stream(id, address, &wanted, record, (wish, asked), out);
            }
        };
        self.subscribe_queue(id, address, &wanted, record)
    }

    fn subscribe_live(
        &mut self,
        id: SessionId,
        address: &str,
        filter: TopicFilter<'_>,
        group: Option<&str>,
        record: SubscriptionRecord,
    ) -> Outcome {
        let options = options_of(&record);
        let since = match group {
            None => self.route_subscription(id, filter, options),
            Some(group) => {
                self.join_group(id, group, filter, options);
                0 // It brings no retained messages.
            }
        };
        self.add_subscription(id, address, record);
        Outcome::Known(Verdict { since, ..Verdict::granted(&record) })
    }

    /// Puts a subscription into the router. Gives the newest change of a retained message that is not routed to it.
    pub(super) fn route_subscription(
        &self,
        id: SessionId,
        filter: TopicFilter<'_>,
        options: SubscriptionOptions,
    ) -> u64 {
        self.shared.routes.change(|router| {
            router.subscribe(filter, id.subscriber(), options);
            self.shared.retained.newest()
        })
    }

    fn subscribe_queue(
        &mut self,
        id: SessionId,
        address: &str,
        wanted: &Wanted<'_>,
        record: SubscriptionRecord,
    ) -> Outcome {
        if let Some(definition) = self.shared.directory.get(wanted.name) {
            return Outcome::Known(self.consume_existing(id, address, wanted, record, &definition));
        }
        match self.filter_to_create(wanted, SinkKind::Queue) {
            Ok(filter) => Outcome::Create(Box::new(NewQueue {
                name: wanted.name.to_owned(),
                topic_filter: Some(filter),
                properties: self.shared.config.queue_defaults.clone(),
            })),
            Err(verdict) => Outcome::Known(verdict),
        }
    }

    fn subscribe_stream<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        wanted: &Wanted<'_>,
        record: SubscriptionRecord,
        (wish, asked): (&StreamWish, (usize, usize)),
        out: &O,
    ) -> Outcome {
        if let Some(definition) = self.shared.streams.get(wanted.name) {
            if let Err(verdict) = bound_as_wanted(wanted, &definition) {
                return Outcome::Known(verdict);
            }
            return match self.read_stream(id, address, record, &definition, (wish, asked), out) {
                Reads::Known(verdict) => Outcome::Known(verdict),
                Reads::Asked => Outcome::Asked,
            };
        }
        match self.filter_to_create(wanted, SinkKind::Stream) {
            Ok(filter) => Outcome::CreateStream(Box::new(NewStream {
                name: wanted.name.to_owned(),
                topic_filter: Some(filter),
                properties: self.shared.config.stream_defaults.clone(),
            })),
            Err(verdict) => Outcome::Known(verdict),
        }
    }

    /// What something that is not there is to be bound to, if it may be created.
    fn filter_to_create(&self, wanted: &Wanted<'_>, what: SinkKind) -> Result<String, Verdict> {
        let name = wanted.name;
        let unknown = |reason: String| {
            Err(Verdict::refused(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, reason))
        };
        match wanted.filter {
            None => unknown(format!(
                "there is no {what} '{name}'; subscribe to ${what}/{name}/<filter> to create it"
            )),
            Some(_) if !self.shared.config.auto_create => {
                unknown(format!("there is no {what} '{name}' and queues.auto_create is off"))
            }
            Some(filter) => Ok(filter.as_str().to_owned()),
        }
    }

    /// The name of the queue that has another one's dead letters.
    pub(super) fn dead_letters_of(&self, name: &str) -> Result<Cow<'static, str>, String> {
        match self.shared.directory.get(name) {
            Some(dying) => match dead_letter_queue(&dying) {
                Some(target) => Ok(Cow::Owned(target.into_owned())),
                None => Err(format!("queue '{name}' keeps no dead letters")),
            },
            // It may have been deleted, and its dead letters be there still.
            None => Ok(Cow::Owned(format!("{DEAD}{name}"))),
        }
    }

    /// A queue's dead letters, also before there are any.
    fn subscribe_dead(
        &mut self,
        id: SessionId,
        address: &str,
        name: &str,
        record: SubscriptionRecord,
    ) -> Outcome {
        let refused = |reason: String| {
            Outcome::Known(Verdict::refused(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, reason))
        };
        let target = match self.dead_letters_of(name) {
            Ok(target) => target,
            Err(reason) => return refused(reason),
        };
        let wanted = Wanted { name: &target, filter: None };
        if let Some(definition) = self.shared.directory.get(&target) {
            return Outcome::Known(self.consume_existing(
                id,
                address,
                &wanted,
                record,
                &definition,
            ));
        }
        match self.shared.directory.get(name) {
            None => refused(format!("there is no queue '{name}'")),
            Some(_) => {
                let defaults = &self.shared.config.queue_defaults;
                Outcome::Create(Box::new(new_dead_letter_queue(&target, defaults)))
            }
        }
    }

    fn consume_existing(
        &mut self,
        id: SessionId,
        address: &str,
        wanted: &Wanted<'_>,
        record: SubscriptionRecord,
        definition: &Arc<QueueDefinition>,
    ) -> Verdict {
        if let Err(verdict) = bound_as_wanted(wanted, definition) {
            return verdict;
        }
        self.consume(id, address, record, definition);
        Verdict::granted(&record)
    }

    /// Makes the session a consumer of the queue, or changes how it consumes it.
    pub(super) fn consume(
        &mut self,
        id: SessionId,
        address: &str,
        mut record: SubscriptionRecord,
        definition: &QueueDefinition,
    ) {
        let Some(entry) = self.sessions.get(id) else { return };
        let known = entry.session.subscription(address).map(|old| ConsumerId(old.consumer));
        let known = known.filter(|consumer| self.consumers.get(*consumer).is_some());
        let consumer = match known {
            Some(consumer) => consumer,
            None => self.attach_consumer(id, address, record, definition),
        };
        record.consumer = consumer.0;
        if let Some(state) = self.consumers.get_mut(consumer) {
            state.record = record;
        }
        self.add_subscription(id, address, record);
    }

    /// Whether the deliveries of a queue or stream subscription bear metadata.
    pub(super) fn set_metadata(&mut self, id: SessionId, address: &str, wants_metadata: bool) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let record = entry.session.subscription(address);
        let Some(consumer) = record.map(|record| ConsumerId(record.consumer)) else { return };
        let Some(state) = self.consumers.get_mut(consumer) else { return };
        state.wants_metadata = wants_metadata;
        if let Some(extras) = &mut entry.extras {
            extras.with_metadata.retain(|with| &**with != address);
        }
        if wants_metadata {
            entry.extras.get_or_insert_default().with_metadata.push(address.into());
        }
    }

    /// A queue or a stream that a subscription had to create: it is there, or cannot be.
    pub(super) fn ensured<O: Outbox>(
        &mut self,
        (subscribe, filter): (usize, usize),
        result: Result<Ensured, ControlError>,
        out: &mut O,
    ) {
        let Some(pending) = self.subscribes.get_mut(subscribe) else { return };
        let Some(open) = pending.open.iter_mut().find(|open| open.place == filter) else { return };
        let (address, record) = (open.address.clone(), open.record);
        let (id, conn) = (pending.session, pending.suback.conn);
        let (wants_metadata, wish) = (pending.suback.wants_metadata, pending.wish.clone());
        let is_there = self.conns.get(conn).is_some();
        let before = self.subscription_of(id, &address);
        if let Some(pending) = self.subscribes.get_mut(subscribe)
            && let Some(open) = pending.open.iter_mut().find(|open| open.place == filter)
        {
            open.before = before;
        }
        let verdict = match result {
            // The client has gone: nobody is told.
            Ok(_) if !is_there => Verdict::granted(&record),
            Ok(Ensured::Queue(definition)) => {
                let wanted = Wanted { name: &definition.name, filter: None };
                let verdict = self.consume_existing(id, &address, &wanted, record, &definition);
                self.set_metadata(id, &address, wants_metadata);
                verdict
            }
            Ok(Ensured::Stream(definition)) => {
                let asked = (&wish, (subscribe, filter));
                let reads = self.read_stream(id, &address, record, &definition, asked, out);
                self.set_metadata(id, &address, wants_metadata);
                match reads {
                    Reads::Known(verdict) => verdict,
                    Reads::Asked => return,
                }
            }
            Err(error) => Verdict::refused(suback_code(&error), why_not_made(&address, &error)),
        };
        self.filter_decided((subscribe, filter), verdict, out);
    }

    /// It is decided what becomes of a filter that was open.
    pub(super) fn filter_decided<O: Outbox>(
        &mut self,
        (subscribe, filter): (usize, usize),
        verdict: Verdict,
        out: &mut O,
    ) {
        let Some(pending) = self.subscribes.get_mut(subscribe) else { return };
        let Some(at) = pending.open.iter().position(|open| open.place == filter) else { return };
        let OpenFilter { place, address, record, before } = pending.open.swap_remove(at);
        let (id, conn) = (pending.session, pending.suback.conn);
        self.note_refused_subscription(conn, &address, &verdict);
        let is_there = self.conns.get(conn).is_some();
        let is_granted = !verdict.code.is_error() && is_there;
        if is_granted {
            self.change_begins(id, &address, before);
        }
        let Some(pending) = self.subscribes.get_mut(subscribe) else { return };
        let suback = &mut pending.suback;
        if let Some(code) = suback.codes.get_mut(place) {
            *code = verdict.code.0;
        }
        if is_granted {
            let Verdict { seek, began, .. } = verdict;
            let granted = Granted::new(&address, record, (None, seek));
            suback.granted.push(Granted { began, ..granted });
        }
        if suback.reason.is_none() {
            suback.reason = verdict.reason;
        }
        if pending.open.is_empty() {
            let pending = self.subscribes.remove(subscribe);
            self.finish_subscribe(id, pending.suback, out);
        }
    }

    pub(super) fn unsubscribe<O: Outbox>(
        &mut self,
        conn: ConnId,
        unsubscribe: &Unsubscribe<'_>,
        out: &mut O,
    ) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let written = out.written(conn);
        let mut codes = Vec::new();
        let mut ended = Vec::new();
        for address in unsubscribe.filters.iter() {
            let before = self.subscription_of(id, address);
            let code = match self.remove_subscription(id, address) {
                None => ReasonCode::NO_SUBSCRIPTION_EXISTED,
                Some(record) => {
                    self.let_go(id, address, record, written);
                    self.change_begins(id, address, before);
                    ended.push(address.into());
                    ReasonCode::SUCCESS
                }
            };
            codes.push(code.0);
        }
        let packet_id = unsubscribe.packet_id;
        if id.is_durable() && !ended.is_empty() {
            let event = SessionEvent::Unsubscribed(ended.clone());
            let waiting =
                Waiting::UnsubAck { conn, session: id, packet_id, codes, addresses: ended };
            self.log_session(id, event, waiting);
        } else {
            self.send_unsuback(conn, packet_id, &codes, out);
        }
    }

    /// Takes a subscription that the session no longer has out of the router, or its consumer from the queue. Of a durable
    /// session it may come back.
    pub(super) fn let_go(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        written: u64,
    ) {
        if let Some(extras) = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut()) {
            extras.with_metadata.retain(|with| &**with != address);
            extras.groups.retain(|(of, _)| &**of != address);
        }
        if record.consumer != 0 {
            self.let_consumer_go(id, ConsumerId(record.consumer), written);
            return;
        }
        match Address::parse(address) {
            Ok(Address::Live(filter)) => {
                let newest = self.shared.routes.change(|router| {
                    router.unsubscribe(filter, id.subscriber());
                    self.shared.retained.newest()
                });
                match id.is_durable() {
                    true => self.suspend_replay(id, address, newest),
                    false => self.end_replay(id, address),
                }
            }
            Ok(Address::Shared { group, filter }) => {
                self.shared.routes.change(|router| router.leave(group, filter, id.subscriber()));
                self.leave_group(id, group, filter.as_str());
            }
            _ => {}
        }
    }
}

fn record_of(
    options: SubscribeOptions,
    identifier: Option<std::num::NonZeroU32>,
) -> SubscriptionRecord {
    SubscriptionRecord {
        qos: options.qos,
        no_local: options.no_local,
        retain_as_published: options.retain_as_published,
        retain_handling: RetainHandling::from_u8(options.retain_handling as u8).unwrap_or_default(),
        subscription_identifier: identifier,
        consumer: 0,
    }
}

/// Whether something is bound as a subscription wants it.
pub(super) fn bound_as_wanted<P: Kind>(
    wanted: &Wanted<'_>,
    definition: &Definition<P>,
) -> Result<(), Verdict> {
    let bound = definition.topic_filter.as_deref();
    if wanted.filter.is_none_or(|filter| bound == Some(filter.as_str())) {
        return Ok(());
    }
    let bound = bound.map_or("nothing".to_owned(), |bound| format!("'{bound}'"));
    let reason = format!("{} '{}' is bound to {bound}", P::WHAT, definition.name);
    Err(Verdict::refused(ReasonCode::TOPIC_FILTER_INVALID, reason))
}
