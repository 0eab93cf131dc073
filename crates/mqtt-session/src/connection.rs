//! What lives as long as the network connection. It must not know subscriptions, nor what survives it.

use std::time::Duration;

use mqtt_types::{PacketId, ProtocolVersion, QoS, ReasonCode};
use stdx::Instant;

use crate::acknowledgements::{AckTicket, Acknowledgements, ReadyAck};
use crate::aliases::{IncomingAliases, OutgoingAlias, OutgoingAliases};
use crate::negotiate::Negotiated;
use crate::version;

/// One network connection after its CONNACK: keep alive, topic aliases, the client's unacknowledged PUBLISH packets.
#[derive(Debug)]
pub struct Connection {
    last_packet: Instant,
    acknowledgements: Acknowledgements,
    incoming_aliases: Option<Box<IncomingAliases>>,
    outgoing_aliases: Option<Box<OutgoingAliases>>,
    maximum_packet_size: u32,
    keep_alive: u16,
    receive_maximum: u16,
    unacknowledged: u16,
    topic_alias_maximum: u16,
    outgoing_topic_aliases: u16,
    version: ProtocolVersion,
    problem_information: bool,
}

impl Connection {
    /// A connection that was accepted at `now`.
    #[must_use]
    pub fn new(negotiated: &Negotiated, now: Instant) -> Self {
        Self {
            last_packet: now,
            acknowledgements: Acknowledgements::default(),
            incoming_aliases: None,
            outgoing_aliases: None,
            maximum_packet_size: negotiated.maximum_packet_size,
            keep_alive: negotiated.keep_alive,
            receive_maximum: negotiated.receive_maximum,
            unacknowledged: 0,
            topic_alias_maximum: negotiated.topic_alias_maximum,
            outgoing_topic_aliases: negotiated.outgoing_topic_aliases,
            version: negotiated.version,
            problem_information: negotiated.problem_information,
        }
    }

    /// The protocol version.
    #[must_use]
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The largest packet the client takes; a larger one is not sent. `[MQTT-3.1.2-24]`, `[MQTT-3.1.2-25]`
    #[must_use]
    pub const fn maximum_packet_size(&self) -> u32 {
        self.maximum_packet_size
    }

    /// Whether Reason Strings and User Properties may go along with failures. `[MQTT-3.1.2-29]`
    #[must_use]
    pub const fn problem_information(&self) -> bool {
        self.problem_information
    }

    /// A whole packet came from the client.
    pub fn on_packet(&mut self, now: Instant) {
        self.last_packet = now;
    }

    /// When the client counts as gone: one and a half times the keep alive after its last packet. `[MQTT-3.1.2-22]`
    #[must_use]
    pub fn keep_alive_deadline(&self) -> Option<Instant> {
        let keep_alive = Duration::from_millis(u64::from(self.keep_alive) * 1500);
        (self.keep_alive > 0).then(|| self.last_packet + keep_alive)
    }

