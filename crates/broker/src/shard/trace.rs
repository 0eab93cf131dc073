//! Traces of messages: publish, store, deliver and settle are spans, and what ties them is the `traceparent` that a message
//! bears from its publish span on, on both roads and in the log. No engine knows of it. Without a tracer nothing is looked at.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use log_api::{CommittedRecord, FailedRecord, RecordKind};
use mqtt_codec::{Properties, PropertyBlock};
use mqtt_session::Origin;
use mqtt_types::{PacketId, Property, QoS, ReasonCode};
use queue_engine::ConsumerId;
use telemetry::{Span, SpanId, SpanKind, TraceParent, Tracer, Value};

use super::Shard;
use super::live::Live;
use super::send::{Outgoing, Sent};
use super::state::{Consumers, SessionEntry};
use crate::control::SinkKind;
use crate::ids::SessionId;
use crate::record::PublishRecord;
use crate::routes::Route;

/// Traced messages that may wait for the log, and deliveries of them that may wait for a verdict, at one shard. What is beyond
/// has no span.
const OPEN_MAX: usize = 65_536;

/// Queues and streams that a span names.
const NAMES_MAX: usize = 32;

/// A traced message that comes in.
pub(super) struct Arriving {
    context: TraceParent,
    parent: Option<SpanId>,
    /// What it bears from here on.
    pub(super) properties: Vec<u8>,
}

struct Storing {
    context: TraceParent,
    since_ms: u64,
    names: Vec<String>,
}

/// A delivery whose consumer has said nothing yet.
struct Unsettled {
    context: TraceParent,
    since_ms: u64,
    qos: QoS,
    is_queue: bool,
}

/// Who gets a message.
pub(super) struct To<'a> {
    pub(super) traces: &'a mut Traces,
    consumers: &'a Consumers,
    session: SessionId,
    client_id: &'a str,
    origin: Origin,
    unix_ms: u64,
}

/// The spans of one shard that have not ended.
#[derive(Default)]
pub(super) struct Traces {
    tracer: Option<Tracer>,
    storing: HashMap<SpanId, Storing>,
    unsettled: HashMap<SessionId, BTreeMap<PacketId, Unsettled>>,
    unsettled_count: usize,
}

impl Traces {
    pub(super) fn new(tracer: Option<Tracer>) -> Self {
        Self { tracer, ..Self::default() }
    }

    /// Whether there is a tracer.
    #[inline]
    pub(super) const fn is_on(&self) -> bool {
        self.tracer.is_some()
    }

    /// Where the trace of a message with these properties goes on; `None` when it is not traced.
    #[inline]
    pub(super) fn context_of(&self, properties: &[u8]) -> Option<TraceParent> {
        if self.tracer.is_none() || properties.is_empty() {
            return None;
        }
        match found(properties) {
            Found::One(text) => TraceParent::parse(text).filter(TraceParent::is_sampled),
            _ => None,
        }
    }

    /// A message comes with these properties. `None` when it is not traced; it goes on as it is.
    #[inline]
    pub(super) fn arrive(&self, properties: &[u8]) -> Option<Arriving> {
        self.tracer.as_ref().and_then(|tracer| arrive(tracer, properties))
    }

    fn ended(&self, span: Span) {
        if let Some(tracer) = &self.tracer {
            tracer.send(span);
        }
    }

    /// A delivery begins: the place in its trace, and the properties that say it.
    #[inline]
    pub(super) fn delivering(&self, properties: &[u8]) -> Option<(SpanId, TraceParent, Vec<u8>)> {
        let parent = self.context_of(properties)?;
        let context = parent.at(self.tracer.as_ref()?.span_id());
        Some((parent.span, context, with_context(properties, context)))
    }

    fn expect_verdict(&mut self, session: SessionId, packet_id: PacketId, of: Unsettled) {
        let now_ms = of.since_ms;
        if self.unsettled_count >= OPEN_MAX {
            return self.tracer.iter().for_each(Tracer::count_dropped);
        }
        let before = self.unsettled.entry(session).or_default().insert(packet_id, of);
        match before {
            Some(before) => self.settled(&before, "lost", None, now_ms),
            None => self.unsettled_count += 1,
        }
    }

    /// The client has answered a delivery, by PUBACK or PUBREC.
    #[inline]
    pub(super) fn answered(
        &mut self,
        session: SessionId,
        (packet_id, qos): (PacketId, QoS),
        reason: ReasonCode,
        now_ms: u64,
    ) {
        if self.unsettled_count > 0 {
            self.verdict(session, (packet_id, qos), reason, now_ms);
        }
    }

