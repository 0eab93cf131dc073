//! Why PUBLISH packets were refused whose acknowledgement has others to wait for, and what the log says of refusals. It must
//! not know the reasons.

use hashbrown::HashMap;
use mqtt_types::{Message, PacketId, ReasonCode};

use super::Shard;
use super::agree::Disagreement;
use super::live::Live;
use super::outside::is_outside;
use super::publish::Publisher;
use super::state::Conn;
use super::subscribe::{Verdict, beginning_of};
use crate::ids::{ConnId, SessionId};
use crate::outbox::Outbox;

/// Why a message is not taken.
pub(super) enum Refusal {
    /// By the log, or for memory.
    Storage(ReasonCode),
    /// By a queue.
    Queues(Box<Disagreement>),
}

/// The texts that refusals are to bear.
#[derive(Default)]
pub(crate) struct Refusals {
    texts: HashMap<(ConnId, PacketId), Box<str>>,
}

impl Refusals {
    pub(super) fn note(&mut self, conn: ConnId, packet_id: PacketId, text: String) {
        self.texts.insert((conn, packet_id), text.into());
    }

    /// What to say with a refusal.
    pub(super) fn take(&mut self, conn: ConnId, packet_id: PacketId) -> Option<String> {
        if self.texts.is_empty() {
            return None;
        }
        self.texts.remove(&(conn, packet_id)).map(String::from)
    }

    /// Nobody of that connection is told anything any more.
    pub(super) fn forget(&mut self, conn: ConnId) {
        if !self.texts.is_empty() {
            self.texts.retain(|(of, _), _| *of != conn);
        }
    }
}

impl Shard {
    /// Says no to the publisher of a message, or holds it for room (contract, promise 1).
    pub(super) fn refuse_for<O: Outbox>(
        &mut self,
        publisher: Publisher,
        packet_id: PacketId,
        live: &mut Live<'_>,
        refusal: &Refusal,
        out: &mut O,
    ) {
        let disagreement = match refusal {
            Refusal::Storage(reason) => {
                return self.refuse_or_hold(publisher, packet_id, live, (*reason, None), out);
            }
            Refusal::Queues(disagreement) => disagreement,
        };
        let conn = publisher.conn;
        let reason = disagreement.reason_code();
        let hears_why = |state: &Conn| state.connection.version().is_v5();
        if is_outside(conn) {
            self.refused_outside(conn, disagreement);
        } else if self.conns.get(conn).is_some_and(hears_why) {
            self.refusals.note(conn, packet_id, disagreement.to_string());
        } else if let Some(client_id) = self.client_id(conn) {
            tracing::debug!(client_id, why = %disagreement, "publisher held");
        }
        self.refuse_or_hold(publisher, packet_id, live, (reason, None), out);
    }

    /// Counts a subscription that was refused, and says why in the log: a client before 5.0 does not hear it.
    pub(super) fn note_refused_subscription(
        &mut self,
        conn: ConnId,
        address: &str,
        verdict: &Verdict,
    ) {
        match verdict.code {
            code if !code.is_error() => return,
            ReasonCode::QUOTA_EXCEEDED => self.counts.subscriptions_over_quota_total += 1,
            ReasonCode::TOPIC_FILTER_INVALID => self.counts.subscriptions_invalid_total += 1,
            _ => self.counts.subscriptions_refused_total += 1,
        }
        if let Some(client_id) = self.client_id(conn) {
            let (address, reason) = (beginning_of(address), verdict.code);
            tracing::debug!(client_id, address, %reason, why = verdict.reason, "subscription refused");
        }
    }

    /// Why a held message cannot be taken yet, when that is for a queue to say.
    pub(super) fn queue_refusal(
        &mut self,
        held: &Message,
        publisher: SessionId,
    ) -> Option<ReasonCode> {
        self.queues_full_for(held, Some(publisher)).then_some(ReasonCode::QUOTA_EXCEEDED)
    }
}
