//! What a sender writes, byte for byte: PUBLISH with the hop's properties, its templates, acks, limits of lengths.

use mqtt_codec::{
    Ack, AckKind, Auth, ConnAck, Disconnect, EncodeError, EncodedPublish, Forwardable, Limits,
    OutgoingPublish, Packet, PacketType, Peer, Properties, PropertyBlock, PublishProperties,
    PublishTemplate, SubAck, UnsubAck, decode, encode, encode_ack, encode_publish,
    encoded_publish_len,
};
use mqtt_types::ProtocolVersion::{self, V3_1, V3_1_1, V5};
use mqtt_types::{PacketId, Property, QoS, ReasonCode};

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

fn full() -> OutgoingPublish<'static> {
    OutgoingPublish {
        dup: true,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: "a/b",
        packet_id: PacketId::new(0x0102),
        topic_alias: Some(9),
        message_expiry_interval: Some(60),
        subscription_identifiers: &[5, 200],
        properties: b"\x03\x00\x01t",
        user_properties: &[("k", "v")],
        payload: b"hello",
    }
}

#[test]
fn a_publish_is_written_with_what_the_hop_adds() {
    let block = b"\x18\x23\x00\x09\x02\x00\x00\x00\x3C\x0B\x05\x0B\xC8\x01\x03\x00\x01t\x26\x00\x01k\x00\x01v";
    let with_block = [&b"\x3B\x25\x00\x03a/b\x01\x02"[..], block, b"hello"].concat();
    let without = b"\x3B\x0C\x00\x03a/b\x01\x02hello".to_vec();
    for (version, expected) in [(V5, with_block), (V3_1_1, without.clone()), (V3_1, without)] {
        let mut out = b"before".to_vec();
        let encoded = encode_publish(&mut out, version, &full());
        assert_eq!(out.strip_prefix(b"before"), Some(&expected[..]));
        let len = expected.len();
        assert_eq!(encoded, Ok(EncodedPublish { len, packet_id_at: Some(7) }));
        assert_eq!(encoded_publish_len(version, &full()), Ok(len));
    }
}

/// `[MQTT-2.2.1-2]`, `[MQTT311-2.3.1-5]`
#[test]
fn qos_0_has_no_packet_id_and_all_else_has_one() {
    let at_qos_0 = OutgoingPublish { dup: false, qos: QoS::AtMostOnce, packet_id: None, ..full() };
    let mut out = Vec::new();
    let encoded = encode_publish(&mut out, V3_1_1, &at_qos_0).expect("legal");
    assert_eq!(out, b"\x31\x0A\x00\x03a/bhello");
    assert_eq!(encoded.packet_id_at, None);
    for (qos, packet_id) in
        [(QoS::AtMostOnce, Some(id(1))), (QoS::AtLeastOnce, None), (QoS::ExactlyOnce, None)]
    {
        let wrong = OutgoingPublish { qos, packet_id, ..full() };
        assert_eq!(encode_publish(&mut out, V5, &wrong), Err(EncodeError::PacketId));
    }
    assert_eq!(out, b"\x31\x0A\x00\x03a/bhello", "a failure leaves nothing");
}

/// `[MQTT-1.5.5-1]`
#[test]
fn every_length_of_the_header_is_right() {
    let payload = vec![0x55; 2_100_000];
    for len in [0, 100, 121, 122, 127, 128, 16_376, 16_377, 16_384, 2_097_144, 2_097_145, 2_100_000]
    {
        for version in [V3_1_1, V5] {
            let publish = OutgoingPublish { payload: &payload[..len], ..full() };
            let mut out = Vec::new();
            let encoded = encode_publish(&mut out, version, &publish).expect("legal");
            assert_eq!(encoded.len, out.len());
            assert_eq!(encoded_publish_len(version, &publish), Ok(out.len()));
            let at = encoded.packet_id_at.expect("QoS 1");
            assert_eq!(out.get(at..at + 2), Some(&[1, 2][..]));
            let limits = Limits { max_packet_size: Limits::MAX_PACKET_SIZE, ..Limits::default() };
            let decoded = decode(&out, version, &limits.from(Peer::Server));
            let Ok(Some((Packet::Publish(decoded), consumed))) = decoded else {
                panic!("{len}: {decoded:?}")
            };
            assert_eq!((consumed, decoded.payload.len()), (out.len(), len));
        }
    }
}

