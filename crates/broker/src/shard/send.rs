//! Puts packets into a connection's output.

use mqtt_codec::{
    Ack, AckKind, ConnAck, Disconnect, OutgoingPublish, Packet, PropertyBlock, SubAck, UnsubAck,
    encode, encode_ack, encode_publish, encoded_publish_len,
};
use mqtt_session::{Connection, Delivery, OutgoingAlias, ReadyAck, version};
use mqtt_types::{PacketId, Property, QoS, ReasonCode};

use super::Shard;
use super::state::Conn;
use super::trace::To;
use crate::ids::ConnId;
use crate::outbox::{CloseReason, Outbox};

/// What surrounds a Reason String: fixed header, packet id, reason code, lengths.
const HEADERS_BYTES_MAX: usize = 16;

/// What a Topic Alias adds to a PUBLISH: itself, and a byte more for each of the two lengths around it.
const ALIAS_BYTES_MAX: usize = 5;

/// What became of a PUBLISH.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    /// It is in the output.
    Yes,
    /// The client takes no packet of that size. `[MQTT-3.1.2-24]`
    TooLarge,
    /// Its Message Expiry Interval has run out. `[MQTT-3.3.2-5]`
    Expired,
}

/// A PUBLISH that concerns one client: what it bears, by reference.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) dup: bool,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) packet_id: Option<PacketId>,
    pub(super) topic: &'a str,
    pub(super) expiry: Option<u32>,
    pub(super) identifiers: &'a [u32],
    pub(super) properties: &'a [u8],
    pub(super) added: &'a [(&'a str, &'a str)],
    pub(super) payload: &'a [u8],
}

/// Appends a PUBLISH, by topic alias if the client allows.
#[inline]
pub(super) fn put_publish(
    buffer: &mut Vec<u8>,
    connection: &mut Connection,
    outgoing: &Outgoing<'_>,
    to: Option<To<'_>>,
) -> Sent {
    match to {
        None => encode_outgoing(buffer, connection, outgoing),
        Some(to) => put_traced(buffer, connection, outgoing, to),
    }
}

/// The same with a tracer.
fn put_traced(
    buffer: &mut Vec<u8>,
    connection: &mut Connection,
    outgoing: &Outgoing<'_>,
    to: To<'_>,
) -> Sent {
    let Some((parent, context, properties)) = to.traces.delivering(outgoing.properties) else {
        return encode_outgoing(buffer, connection, outgoing);
    };
    let outgoing = Outgoing { properties: &properties, ..*outgoing };
    let sent = encode_outgoing(buffer, connection, &outgoing);
    to.delivered((parent, context), &outgoing, sent);
    sent
}

#[inline]
fn encode_outgoing(
    buffer: &mut Vec<u8>,
    connection: &mut Connection,
    outgoing: &Outgoing<'_>,
) -> Sent {
    let version = connection.version();
    let mut publish = OutgoingPublish {
        dup: outgoing.dup,
        qos: outgoing.qos,
        retain: outgoing.retain,
        topic: outgoing.topic,
        packet_id: outgoing.packet_id,
        topic_alias: None,
        message_expiry_interval: outgoing.expiry,
        subscription_identifiers: outgoing.identifiers,
        properties: outgoing.properties,
        user_properties: outgoing.added,
        payload: outgoing.payload,
    };
    let maximum = connection.maximum_packet_size();
    let mut room = usize::MAX;
    if maximum < u32::MAX {
        let len = encoded_publish_len(version, &publish).unwrap_or(usize::MAX);
        let Some(left) = (maximum as usize).checked_sub(len) else { return Sent::TooLarge };
        room = left;
    }
    let alias = if room < ALIAS_BYTES_MAX {
        OutgoingAlias::None
    } else {
        connection.outgoing_alias(outgoing.topic)
    };
    match alias {
        OutgoingAlias::None => {}
        OutgoingAlias::First(alias) => publish.topic_alias = Some(alias),
        OutgoingAlias::Known(alias) => {
            publish.topic = "";
            publish.topic_alias = Some(alias);
        }
    }
    match encode_publish(buffer, version, &publish) {
        Ok(_) => Sent::Yes,
        Err(_) => {
            if let Some(alias) = publish.topic_alias {
                connection.retract_alias(alias);
            }
            Sent::TooLarge
        }
    }
}

