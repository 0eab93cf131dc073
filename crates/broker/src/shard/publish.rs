//! A PUBLISH from a client, a will, or the outside: both roads, and the answer.

use log_api::{RecordKind, ShardSet};
use mqtt_codec::Publish;
use mqtt_router::Match;
use mqtt_session::{Incoming2, ReadyAck};
use mqtt_types::{Message, MessageHead, PacketId, QoS, ReasonCode, TopicName};

use super::Shard;
use super::delayed;
use super::live::{Live, is_stored_for, match_for};
use super::outside::is_outside;
use super::pick::{Pick, Picks, member_match};
use super::refusals::Refusal;
use super::retain::Retained;
use super::state::PendingPublish;
use crate::directory::owner_of;
use crate::hosting::NO_TOKEN;
use crate::ids::{ConnId, SessionId};
use crate::outbox::Outbox;
use crate::record::{
    MoreTargets, SessionTarget, SharedTarget, Targets, encode_publish, encode_publish_head,
    encode_publish_lists,
};
use crate::retained::{Change, is_status};
use crate::routes::Route;

/// First levels that clients cannot publish to: addresses of subscriptions, and what the broker says itself.
const RESERVED: [&str; 8] =
    ["$SYS", "$share", "$q", "$queue", "$dead", "$stream", "$s", "$delayed"];

/// What the topics of a client's aliases may take whatever others do: it was told how many it may have.
const ALIAS_BYTES_FREE: usize = 4096;

/// Whether a topic is one that clients cannot publish to.
pub(super) fn is_reserved(topic: &str) -> bool {
    topic.starts_with('$') && RESERVED.contains(&topic.split('/').next().unwrap_or_default())
}

/// What to say to who publishes there all the same.
pub(super) fn why_reserved(topic: &str) -> &'static str {
    match topic.split('/').next() {
        Some("$delayed") => {
            "a delayed message is published to $delayed/<seconds>/<topic>, at most 4294967295 seconds ahead and to no \
             address of the broker's own"
        }
        Some("$SYS") => "only the broker itself publishes under $SYS/",
        _ => "this is an address to subscribe to; publish to an ordinary topic",
    }
}

/// Who waits for the answer to a publish.
#[derive(Clone, Copy)]
pub(super) struct Publisher {
    pub(super) conn: ConnId,
    pub(super) session: SessionId,
    /// `None` at QoS 0, when nobody waits.
    pub(super) packet_id: Option<PacketId>,
    pub(super) qos: QoS,
}

impl Shard {
    #[inline]
    pub(super) fn publish<O: Outbox>(&mut self, conn: ConnId, publish: &Publish<'_>, out: &mut O) {
        self.counts.publishes_received_total += 1;
        if let Some(reason) = self.not_served(publish) {
            return self.end_connection(conn, reason, None, out);
        }
        let Some(state) = self.conns.get_mut(conn) else { return };
        let session = state.session;
        let resolved;
        let topic = if publish.properties.topic_alias.is_none() && !publish.topic.is_empty() {
            publish.topic
        } else {
            match state.connection.resolve_alias(publish.topic, publish.properties.topic_alias) {
                Ok(topic) => {
                    resolved = topic.to_owned();
                    if !publish.topic.is_empty() && !self.has_room_for_aliases(conn) {
                        let text = "no room for the topics of so many topic aliases";
                        self.end_connection(conn, ReasonCode::QUOTA_EXCEEDED, Some(text), out);
                        return;
                    }
                    &resolved
                }
                Err(reason) => {
                    self.end_connection(conn, reason, Some("topic alias"), out);
                    return;
                }
            }
        };
        let Ok(topic) = TopicName::new(topic) else {
            self.end_connection(conn, ReasonCode::TOPIC_NAME_INVALID, None, out);
            return;
        };
        let publisher = Publisher { conn, session, packet_id: publish.packet_id, qos: publish.qos };
        if !self.begin_incoming(publisher, out) {
            return;
        }
        let delayed = delayed::parse(topic.as_str());
        if delayed.is_none() && is_reserved(topic.as_str()) {
            self.refuse_reserved(publisher, topic, out);
            return;
        }
        let head = MessageHead {
            qos: publish.qos,
            retain: publish.retain,
            received_at_ms: self.turn.unix_ms,
            expiry_interval: publish.properties.message_expiry_interval,
        };
        let forwardable = publish.properties.forwardable();
        let joined;
        let properties = match forwardable.parts() {
            [] => &[][..],
            [whole] => whole,
            _ => {
                let mut bytes = Vec::with_capacity(forwardable.len());
                forwardable.write_to(&mut bytes);
                joined = bytes;
                &joined
            }
        };
        let (delay, topic) = delayed.map_or((None, topic), |(delay, topic)| (Some(delay), topic));
        if self.traces.is_on() {
            self.take_arrived(publisher, delay, (head, topic, properties, publish.payload), out);
        } else {
            let mut live = Live::new(head, topic, properties, publish.payload, Some(session));
            self.take_now_or_later(&mut live, delay, publisher, out);
        }
    }

