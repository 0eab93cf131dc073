//! Publishers of 3.x whose messages cannot be stored for now. They cannot be told, so they are neither read nor answered
//! until there is room, or until they have waited long enough (contract, promise 1).

use std::collections::VecDeque;
use std::time::Duration;

use mqtt_session::AckTicket;
use mqtt_types::{Message, PacketId, ReasonCode, TopicName};
use stdx::Instant;

use super::Shard;
use super::live::Live;
use super::outside::is_outside;
use super::publish::Publisher;
use super::state::PendingPublish;
use crate::ids::{ConnId, SessionNumber};
use crate::outbox::Outbox;
use crate::record::{MoreTargets, SessionTarget};
use crate::timers::Timer;

/// How often it is looked for room.
const LOOK: Duration = Duration::from_millis(100);

/// A message that cannot be stored for now.
pub(crate) struct Held {
    message: Message,
    packet_id: PacketId,
    until: Instant,
    /// When it failed on its way to the disk: it has run live already. Otherwise it was not taken at all.
    place: Option<Place>,
    /// When it is to be published, if that is later.
    due_ms: Option<u64>,
}

/// What is known of a message that failed on its way to the disk.
pub(super) struct Place {
    /// Its place among the acknowledgements.
    pub(super) ticket: AckTicket,
    /// What they are to say.
    pub(super) stored: ReasonCode,
    /// Groups whose member was to find it in its inbox. Those of others were given it live.
    pub(super) groups: Box<[u32]>,
    /// The change it made to its topic's retained message. A later one may have come since.
    pub(super) retained: Option<HeldChange>,
}

/// A change of a retained message: who subscribes while it is held gets it as retained.
pub(super) struct HeldChange {
    pub(super) version: u64,
    /// The durable sessions that it was routed to.
    pub(super) sessions: Box<[SessionNumber]>,
}

/// What a connection is held for, in the order of its PUBLISH packets. Nearly always nothing, so it is small then.
#[derive(Default)]
pub(crate) struct HeldMessages(Option<Box<Queue>>);

#[derive(Default)]
struct Queue {
    messages: VecDeque<Held>,
    /// When it is looked for room again.
    look_at: Option<Instant>,
}

impl HeldMessages {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn push(&mut self, held: Held) {
        let queue = &mut self.0.get_or_insert_default().messages;
        // What failed on its way was sent before what was not taken.
        let at = match held.place {
            Some(_) => queue.iter().position(|other| other.place.is_none()),
            None => None,
        };
        queue.insert(at.unwrap_or(queue.len()), held);
    }

    fn pop(&mut self) -> Option<Held> {
        let held = self.0.as_mut()?.messages.pop_front();
        self.0.take_if(|queue| queue.messages.is_empty());
        held
    }

    fn first(&self) -> Option<&Held> {
        self.0.as_ref()?.messages.front()
    }

    fn is_over(&self, now: Instant) -> bool {
        self.0.iter().flat_map(|queue| &queue.messages).any(|held| held.until <= now)
    }

    /// Changes of retained messages that the log may still be given.
    pub(crate) fn retained(&self) -> impl Iterator<Item = (TopicName<'_>, u64)> {
        self.0.iter().flat_map(|queue| &queue.messages).filter_map(|held| {
            let topic = TopicName::new(held.message.topic()).ok()?;
            Some((topic, held.place.as_ref()?.retained.as_ref()?.version))
        })
    }

    /// The packet ids of what is held.
    pub(crate) fn packet_ids(&self) -> impl Iterator<Item = PacketId> {
        self.0.iter().flat_map(|queue| &queue.messages).map(|held| held.packet_id)
    }
}

impl Shard {
    /// Says no to a 5.0 publisher; holds one of 3.x, who could not be told.
    pub(super) fn refuse_or_hold<O: Outbox>(
        &mut self,
        publisher: Publisher,
        packet_id: PacketId,
        live: &mut Live<'_>,
        (reason, due_ms): (ReasonCode, Option<u64>),
        out: &mut O,
    ) {
        let conn = publisher.conn;
        if is_outside(conn) {
            return self.refuse(publisher, reason, out);
        }
        let Some(state) = self.conns.get(conn) else { return };
        if state.connection.version().is_v5() {
            self.refuse(publisher, reason, out);
        } else if let Some(message) = live.message().cloned() {
            self.hold(conn, message, packet_id, (None, due_ms), out);
        }
    }

