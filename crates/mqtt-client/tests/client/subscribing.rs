use mqtt_client::{PropertyBlock, SubscribeOptions};
use mqtt_codec::{Packet, Properties, SubAck, UnsubAck};
use mqtt_types::{Property, QoS, ReasonCode};

use crate::script::{SOON, connected, id};

#[test]
fn subscribing_tells_the_truth_filter_by_filter() {
    let (client, server) = connected(|peer| {
        peer.expect(|packet| {
            let Packet::Subscribe(subscribe) = packet else { panic!("{packet:?}") };
            let filters: Vec<_> =
                subscribe.filters.iter().map(|(filter, options)| (filter, options.qos)).collect();
            assert_eq!(filters, [("a/#", QoS::AtLeastOnce), ("$q/b", QoS::ExactlyOnce)]);
            assert_eq!(subscribe.properties.user_property("metadata"), Some("on"));
        });
        let block = PropertyBlock::of(&[Property::ReasonString("queue 'b' does not exist")])
            .expect("short");
        let suback =
            SubAck { packet_id: id(1), properties: block.properties(), reason_codes: &[1, 0x83] };
        peer.send(&Packet::SubAck(suback));
        peer.expect(|packet| {
            let Packet::Unsubscribe(unsubscribe) = packet else { panic!("{packet:?}") };
            assert_eq!(unsubscribe.filters.iter().collect::<Vec<_>>(), ["a/#"]);
        });
        let unsuback =
            UnsubAck { packet_id: id(2), properties: Properties::EMPTY, reason_codes: &[0x11] };
        peer.send(&Packet::UnsubAck(unsuback));
        peer.expect_end();
    });
    let block = PropertyBlock::of(&[Property::UserProperty("metadata", "on")]).expect("short");
    let filters = [
        ("a/#", SubscribeOptions::qos(QoS::AtLeastOnce)),
        ("$q/b", SubscribeOptions::qos(QoS::ExactlyOnce)),
    ];
    let outcomes = client.subscribe(&filters, &block, SOON).expect("answered");
    let codes = [ReasonCode::GRANTED_QOS_1, ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR];
    assert_eq!(outcomes.reason_codes, codes);
    assert_eq!(outcomes.reason_string.as_deref(), Some("queue 'b' does not exist"));
    let outcomes = client.unsubscribe(&["a/#"], SOON).expect("answered");
    assert_eq!(outcomes.reason_codes, [ReasonCode::NO_SUBSCRIPTION_EXISTED]);
    drop(client);
    server.join().expect("the script holds");
}
