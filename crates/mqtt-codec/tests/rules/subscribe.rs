//! SUBSCRIBE (§3.8) and UNSUBSCRIBE (§3.10).

use mqtt_codec::{Limits, Packet, RetainHandling, SubscribeOptions, decode};
use mqtt_types::{FilterError, PropertyId, QoS};

use crate::verdict::*;

/// The body of a SUBSCRIBE of 5.0 to one filter.
fn subscribe(filter: &[u8], options: u8) -> Vec<u8> {
    [&b"\x00\x01\x00\x00"[..], &[filter.len() as u8], filter, &[options]].concat()
}

/// `[MQTT311-4.7.1-2]`, `[MQTT311-4.7.1-3]`, `[MQTT311-4.7.3-1]`, `[MQTT311-4.7.3-2]`, `[MQTT311-3.8.3-1]`,
/// `[MQTT311-3.10.3-1]`: as in 5.0.
#[test]
fn filters_in_every_version() {
    let single = Err(Kind::Filter(FilterError::SingleLevel));
    let multi = Err(Kind::Filter(FilterError::MultiLevel));
    for (clause, filter, expected) in [
        ("plain", &b"a/b"[..], Ok(())),
        ("wildcards", b"+/a/+/#", Ok(())),
        ("all", b"#", Ok(())),
        ("queue by filter", b"$q/sensor/+/data", Ok(())),
        ("queue", b"$queue/billing", Ok(())),
        ("a bad queue name is not the codec's matter", b"$queue/-x", Ok(())),
        ("stream", b"$s/soon/a", Ok(())),
        ("[MQTT-4.7.1-2]", b"a+/b", single),
        ("[MQTT-4.7.1-2]", b"+a", single),
        ("[MQTT-4.7.1-1]", b"a#", multi),
        ("[MQTT-4.7.1-1]", b"#/a", multi),
        ("[MQTT-4.7.1-1] of a queue", b"$q/#/a", multi),
        ("[MQTT-4.7.3-1]", b"", Err(Kind::Filter(FilterError::Empty))),
        ("[MQTT-1.5.4-2]", b"a\x00", Err(Kind::StringHasNull)),
        ("[MQTT-1.5.4-1]", b"\xED\xBF\xBF", Err(Kind::StringNotUtf8)),
    ] {
        let body = subscribe(filter, 0);
        check(V5, Client, &[(clause, 0x82, &body, expected)]);
        check(V5, Client, &[(clause, 0xA2, &body[..body.len() - 1], expected)]);
        let before_5 = [&body[..2], &body[3..]].concat();
        for version in [V3_1, V3_1_1] {
            check(version, Client, &[(clause, 0x82, &before_5, expected)]);
            check(version, Client, &[(clause, 0xA2, &before_5[..before_5.len() - 1], expected)]);
        }
    }
}

#[test]
fn shared_subscriptions() {
    for (clause, filter, options, expected) in [
        ("§4.8.2", &b"$share/g/a/#"[..], 1, Ok(())),
        ("§4.8.2", b"$share/g//", 1, Ok(())),
        ("a queue within is not the codec's matter", b"$share/g/$q/a", 1, Ok(())),
        ("[MQTT-4.8.2-1] empty name", b"$share//a", 1, Err(Kind::ShareName)),
        ("[MQTT-4.8.2-2] wildcard name", b"$share/+/a", 1, Err(Kind::ShareName)),
        ("[MQTT-4.8.2-2] no filter", b"$share/g", 1, Err(Kind::ShareName)),
        ("[MQTT-4.8.2-2] empty filter", b"$share/g/", 1, Err(Kind::ShareName)),
        ("[MQTT-4.7.1-2]", b"$share/g/a+", 1, Err(Kind::Filter(FilterError::SingleLevel))),
        ("[MQTT-3.8.3-4] No Local", b"$share/g/a", 0x04, Err(Kind::NoLocalShared)),
        ("No Local", b"a", 0x04, Ok(())),
        ("not shared", b"$shared/g", 0x04, Ok(())),
    ] {
        let body = subscribe(filter, options);
        check(V5, Client, &[(clause, 0x82, &body, expected)]);
    }
    check(V3_1_1, Client, &[("no such form", 0x82, b"\x00\x01\x00\x08$share/g\x01", Ok(()))]);
}

#[test]
fn options() {
    for byte in 0..=u8::MAX {
        let expected = match byte {
            0x40.. => Err(Kind::SubscriptionOptionsReserved), // [MQTT-3.8.3-5]
            _ if byte & 3 == 3 => Err(Kind::SubscriptionQoS3),
            _ if byte >> 4 == 3 => Err(Kind::RetainHandling3),
            _ => Ok(()),
        };
        check(V5, Client, &[("§3.8.3.1", 0x82, &subscribe(b"a", byte), expected)]);
        let expected = match byte {
            0..=2 => Ok(()),
            3 => Err(Kind::SubscriptionQoS3),
            _ => Err(Kind::SubscriptionOptionsReserved), // [MQTT311-3.8.3-4]
        };
        check(V3_1_1, Client, &[("3.1.1", 0x82, &[0, 1, 0, 1, b'a', byte], expected)]);
        // 3.1 leaves the upper six bits unused.
        let expected = if byte & 3 == 3 { Err(Kind::SubscriptionQoS3) } else { Ok(()) };
        check(V3_1, Client, &[("3.1", 0x82, &[0, 1, 0, 1, b'a', byte], expected)]);
        if let Ok(options) = SubscribeOptions::from_u8(byte) {
            assert_eq!(options.as_u8(), byte);
        }
    }
}