    /// Holds a publisher for a message.
    pub(super) fn hold<O: Outbox>(
        &mut self,
        conn: ConnId,
        message: Message,
        packet_id: PacketId,
        (place, due_ms): (Option<Place>, Option<u64>),
        out: &mut O,
    ) {
        let until = self.turn.now + self.shared.config.publisher_hold;
        let memory = &self.shared.budgets.memory;
        if message.bytes().len() > memory.share() {
            self.counts.publishes_refused_total += 1;
            self.end_connection(conn, ReasonCode::QUOTA_EXCEEDED, None, out);
            return;
        }
        let message = memory.keep(&message);
        let Some(state) = self.conns.get_mut(conn) else { return };
        if state.held.is_empty() {
            out.pause_reading(conn);
            self.timers.set(until, Timer::Hold(conn));
        }
        state.held.push(Held { message, packet_id, until, place, due_ms });
        self.look_at_held(conn);
    }

    /// Looks for room in a while, if that is not to happen anyway.
    fn look_at_held(&mut self, conn: ConnId) {
        let now = self.turn.now;
        let Some(state) = self.conns.get_mut(conn) else { return };
        let Some(queue) = &mut state.held.0 else { return };
        if queue.look_at.is_none_or(|at| at <= now) {
            queue.look_at = Some(now + LOOK);
            self.timers.set(now + LOOK, Timer::Hold(conn));
        }
    }

    /// Takes held messages after all: there is room, or the hold has lasted long enough.
    pub(super) fn end_hold<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        while let Some(state) = self.conns.get(conn)
            && let Some(held) = state.held.first()
        {
            let session = state.session;
            let is_new = held.place.is_none() && held.due_ms.is_none();
            let is_published_now = held.due_ms.is_none();
            let message = held.message.clone();
            let no_room = is_new.then(|| self.retained_refusal(&message)).flatten();
            let full = is_published_now.then(|| self.queue_refusal(&message, session)).flatten();
            let no_room = no_room.or(full);
            let refusal = self.storage_refusal().or(no_room);
            let Some(state) = self.conns.get_mut(conn) else { return };
            match (refusal, state.held.is_over(self.turn.now)) {
                (None, _) => {
                    if let Some(held) = state.held.pop() {
                        self.take_held(conn, &held, out);
                    }
                }
                (Some(reason), true) => {
                    self.counts.publishes_refused_total += 1;
                    self.end_connection(conn, reason, None, out);
                    return;
                }
                (Some(_), false) => {
                    self.look_at_held(conn);
                    break;
                }
            }
        }
        self.flush_acks(conn, out);
    }

    fn take_held<O: Outbox>(&mut self, conn: ConnId, held: &Held, out: &mut O) {
        let Some(session) = self.conns.get(conn).map(|state| state.session) else { return };
        let message = &held.message;
        let Ok(topic) = TopicName::new(message.topic()) else { return };
        let (head, packet_id) = (*message.head(), held.packet_id);
        let mut live =
            Live::new(head, topic, message.properties(), message.payload(), Some(session));
        let Some(Place { ticket, stored, groups, retained }) = &held.place else {
            let publisher = Publisher { conn, session, packet_id: Some(packet_id), qos: head.qos };
            match held.due_ms {
                Some(due_ms) => self.take_delayed(&mut live, due_ms, publisher, out),
                None => self.take(&mut live, Some(publisher), out),
            }
            return;
        };
        let (ticket, stored) = (*ticket, *stored);
        let pending = PendingPublish { conn, session, ticket, packet_id, qos: head.qos, stored };
        let token = self.publishes.insert(pending) as u64;
        if let Some(due_ms) = held.due_ms {
            let mut more = None;
            self.keep_packet_id(session, packet_id, head.qos, &mut more);
            self.store_delayed(&live, due_ms, more, token);
            return;
        }
        let route = self.routes.route(&self.shared.routes, topic);
        let picks = self.pick_members(&route, &live);
        let mut more = self.more_targets(&route, &picks, &live);
        if let Some(more) = &mut more {
            let is_owed =
                |to: &SessionTarget| to.shared.is_none_or(|by| groups.contains(&by.mark.group));
            more.sessions.retain(is_owed);
        }
        self.keep_packet_id(session, packet_id, head.qos, &mut more);
        if let Some(HeldChange { version, sessions }) = retained {
            let more = more.get_or_insert_default();
            more.retained = Some(*version);
            let is_routed = |to: &SessionTarget| sessions.contains(&to.number);
            more.sessions.retain(|to| to.shared.is_some() || is_routed(to));
        }
        let is_wanted = more.as_ref().is_some_and(MoreTargets::changes_others);
        if route.sinks.is_empty() && !is_wanted {
            // Those who wanted it are gone meanwhile.
            self.answer_commit(token, None, out);
        } else {
            if let Some(agreed) = self.agree_again(&route, &live) {
                let MoreTargets { keys, not_before_ms, message_id, .. } = agreed;
                let more = more.get_or_insert_default();
                (more.keys, more.not_before_ms) = (keys, not_before_ms);
                more.message_id = message_id;
            }
            self.store(&route, &live, more, token);
        }
    }
}
