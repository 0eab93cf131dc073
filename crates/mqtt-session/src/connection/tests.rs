use super::*;
use crate::limits::ServerLimits;
use crate::negotiate::{ConnectRequest, negotiate};

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

fn connection(
    version: ProtocolVersion,
    change: impl FnOnce(&mut ConnectRequest<'_>),
) -> Connection {
    let mut request = ConnectRequest::new(version, "c", true);
    change(&mut request);
    let limits =
        ServerLimits { receive_maximum: 2, topic_alias_maximum: 3, ..ServerLimits::default() };
    Connection::new(
        &negotiate(&request, &limits, None).expect("acceptable"),
        Instant::from_millis(1000),
    )
}

#[test]
fn a_silent_client_is_gone_after_one_and_a_half_keep_alives() {
    // [MQTT-3.1.2-22]
    let mut connection = connection(ProtocolVersion::V5, |request| request.keep_alive = 5);
    assert_eq!(connection.keep_alive_deadline(), Some(Instant::from_millis(8500)));
    connection.on_packet(Instant::from_millis(4000));
    assert_eq!(connection.keep_alive_deadline(), Some(Instant::from_millis(11_500)));
    let none = self::connection(ProtocolVersion::V5, |request| request.keep_alive = 0);
    assert_eq!(none.keep_alive_deadline(), None);
}

#[test]
fn incoming_aliases_end_at_the_servers_maximum() {
    let mut connection = connection(ProtocolVersion::V5, |_| {});
    for (topic, alias, expected) in [
        ("a", None, Ok("a")),
        ("", None, Err(ReasonCode::PROTOCOL_ERROR)),
        ("a", Some(3), Ok("a")),
        ("", Some(3), Ok("a")),
        ("a", Some(4), Err(ReasonCode::TOPIC_ALIAS_INVALID)), // [MQTT-3.3.2-9]
        ("a", Some(0), Err(ReasonCode::TOPIC_ALIAS_INVALID)), // [MQTT-3.3.2-8]
        ("", Some(1), Err(ReasonCode::PROTOCOL_ERROR)),
    ] {
        assert_eq!(connection.resolve_alias(topic, alias), expected, "{topic:?} {alias:?}");
    }
}

#[test]
fn outgoing_aliases_only_as_far_as_the_client_takes_them() {
    // [MQTT-3.1.2-26], [MQTT-3.1.2-27]
    let mut none = connection(ProtocolVersion::V5, |_| {});
    assert_eq!(none.outgoing_alias("room/1"), OutgoingAlias::None);
    let mut one = connection(ProtocolVersion::V5, |request| request.topic_alias_maximum = 1);
    assert_eq!(one.outgoing_alias("room/1"), OutgoingAlias::First(1));
    assert_eq!(one.outgoing_alias("room/1"), OutgoingAlias::Known(1));
    assert_eq!(one.outgoing_alias("room/2"), OutgoingAlias::None);
    one.retract_alias(1);
    assert_eq!(one.outgoing_alias("room/2"), OutgoingAlias::First(1));
}

#[test]
fn the_servers_receive_maximum_holds_until_the_handshake_ends() {
    // [MQTT-3.3.4-7]; the client's places come back by §4.9
    let (qos1, qos2) = (QoS::AtLeastOnce, QoS::ExactlyOnce);
    let exceeded = Err(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
    let mut connection = connection(ProtocolVersion::V5, |_| {});
    assert_eq!(connection.begin_incoming(qos2), Ok(()));
    assert_eq!(connection.begin_incoming(qos1), Ok(()));
    assert_eq!(connection.begin_incoming(qos1), exceeded);
    assert_eq!(connection.begin_incoming(QoS::AtMostOnce), Ok(()), "QoS 0 takes no place");
    let ack = connection.ack_now(id(1), qos2, ReasonCode::SUCCESS).expect("none waits before it");
    assert_eq!(ack, ReadyAck { packet_id: id(1), qos: qos2, reason: ReasonCode::SUCCESS });
    assert_eq!(connection.begin_incoming(qos1), exceeded, "a good PUBREC frees no place");
    connection.pubcomp_sent();
    assert_eq!(connection.begin_incoming(qos2), Ok(()));
    let ticket = connection.ack_begin(id(2), qos2);
    connection.ack_ready(ticket, ReasonCode::QUOTA_EXCEEDED);
    assert!(connection.next_ack().is_some());
    assert_eq!(connection.begin_incoming(qos1), Ok(()), "a failed PUBREC frees one");
    assert_eq!(connection.begin_incoming(qos1), exceeded);
}

#[test]
fn before_5_0_a_client_is_held_not_disconnected() {
    let mut connection = connection(ProtocolVersion::V3_1_1, |_| {});
    let tickets: Vec<_> = (1..=3)
        .map(|number| {
            assert_eq!(connection.begin_incoming(QoS::AtLeastOnce), Ok(()));
            assert_eq!(connection.must_hold(), number > 2);
            connection.ack_begin(id(number), QoS::AtLeastOnce)
        })
        .collect();
    assert!(connection.must_hold());
    tickets.iter().take(2).for_each(|ticket| connection.ack_ready(*ticket, ReasonCode::SUCCESS));
    assert!(
        connection.next_ack().is_some()
            && connection.next_ack().is_some()
            && connection.next_ack().is_none()
    );
    assert!(!connection.must_hold());
    assert_eq!(connection.pending_acks(), 1);
}
