//! What a message costs the session.

use divan::{Bencher, black_box};
use mqtt_session::{
    Admission, ConnectRequest, Negotiated, Origin, ServerLimits, Session, negotiate,
};
use mqtt_types::{PacketId, ProtocolVersion, QoS, ReasonCode};
use stdx::UnixMillis;

fn main() {
    divan::main();
}

fn negotiated() -> Negotiated {
    let request = ConnectRequest::new(ProtocolVersion::V5, "bench", true);
    negotiate(&request, &ServerLimits::default(), None).expect("acceptable")
}

fn connected() -> Session {
    let negotiated = negotiated();
    let mut session = Session::new(&negotiated);
    session.attach(&negotiated, None, UnixMillis(0));
    session
}

fn send(session: &mut Session, qos: QoS) -> PacketId {
    let Admission::Send(Some(id)) = session.admit(black_box(qos), true) else {
        panic!("the window is open");
    };
    session.sent(Some(id), qos, Origin::Queue { consumer: 1, offset: 2, attempt: 1 }, None, 3);
    id
}

/// admit, sent, on_puback with that many messages in flight.
#[divan::bench(args = [0, 31, 1023], sample_size = 10_000)]
fn qos1_round(bencher: Bencher<'_, '_>, ahead: usize) {
    let mut session = connected();
    let mut next = PacketId::MIN;
    for _ in 0..ahead {
        send(&mut session, QoS::AtLeastOnce);
    }
    bencher.bench_local(move || {
        send(&mut session, QoS::AtLeastOnce);
        let completed = session.on_puback(next, ReasonCode::SUCCESS).expect("in flight");
        next = next.next();
        completed
    });
}

/// admit, sent, on_pubrec, on_pubcomp.
#[divan::bench(sample_size = 10_000)]
fn qos2_round(bencher: Bencher<'_, '_>) {
    let mut session = connected();
    bencher.bench_local(move || {
        let id = send(&mut session, QoS::ExactlyOnce);
        let verdict = session.on_pubrec(id, ReasonCode::SUCCESS).expect("in flight");
        session.on_pubcomp(id).expect("received");
        verdict
    });
}

/// receive_qos2, stored_qos2, on_pubrel.
#[divan::bench(sample_size = 10_000)]
fn incoming_qos2_round(bencher: Bencher<'_, '_>) {
    let mut session = connected();
    let mut next = PacketId::MIN;
    bencher.bench_local(move || {
        session.receive_qos2(next);
        session.stored_qos2(next);
        next = next.next();
        session.on_pubrel(next)
    });
}
