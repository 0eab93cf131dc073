use mqtt_client::{Error, Outgoing, PropertyBlock, PublishOutcome};
use mqtt_codec::{Ack, Packet};
use mqtt_types::{Property, ProtocolVersion, QoS, ReasonCode};

use crate::script::{Peer, SOON, connected, connected_as, id, serve};

fn expect_publish(peer: &mut Peer, qos: QoS, payload: &[u8]) {
    peer.expect(|packet| match packet {
        Packet::Publish(publish) => assert_eq!((publish.qos, publish.payload), (qos, payload)),
        other => panic!("{other:?} is no PUBLISH"),
    });
}

fn message(qos: QoS, payload: &[u8]) -> Outgoing<'_> {
    Outgoing { topic: "a/b", payload, qos, ..Outgoing::default() }
}

#[test]
fn each_qos_has_its_exchange_in_each_version() {
    for version in [ProtocolVersion::V3_1, ProtocolVersion::V3_1_1, ProtocolVersion::V5] {
        let (client, server) = connected_as(
            |options| options.version = version,
            |peer| {
                expect_publish(peer, QoS::AtMostOnce, b"0");
                expect_publish(peer, QoS::AtLeastOnce, b"1");
                peer.send(&Packet::PubAck(Ack::new(id(1), ReasonCode::SUCCESS)));
                expect_publish(peer, QoS::ExactlyOnce, b"2");
                peer.send(&Packet::PubRec(Ack::new(id(2), ReasonCode::NO_MATCHING_SUBSCRIBERS)));
                peer.expect(|packet| {
                    assert_eq!(*packet, Packet::PubRel(Ack::new(id(2), ReasonCode::SUCCESS)))
                });
                peer.send(&Packet::PubComp(Ack::new(id(2), ReasonCode::SUCCESS)));
                peer.expect_end();
            },
        );
        let last =
            if version.is_v5() { ReasonCode::NO_MATCHING_SUBSCRIBERS } else { ReasonCode::SUCCESS };
        for (qos, payload, code) in [
            (QoS::AtMostOnce, b"0", ReasonCode::SUCCESS),
            (QoS::AtLeastOnce, b"1", ReasonCode::SUCCESS),
            (QoS::ExactlyOnce, b"2", last),
        ] {
            let outcome = client.publish(&message(qos, payload), SOON).expect("answered");
            assert_eq!(outcome.reason_code, code, "{version:?} {qos:?}");
        }
        assert_eq!(client.outstanding(), 0);
        drop(client);
        server.join().expect("the script holds");
    }
}

#[test]
fn properties_and_the_retain_flag_go_along() {
    let (client, server) = connected(|peer| {
        peer.expect(|packet| {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            assert!(publish.retain);
            assert_eq!(publish.properties.message_expiry_interval, Some(5));
            assert_eq!(publish.properties.user_properties().collect::<Vec<_>>(), [("k", "v")]);
        });
    });
    let block =
        PropertyBlock::of(&[Property::MessageExpiryInterval(5), Property::UserProperty("k", "v")]);
    let block = block.expect("short");
    let message =
        Outgoing { topic: "a", retain: true, properties: Some(&block), ..Outgoing::default() };
    client.send(&message).expect("sent");
    server.join().expect("the script holds");
}

#[test]
fn refusals_reach_the_publisher_with_their_words() {
    let (client, server) = connected(|peer| {
        let block =
            PropertyBlock::of(&[Property::ReasonString("queue 'q' is full")]).expect("short");
        let refusal =
            Ack { properties: block.properties(), ..Ack::new(id(1), ReasonCode::QUOTA_EXCEEDED) };
        expect_publish(peer, QoS::AtLeastOnce, b"x");
        peer.send(&Packet::PubAck(refusal));
        expect_publish(peer, QoS::ExactlyOnce, b"y");
        peer.send(&Packet::PubRec(Ack { packet_id: id(2), ..refusal }));
        peer.expect_end();
    });
    let expected = PublishOutcome {
        reason_code: ReasonCode::QUOTA_EXCEEDED,
        reason_string: Some("queue 'q' is full".to_owned()),
    };
    for (qos, payload) in [(QoS::AtLeastOnce, b"x"), (QoS::ExactlyOnce, b"y")] {
        assert_eq!(client.publish(&message(qos, payload), SOON).expect("answered"), expected);
    }
    drop(client);
    server.join().expect("the script holds");
}

#[test]
fn pipelined_publishes_keep_to_the_receive_maximum() {
    let (mut options, server) = serve(|peer| {
        peer.accept(PropertyBlock::of(&[Property::ReceiveMaximum(2)]).expect("short").properties());
        for number in 0..5_u16 {
            if number >= 2 {
                peer.send(&Packet::PubAck(Ack::new(id(number - 1), ReasonCode::SUCCESS)));
            }
            expect_publish(peer, QoS::AtLeastOnce, &[number.to_be_bytes()[1]]);
        }
        for number in [5, 4] {
            peer.send(&Packet::PubAck(Ack::new(id(number), ReasonCode::SUCCESS)));
        }
        peer.expect(|packet| assert!(matches!(packet, Packet::Disconnect(_))));
        peer.expect_end();
    });
    options.write_timeout = SOON;
    let client = mqtt_client::Client::connect(&options).expect("accepted");
    let tickets: Vec<_> = (0..5)
        .map(|number| client.send(&message(QoS::AtLeastOnce, &[number])).expect("sent"))
        .collect();
    assert!(client.outstanding() <= 2);
    for ticket in tickets {
        assert_eq!(ticket.wait(SOON).expect("answered"), PublishOutcome::success());
    }
    client.disconnect(ReasonCode::SUCCESS).expect("orderly");
    server.join().expect("the script holds");
}

#[test]
fn a_publisher_that_waits_is_told_when_the_connection_ends_or_time_runs_out() {
    let (mut options, server) = serve(|peer| {
        peer.accept(PropertyBlock::of(&[Property::ReceiveMaximum(1)]).expect("short").properties());
        expect_publish(peer, QoS::AtLeastOnce, b"x");
    });
    options.write_timeout = std::time::Duration::from_millis(20);
    let client = mqtt_client::Client::connect(&options).expect("accepted");
    let ticket = client.send(&message(QoS::AtLeastOnce, b"x")).expect("sent");
    server.join().expect("the script holds");
    assert!(matches!(ticket.wait(SOON), Err(Error::Closed(_))));
    assert!(matches!(client.send(&message(QoS::AtLeastOnce, b"y")), Err(Error::Closed(_))));
    assert!(matches!(client.send(&message(QoS::AtMostOnce, b"y")), Err(Error::Closed(_))));

    let (client, server) = connected(|peer| {
        expect_publish(peer, QoS::AtLeastOnce, b"x");
        peer.expect_end();
    });
    let outcome =
        client.publish(&message(QoS::AtLeastOnce, b"x"), std::time::Duration::from_millis(20));
    assert!(matches!(outcome, Err(Error::Timeout { packet: "PUBACK", .. })));
    drop(client);
    server.join().expect("the script holds");
}

#[test]
fn what_is_no_packet_is_refused_and_takes_no_packet_identifier() {
    let (client, server) = connected(|peer| peer.expect_end());
    let topic = "x".repeat(70_000);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let sent = client.send(&Outgoing { topic: &topic, qos, ..Outgoing::default() });
        assert!(matches!(sent, Err(Error::Encode(_))));
    }
    assert_eq!(client.outstanding(), 0);
    drop(client);
    server.join().expect("the script holds");
}