    #[inline]
    fn take_now_or_later<O: Outbox>(
        &mut self,
        live: &mut Live<'_>,
        delay: Option<u32>,
        publisher: Publisher,
        out: &mut O,
    ) {
        match delay {
            Some(seconds) => {
                let due_ms = self.turn.unix_ms.saturating_add(u64::from(seconds) * 1000);
                self.take_delayed(live, due_ms, publisher, out);
            }
            None => self.take(live, Some(publisher), out),
        }
    }

    /// Takes a client's message, as a step of its trace if it has one.
    #[inline(never)]
    fn take_arrived<O: Outbox>(
        &mut self,
        publisher: Publisher,
        delay: Option<u32>,
        (head, topic, properties, payload): (MessageHead, TopicName<'_>, &[u8], &[u8]),
        out: &mut O,
    ) {
        let arriving = self.traces.arrive(properties);
        let properties = arriving.as_ref().map_or(properties, |arriving| &arriving.properties);
        let mut live = Live::new(head, topic, properties, payload, Some(publisher.session));
        let refused = self.counts.publishes_refused_total;
        self.take_now_or_later(&mut live, delay, publisher, out);
        if let Some(arriving) = arriving {
            let is_refused = self.counts.publishes_refused_total > refused;
            let message = (topic.as_str(), head.qos, payload);
            self.published(arriving, publisher.session, message, is_refused);
        }
    }

    /// Counts what the client's topic aliases take; false when that is more than one client may have now.
    fn has_room_for_aliases(&mut self, conn: ConnId) -> bool {
        let memory = &self.shared.budgets.memory;
        let Some(state) = self.conns.get_mut(conn) else { return true };
        memory.note(&mut state.accounted, state.connection.alias_bytes());
        state.accounted <= ALIAS_BYTES_FREE || state.accounted <= memory.share()
    }

    /// Why a PUBLISH is not served, if it is not. CONNACK has said so (§3.2.2.3.4, §3.2.2.3.5); a client before 5.0 cannot
    /// be told, and is not served either.
    fn not_served(&self, publish: &Publish<'_>) -> Option<ReasonCode> {
        let limits = &self.shared.config.limits;
        if publish.qos > limits.maximum_qos {
            return Some(ReasonCode::QOS_NOT_SUPPORTED);
        }
        (publish.retain && !limits.retain_available).then_some(ReasonCode::RETAIN_NOT_SUPPORTED)
    }

    /// Addresses of subscriptions are no topics, and what the broker says of itself nobody else says. A client before
    /// 5.0 cannot be told; one that says something under `$SYS/`, as bridges do of themselves, keeps its connection,
    /// and nobody hears it.
    fn refuse_reserved<O: Outbox>(
        &mut self,
        publisher: Publisher,
        topic: TopicName<'_>,
        out: &mut O,
    ) {
        let is_v5 =
            self.conns.get(publisher.conn).is_some_and(|state| state.connection.version().is_v5());
        let reason = match is_v5 || !is_status(topic.as_str()) {
            true => ReasonCode::TOPIC_NAME_INVALID,
            false => ReasonCode::SUCCESS,
        };
        if let Some(packet_id) = publisher.packet_id.filter(|_| is_v5) {
            let words = why_reserved(topic.as_str()).to_owned();
            self.refusals.note(publisher.conn, packet_id, words);
        }
        self.refuse(publisher, reason, out);
    }

    /// Counts the packet against the Receive Maximum, and tells repeated ones from new. False when all is said.
    #[inline]
    fn begin_incoming<O: Outbox>(&mut self, publisher: Publisher, out: &mut O) -> bool {
        let Publisher { conn, session, packet_id, qos } = publisher;
        let Some(packet_id) = packet_id else { return true };
        if qos == QoS::ExactlyOnce {
            let incoming =
                self.sessions.get_mut(session).map(|entry| entry.session.receive_qos2(packet_id));
            let Some(state) = self.conns.get_mut(conn) else { return false };
            match incoming {
                Some(Incoming2::New) | None => {}
                Some(Incoming2::Duplicate) => {
                    let ack = state.connection.ack_now(packet_id, qos, ReasonCode::SUCCESS);
                    if let Some(ack) = ack {
                        self.send_publish_ack(conn, ack, out);
                    }
                    return false;
                }
                Some(Incoming2::InProgress) => {
                    state.connection.ack_begin_repeated(packet_id);
                    return false;
                }
            }
        }
        let Some(state) = self.conns.get_mut(conn) else { return false };
        if let Err(reason) = state.connection.begin_incoming(qos) {
            self.end_connection(conn, reason, None, out);
            return false;
        }
        true
    }

    /// Takes a message: stores it where queues want it, sends it to who is subscribed, answers.
    #[inline]
    pub(super) fn take<O: Outbox>(
        &mut self,
        live: &mut Live<'_>,
        publisher: Option<Publisher>,
        out: &mut O,
    ) {
        // Each time that it is not, somebody has subscribed in between.
        while !self.take_as_routed(live, publisher, out) {}
    }

    /// The same, by the router as it is now. False when a retained message has to be routed anew: nothing has happened.
    #[inline]
    fn take_as_routed<O: Outbox>(
        &mut self,
        live: &mut Live<'_>,
        publisher: Option<Publisher>,
        out: &mut O,
    ) -> bool {
        let route = self.routes.route(&self.shared.routes, live.topic);
        let picks = self.pick_members(&route, live);
        let mut more = self.more_targets(&route, &picks, live);
        let waits = publisher.and_then(|publisher| Some((publisher, publisher.packet_id?)));
        let refusal = match self.admit(&route, live, &mut more, publisher.is_some()) {
            Ok(()) => None,
            Err(refusal) => match waits {
                Some((publisher, packet_id)) => {
                    self.refuse_for(publisher, packet_id, live, &refusal, out);
                    return true;
                }
                None => Some(refusal),
            },
        };
        let is_unlogged = live.head.retain && refusal.is_some();
        if live.head.retain {
            let change = if is_unlogged { Change::Unlogged } else { Change::Logged };
            match (self.retain(&route, live, change), waits) {
                // Nobody can be told that there is no room: the live road goes on.
                (Retained::Kept(None), _) | (Retained::NoRoom(_), None) => {}
                (Retained::Kept(version), _) => more.get_or_insert_default().retained = version,
                (Retained::NoRoom(no_room), Some((publisher, packet_id))) => {
                    self.part(&route, live, more.as_ref());
                    self.refuse_retained(publisher, packet_id, live, no_room, out);
                    return true;
                }
                (Retained::Rerouted, _) => {
                    if refusal.is_none() {
                        self.part(&route, live, more.as_ref());
                    }
                    return false;
                }
            }
        }
        self.fan_out(&route, &picks, live, out);
        if route.leaves(self.id)
            && let Some(publisher) = publisher
        {
            self.throttle_live(publisher.conn, out);
        }
        let stored = !route.sinks.is_empty() || more.is_some() || is_unlogged;
        let reason = success_by(&route);
        match (stored, waits) {
            // Nobody can be told: the live road went on without the stored one.
            (true, None) if refusal.is_some() => self.counts.unstored_qos0_total += 1,
            (false, None) => {}
            (false, Some((publisher, packet_id))) => {
                self.answer(publisher, packet_id, reason, out);
            }
            (true, waits) => {
                let token = match waits {
                    None => NO_TOKEN,
                    Some((publisher, packet_id)) => {
                        self.expect(publisher, packet_id, reason, &mut more)
                    }
                };
                self.store(&route, live, more, token);
                if let Some(publisher) = publisher {
                    self.throttle(publisher.conn, out);
                }
            }
        }
        true
    }

    /// Whether a message can be taken, by the log and by all queues on its route.
    #[inline]
    fn admit(
        &mut self,
        route: &Route,
        live: &Live<'_>,
        more: &mut Option<MoreTargets>,
        is_clients: bool,
    ) -> Result<(), Refusal> {
        let wants_storage = !route.sinks.is_empty() || more.is_some() || live.head.retain;
        match self.refusal(is_clients, wants_storage) {
            Some(reason) => Err(Refusal::Storage(reason)),
            None => self.agree(route, live, more).map_err(Refusal::Queues),
        }
    }

    /// Why a message cannot be taken now. Messages of the broker's own are taken while there is any memory.
    #[inline]
    fn refusal(&self, is_clients: bool, wants_storage: bool) -> Option<ReasonCode> {
        if is_clients && self.shared.budgets.memory.is_over() {
            return Some(ReasonCode::QUOTA_EXCEEDED);
        }
        if wants_storage { self.storage_refusal() } else { None }
    }

    /// The durable sessions that a message is stored for.
    #[inline]
    pub(super) fn more_targets(
        &self,
        route: &Route,
        picks: &Picks,
        live: &Live<'_>,
    ) -> Option<MoreTargets> {
        let is_picked = |pick: &Pick| is_stored_for(pick.session, pick.options.qos);
        if live.head.qos == QoS::AtMostOnce || !route.has_durable && !picks.iter().any(is_picked) {
            return None;
        }
        let mut sessions = Vec::new();
        for to in &route.subscribers {
            let id = SessionId::from(to.subscriber);
            let Some(to) = match_for(to, live.publisher == Some(id)) else { continue };
            sessions.extend(session_target(id, to, live.head));
        }
        for pick in picks {
            sessions.extend(pick_target(pick, live.head));
        }
        // What a session gets by itself comes first: it goes by no copy where its inbox knows the identifiers.
        sessions.sort_unstable_by_key(|target| (target.number, target.shared.is_some()));
        (!sessions.is_empty()).then(|| MoreTargets { sessions, ..MoreTargets::default() })
    }

    /// Takes a place for an answer that comes with the commit.
    pub(super) fn expect(
        &mut self,
        publisher: Publisher,
        packet_id: PacketId,
        stored: ReasonCode,
        more: &mut Option<MoreTargets>,
    ) -> u64 {
        let Publisher { conn, session, qos, .. } = publisher;
        let Some(state) = self.conns.get_mut(conn) else {
            return self.expect_outside(conn, stored);
        };
        let ticket = state.connection.ack_begin(packet_id, qos);
        self.keep_packet_id(session, packet_id, qos, more);
        let pending = PendingPublish { conn, session, ticket, packet_id, qos, stored };
        self.publishes.insert(pending) as u64
    }

    /// A crash must not make a message at QoS 2 new when its client sends it again. `[MQTT-4.3.3-10]`
    pub(super) fn keep_packet_id(
        &mut self,
        session: SessionId,
        packet_id: PacketId,
        qos: QoS,
        more: &mut Option<MoreTargets>,
    ) {
        if qos == QoS::ExactlyOnce
            && let Some(number) = session.number()
            && let Some(entry) = self.sessions.get_mut(session)
        {
            entry.session.kept_qos2(packet_id);
            more.get_or_insert_default().publisher = Some((number, packet_id));
        }
    }

    /// Puts the message into the turn's batch, once for all that take it.
    pub(super) fn store(
        &mut self,
        route: &Route,
        live: &Live<'_>,
        more: Option<MoreTargets>,
        token: u64,
    ) {
        let shards = self.shared.config.shards;
        let mut notify = ShardSet::EMPTY;
        for sink in &route.sinks {
            notify.insert(owner_of(*sink, shards));
        }
        let sessions = more.as_ref().map_or(&[][..], |more| &more.sessions);
        for target in sessions {
            notify.insert(target.number.owner(shards));
        }
        if self.trace_store(route, live) {
            notify.insert(self.id);
        }
        let is_delayed = more.as_ref().is_some_and(|more| more.delayed.is_some());
        let is_retained = more.as_ref().is_some_and(|more| more.retained.is_some());
        if token != NO_TOKEN || is_delayed || is_retained {
            notify.insert(self.id);
        }
        let references = (route.sinks.len() + sessions.len() + usize::from(is_delayed)) as u32;
        let targets = Targets { sinks: &route.sinks, more: more.as_ref() };
        let (topic, properties, payload) = (live.topic.as_str(), live.properties, live.payload);
        let (kind, batch) = (RecordKind::Publish, &mut self.turn.batch);
        if targets.are_many() {
            let head = |body: &mut Vec<u8>| {
                encode_publish_head(body, &live.head, targets, topic, properties, payload);
            };
            let lists = |body: &mut Vec<u8>| encode_publish_lists(body, targets);
            batch.push_in_two(kind, 0, references, notify, token, head, lists);
        } else {
            batch.push(kind, 0, references, notify, token, |body| {
                encode_publish(body, &live.head, targets, topic, properties, payload);
            });
        }
        if route.is_relaxed && more.as_ref().is_none_or(MoreTargets::is_for_queues) {
            self.turn.batch.relax_last();
        }
        self.turn.hand_over_long_batch(&*self.shared.log);
    }

    /// Answers a publish whose outcome is known.
    #[inline]
    fn answer<O: Outbox>(
        &mut self,
        publisher: Publisher,
        packet_id: PacketId,
        reason: ReasonCode,
        out: &mut O,
    ) {
        let Publisher { conn, session, qos, .. } = publisher;
        if is_outside(conn) {
            return self.answer_outside(conn, reason);
        }
        if qos == QoS::ExactlyOnce
            && let Some(entry) = self.sessions.get_mut(session)
        {
            if reason.is_error() {
                entry.session.refuse_qos2(packet_id); // `[MQTT-4.3.3-9]`
            } else {
                entry.session.stored_qos2(packet_id);
            }
        }
        let ack: Option<ReadyAck> = self
            .conns
            .get_mut(conn)
            .and_then(|state| state.connection.ack_now(packet_id, qos, reason));
        match ack {
            Some(ack) => self.send_publish_ack(conn, ack, out),
            None if self.conns.get(conn).is_some_and(|state| state.connection.must_hold()) => {
                out.pause_reading(conn)
            }
            None => {}
        }
    }

    /// Says no to a publisher.
    pub(super) fn refuse<O: Outbox>(
        &mut self,
        publisher: Publisher,
        reason: ReasonCode,
        out: &mut O,
    ) {
        self.counts.publishes_refused_total += 1;
        if let Some(packet_id) = publisher.packet_id {
            self.answer(publisher, packet_id, reason, out);
        }
    }

    /// Publishes a message that no connection waits for: a will, or one of the broker's own. False when it could not be
    /// stored for all that should have it.
    pub(super) fn publish_message<O: Outbox>(
        &mut self,
        message: &Message,
        publisher: Option<SessionId>,
        out: &mut O,
    ) -> bool {
        if is_reserved(message.topic()) {
            self.counts.publishes_refused_total += 1;
            return true;
        }
        let unstored = self.counts.unstored_qos0_total;
        if let Some(mut live) = Live::of(message, publisher, self.turn.unix_ms) {
            self.take(&mut live, None, out);
        }
        unstored == self.counts.unstored_qos0_total
    }
}

/// What a publisher is told when its message is taken.
fn success_by(route: &Route) -> ReasonCode {
    match route.is_empty() {
        true => ReasonCode::NO_MATCHING_SUBSCRIBERS,
        false => ReasonCode::SUCCESS,
    }
}

fn session_target(id: SessionId, to: &Match, head: MessageHead) -> Option<SessionTarget> {
    let qos = head.qos.min(to.qos);
    let number = id.number().filter(|_| is_stored_for(id, qos))?;
    Some(SessionTarget {
        number,
        qos,
        retain: head.retain && to.retain_as_published,
        identifiers: to.identifiers.iter().map(|identifier| identifier.get()).collect(),
        shared: None,
        in_place_of: None,
    })
}

/// How a message is stored for the member that was picked, if it is.
pub(super) fn pick_target(pick: &Pick, head: MessageHead) -> Option<SessionTarget> {
    let to = member_match(pick.session, pick.options);
    let target = session_target(pick.session, &to, head)?;
    let shared = Some(SharedTarget { mark: pick.mark, for_any: pick.for_any });
    Some(SessionTarget { shared, ..target })
}
