//! Random packets that are legal for a version and a sender. Their memory is leaked, so that they borrow for ever.

use mqtt_codec::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Peer, Properties, PropertyBlock,
    PropertyOwner, Publish, PublishProperties, SubAck, Subscribe, SubscribeFilters,
    SubscribeOptions, UnsubAck, Unsubscribe, UnsubscribeFilters, Will,
};
use mqtt_types::{PacketId, Property, ProtocolVersion, QoS, ReasonCode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn leak<T: ?Sized>(value: Box<T>) -> &'static T {
    Box::leak(value)
}

fn text() -> impl Strategy<Value = &'static str> {
    let letters =
        vec!['a', 'Z', '9', ' ', '/', '$', '+', '#', 'ä', '漢', '🌊', '\u{FEFF}', '\u{1}'];
    vec(select(letters), 0..20).prop_map(|letters| leak(String::from_iter(letters).into()))
}

fn topic() -> impl Strategy<Value = &'static str> {
    text().prop_map(|text| leak(format!("t{}", text.replace(['+', '#'], "_")).into()))
}

fn filter() -> impl Strategy<Value = &'static str> {
    let levels = vec(select(vec!["a", "bc", "", "+", "ä", "$x"]), 0..5);
    let shape = select(vec!["", "$share/group/", "$q/"]);
    (shape, levels, any::<bool>()).prop_map(|(shape, levels, all)| {
        let end = if all { "#" } else { "end" };
        leak(
            format!("{shape}{}", levels.into_iter().chain([end]).collect::<Vec<_>>().join("/"))
                .into(),
        )
    })
}

fn bytes() -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), 0..200).prop_map(|bytes| leak(bytes.into()))
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|id| PacketId::new(id).expect("not 0"))
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn code(codes: &'static [u8]) -> impl Strategy<Value = ReasonCode> {
    select(codes).prop_map(ReasonCode)
}

/// Any property; which of them a packet may bear is left to the decoder's own check.
fn property() -> impl Strategy<Value = Property<'static>> {
    let bit = || 0..=1_u8;
    prop_oneof![
        bit().prop_map(Property::PayloadFormatIndicator),
        prop_oneof![Just(0), any::<u32>()].prop_map(Property::MessageExpiryInterval),
        text().prop_map(Property::ContentType),
        topic().prop_map(Property::ResponseTopic),
        bytes().prop_map(Property::CorrelationData),
        (1..=268_435_455_u32).prop_map(Property::SubscriptionIdentifier),
        any::<u32>().prop_map(Property::SessionExpiryInterval),
        text().prop_map(Property::AssignedClientIdentifier),
        any::<u16>().prop_map(Property::ServerKeepAlive),
        text().prop_map(Property::AuthenticationMethod),
        bytes().prop_map(Property::AuthenticationData),
        any::<u32>().prop_map(Property::WillDelayInterval),
        (bit(), bit()).prop_map(|(which, bit)| match which {
            0 => Property::RequestProblemInformation(bit),
            _ => Property::RequestResponseInformation(bit),
        }),
        text().prop_map(Property::ServerReference),
        text().prop_map(Property::ReasonString),
        (1..=u16::MAX).prop_map(Property::ReceiveMaximum),
        any::<u16>().prop_map(Property::TopicAliasMaximum),
        (1..=u16::MAX).prop_map(Property::TopicAlias),
        bit().prop_map(Property::MaximumQoS),
        bit().prop_map(Property::RetainAvailable),
        (1..=u32::MAX).prop_map(Property::MaximumPacketSize),
        bit().prop_map(Property::SharedSubscriptionAvailable),
        (text(), text()).prop_map(|(key, value)| Property::UserProperty(key, value)),
        (text(), text()).prop_map(|(key, value)| Property::UserProperty(key, value)),
    ]
}

