//! Messages that no client publishes but somebody waits for: an operator's. They go the way of all others, under a
//! connection that does not exist, and the answer goes to who asked.

use log_api::ShardId;
use mqtt_types::{Message, MessageHead, PacketId, ReasonCode, TopicName};
use slab::Slab;

use super::Shard;
use super::agree::Disagreement;
use super::delayed;
use super::live::Live;
use super::publish::{Publisher, is_reserved};
use crate::control::Reply;
use crate::hosting::NO_TOKEN;
use crate::ids::{ConnId, SessionId};
use crate::new_message::Published;
use crate::outbox::Outbox;

/// The slot of connections that do not exist; what is there else is the key of who waits.
const OUTSIDE_SLOT: u32 = u32::MAX;
/// Tells the tokens of their messages from others.
const OUTSIDE_TOKEN: u64 = 1 << 59;

/// Who waits for an answer from outside.
pub(crate) type Outside = Slab<Waits>;

/// One of them.
pub(crate) struct Waits {
    reply: Reply<Published>,
    /// What is answered when the message is stored.
    stored: ReasonCode,
    /// Why queues do not take it, if they do not.
    refusal: Option<Box<Disagreement>>,
}

impl Waits {
    fn new(reply: Reply<Published>) -> Self {
        Self { reply, stored: ReasonCode::SUCCESS, refusal: None }
    }
}

pub(super) const fn is_outside(conn: ConnId) -> bool {
    conn.slot == OUTSIDE_SLOT
}

/// Who waits for that record, if it is one from outside.
pub(super) const fn outside_of(token: u64) -> Option<u64> {
    if token >> 59 == OUTSIDE_TOKEN >> 59 { Some(token & !OUTSIDE_TOKEN) } else { None }
}

const fn nobodys_session(shard: ShardId) -> SessionId {
    SessionId::transient(shard, 0, u32::MAX)
}

impl Shard {
    /// Publishes a message for somebody outside, who hears what became of it when that is known.
    pub(super) fn publish_outside<O: Outbox>(
        &mut self,
        message: &Message,
        reply: Reply<Published>,
        out: &mut O,
    ) {
        let Ok(topic) = TopicName::new(message.topic()) else {
            return reply(ReasonCode::TOPIC_NAME_INVALID.into());
        };
        let key = self.outside.insert(Waits::new(reply));
        let conn = ConnId { slot: OUTSIDE_SLOT, generation: key as u32 };
        let qos = message.head().qos;
        let session = nobodys_session(self.id);
        let publisher = Publisher { conn, session, packet_id: Some(PacketId::MIN), qos };
        let head = MessageHead { received_at_ms: self.turn.unix_ms, ..*message.head() };
        let live = |topic| Live::new(head, topic, message.properties(), message.payload(), None);
        match delayed::parse(topic.as_str()) {
            Some((seconds, topic)) => {
                let due_ms = self.turn.unix_ms.saturating_add(u64::from(seconds) * 1000);
                self.take_delayed(&mut live(topic), due_ms, publisher, out);
            }
            None if is_reserved(topic.as_str()) => {
                self.refuse(publisher, ReasonCode::TOPIC_NAME_INVALID, out);
            }
            None => self.take(&mut live(topic), Some(publisher), out),
        }
    }

    /// The token of a record that somebody outside waits for.
    pub(super) fn expect_from_outside(&mut self, reply: Reply<Published>) -> u64 {
        let key = self.outside.insert(Waits::new(reply));
        OUTSIDE_TOKEN | key as u64
    }

    /// The token of a record from outside; none of a connection that is gone.
    pub(super) fn expect_outside(&mut self, conn: ConnId, stored: ReasonCode) -> u64 {
        let waits = self.outside.get_mut(conn.generation as usize).filter(|_| is_outside(conn));
        let Some(waits) = waits else { return NO_TOKEN };
        waits.stored = stored;
        OUTSIDE_TOKEN | u64::from(conn.generation)
    }

    /// Queues do not take a message from outside.
    pub(super) fn refused_outside(&mut self, conn: ConnId, refusal: &Disagreement) {
        if let Some(waits) = self.outside.get_mut(conn.generation as usize) {
            waits.refusal = Some(Box::new(refusal.clone()));
        }
    }

    pub(super) fn answer_outside(&mut self, conn: ConnId, reason: ReasonCode) {
        if let Some(waits) = self.outside.try_remove(conn.generation as usize) {
            self.tell_outside(waits, reason);
        }
    }

    /// A record from outside is stored, or refused.
    pub(super) fn outside_committed(&mut self, key: u64, refused: Option<ReasonCode>) {
        let waits = usize::try_from(key).ok().and_then(|key| self.outside.try_remove(key));
        if let Some(waits) = waits {
            let reason = refused.unwrap_or(waits.stored);
            self.tell_outside(waits, reason);
        }
    }

    fn tell_outside(&self, waits: Waits, reason: ReasonCode) {
        let refusal = waits.refusal.filter(|_| reason.is_error());
        let is_wrong = refusal.as_ref().is_some_and(|why| why.is_wrong());
        let words = refusal.map(|why| why.to_string()).or_else(|| self.storage_reason(reason));
        (waits.reply)(Published { reason, words, is_wrong });
    }
}
