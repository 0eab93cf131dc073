//! The live road: a message to the sessions that subscribe. It never waits for the stored road.

use std::sync::Arc;

use mqtt_codec::{OutgoingPublish, PublishTemplate};
use mqtt_router::Match;
use mqtt_session::{Admission, Delivery, Origin};
use mqtt_types::{Message, MessageHead, PacketId, QoS, TopicName};
use smallvec::SmallVec;

use super::Shard;
use super::pick::Picks;
use super::send::{Outgoing, Sent, put_publish};
use super::state::{Conn, SessionEntry};
use super::trace::To;
use crate::budget::Budget;
use crate::ids::{ConnId, SessionId};
use crate::mail::Letter;
use crate::outbox::Outbox;
use crate::routes::Route;

/// A message on the live road. It borrows from the packet; a copy of its own is made when the first session must keep
/// it or another shard needs it.
pub(super) struct Live<'a> {
    pub(super) head: MessageHead,
    pub(super) topic: TopicName<'a>,
    pub(super) properties: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) publisher: Option<SessionId>,
    /// Seconds of its expiry that are left.
    pub(super) expiry: Option<u32>,
    pub(super) owned: Option<Message>,
    /// The same for sessions that keep it: charged to the budget once, however many they are.
    kept: Option<Message>,
    forms: SmallVec<[(Form, PublishTemplate); 2]>,
    /// Whether it is traced, once that was looked at: then no two deliveries are alike.
    is_traced: Option<bool>,
}

/// What makes copies of a PUBLISH differ, apart from packet id and DUP.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    is_v5: bool,
    qos: QoS,
    retain: bool,
}

impl<'a> Live<'a> {
    pub(super) fn new(
        head: MessageHead,
        topic: TopicName<'a>,
        properties: &'a [u8],
        payload: &'a [u8],
        publisher: Option<SessionId>,
    ) -> Self {
        let expiry = head.expiry_interval;
        Self {
            head,
            topic,
            properties,
            payload,
            publisher,
            expiry,
            owned: None,
            kept: None,
            forms: SmallVec::new(),
            is_traced: None,
        }
    }

    /// A message that has its own bytes. `None` when it has expired.
    pub(super) fn of(
        message: &'a Message,
        publisher: Option<SessionId>,
        unix_ms: u64,
    ) -> Option<Self> {
        let expiry = match message.expiry_left(unix_ms) {
            Some(None) => return None,
            Some(left) => left,
            None => None,
        };
        let topic = TopicName::new(message.topic()).ok()?;
        let mut live =
            Self::new(*message.head(), topic, message.properties(), message.payload(), publisher);
        live.expiry = expiry;
        live.owned = Some(message.clone());
        Some(live)
    }

    /// The message for a session to keep. `None` when it is larger than a message can be.
    fn kept(&mut self, memory: &Budget) -> Option<&Message> {
        if self.kept.is_none() {
            self.kept = self.message().map(|message| memory.keep(message));
        }
        self.kept.as_ref()
    }

    /// The message with bytes of its own. `None` when it is larger than a message can be.
    pub(super) fn message(&mut self) -> Option<&Message> {
        if self.owned.is_none() {
            self.owned = Message::new(self.head, self.topic, self.properties, self.payload);
        }
        self.owned.as_ref()
    }
}

impl Shard {
    /// Sends a message to everyone on its live route: sessions here, and shards that have others.
    #[inline]
    pub(super) fn fan_out<O: Outbox>(
        &mut self,
        route: &Arc<Route>,
        picks: &Picks,
        live: &mut Live<'_>,
        out: &mut O,
    ) {
        let here = route.subscribers_of(self.id);
        let many = here.len() > 1;
        for entry in here {
            self.deliver_live(entry, live, many, out);
        }
        if here.len() < route.subscribers.len() {
            self.mail_live(route, live);
        }
        for pick in picks {
            self.deliver_pick(pick, live, 0, out);
        }
    }

