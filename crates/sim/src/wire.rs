//! What clients say and hear, as packets. It must not know why they say it.

use mqtt_codec::{
    AckKind, Connect, Limits, OutgoingPublish, Packet, Peer, Properties, PropertyBlock, Publish,
    Subscribe, SubscribeFilters, SubscribeOptions, Unsubscribe, UnsubscribeFilters, decode, encode,
    encode_ack, encode_publish,
};
use mqtt_types::{PacketId, Property, ProtocolVersion, QoS, ReasonCode};

use crate::plan::Timing;

/// What a client hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    ConnAck { present: bool },
    Publish(Delivery),
    Ack { kind: AckKind, id: u16, code: u8 },
    SubAck { id: u16, code: u8 },
    Other,
}

/// A message as it arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Delivery {
    pub(crate) qos: u8,
    pub(crate) id: u16,
    /// It was there before the subscription.
    pub(crate) is_retained: bool,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    /// Of a queue's message: the queue, the offset, the attempt.
    pub(crate) from_queue: Option<(String, u64, u32)>,
    /// Of a stream's message.
    pub(crate) from_stream: Option<FromStream>,
    /// Of a dead letter: its offset in the queue that gave it up.
    pub(crate) died_at: Option<u64>,
}

/// What a message says that comes from a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FromStream {
    pub(crate) stream: String,
    pub(crate) offset: u64,
    pub(crate) attempt: u32,
    pub(crate) stored_ms: u64,
}

/// What a client of 5.0 says with a message.
#[derive(Debug)]
pub(crate) struct Said {
    user_properties: Vec<(&'static str, String)>,
    expires: Option<u32>,
}

impl Said {
    /// Its number as its id, and its times.
    pub(crate) fn of(number: u32, timing: Timing) -> Self {
        let mut user_properties = vec![("message-id", number.to_string())];
        user_properties.extend(timing.delay.map(|seconds| ("delay", format!("{seconds}s"))));
        Self { user_properties, expires: timing.expires }
    }
}

fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("clients count from 1")
}

fn level(qos: u8) -> QoS {
    QoS::from_u8(qos).expect("0, 1 or 2")
}

pub(crate) fn connect(
    name: &str,
    version: ProtocolVersion,
    (keep, begin_anew): (bool, bool),
) -> Vec<u8> {
    let mut block = PropertyBlock::new();
    if keep && version.is_v5() {
        block.push(&Property::SessionExpiryInterval(1_000_000)).expect("fits");
    }
    let connect = Connect {
        version,
        clean_start: !keep || begin_anew,
        keep_alive: 0,
        client_id: name,
        will: None,
        username: None,
        password: None,
        properties: block.properties(),
    };
    let mut bytes = Vec::new();
    encode(&Packet::Connect(connect), version, &mut bytes).expect("a legal CONNECT");
    bytes
}

pub(crate) fn publish(
    version: ProtocolVersion,
    (qos, id): (u8, u16),
    (dup, retain): (bool, bool),
    topic: &str,
    (payload, said): (&[u8], &Said),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Said { user_properties, expires } = said;
    let said: Vec<(&str, &str)> =
        user_properties.iter().map(|(name, value)| (*name, &value[..])).collect();
    let expires = expires.filter(|_| version.is_v5());
    let publish = OutgoingPublish {
        dup,
        qos: level(qos),
        retain,
        topic,
        packet_id: (qos > 0).then(|| packet_id(id)),
        user_properties: &said,
        message_expiry_interval: expires,
        payload,
        ..OutgoingPublish::default()
    };
    encode_publish(&mut bytes, version, &publish).expect("a legal PUBLISH");
    bytes
}

pub(crate) fn subscribe(id: u16, filter: &str, qos: u8) -> Vec<u8> {
    subscribe_with(id, filter, qos, &[])
}