/// A legal block: each random property is kept when the block stays legal with it.
fn properties(
    owner: PropertyOwner,
    version: ProtocolVersion,
    from: Peer,
) -> impl Strategy<Value = Properties<'static>> {
    let wanted = if version.is_v5() { 0..25_usize } else { 0..1 };
    vec(property(), wanted).prop_map(move |properties| {
        let mut block = PropertyBlock::new();
        if owner == PropertyOwner::Auth {
            block.push(&Property::AuthenticationMethod("method")).expect("short");
        }
        for property in properties {
            let mut longer = block.clone();
            longer.push(&property).expect("short");
            if Properties::parse(longer.properties().raw(), owner, from).is_ok() {
                block = longer;
            }
        }
        leak(Box::new(block)).properties()
    })
}

fn connect(version: ProtocolVersion) -> impl Strategy<Value = Packet<'static>> {
    let block = move |owner| properties(owner, version, Peer::Client);
    let will = (qos(), any::<bool>(), topic(), bytes(), block(PropertyOwner::Will)).prop_map(
        |(qos, retain, topic, payload, properties)| Will {
            qos,
            retain,
            topic,
            payload,
            properties,
        },
    );
    let credentials = (option::of(text()), option::of(bytes()));
    let rest = (any::<bool>(), any::<u16>(), text(), block(PropertyOwner::Connect));
    (option::of(will), credentials, rest).prop_map(
        move |(will, (username, password), (clean_start, keep_alive, client_id, properties))| {
            let password = password.filter(|_| username.is_some() || version.is_v5());
            Packet::Connect(Connect {
                version,
                clean_start,
                keep_alive,
                client_id,
                will,
                username,
                password,
                properties,
            })
        },
    )
}

fn connack(version: ProtocolVersion) -> impl Strategy<Value = Packet<'static>> {
    let codes: &[u8] =
        if version.is_v5() { &[0, 0x81, 0x87, 0x9F] } else { &[0, 0x84, 0x85, 0x86, 0x87, 0x88] };
    let block = properties(PropertyOwner::ConnAck, version, Peer::Server);
    (any::<bool>(), code(codes), block).prop_map(move |(present, reason_code, properties)| {
        let may = reason_code == ReasonCode::SUCCESS && version != ProtocolVersion::V3_1;
        Packet::ConnAck(ConnAck { session_present: present && may, reason_code, properties })
    })
}

fn publish(version: ProtocolVersion, from: Peer) -> impl Strategy<Value = Packet<'static>> {
    let block = properties(PropertyOwner::Publish, version, from);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (flags, qos(), topic(), packet_id(), block, bytes()).prop_map(
        move |((dup, retain, by_alias), qos, topic, packet_id, block, payload)| {
            let properties = PublishProperties::parse(block.raw(), from).expect("legal");
            let by_alias = by_alias && properties.topic_alias.is_some();
            Packet::Publish(Publish {
                dup: dup && qos != QoS::AtMostOnce,
                qos,
                retain,
                topic: if by_alias { "" } else { topic },
                packet_id: (qos != QoS::AtMostOnce).then_some(packet_id),
                properties,
                payload,
            })
        },
    )
}

fn ack(version: ProtocolVersion, from: Peer) -> impl Strategy<Value = Packet<'static>> {
    let block = properties(PropertyOwner::Ack, version, from);
    (0..4, packet_id(), any::<bool>(), block).prop_map(
        move |(which, packet_id, good, properties)| {
            let good = good || !version.is_v5();
            let code = |failure| ReasonCode(if good { 0 } else { failure });
            let ack = |failure| Ack { packet_id, reason_code: code(failure), properties };
            match which {
                0 => Packet::PubAck(ack(0x97)),
                1 => Packet::PubRec(ack(0x10)),
                2 => Packet::PubRel(ack(0x92)),
                _ => Packet::PubComp(ack(0x92)),
            }
        },
    )
}

fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Packet<'static>> {
    let options =
        select(if version.is_v5() { vec![0, 1, 2, 0x0A, 0x29, 0x12] } else { vec![0, 1, 2] })
            .prop_map(|byte: u8| SubscribeOptions::from_u8(byte).expect("legal"));
    let block = properties(PropertyOwner::Subscribe, version, Peer::Client);
    (packet_id(), block, vec((filter(), options), 1..6)).prop_map(
        |(packet_id, properties, filters)| {
            let filters = SubscribeFilters::of(leak(filters.into()));
            Packet::Subscribe(Subscribe { packet_id, properties, filters })
        },
    )
}

fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Packet<'static>> {
    let block = properties(PropertyOwner::Unsubscribe, version, Peer::Client);
    (packet_id(), block, vec(filter(), 1..6)).prop_map(|(packet_id, properties, filters)| {
        let filters = UnsubscribeFilters::of(leak(filters.into()));
        Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters })
    })
}

fn suback(version: ProtocolVersion) -> impl Strategy<Value = Packet<'static>> {
    let sub: &[u8] = if version.is_v5() { &[0, 1, 2, 0x80, 0x8F, 0xA2] } else { &[0, 1, 2, 0x80] };
    let block = move |owner| properties(owner, version, Peer::Server);
    let suback = (packet_id(), block(PropertyOwner::SubAck), vec(select(sub), 1..9)).prop_map(
        |(packet_id, properties, codes)| {
            Packet::SubAck(SubAck { packet_id, properties, reason_codes: leak(codes.into()) })
        },
    );
    let codes = vec(select(vec![0, 0x11, 0x87]), if version.is_v5() { 1..9 } else { 0..1_usize });
    let unsuback = (packet_id(), block(PropertyOwner::UnsubAck), codes).prop_map(
        |(packet_id, properties, codes)| {
            Packet::UnsubAck(UnsubAck { packet_id, properties, reason_codes: leak(codes.into()) })
        },
    );
    prop_oneof![suback, unsuback]
}

fn disconnect(version: ProtocolVersion, from: Peer) -> impl Strategy<Value = Packet<'static>> {
    let codes: &[u8] = match (version.is_v5(), from) {
        (false, _) => &[0],
        (true, Peer::Client) => &[0, 4, 0x81],
        (true, Peer::Server) => &[0, 0x8B, 0x8E, 0x97],
    };
    (code(codes), properties(PropertyOwner::Disconnect, version, from)).prop_map(
        |(reason_code, properties)| Packet::Disconnect(Disconnect { reason_code, properties }),
    )
}

fn auth(from: Peer) -> impl Strategy<Value = Packet<'static>> {
    let codes: &[u8] = if from == Peer::Client { &[0x18, 0x19] } else { &[0, 0x18] };
    (code(codes), properties(PropertyOwner::Auth, ProtocolVersion::V5, from))
        .prop_map(|(reason_code, properties)| Packet::Auth(Auth { reason_code, properties }))
}

/// Any packet that `from` may send in `version`.
pub fn packet(version: ProtocolVersion, from: Peer) -> BoxedStrategy<Packet<'static>> {
    let both = prop_oneof![
        3 => publish(version, from),
        1 => ack(version, from),
        1 => disconnect(version, from),
    ];
    let both = if version.is_v5() {
        prop_oneof![4 => both, 1 => auth(from)].boxed()
    } else {
        both.boxed()
    };
    match from {
        Peer::Client => prop_oneof![
            3 => both,
            1 => connect(version),
            1 => subscribe(version),
            1 => unsubscribe(version),
            1 => Just(Packet::PingReq),
        ]
        .boxed(),
        Peer::Server => {
            prop_oneof![3 => both, 1 => connack(version), 1 => suback(version), 1 => Just(Packet::PingResp)]
                .boxed()
        }
    }
}

/// That many cases; a failure is read off the log, and no file is left behind.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

/// A version, a sender and a packet of them.
pub fn any_packet() -> impl Strategy<Value = (ProtocolVersion, Peer, Packet<'static>)> {
    let versions =
        select(vec![ProtocolVersion::V3_1, ProtocolVersion::V3_1_1, ProtocolVersion::V5]);
    (versions, select(vec![Peer::Client, Peer::Server])).prop_flat_map(|(version, from)| {
        packet(version, from).prop_map(move |packet| (version, from, packet))
    })
}