    /// The topic of an incoming PUBLISH.
    ///
    /// # Errors
    /// 0x94 when the alias is 0 or above the maximum `[MQTT-3.3.2-9]`; 0x82 when neither topic nor alias names one.
    pub fn resolve_alias<'a>(
        &'a mut self,
        topic: &'a str,
        alias: Option<u16>,
    ) -> Result<&'a str, ReasonCode> {
        match alias {
            None if topic.is_empty() => Err(ReasonCode::PROTOCOL_ERROR),
            None => Ok(topic),
            Some(alias) if alias > self.topic_alias_maximum => Err(ReasonCode::TOPIC_ALIAS_INVALID),
            Some(alias) => self.incoming_aliases.get_or_insert_default().resolve(topic, alias),
        }
    }

    /// What the topics of the client's aliases take.
    #[must_use]
    pub fn alias_bytes(&self) -> usize {
        self.incoming_aliases.as_ref().map_or(0, |aliases| aliases.bytes())
    }

    /// How to name the topic of an outgoing PUBLISH. `[MQTT-3.1.2-26]`, `[MQTT-3.1.2-27]`
    ///
    /// After `First` the packet must go out, or [`Self::retract_alias`] be called before the next.
    pub fn outgoing_alias(&mut self, topic: &str) -> OutgoingAlias {
        if self.outgoing_topic_aliases == 0 {
            return OutgoingAlias::None;
        }
        self.outgoing_aliases.get_or_insert_default().name(topic, self.outgoing_topic_aliases)
    }

    /// Forgets an alias just given, because its PUBLISH does not go out.
    pub fn retract_alias(&mut self, alias: u16) {
        if let Some(aliases) = &mut self.outgoing_aliases {
            aliases.retract(alias);
        }
    }

    /// A PUBLISH came in. Not to be called for a repeated one at QoS 2, which holds its place already.
    ///
    /// # Errors
    /// 0x93 when the client has as many unacknowledged as the server's Receive Maximum allows. `[MQTT-3.3.4-7]`
    pub fn begin_incoming(&mut self, qos: QoS) -> Result<(), ReasonCode> {
        if qos == QoS::AtMostOnce {
            return Ok(());
        }
        if self.unacknowledged >= self.receive_maximum
            && version::enforces_receive_maximum(self.version)
        {
            return Err(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
        }
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        Ok(())
    }

    /// Whether to read no more until acknowledgements went out: as many outcomes are open as the server's Receive
    /// Maximum. Clients before 5.0 know no such maximum, so they are held instead of disconnected.
    #[must_use]
    pub fn must_hold(&self) -> bool {
        self.acknowledgements.len() >= usize::from(self.receive_maximum)
    }

    /// Takes a place for the acknowledgement of a PUBLISH whose outcome is not known yet.
    pub fn ack_begin(&mut self, packet_id: PacketId, qos: QoS) -> AckTicket {
        self.acknowledgements.begin(packet_id, qos)
    }

    /// Takes a place for the PUBREC of a repeated PUBLISH whose message is still being stored
    /// ([`Incoming2::InProgress`](crate::Incoming2)), unless it was repeated on this same connection, where the first
    /// one's PUBREC answers both. [`Self::ack_ready_for`] brings the outcome.
    pub fn ack_begin_repeated(&mut self, packet_id: PacketId) {
        if !self.acknowledgements.is_undecided(packet_id) {
            self.acknowledgements.begin(packet_id, QoS::ExactlyOnce);
        }
    }

    /// The outcome is known.
    pub fn ack_ready(&mut self, ticket: AckTicket, reason: ReasonCode) {
        self.acknowledgements.ready(ticket, reason);
    }

    /// The outcome of a PUBLISH at QoS 2 is known whose ticket an earlier connection had: decides the place that
    /// [`Self::ack_begin_repeated`] took, if the client repeated it here.
    pub fn ack_ready_for(&mut self, packet_id: PacketId, reason: ReasonCode) {
        self.acknowledgements.ready_for(packet_id, reason);
    }

    /// The next acknowledgement to send, in the order of the PUBLISH packets. `[MQTT-4.6.0-2]`, `[MQTT-4.6.0-3]`
    pub fn next_ack(&mut self) -> Option<ReadyAck> {
        let ack = self.acknowledgements.next()?;
        self.count_out(ack);
        Some(ack)
    }

    /// For an outcome known at once: the acknowledgement, or `None` when others must go first and
    /// [`Self::next_ack`] will bring it.
    pub fn ack_now(
        &mut self,
        packet_id: PacketId,
        qos: QoS,
        reason: ReasonCode,
    ) -> Option<ReadyAck> {
        let ack = self.acknowledgements.now(ReadyAck { packet_id, qos, reason })?;
        self.count_out(ack);
        Some(ack)
    }

    /// A PUBCOMP goes out, which gives the client its place back.
    pub fn pubcomp_sent(&mut self) {
        self.unacknowledged = self.unacknowledged.saturating_sub(1);
    }

    /// How many PUBLISH packets wait for their acknowledgement.
    #[must_use]
    pub fn pending_acks(&self) -> usize {
        self.acknowledgements.len()
    }

    /// Gives back memory that a busy spell took.
    pub fn shrink(&mut self) {
        self.acknowledgements.shrink();
    }

    /// PUBACK and a failed PUBREC give the client its place back; after a good PUBREC, PUBCOMP does (§4.9).
    fn count_out(&mut self, ack: ReadyAck) {
        if ack.qos == QoS::AtLeastOnce || ack.reason.is_error() {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
