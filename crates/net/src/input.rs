//! Bytes of a connection to packets for the shard. It must not know where the bytes came from.

use std::sync::Arc;

use broker::{ConnId, Outbox, Peer, Shard, owner_of};
use log_api::ShardId;
use mqtt_codec::{Connect, DecodeError, DecodeErrorKind, Packet, decode};
use mqtt_types::{ProtocolVersion, ReasonCode};
use stdx::Instant;

use crate::certificate::common_name;
use crate::refusal::Refusal;
use crate::transport::{Tls, Transport};
use crate::wire::Phase;
use crate::wires::Wires;

/// What became of a piece of input.
pub(crate) enum Taken {
    /// So many bytes were packets and are done with; the rest waits.
    Bytes(usize),
    /// The connection belongs to another shard, by its client id; nothing was taken.
    Elsewhere(ShardId),
}

/// Feeds the shard with the packets at the front of `data`.
#[inline]
pub(crate) fn take(
    shard: &mut Shard,
    wires: &mut Wires,
    id: ConnId,
    data: &[u8],
    now: Instant,
    shards: u16,
) -> Taken {
    let Some(wire) = wires.wire_mut(id) else { return Taken::Bytes(data.len()) };
    let limits = wire.transport.peer().gate().limits;
    let mut at = 0;
    while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(wire) = wires.wire_mut(id) else { return Taken::Bytes(data.len()) };
        let greeting = match wire.phase {
            Phase::Greeting => true,
            Phase::Open => false,
            Phase::Closing | Phase::Lingering => return Taken::Bytes(data.len()),
        };
        if !wire.is_read() {
            break;
        }
        match decode(rest, wire.version, &limits) {
            Ok(None) => break,
            Ok(Some((Packet::Connect(connect), len))) if greeting => {
                if let Some(owner) = greet(shard, wires, id, &connect, shards) {
                    return Taken::Elsewhere(owner);
                }
                at += len;
            }
            Ok(Some((packet, len))) if !greeting => {
                if let Some(rate) = &mut wire.rate
                    && matches!(packet, Packet::Publish(_))
                    && let Some(until) = rate.on_message(now)
                {
                    wires.hold(id, until);
                }
                shard.packet(id, &packet, wires);
                at += len;
                if wires.is_turn_long() {
                    wires.hold_for_turn(id);
                }
            }
            // `[MQTT-3.1.0-1]`: nothing comes before CONNECT.
            Ok(Some(_)) => {
                let why = "the first packet is no CONNECT";
                wire.transport.peer().refused(Refusal::MalformedConnect, &why);
                wires.close(id, broker::CloseReason::Server(ReasonCode::PROTOCOL_ERROR));
                return Taken::Bytes(data.len());
            }
            Err(error) if greeting => {
                refuse(wires, id, rest, &error);
                return Taken::Bytes(data.len());
            }
            Err(error) => {
                shard.malformed(id, &error, wires);
                return Taken::Bytes(data.len());
            }
        }
    }
    Taken::Bytes(at)
}

/// Introduces a connection to the shard, unless it is another's by its client id: that is given back.
fn greet(
    shard: &mut Shard,
    wires: &mut Wires,
    id: ConnId,
    connect: &Connect<'_>,
    shards: u16,
) -> Option<ShardId> {
    let owner = owner_of(connect.client_id, shards);
    if !connect.client_id.is_empty() && owner != shard.id() {
        return Some(owner);
    }
    let wire = wires.wire_mut(id)?;
    wire.phase = Phase::Open;
    wire.version = connect.version;
    wire.deadline = None;
    if let Some(after) = wire.transport.peer().gate().dead_peer_probe
        && connect.keep_alive == 0
    {
        wire.transport.socket().probe(after);
    }
    let peer = peer_of(&wire.transport);
    tracing::debug!(
        listener = &*peer.listener,
        %peer,
        certificate = peer.certificate_common_name,
        client_id = connect.client_id,
        "CONNECT"
    );
    shard.connect(id, connect, &peer, wires);
    None
}

/// Who is at the other end, for the broker.
fn peer_of(transport: &Transport) -> Peer {
    let peer = transport.peer();
    Peer {
        address: peer.address.map(|address| address.ip()),
        certificate_common_name: transport
            .tls()
            .and_then(Tls::client_certificate)
            .and_then(common_name)
            .or_else(|| peer.certificate_common_name.as_deref().cloned()),
        listener: Arc::clone(&peer.gate().name),
        maximum_packet_size: peer.gate().maximum_packet_size,
    }
}

/// Answers a first packet that is no CONNECT we can serve, where the version has words for it. `[MQTT-3.1.2-2]`,
/// `[MQTT-3.1.4-1]`
fn refuse(wires: &mut Wires, id: ConnId, data: &[u8], error: &DecodeError) {
    if let Some(wire) = wires.wire_mut(id) {
        let why = format_args!("malformed CONNECT: {error}");
        wire.transport.peer().refused(Refusal::MalformedConnect, &why);
    }
    let version = match error.kind {
        DecodeErrorKind::ProtocolVersion(version) if version < 5 => Some(ProtocolVersion::V3_1_1),
        DecodeErrorKind::ProtocolVersion(_) => Some(ProtocolVersion::V5),
        _ => Connect::peek_version(data).filter(|version| version.is_v5()),
    };
    let answer: &[u8] = match version {
        Some(ProtocolVersion::V5) => &[0x20, 3, 0, error.reason_code().0, 0],
        Some(_) => &[0x20, 2, 0, 1],
        None => &[],
    };
    if let Some(buffer) = wires.buffer(id) {
        buffer.extend_from_slice(answer);
    }
    wires.close(id, broker::CloseReason::Server(error.reason_code()));
}