#[test]
fn what_is_too_long_is_refused_and_leaves_nothing() {
    let long = "x".repeat(65_536);
    let too_long = Err(EncodeError::FieldTooLong { len: 65_536 });
    let user_properties = [("k", long.as_str())];
    let mut out = b"before".to_vec();
    for publish in [
        OutgoingPublish { topic: &long, ..full() },
        OutgoingPublish { user_properties: &user_properties, ..full() },
    ] {
        assert_eq!(encode_publish(&mut out, V5, &publish), too_long);
    }
    let huge = vec![0; 268_435_456];
    let publish = OutgoingPublish { payload: &huge, ..full() };
    assert!(matches!(
        encode_publish(&mut out, V3_1_1, &publish),
        Err(EncodeError::PacketTooLong { .. })
    ));
    let reason = Some(long.as_str());
    let result = encode_ack(&mut out, V5, AckKind::PubAck, id(1), ReasonCode::SUCCESS, reason);
    assert_eq!(result, too_long.map(|_: EncodedPublish| ()));
    assert_eq!(out, b"before");
}

#[test]
fn a_template_gives_the_same_bytes_as_encoding_anew() {
    for version in [V3_1_1, V5] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let publish = OutgoingPublish { dup: false, qos, packet_id: None, ..full() };
            let template = PublishTemplate::new(version, &publish).expect("legal");
            for number in [1, 0x0203, 0xFFFF] {
                for dup in [false, true] {
                    let packet_id = template.needs_packet_id().then(|| id(number));
                    let dup = dup && packet_id.is_some();
                    let mut anew = b"x".to_vec();
                    let receiver = OutgoingPublish { dup, packet_id, ..publish };
                    encode_publish(&mut anew, version, &receiver).expect("legal");
                    let mut copy = b"x".to_vec();
                    template.write_to(&mut copy, packet_id, dup).expect("fits");
                    assert_eq!(copy, anew);
                    assert_eq!(template.len(), copy.len() - 1);
                    let (head, tail) = template.parts();
                    assert!(dup || copy[1..].starts_with(head) && copy.ends_with(tail));
                }
            }
            let wrong = if template.needs_packet_id() { None } else { Some(id(1)) };
            let mut out = Vec::new();
            assert_eq!(template.write_to(&mut out, wrong, false), Err(EncodeError::PacketId));
            assert!(out.is_empty());
        }
    }
}

#[test]
fn dup_is_never_set_at_qos_0() {
    let publish = OutgoingPublish { qos: QoS::AtMostOnce, packet_id: None, ..full() };
    let template = PublishTemplate::new(V5, &OutgoingPublish { dup: false, ..publish });
    let mut out = Vec::new();
    template.expect("legal").write_to(&mut out, None, true).expect("fits");
    encode_publish(&mut out, V5, &publish).expect("legal");
    let second = out.len() / 2;
    assert_eq!((out[0], out[second]), (0x31, 0x31), "[MQTT-3.3.1-2]");
}

#[test]
fn acks_are_as_short_as_they_can_be() {
    let reason = Some("r");
    for (version, kind, code, reason, expected) in [
        (V5, AckKind::PubAck, ReasonCode::SUCCESS, None, &b"\x40\x02\x00\x07"[..]),
        (V5, AckKind::PubRec, ReasonCode::QUOTA_EXCEEDED, None, b"\x50\x03\x00\x07\x97"),
        (V5, AckKind::PubRel, ReasonCode::SUCCESS, None, b"\x62\x02\x00\x07"),
        (V5, AckKind::PubComp, ReasonCode::SUCCESS, None, b"\x70\x02\x00\x07"),
        (
            V5,
            AckKind::PubAck,
            ReasonCode::SUCCESS,
            reason,
            b"\x40\x08\x00\x07\x00\x04\x1F\x00\x01r",
        ),
        (V3_1_1, AckKind::PubAck, ReasonCode::QUOTA_EXCEEDED, reason, b"\x40\x02\x00\x07"),
    ] {
        let mut out = Vec::new();
        encode_ack(&mut out, version, kind, id(7), code, reason).expect("short");
        assert_eq!(out, expected);
    }
}

#[test]
fn no_properties_are_a_length_of_0_and_in_short_answers_not_even_that() {
    // [MQTT-2.2.2-1]
    let publish = OutgoingPublish { topic: "t", ..OutgoingPublish::default() };
    let mut out = Vec::new();
    encode_publish(&mut out, V5, &publish).expect("legal");
    assert_eq!(out, b"\x30\x04\x00\x01t\x00");
    let (reason_code, properties) = (ReasonCode::SUCCESS, Properties::EMPTY);
    let connack = ConnAck { session_present: false, reason_code, properties };
    assert_eq!(encoded(&Packet::ConnAck(connack), V5), b"\x20\x03\x00\x00\x00");
    let suback = SubAck { packet_id: id(7), properties, reason_codes: &[1] };
    assert_eq!(encoded(&Packet::SubAck(suback), V5), b"\x90\x04\x00\x07\x00\x01");
    let disconnect = Disconnect { reason_code: ReasonCode(0x8B), properties };
    assert_eq!(encoded(&Packet::Disconnect(disconnect), V5), b"\xE0\x01\x8B");
}

fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut out = Vec::new();
    encode(packet, version, &mut out).expect("legal");
    out
}

/// `[MQTT31-2]`, `[MQTT31-8]`, `[MQTT311-3.9.3-2]`
#[test]
fn before_5_0_answers_say_what_they_can() {
    let block = PropertyBlock::of(&[Property::ReasonString("r")]).expect("short");
    let properties = block.properties();
    let connack = Packet::ConnAck(ConnAck {
        session_present: true,
        reason_code: ReasonCode::SUCCESS,
        properties,
    });
    assert_eq!(encoded(&connack, V5), b"\x20\x07\x01\x00\x04\x1F\x00\x01r");
    assert_eq!(encoded(&connack, V3_1_1), b"\x20\x02\x01\x00");
    assert_eq!(encoded(&connack, V3_1), b"\x20\x02\x00\x00");
    let suback =
        Packet::SubAck(SubAck { packet_id: id(7), properties, reason_codes: &[1, 0x87, 0x8F] });
    assert_eq!(encoded(&suback, V5), b"\x90\x0A\x00\x07\x04\x1F\x00\x01r\x01\x87\x8F");
    assert_eq!(encoded(&suback, V3_1_1), b"\x90\x05\x00\x07\x01\x80\x80");
    let unsuback =
        Packet::UnsubAck(UnsubAck { packet_id: id(7), properties, reason_codes: &[0x11] });
    assert_eq!(encoded(&unsuback, V5), b"\xB0\x08\x00\x07\x04\x1F\x00\x01r\x11");
    assert_eq!(encoded(&unsuback, V3_1_1), b"\xB0\x02\x00\x07");
    let disconnect = Packet::Disconnect(Disconnect { reason_code: ReasonCode(0x8B), properties });
    assert_eq!(encoded(&disconnect, V5), b"\xE0\x06\x8B\x04\x1F\x00\x01r");
    assert_eq!(encoded(&disconnect, V3_1_1), b"\xE0\x00");
    assert_eq!(encoded(&Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS)), V5), b"\xE0\x00");
    let ack = Packet::PubRel(Ack::new(id(7), ReasonCode(0x92)));
    assert_eq!(encoded(&ack, V5), b"\x62\x03\x00\x07\x92");
    assert_eq!(encoded(&ack, V3_1), b"\x62\x02\x00\x07");
    let auth =
        Packet::Auth(Auth { reason_code: ReasonCode::SUCCESS, properties: Properties::EMPTY });
    let error = Err(EncodeError::NotInVersion(PacketType::Auth));
    assert_eq!(encode(&auth, V3_1_1, &mut Vec::new()), error);
}

#[test]
fn what_is_forwarded_is_the_same_slice_where_it_can_be() {
    let alias = &b"\x23\x00\x09"[..];
    let expiry = &b"\x02\x00\x00\x00\x3C"[..];
    let identifier = &b"\x0B\x05"[..];
    let kept = &b"\x03\x00\x01t"[..];
    let user = &b"\x26\x00\x01k\x00\x01v"[..];
    for (block, parts) in [
        (vec![], vec![&b""[..]]),
        (vec![kept, user], vec![&b"\x03\x00\x01t\x26\x00\x01k\x00\x01v"[..]]),
        (vec![alias, expiry, kept], vec![kept]),
        (vec![kept, expiry, identifier], vec![kept]),
        (vec![expiry, user, alias], vec![user]),
        (vec![kept, alias, user], vec![kept, user]),
        (vec![kept, alias, user, expiry, user], vec![kept, user, user]),
        (vec![alias, expiry], vec![b""]),
    ] {
        let raw = block.concat();
        let properties = PublishProperties::parse(&raw, Peer::Server).expect("legal");
        let forwardable = properties.forwardable();
        assert_eq!(forwardable.parts(), parts, "{raw:02X?}");
        assert_eq!(matches!(forwardable, Forwardable::Whole(_)), parts.len() == 1);
        let mut out = Vec::new();
        forwardable.write_to(&mut out);
        assert_eq!(out, parts.concat());
        assert_eq!(forwardable.len(), out.len());
        assert_eq!(forwardable.is_empty(), out.is_empty());
        if let [one] = forwardable.parts()
            && !one.is_empty()
        {
            assert!(raw.as_ptr_range().contains(&one.as_ptr()), "no copy");
        }
    }
}