    fn verdict(
        &mut self,
        session: SessionId,
        (packet_id, qos): (PacketId, QoS),
        reason: ReasonCode,
        now_ms: u64,
    ) {
        let Some(of_session) = self.unsettled.get_mut(&session) else { return };
        if of_session.get(&packet_id).is_none_or(|of| of.qos != qos) {
            return;
        }
        let Some(of) = of_session.remove(&packet_id) else { return };
        if of_session.is_empty() {
            self.unsettled.remove(&session);
        }
        self.unsettled_count -= 1;
        let outcome = match reason {
            reason if !reason.is_error() => "accept",
            ReasonCode::QUOTA_EXCEEDED if of.is_queue => "busy",
            ReasonCode::PAYLOAD_FORMAT_INVALID if of.is_queue => "reject",
            _ if of.is_queue => "release",
            _ => "reject",
        };
        self.settled(&of, outcome, Some(reason), now_ms);
    }

    /// A connection is gone: its client answers nothing more that it got by it.
    pub(super) fn lost(&mut self, session: SessionId, now_ms: u64) {
        let Some(gone) = self.unsettled.remove(&session) else { return };
        self.unsettled_count -= gone.len();
        gone.values().for_each(|of| self.settled(of, "lost", None, now_ms));
    }

    fn settled(
        &self,
        of: &Unsettled,
        outcome: &'static str,
        reason: Option<ReasonCode>,
        now_ms: u64,
    ) {
        let Some(tracer) = &self.tracer else { return };
        let mut attributes = vec![system(), ("weirmq.outcome", outcome.into())];
        attributes.extend(reason.map(|code| ("mqtt.reason_code", u64::from(code.0).into())));
        tracer.send(Span {
            context: of.context.at(tracer.span_id()),
            parent: Some(of.context.span),
            name: "settle",
            kind: SpanKind::Internal,
            start_ms: of.since_ms,
            end_ms: now_ms.max(of.since_ms),
            attributes,
            error: (outcome == "lost").then_some("the connection ended before a verdict"),
        });
    }

    fn stored(&mut self, context: TraceParent, now_ms: u64, error: Option<&'static str>) {
        let Some(of) = self.storing.remove(&context.span) else { return };
        let Some(tracer) = &self.tracer else { return };
        tracer.send(Span {
            context: of.context.at(tracer.span_id()),
            parent: Some(of.context.span),
            name: "store",
            kind: SpanKind::Internal,
            start_ms: of.since_ms,
            end_ms: now_ms.max(of.since_ms),
            attributes: vec![system(), ("weirmq.stored_in", Value::Texts(of.names))],
            error,
        });
    }
}

impl<'a> To<'a> {
    /// `None` without a tracer.
    #[inline]
    pub(super) fn of(
        traces: &'a mut Traces,
        consumers: &'a Consumers,
        entry: &'a SessionEntry,
        origin: Origin,
        unix_ms: u64,
    ) -> Option<Self> {
        if !traces.is_on() {
            return None;
        }
        let (session, client_id) = (entry.id, entry.session.client_id());
        Some(Self { traces, consumers, session, client_id, origin, unix_ms })
    }

    /// A delivery was written, or could not be.
    pub(super) fn delivered(
        self,
        (parent, context): (SpanId, TraceParent),
        outgoing: &Outgoing<'_>,
        sent: Sent,
    ) {
        let Self { traces, consumers, session, client_id, origin, unix_ms } = self;
        let mut attributes = message_attributes(outgoing.topic, outgoing.qos, outgoing.payload);
        attributes.push(("messaging.client.id", client_id.into()));
        if let Origin::Queue { consumer, offset, attempt } = origin {
            if let Some(from) = consumers.get(ConsumerId(consumer)) {
                let key = match from.what {
                    SinkKind::Queue => "weirmq.queue",
                    SinkKind::Stream => "weirmq.stream",
                };
                attributes.push((key, (&*from.name).into()));
            }
            attributes.push(("weirmq.offset", offset.into()));
            attributes.push(("weirmq.attempt", u64::from(attempt).into()));
        }
        let error = match sent {
            Sent::Yes => None,
            Sent::TooLarge => Some("too_large"),
            Sent::Expired => Some("expired"),
        };
        traces.ended(Span {
            context,
            parent: Some(parent),
            name: "deliver",
            kind: SpanKind::Producer,
            start_ms: unix_ms,
            end_ms: unix_ms,
            attributes,
            error,
        });
        if let Some(packet_id) = outgoing.packet_id.filter(|_| sent == Sent::Yes) {
            let is_queue = matches!(origin, Origin::Queue { .. });
            let of = Unsettled { context, since_ms: unix_ms, qos: outgoing.qos, is_queue };
            traces.expect_verdict(session, packet_id, of);
        }
    }
}

