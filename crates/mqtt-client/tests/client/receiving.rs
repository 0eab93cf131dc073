use mqtt_client::{Acknowledge, Error, PropertyBlock};
use mqtt_codec::{Ack, OutgoingPublish, Packet, encode_publish};
use mqtt_types::{Property, ProtocolVersion, QoS, ReasonCode};

use crate::script::{Peer, SOON, connected, connected_as, id};

fn deliver(peer: &mut Peer, publish: &OutgoingPublish<'_>) {
    let mut out = Vec::new();
    encode_publish(&mut out, peer.version, publish).expect("legal");
    peer.send_bytes(&out);
}

fn message(qos: QoS, number: u16) -> OutgoingPublish<'static> {
    let packet_id = (qos != QoS::AtMostOnce).then(|| id(number));
    OutgoingPublish { topic: "a/b", payload: b"x", qos, packet_id, ..OutgoingPublish::default() }
}

#[test]
fn messages_are_accepted_as_they_are_handed_out() {
    for version in [ProtocolVersion::V3_1, ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let (client, server) = connected_as(
            |options| options.version = version,
            |peer| {
                deliver(peer, &message(QoS::AtMostOnce, 0));
                deliver(peer, &message(QoS::AtLeastOnce, 7));
                peer.expect(|packet| {
                    assert_eq!(*packet, Packet::PubAck(Ack::new(id(7), ReasonCode::SUCCESS)))
                });
                deliver(peer, &message(QoS::ExactlyOnce, 8));
                peer.expect(|packet| {
                    assert_eq!(*packet, Packet::PubRec(Ack::new(id(8), ReasonCode::SUCCESS)))
                });
                peer.send(&Packet::PubRel(Ack::new(id(8), ReasonCode::SUCCESS)));
                peer.expect(|packet| {
                    assert_eq!(*packet, Packet::PubComp(Ack::new(id(8), ReasonCode::SUCCESS)))
                });
            },
        );
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let delivery = client.next(SOON).expect("open").expect("a message");
            assert_eq!(
                (delivery.topic.as_str(), &delivery.payload[..], delivery.qos),
                ("a/b", &b"x"[..], qos)
            );
        }
        assert!(matches!(client.next(SOON), Err(Error::Closed(_))), "the script is through");
        server.join().expect("the script holds");
    }
}

#[test]
fn a_manual_client_settles_with_the_code_it_chooses_or_not_at_all() {
    let codes = [ReasonCode::SUCCESS, ReasonCode(0x83), ReasonCode(0x97), ReasonCode(0x99)];
    let (client, server) = connected_as(
        |options| options.acknowledge = Acknowledge::Manually,
        move |peer| {
            deliver(peer, &message(QoS::AtLeastOnce, 1));
            for (number, code) in (2..).zip(codes) {
                deliver(peer, &message(QoS::AtLeastOnce, number));
                peer.expect(|packet| match packet {
                    Packet::PubAck(ack) => {
                        assert_eq!((ack.packet_id, ack.reason_code), (id(number), code));
                        assert_eq!(ack.properties.reason_string(), Some("because"));
                    }
                    other => panic!("{other:?} is no PUBACK"),
                });
            }
        },
    );
    client.next(SOON).expect("open").expect("a message that is never settled");
    for code in codes {
        let delivery = client.next(SOON).expect("open").expect("a message");
        client.settle(&delivery, code, Some("because")).expect("short");
    }
    assert!(matches!(client.next(SOON), Err(Error::Closed(_))), "the script is through");
    server.join().expect("the script holds");
}

#[test]
fn properties_come_along_and_topic_aliases_are_resolved() {
    let (client, server) = connected(|peer| {
        let block = PropertyBlock::of(&[Property::UserProperty("queue", "q")]).expect("short");
        let first = OutgoingPublish {
            topic_alias: Some(1),
            properties: block.properties().raw(),
            subscription_identifiers: &[5, 6],
            ..message(QoS::AtMostOnce, 0)
        };
        deliver(peer, &first);
        deliver(peer, &OutgoingPublish { topic: "", ..first });
        deliver(peer, &OutgoingPublish { topic: "", topic_alias: Some(2), ..first });
    });
    for _ in 0..2 {
        let delivery = client.next(SOON).expect("open").expect("a message");
        assert_eq!(delivery.topic, "a/b");
        assert_eq!(delivery.properties().user_property("queue"), Some("q"));
        assert_eq!(delivery.properties().subscription_identifiers().collect::<Vec<_>>(), [5, 6]);
    }
    let error = client.next(SOON).expect_err("an alias that was never set").to_string();
    assert!(error.contains("topic alias"), "{error}");
    server.join().expect("the script holds");
}

#[test]
fn a_user_who_does_not_read_holds_the_server_back_and_loses_nothing() {
    let (client, server) = connected_as(
        |options| options.max_waiting_messages = 1,
        |peer| (0..100).for_each(|_| deliver(peer, &message(QoS::AtMostOnce, 0))),
    );
    server.join().expect("the script holds");
    for _ in 0..100 {
        client.next(SOON).expect("what came before the end is handed out").expect("a message");
    }
    assert!(matches!(client.next(SOON), Err(Error::Closed(_))));
}