/// The same, with more user properties.
pub(crate) fn subscribe_with(id: u16, filter: &str, qos: u8, more: &[(&str, &str)]) -> Vec<u8> {
    let mut block = PropertyBlock::new();
    for (name, value) in [("metadata", "on")].iter().chain(more) {
        block.push(&Property::UserProperty(name, value)).expect("fits");
    }
    let filters = [(filter, SubscribeOptions::qos(level(qos)))];
    let subscribe = Subscribe {
        packet_id: packet_id(id),
        properties: block.properties(),
        filters: SubscribeFilters::of(&filters),
    };
    let mut bytes = Vec::new();
    encode(&Packet::Subscribe(subscribe), ProtocolVersion::V5, &mut bytes).expect("legal");
    bytes
}

pub(crate) fn unsubscribe(id: u16, filter: &str) -> Vec<u8> {
    let filters = [filter];
    let unsubscribe = Unsubscribe {
        packet_id: packet_id(id),
        properties: Properties::EMPTY,
        filters: UnsubscribeFilters::of(&filters),
    };
    let mut bytes = Vec::new();
    encode(&Packet::Unsubscribe(unsubscribe), ProtocolVersion::V5, &mut bytes).expect("legal");
    bytes
}

pub(crate) fn ack(version: ProtocolVersion, kind: AckKind, id: u16, code: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_ack(&mut bytes, version, kind, packet_id(id), ReasonCode(code), None).expect("legal");
    bytes
}

/// Takes whole packets off `bytes`.
pub(crate) fn hear(bytes: &mut Vec<u8>, version: ProtocolVersion) -> Vec<Heard> {
    let limits = Limits { max_packet_size: u32::MAX, ..Limits::default() }.from(Peer::Server);
    let (mut heard, mut at) = (Vec::new(), 0);
    while let Some((packet, len)) = decode(&bytes[at..], version, &limits).expect("legal packets") {
        heard.push(of(&packet));
        at += len;
    }
    assert_eq!(at, bytes.len(), "whole packets leave the shard");
    bytes.clear();
    heard
}

fn of(packet: &Packet<'_>) -> Heard {
    let ack = |kind, ack: &mqtt_codec::Ack<'_>| Heard::Ack {
        kind,
        id: ack.packet_id.get(),
        code: ack.reason_code.0,
    };
    match packet {
        Packet::ConnAck(ack) => Heard::ConnAck { present: ack.session_present },
        Packet::Publish(publish) => Heard::Publish(delivery(publish)),
        Packet::PubAck(acked) => ack(AckKind::PubAck, acked),
        Packet::PubRec(acked) => ack(AckKind::PubRec, acked),
        Packet::PubRel(acked) => ack(AckKind::PubRel, acked),
        Packet::PubComp(acked) => ack(AckKind::PubComp, acked),
        Packet::SubAck(ack) => Heard::SubAck {
            id: ack.packet_id.get(),
            code: ack.reason_codes.iter().next().copied().unwrap_or(0x80),
        },
        _ => Heard::Other,
    }
}

fn delivery(publish: &Publish<'_>) -> Delivery {
    let properties = publish.properties;
    let value = |name| {
        let mut pairs = properties.user_properties();
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let number = |name| value(name).and_then(|text| text.parse::<u64>().ok());
    let from_queue = value("queue").map(|queue| {
        (queue, number("offset").expect("an offset"), number("attempt").expect("an attempt") as u32)
    });
    let from_stream = value("stream").map(|stream| FromStream {
        stream,
        offset: number("offset").expect("an offset"),
        attempt: number("attempt").expect("an attempt") as u32,
        stored_ms: number("publish-ts").expect("a time"),
    });
    Delivery {
        qos: publish.qos.as_u8(),
        id: publish.packet_id.map_or(0, PacketId::get),
        is_retained: publish.retain,
        topic: publish.topic.to_owned(),
        payload: publish.payload.to_vec(),
        from_queue,
        from_stream,
        died_at: number("dead-offset"),
    }
}
