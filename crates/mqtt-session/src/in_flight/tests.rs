use super::*;

const WINDOW: u16 = 8;
const OK: ReasonCode = ReasonCode::SUCCESS;
const UNKNOWN: ReasonCode = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
const PROTOCOL_ERROR: ReasonCode = ReasonCode::PROTOCOL_ERROR;

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

fn origin(offset: u64) -> Origin {
    Origin::Queue { consumer: 1, offset, attempt: 1 }
}

fn send(in_flight: &mut InFlight, qos: QoS, offset: u64) -> PacketId {
    let id = in_flight.next_id();
    let slot =
        Slot { origin: origin(offset), mark: offset, delivery: None, awaiting: awaiting(qos) };
    in_flight.push(id, slot, WINDOW);
    assert!(in_flight.is_sound());
    id
}

#[test]
fn acknowledgements_that_fit_no_message_are_told_apart() {
    let mut in_flight = InFlight::default();
    let qos1 = send(&mut in_flight, QoS::AtLeastOnce, 0);
    let qos2 = send(&mut in_flight, QoS::ExactlyOnce, 1);
    let free = in_flight.next_id();
    for (id, expected) in [(free, UNKNOWN), (qos2, PROTOCOL_ERROR)] {
        assert_eq!(in_flight.puback(id), Err(expected));
    }
    for (id, expected) in [(free, UNKNOWN), (qos1, PROTOCOL_ERROR)] {
        assert_eq!(in_flight.pubrec(id, OK), Err(expected));
    }
    for (id, expected) in [(free, UNKNOWN), (qos1, PROTOCOL_ERROR), (qos2, PROTOCOL_ERROR)] {
        assert_eq!(in_flight.pubcomp(id), Err(expected));
    }
    assert_eq!(in_flight.pubrec(qos2, OK), Ok(Some(origin(1))));
    assert_eq!(in_flight.pubrec(qos2, OK), Ok(None), "a repeated PUBREC settles nothing");
    assert_eq!(in_flight.outstanding(), 2, "PUBREC frees no place, PUBCOMP does (§4.9)");
    assert_eq!(in_flight.pubcomp(qos2), Ok(()));
    assert_eq!(in_flight.pubcomp(qos2), Err(UNKNOWN));
    assert_eq!(in_flight.puback(qos1), Ok(origin(0)));
    assert_eq!(in_flight.puback(qos1), Err(UNKNOWN));
    assert_eq!(in_flight.outstanding(), 0);
}

#[test]
fn a_failed_pubrec_ends_the_handshake() {
    // [MQTT-4.4.0-2]
    let mut in_flight = InFlight::default();
    let id = send(&mut in_flight, QoS::ExactlyOnce, 5);
    assert_eq!(in_flight.pubrec(id, ReasonCode::QUOTA_EXCEEDED), Ok(Some(origin(5))));
    assert_eq!(in_flight.len(), 0);
    assert_eq!(in_flight.pubcomp(id), Err(UNKNOWN));
}

#[test]
fn packet_ids_run_in_a_ring_and_pass_those_in_use() {
    // [MQTT-2.2.1-4]: the stuck id is not given again, however long the rest goes round.
    let mut in_flight = InFlight::default();
    send(&mut in_flight, QoS::AtLeastOnce, 0);
    let stuck = send(&mut in_flight, QoS::ExactlyOnce, 77);
    assert_eq!(in_flight.puback(id(1)), Ok(origin(0)));
    let mut expected = stuck;
    for offset in 0..150_000 {
        expected = expected.next();
        if expected == stuck {
            expected = expected.next();
        }
        let id = send(&mut in_flight, QoS::AtLeastOnce, offset);
        assert_eq!(id, expected);
        assert_eq!(in_flight.puback(id), Ok(origin(offset)));
        assert!(
            in_flight.ring.len() <= span_max(WINDOW),
            "the ring does not stretch with the stuck one"
        );
        assert_eq!(in_flight.outstanding(), 1);
    }
    assert_eq!(in_flight.pubrec(stuck, OK), Ok(Some(origin(77))));
    assert_eq!(in_flight.pubcomp(stuck), Ok(()));
    assert_eq!((in_flight.outstanding(), in_flight.ring.len()), (0, 0));
    assert!(in_flight.carried.is_none() && in_flight.is_sound());
}

#[test]
fn acknowledgements_out_of_order_free_their_ids() {
    let mut in_flight = InFlight::above(0).starting_after(65_532);
    let ids: Vec<_> = (0..6).map(|offset| send(&mut in_flight, QoS::AtLeastOnce, offset)).collect();
    assert_eq!(
        ids.iter().map(|id| id.get()).collect::<Vec<_>>(),
        [65_533, 65_534, 65_535, 1, 2, 3]
    );
    for (at, left) in [(5, 6), (3, 6), (0, 5), (1, 4), (2, 2), (4, 0)] {
        assert_eq!(in_flight.puback(ids[at]), Ok(origin(at as u64)));
        assert!(in_flight.is_sound());
        assert_eq!(in_flight.ring.len(), left, "after {at}");
    }
}