/// Appends a delivery, with its expiry counted down to now.
pub(super) fn put_delivery(
    buffer: &mut Vec<u8>,
    connection: &mut Connection,
    delivery: &Delivery,
    packet_id: Option<PacketId>,
    (unix_ms, to): (u64, Option<To<'_>>),
) -> Sent {
    match delivery.message.expiry_left(unix_ms) {
        Some(None) => Sent::Expired,
        left => {
            put_publish(buffer, connection, &outgoing_of(delivery, packet_id, left.flatten()), to)
        }
    }
}

/// Appends a delivery that was sent before. Its age is no matter any more: delivery was begun. `[MQTT-3.3.2-5]`
pub(super) fn put_again(
    buffer: &mut Vec<u8>,
    connection: &mut Connection,
    delivery: &Delivery,
    packet_id: PacketId,
    (unix_ms, to): (u64, Option<To<'_>>),
) -> Sent {
    let expiry = delivery.message.expiry_left(unix_ms).map(Option::unwrap_or_default);
    let outgoing = Outgoing { dup: true, ..outgoing_of(delivery, Some(packet_id), expiry) };
    put_publish(buffer, connection, &outgoing, to)
}

fn outgoing_of(
    delivery: &Delivery,
    packet_id: Option<PacketId>,
    expiry: Option<u32>,
) -> Outgoing<'_> {
    Outgoing {
        dup: false,
        qos: delivery.qos,
        retain: delivery.retain,
        packet_id,
        topic: delivery.message.topic(),
        expiry,
        identifiers: &delivery.subscription_identifiers,
        properties: delivery.message.properties(),
        added: &[],
        payload: delivery.message.payload(),
    }
}

impl Shard {
    /// Appends a packet that is neither PUBLISH nor an acknowledgement.
    fn put<O: Outbox>(&mut self, conn: ConnId, packet: &Packet<'_>, out: &mut O) {
        let Some(state) = self.conns.get(conn) else { return };
        let Some(buffer) = out.buffer(conn) else { return };
        let start = buffer.len();
        if let Err(error) = encode(packet, state.connection.version(), buffer) {
            tracing::error!(%error, packet = ?packet.packet_type(), "packet could not be written");
        }
        if buffer.len() - start <= state.connection.maximum_packet_size() as usize {
            return;
        }
        buffer.truncate(start); // `[MQTT-3.1.2-24]`
        if !matches!(packet, Packet::Disconnect(_)) {
            // An answer that cannot be given: the client would wait for it for ever.
            self.end_connection(conn, ReasonCode::PACKET_TOO_LARGE, None, out);
        }
    }

    /// Whether the client takes that Reason String in a packet that has so many other bytes. `[MQTT-3.1.2-29]`; it may
    /// not make the packet larger than the client takes (§3.9.2.1.2).
    fn takes_reason(&self, conn: ConnId, text: &str, others: usize) -> bool {
        self.conns.get(conn).is_some_and(|state| {
            let len = text.len() + others + HEADERS_BYTES_MAX;
            state.connection.problem_information()
                && len <= state.connection.maximum_packet_size() as usize
        })
    }

    /// Whether the client takes a packet of that size. `[MQTT-3.1.2-24]`
    fn has_room(&self, conn: ConnId, len: usize) -> bool {
        let maximum = self.conns.get(conn).map(|state| state.connection.maximum_packet_size());
        maximum.is_some_and(|maximum| len <= maximum as usize)
    }

    /// A Reason String, when the client takes one and the version has it.
    fn reason_block(&self, conn: ConnId, reason: Option<&str>, others: usize) -> PropertyBlock {
        let mut block = PropertyBlock::new();
        if let Some(text) =
            reason.filter(|text| text.len() <= 1024 && self.takes_reason(conn, text, others))
        {
            let _ = block.push(&Property::ReasonString(text));
        }
        block
    }

    pub(super) fn send_pingresp<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        if let Some(buffer) = out.buffer(conn) {
            buffer.extend_from_slice(&[0xD0, 0]);
        }
    }

    pub(super) fn send_connack<O: Outbox>(
        &mut self,
        conn: ConnId,
        connack: &ConnAck<'_>,
        out: &mut O,
    ) {
        self.put(conn, &Packet::ConnAck(*connack), out);
    }

    pub(super) fn send_suback<O: Outbox>(
        &mut self,
        conn: ConnId,
        packet_id: PacketId,
        codes: &[u8],
        reason: Option<&str>,
        out: &mut O,
    ) {
        let block = self.reason_block(conn, reason, codes.len());
        let suback = SubAck { packet_id, properties: block.properties(), reason_codes: codes };
        self.put(conn, &Packet::SubAck(suback), out);
    }

    pub(super) fn send_unsuback<O: Outbox>(
        &mut self,
        conn: ConnId,
        packet_id: PacketId,
        codes: &[u8],
        out: &mut O,
    ) {
        let block = PropertyBlock::new();
        let unsuback = UnsubAck { packet_id, properties: block.properties(), reason_codes: codes };
        self.put(conn, &Packet::UnsubAck(unsuback), out);
    }

    /// Sends an acknowledgement of a client's PUBLISH.
    #[inline]
    pub(super) fn send_publish_ack<O: Outbox>(&mut self, conn: ConnId, ack: ReadyAck, out: &mut O) {
        let Some(state) = self.conns.get(conn) else { return };
        let version = state.connection.version();
        let kind = if ack.qos == QoS::AtLeastOnce { AckKind::PubAck } else { AckKind::PubRec };
        let Some(reason) = version::publish_ack_reason(version, ack.reason) else {
            // Before 5.0 there is no way to say no but to go.
            self.end_connection(conn, ack.reason, None, out);
            return;
        };
        let text = if reason.is_error() {
            self.refusals.take(conn, ack.packet_id).or_else(|| self.storage_reason(reason))
        } else {
            None
        };
        let text = text.filter(|text| self.takes_reason(conn, text, 0));
        if let Some(buffer) = out.buffer(conn) {
            let _ = encode_ack(buffer, version, kind, ack.packet_id, reason, text.as_deref());
        }
    }

    /// Sends PUBREL or PUBCOMP.
    pub(super) fn send_ack<O: Outbox>(
        &mut self,
        conn: ConnId,
        kind: AckKind,
        packet_id: PacketId,
        reason: ReasonCode,
        out: &mut O,
    ) {
        let Some(state) = self.conns.get(conn) else { return };
        if let Some(buffer) = out.buffer(conn) {
            let _ = encode_ack(buffer, state.connection.version(), kind, packet_id, reason, None);
        }
    }

    /// Says DISCONNECT where the version has it, and closes.
    pub(super) fn say_goodbye<O: Outbox>(
        &mut self,
        conn: ConnId,
        reason: ReasonCode,
        text: Option<&str>,
        out: &mut O,
    ) {
        let version = self.conns.get(conn).map(|state| state.connection.version());
        if version.is_some() {
            self.count_ended(reason);
        }
        if let Some(said) = version.and_then(|version| version::disconnect_reason(version, reason))
        {
            let mut block = self.reason_block(conn, text, 0);
            if let Some(reference) = self.shared.config.reference_of(said)
                && self.has_room(conn, reference.len() + HEADERS_BYTES_MAX)
            {
                let _ = block.push(&Property::ServerReference(reference));
            }
            let disconnect = Disconnect { reason_code: said, properties: block.properties() };
            self.put(conn, &Packet::Disconnect(disconnect), out);
        }
        out.close(conn, CloseReason::Server(reason));
    }

    /// Sends all acknowledgements whose turn has come.
    pub(super) fn flush_acks<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        while let Some(ack) = self.conns.get_mut(conn).and_then(|state| state.connection.next_ack())
        {
            self.send_publish_ack(conn, ack, out);
        }
        if self.conns.get(conn).is_some_and(Conn::is_read) {
            out.resume_reading(conn);
        }
    }
}

/// The reason codes of an acknowledgement from a client that its packet cannot bear are refused by the codec.
pub(super) const fn reason_of(ack: &Ack<'_>) -> ReasonCode {
    ack.reason_code
}
