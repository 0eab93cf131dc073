//! Queue and stream subscriptions at the session's side: leases out, verdicts back, attaching and detaching.

use std::cmp::Reverse;
use std::sync::Arc;

use mqtt_codec::PropertyBlock;
use mqtt_session::{Admission, Delivery, Origin, Released, SubscriptionRecord};
use mqtt_types::{Message, Property, QoS, ReasonCode, TopicName};
use queue_engine::{ConsumerId, Offset};
use smallvec::SmallVec;

use super::leases::Delivering;
use super::send::{Outgoing, Sent, put_publish};
use super::session_log::Waiting;
use super::state::Consumer;
use super::trace::To;
use super::{Kind, Shard};
use crate::control::SinkKind;
use crate::directory::{Definition, QueueDefinition};
use crate::ids::SessionId;
use crate::mail::{Lease, Letter, LoanOutcome};
use crate::outbox::Outbox;
use crate::record::SessionEvent;
use crate::shared::Shared;

impl Shard {
    /// Begins to consume a queue for a session.
    pub(super) fn attach_consumer(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        definition: &QueueDefinition,
    ) -> ConsumerId {
        let (sink, at) = (definition.sink, self.id);
        let consumer = self.new_consumer(id, address, record, definition);
        // The queue's own limit holds besides, also when it changes.
        let max_inflight = self.window_of(id);
        self.turn.mail(definition.owner, Letter::Attach { sink, consumer, at, max_inflight });
        consumer
    }

    /// Messages that may be in flight to a session's client.
    pub(super) fn window_of(&self, id: SessionId) -> u32 {
        self.sessions.get(id).map_or(1, |entry| u32::from(entry.send_window))
    }

    /// Notes that a session consumes a queue or reads a stream.
    pub(super) fn new_consumer<P: Kind>(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        definition: &Definition<P>,
    ) -> ConsumerId {
        let extras = self.sessions.get(id).and_then(|entry| entry.extras.as_ref());
        let wants_metadata =
            extras.is_some_and(|extras| extras.with_metadata.iter().any(|with| &**with == address));
        self.consumers.insert(Consumer {
            session: id,
            sink: definition.sink,
            owner: definition.owner,
            record,
            address: address.into(),
            what: P::WHAT,
            name: Arc::clone(&definition.name),
            wants_metadata,
            since_ms: self.turn.unix_ms,
            is_asked: false,
        })
    }

    /// Ends a consumer whose unsettled messages go back: those that were written count an attempt.
    pub(super) fn detach_consumer(&mut self, consumer: ConsumerId, released: &[Released]) {
        self.forget_kept_back(consumer);
        let Some(state) = self.consumers.remove(consumer) else { return };
        let mut mine: Vec<&Released> =
            released.iter().filter(|one| one.consumer == consumer.0).collect();
        // Of a message that is there twice the lease of the newer delivery goes back: that of the older had run out.
        mine.sort_unstable_by_key(|one| (one.offset, Reverse(one.attempt)));
        mine.dedup_by_key(|one| one.offset);
        let written = mine.into_iter().filter(|one| one.written);
        let written = written.map(|one| Offset(one.offset)).collect();
        self.turn.mail(state.owner, Letter::Detach { sink: state.sink, consumer, written });
    }

    /// A session consumes no more by that consumer: what it has of it goes back, and what its client still says of that means
    /// nothing. `written` is how far its connection's output got into the socket.
    pub(super) fn let_consumer_go(&mut self, id: SessionId, consumer: ConsumerId, written: u64) {
        let mut released = Vec::new();
        if let Some(entry) = self.sessions.get_mut(id) {
            entry.session.release_consumer(consumer.0, written, &mut released);
        }
        self.detach_consumer(consumer, &released);
    }