    fn mail_live(&mut self, route: &Arc<Route>, live: &mut Live<'_>) {
        let publisher = live.publisher;
        let Some(message) = live.message() else { return };
        for shard in route.shards.iter().filter(|shard| *shard != self.id) {
            let letter =
                Letter::Live { route: Arc::clone(route), message: message.clone(), publisher };
            self.turn.mail(shard, letter);
        }
    }

    /// Sends a message to one session here, or keeps it there.
    #[inline]
    pub(super) fn deliver_live<O: Outbox>(
        &mut self,
        to: &Match,
        live: &mut Live<'_>,
        many: bool,
        out: &mut O,
    ) {
        let id = SessionId::from(to.subscriber);
        let Some(to) = match_for(to, live.publisher == Some(id)) else { return };
        if !is_stored_for(id, live.head.qos.min(to.qos)) {
            self.deliver(to, Origin::Live, live, many, out);
        }
    }

    /// The same for any origin, and wherever the message is kept.
    #[inline]
    pub(super) fn deliver<O: Outbox>(
        &mut self,
        to: &Match,
        origin: Origin,
        live: &mut Live<'_>,
        many: bool,
        out: &mut O,
    ) -> Delivered {
        let id = SessionId::from(to.subscriber);
        let Some(entry) = self.sessions.get_mut(id) else { return Delivered::NotThere };
        let qos = live.head.qos.min(to.qos);
        let retain = live.head.retain && to.retain_as_published;
        let conn = entry.conn;
        let mut buffer = conn.and_then(|conn| out.buffer(conn));
        let open = buffer.as_ref().is_some_and(|buffer| self.shared.takes_more(buffer.len()));
        match entry.session.admit(qos, open) {
            Admission::Send(packet_id) => {
                let state = conn.and_then(|conn| self.conns.get_mut(conn));
                let (Some(buffer), Some(state)) = (buffer.take(), state) else {
                    return Delivered::NotThere;
                };
                let form = Form { is_v5: state.connection.version().is_v5(), qos, retain };
                let now = self.turn.unix_ms;
                let by = To::of(&mut self.traces, &self.consumers, entry, origin, now);
                let sent = put_live((&mut *buffer, state), live, (many, to), (form, packet_id), by);
                if sent != Sent::Yes {
                    self.counts.live_dropped_total += 1;
                    return Delivered::Dropped;
                }
                self.counts.publishes_sent_total += 1;
                if packet_id.is_some() {
                    let is_kept = match origin {
                        Origin::Shared { .. } => qos == QoS::AtLeastOnce,
                        Origin::Live => entry.session.outlives_connection(),
                        _ => false,
                    };
                    let message = if is_kept { live.message() } else { None };
                    let kept = message.map(|of| delivery(of, qos, retain, identifiers_of(to)));
                    entry.session.sent(packet_id, qos, origin, kept, 0);
                }
                if let Some(conn) = conn.filter(|_| !self.shared.takes_more(buffer.len())) {
                    block(entry, conn, out);
                }
                entry.tell_others();
                if packet_id.is_some() { Delivered::OnItsWay } else { Delivered::Written }
            }
            Admission::Queue => {
                let Some(message) = live.kept(&self.shared.budgets.memory) else {
                    return Delivered::Dropped;
                };
                let kept = delivery(message, qos, retain, identifiers_of(to));
                let overflow = entry.session.queue(kept, origin, self.shared.room());
                entry.account(&self.shared.budgets.memory);
                if let Some(conn) = conn.filter(|_| !open) {
                    block(entry, conn, out);
                    out.notify_drained(conn);
                }
                entry.tell_others();
                self.give_back(id, overflow);
                Delivered::OnItsWay
            }
            Admission::Drop(_) => {
                self.counts.live_dropped_total += 1;
                if live.head.retain && entry.is_replaying() {
                    self.missed_live(id);
                }
                Delivered::Dropped
            }
        }
    }
}