impl Shard {
    /// The span of a message's arrival ends.
    pub(super) fn published(
        &self,
        arriving: Arriving,
        session: SessionId,
        live: (&str, QoS, &[u8]),
        is_refused: bool,
    ) {
        let (topic, qos, payload) = live;
        let mut attributes = message_attributes(topic, qos, payload);
        if let Some(entry) = self.sessions.get(session) {
            attributes.push(("messaging.client.id", entry.session.client_id().into()));
        }
        self.traces.ended(Span {
            context: arriving.context,
            parent: arriving.parent,
            name: "publish",
            kind: SpanKind::Server,
            start_ms: self.turn.unix_ms,
            end_ms: self.turn.unix_ms,
            attributes,
            error: is_refused.then_some("refused"),
        });
    }

    /// A message goes to the log. True when its commit must be heard of here.
    #[inline]
    pub(super) fn trace_store(&mut self, route: &Route, live: &Live<'_>) -> bool {
        match self.traces.context_of(live.properties) {
            Some(context) => self.begin_store(route, context),
            None => false,
        }
    }

    fn begin_store(&mut self, route: &Route, context: TraceParent) -> bool {
        if self.traces.storing.len() >= OPEN_MAX {
            self.traces.tracer.iter().for_each(Tracer::count_dropped);
            return false;
        }
        let name = |sink| {
            let queue = self.shared.directory.find(sink).map(|of| of.name.to_string());
            queue.or_else(|| self.shared.streams.find(sink).map(|of| of.name.to_string()))
        };
        let names = route.sinks.iter().take(NAMES_MAX).filter_map(|sink| name(*sink)).collect();
        let storing = Storing { context, since_ms: self.turn.unix_ms, names };
        self.traces.storing.insert(context.span, storing);
        true
    }

    /// A record is stored.
    #[inline]
    pub(super) fn trace_stored(&mut self, record: &CommittedRecord, publish: &PublishRecord) {
        if record.from == self.id && !self.traces.storing.is_empty() {
            self.end_store(publish, None);
        }
    }

    /// A record is not stored.
    pub(super) fn trace_not_stored(&mut self, record: &FailedRecord) {
        if record.kind == RecordKind::Publish
            && !self.traces.storing.is_empty()
            && let Ok(publish) = PublishRecord::decode(record.body.clone())
        {
            self.end_store(&publish, Some("not stored"));
        }
    }

    fn end_store(&mut self, publish: &PublishRecord, error: Option<&'static str>) {
        let message = publish.message();
        let context = message.ok().and_then(|of| self.traces.context_of(of.properties()));
        if let Some(context) = context {
            self.traces.stored(context, self.turn.unix_ms, error);
        }
    }
}

/// What there is of `traceparent` in a block of properties.
enum Found<'a> {
    Nothing,
    One(&'a str),
    /// Two say nothing.
    More,
}

fn found(properties: &[u8]) -> Found<'_> {
    let all = Properties::trusted(properties).user_properties();
    let mut values = all.filter(|(key, _)| *key == TraceParent::NAME).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(one), None) => Found::One(one),
        (Some(_), Some(_)) => Found::More,
    }
}

fn arrive(tracer: &Tracer, properties: &[u8]) -> Option<Arriving> {
    match found(properties) {
        Found::One(text) => {
            let parent = TraceParent::parse(text).filter(TraceParent::is_sampled)?;
            let context = parent.at(tracer.span_id());
            let properties = with_context(properties, context);
            Some(Arriving { context, parent: Some(parent.span), properties })
        }
        Found::Nothing => {
            let context = tracer.sample()?;
            let said = context.to_string();
            let added = [Property::UserProperty(TraceParent::NAME, &said)];
            let block = PropertyBlock::of(&added).ok()?;
            let properties = [properties, block.properties().raw()].concat();
            Some(Arriving { context, parent: None, properties })
        }
        Found::More => None,
    }
}

/// The same properties in their order, with another `traceparent`. `[MQTT-3.3.2-18]`
fn with_context(properties: &[u8], context: TraceParent) -> Vec<u8> {
    let said = context.to_string();
    let mut block = PropertyBlock::new();
    for property in Properties::trusted(properties).iter() {
        let pushed = match property {
            Property::UserProperty(TraceParent::NAME, _) => {
                block.push(&Property::UserProperty(TraceParent::NAME, &said))
            }
            other => block.push(&other),
        };
        if pushed.is_err() {
            return properties.to_vec();
        }
    }
    block.properties().raw().to_vec()
}

fn system() -> (&'static str, Value) {
    ("messaging.system", "mqtt".into())
}

fn message_attributes(topic: &str, qos: QoS, payload: &[u8]) -> Vec<(&'static str, Value)> {
    vec![
        system(),
        ("messaging.destination.name", topic.into()),
        ("messaging.message.body.size", (payload.len() as u64).into()),
        ("mqtt.qos", u64::from(qos.as_u8()).into()),
    ]
}