    /// Who subscribes to a queue's dead letters once more consumes no longer where they went before the queue was changed.
    pub(super) fn leave_old_dead_letters<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        queue: &str,
        out: &O,
    ) {
        let Some(entry) = self.sessions.get(id) else { return };
        let Some(record) = entry.session.subscription(address) else { return };
        let consumer = ConsumerId(record.consumer);
        let (state, target) = (self.consumers.get(consumer), self.dead_letters_of(queue));
        if let (Some(state), Ok(target)) = (state, target)
            && *state.name != *target
        {
            let written = entry.conn.map_or(0, |conn| out.written(conn));
            self.let_consumer_go(id, consumer, written);
        }
    }

    /// A queue's message for one of the consumers here.
    #[inline]
    pub(super) fn lease<O: Outbox>(&mut self, lease: Lease, out: &mut O) {
        let Lease { consumer, offset, attempt, mut message } = lease;
        // Without the consumer its detachment is on its way to the queue, and gives the lease back.
        let Some(state) = self.consumers.get(consumer) else { return };
        let (id, record) = (state.session, state.record);
        if state.wants_metadata {
            message = with_metadata(&message, (state.what, &state.name), offset, attempt);
        }
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let origin = Origin::Queue { consumer: consumer.0, offset: offset.0, attempt };
        let conn = entry.conn;
        let mut buffer = conn.and_then(|conn| out.buffer(conn));
        // Behind those that wait, at any QoS: a queue's first deliveries keep its order.
        let open = buffer.as_ref().is_some_and(|buffer| self.shared.takes_more(buffer.len()))
            && entry.session.pending_len() == 0;
        let identifiers: SmallVec<[u32; 4]> =
            record.subscription_identifier.iter().map(|id| id.get()).collect();
        let packet_id = match entry.session.admit(record.qos, open) {
            Admission::Send(packet_id) => packet_id,
            // No room for it to wait: another consumer may take it, or this one later.
            _ if message.bytes().len() > self.shared.budgets.memory.share() => {
                return self.settle_as(consumer, offset, attempt, queue_engine::Outcome::Busy);
            }
            Admission::Queue | Admission::Drop(_) => {
                return self.let_lease_wait(id, (&message, record.qos, identifiers), origin, out);
            }
        };
        let (Some(conn), Some(buffer)) = (conn, buffer.take()) else { return };
        if let Some(packet_id) = packet_id.filter(|_| Self::keeps_lease(id, record.qos)) {
            let delivering = Delivering {
                conn,
                session: id,
                packet_id,
                consumer,
                offset,
                attempt,
                place: self.leases_again.next(),
                message,
                identifiers,
            };
            return self.deliver_kept(delivering, out);
        }
        let Some(state) = self.conns.get_mut(conn) else { return };
        let left = message.expiry_left(self.turn.unix_ms);
        if left == Some(None) {
            return self.not_sent(origin, Sent::Expired);
        }
        let outgoing = Outgoing {
            dup: false,
            qos: record.qos,
            retain: false,
            packet_id,
            topic: message.topic(),
            expiry: left.flatten(),
            identifiers: &identifiers,
            properties: message.properties(),
            added: &[],
            payload: message.payload(),
        };
        let to = To::of(&mut self.traces, &self.consumers, entry, origin, self.turn.unix_ms);
        let sent = put_publish(buffer, &mut state.connection, &outgoing, to);
        if sent != Sent::Yes {
            return self.not_sent(origin, sent);
        }
        self.counts.publishes_sent_total += 1;
        entry.session.sent(packet_id, record.qos, origin, None, out.mark(conn));
        if packet_id.is_none() {
            out.notify_drained(conn);
        }
    }

    /// A queue never loses a message to a slow reader: it waits, bounded by the consumer's credit alone.
    fn let_lease_wait<O: Outbox>(
        &mut self,
        id: SessionId,
        (message, qos, subscription_identifiers): (&Message, QoS, SmallVec<[u32; 4]>),
        origin: Origin,
        out: &mut O,
    ) {
        let message = self.shared.budgets.memory.keep(message);
        let delivery = Delivery { message, qos, retain: false, subscription_identifiers };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let overflow = entry.session.queue(Arc::new(delivery), origin, Shared::LEASES);
        entry.account(&self.shared.budgets.memory);
        if let Some(conn) = entry.conn {
            out.notify_drained(conn);
        }
        self.give_back(id, overflow);
    }

    /// Messages that had to leave a full session: live ones are lost and counted, queues get theirs back.
    pub(super) fn give_back(&mut self, id: SessionId, overflow: mqtt_session::Overflow) {
        for one in overflow {
            match one.origin {
                Origin::Live | Origin::Shared { .. } | Origin::Inbox(_) => {
                    self.count_overflow(id);
                }
                Origin::Lent { loan, .. } => self.loan_ends(loan, LoanOutcome::NoRoom),
                Origin::Queue { consumer, offset, attempt } => {
                    let (consumer, offset) = (ConsumerId(consumer), Offset(offset));
                    self.settle_as(consumer, offset, attempt, queue_engine::Outcome::Busy);
                }
            }
        }
    }

    /// The queue or stream of a consumer was deleted.
    pub(super) fn queue_gone<O: Outbox>(&mut self, consumer: ConsumerId, out: &mut O) {
        let Some(state) = self.consumers.get(consumer) else { return };
        let text = format!("the {} of subscription {} was deleted", state.what, state.address);
        self.consumer_over(consumer, ReasonCode::ADMINISTRATIVE_ACTION, &text, out);
    }

    /// A subscription is over, and not by its client, who must not wait for ever without a word.
    pub(super) fn consumer_over<O: Outbox>(
        &mut self,
        consumer: ConsumerId,
        reason: ReasonCode,
        text: &str,
        out: &mut O,
    ) {
        let Some(state) = self.consumers.remove(consumer) else { return };
        self.forget_kept_back(consumer);
        self.remove_subscription(state.session, &state.address);
        let Some(entry) = self.sessions.get_mut(state.session) else { return };
        let conn = entry.conn;
        let mut released = Vec::new();
        entry.session.release_consumer(consumer.0, 0, &mut released);
        let gone = SessionEvent::Unsubscribed(vec![state.address.clone()]);
        self.log_session(state.session, gone, Waiting::Nobody);
        if let Some(conn) = conn {
            self.end_connection(conn, reason, Some(text), out);
        }
    }
}

/// The message with user properties that say where it stands in its queue or stream (contract §2).
fn with_metadata(
    message: &Message,
    (what, name): (SinkKind, &str),
    offset: Offset,
    attempt: u32,
) -> Message {
    let (offset, attempt) = (offset.0.to_string(), attempt.to_string());
    let published = message.head().received_at_ms.to_string();
    let added = [
        (what.as_str(), name),
        ("offset", &offset),
        ("attempt", &attempt),
        ("publish-ts", &published),
    ];
    let mut properties = message.properties().to_vec();
    let block = PropertyBlock::of(&added.map(|(key, value)| Property::UserProperty(key, value)));
    if let Ok(block) = block {
        properties.extend_from_slice(block.properties().raw());
    }
    let topic = TopicName::new(message.topic()).ok();
    let marked = topic
        .and_then(|topic| Message::new(*message.head(), topic, &properties, message.payload()));
    marked.unwrap_or_else(|| message.clone())
}