/// What became of a message for one session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Delivered {
    /// It waits, or for its acknowledgement.
    OnItsWay,
    /// It was sent at QoS 0, which nobody acknowledges.
    Written,
    /// The client does not get it, for its age, its size or the client's slowness; that is counted.
    Dropped,
    /// There is no such session, or no client.
    NotThere,
}

/// The output of a member takes no more: others pass it over until it does.
fn block<O: Outbox>(entry: &mut SessionEntry, conn: ConnId, out: &mut O) {
    if let Some(seat) = entry.seat_mut() {
        seat.is_blocked = true;
        out.notify_drained(conn);
    }
}

#[inline]
fn put_live(
    (buffer, state): (&mut Vec<u8>, &mut Conn),
    live: &mut Live<'_>,
    (many, to): (bool, &Match),
    (form, packet_id): (Form, Option<PacketId>),
    by: Option<To<'_>>,
) -> Sent {
    let identifiers = identifiers_of(to);
    let properties = live.properties;
    let is_traced = by.as_ref().is_some_and(|by| {
        *live.is_traced.get_or_insert_with(|| by.traces.context_of(properties).is_some())
    });
    let outgoing = Outgoing {
        dup: false,
        qos: form.qos,
        retain: form.retain,
        packet_id,
        topic: live.topic.as_str(),
        expiry: live.expiry,
        identifiers: &identifiers,
        properties: live.properties,
        added: &[],
        payload: live.payload,
    };
    if many && !is_traced && identifiers.is_empty() && state.shares_encodings {
        put_shared(buffer, form, &mut live.forms, &outgoing)
    } else {
        put_publish(buffer, &mut state.connection, &outgoing, by)
    }
}

/// Whether a message comes to the session by the log and not live: it must survive a crash.
#[inline]
pub(crate) fn is_stored_for(session: SessionId, qos: QoS) -> bool {
    session.is_durable() && qos > QoS::AtMostOnce
}

/// What of a session's subscriptions a message comes by: its own message not by those with No Local.
/// `[MQTT-3.8.3-3]`
#[inline]
pub(super) fn match_for(to: &Match, is_own: bool) -> Option<&Match> {
    match &to.own {
        _ if !is_own => Some(to),
        Some(own) => Some(own),
        None => Some(to).filter(|to| !to.no_local),
    }
}

fn identifiers_of(to: &Match) -> SmallVec<[u32; 4]> {
    to.identifiers.iter().map(|id| id.get()).collect()
}

fn delivery(
    message: &Message,
    qos: QoS,
    retain: bool,
    identifiers: SmallVec<[u32; 4]>,
) -> Arc<Delivery> {
    Arc::new(Delivery {
        message: message.clone(),
        qos,
        retain,
        subscription_identifiers: identifiers,
    })
}

/// Appends a copy of an encoding that the fan-out's clients share.
fn put_shared(
    buffer: &mut Vec<u8>,
    form: Form,
    forms: &mut SmallVec<[(Form, PublishTemplate); 2]>,
    outgoing: &Outgoing<'_>,
) -> Sent {
    let known = forms.iter().position(|(known, _)| *known == form);
    let at = match known {
        Some(at) => at,
        None => {
            let version = if form.is_v5 {
                mqtt_types::ProtocolVersion::V5
            } else {
                mqtt_types::ProtocolVersion::V3_1_1
            };
            let publish = OutgoingPublish {
                dup: false,
                qos: outgoing.qos,
                retain: outgoing.retain,
                topic: outgoing.topic,
                message_expiry_interval: outgoing.expiry,
                properties: outgoing.properties,
                payload: outgoing.payload,
                ..OutgoingPublish::default()
            };
            let Ok(template) = PublishTemplate::new(version, &publish) else {
                return Sent::TooLarge;
            };
            forms.push((form, template));
            forms.len() - 1
        }
    };
    let written = forms
        .get(at)
        .map(|(_, template)| template.write_to(buffer, outgoing.packet_id, outgoing.dup));
    if written.is_some_and(|written| written.is_ok()) { Sent::Yes } else { Sent::TooLarge }
}