#[test]
fn there_is_a_filter_and_nothing_behind() {
    check(
        V5,
        Client,
        &[
            ("[MQTT-3.8.3-2]", 0x82, b"\x00\x01\x00", Err(Kind::NoFilter)),
            ("[MQTT-3.10.3-2]", 0xA2, b"\x00\x01\x00", Err(Kind::NoFilter)),
            ("[MQTT-2.2.1-3]", 0x82, b"\x00\x00\x00\x00\x01a\x00", Err(Kind::PacketIdZero)),
            ("[MQTT-2.2.1-3]", 0xA2, b"\x00\x00\x00\x00\x01a", Err(Kind::PacketIdZero)),
            ("no options", 0x82, b"\x00\x01\x00\x00\x01a", Err(Kind::Truncated)),
            ("trailing", 0x82, b"\x00\x01\x00\x00\x01a\x00\x00", Err(Kind::Truncated)),
            ("trailing", 0xA2, b"\x00\x01\x00\x00\x01a\x00", Err(Kind::Truncated)),
            (
                "second filter is bad",
                0x82,
                b"\x00\x01\x00\x00\x01a\x00\x00\x01b\x03",
                Err(Kind::SubscriptionQoS3),
            ),
        ],
    );
    for version in [V3_1, V3_1_1] {
        check(
            version,
            Client,
            &[
                ("[MQTT311-3.8.3-3]", 0x82, b"\x00\x01", Err(Kind::NoFilter)),
                ("[MQTT311-3.10.3-2]", 0xA2, b"\x00\x01", Err(Kind::NoFilter)),
            ],
        );
    }
}

#[test]
fn subscription_identifier() {
    let id = PropertyId::SubscriptionIdentifier;
    check(
        V5,
        Client,
        &[
            ("one", 0x82, b"\x00\x01\x02\x0B\x01\x00\x01a\x00", Ok(())),
            ("greatest", 0x82, b"\x00\x01\x05\x0B\xFF\xFF\xFF\x7F\x00\x01a\x00", Ok(())),
            (
                "§3.8.2.1.2 zero",
                0x82,
                b"\x00\x01\x02\x0B\x00\x00\x01a\x00",
                Err(Kind::PropertyValue(id)),
            ),
            (
                "§3.8.2.1.2 two",
                0x82,
                b"\x00\x01\x04\x0B\x01\x0B\x02\x00\x01a\x00",
                Err(Kind::PropertyTwice(id)),
            ),
            (
                "§3.10.2.1 not here",
                0xA2,
                b"\x00\x01\x02\x0B\x01\x00\x01a",
                Err(Kind::PropertyNotAllowed(id)),
            ),
        ],
    );
}

#[test]
fn filters_come_out_in_order_with_their_options() {
    let bytes = packet(0x82, b"\x00\x07\x02\x0B\x05\x00\x01a\x2E\x00\x03b/#\x01");
    let Ok(Some((Packet::Subscribe(subscribe), _))) = decode(&bytes, V5, &Limits::default()) else {
        panic!("legal")
    };
    assert_eq!(subscribe.packet_id.get(), 7);
    assert_eq!(subscribe.subscription_identifier(), Some(5));
    let all_on = SubscribeOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let expected = [("a", all_on), ("b/#", SubscribeOptions::qos(QoS::AtLeastOnce))];
    assert_eq!(subscribe.filters.iter().collect::<Vec<_>>(), expected);
    // What 3.1 does not use is not taken for options of 5.0.
    let bytes = packet(0x82, b"\x00\x07\x00\x01a\x2E");
    let Ok(Some((Packet::Subscribe(subscribe), _))) = decode(&bytes, V3_1, &Limits::default())
    else {
        panic!("legal")
    };
    let expected = [("a", SubscribeOptions::qos(QoS::ExactlyOnce))];
    assert_eq!(subscribe.filters.iter().collect::<Vec<_>>(), expected);
    let bytes = packet(0xA2, b"\x00\x07\x00\x00\x01a\x00\x03b/#");
    let Ok(Some((Packet::Unsubscribe(unsubscribe), _))) = decode(&bytes, V5, &Limits::default())
    else {
        panic!("legal")
    };
    assert_eq!(unsubscribe.filters.iter().collect::<Vec<_>>(), ["a", "b/#"]);
}

#[test]
fn a_server_may_answer_bad_filters_itself() {
    let limits = Limits { check_filters: false, max_topic_levels: 3, ..Limits::default() };
    for (filter, options, expected) in [
        (&b"a+/b"[..], 0, Ok(())),
        (b"", 0, Ok(())),
        (b"$share//a", 0, Ok(())),
        (b"$share/g/a", 4, Err(Kind::NoLocalShared)),
        (b"a\x00", 0, Err(Kind::StringHasNull)),
        (b"a/b/c/d", 0, Ok(())),
    ] {
        let bytes = packet(0x82, &subscribe(filter, options));
        let verdict = decode(&bytes, V5, &limits).map(|_| ()).map_err(|error| error.kind);
        assert_eq!(verdict, expected, "{filter:02X?}");
    }
}
