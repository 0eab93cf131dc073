//! Server to client over connections that break at any moment: at least once at QoS 1, exactly once at QoS 2, order
//! kept, packet ids unique, never above Receive Maximum, and no queue delivery settled that the client did not get.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mqtt_session::{
    Admission, Closing, Completed, ConnectRequest, Delivery, Negotiated, Origin, PubRecVerdict,
    Resend, ServerLimits, Session, invariants, negotiate,
};
use mqtt_types::{Message, MessageHead, PacketId, ProtocolVersion, QoS, ReasonCode, TopicName};
use proptest::prelude::*;
use stdx::UnixMillis;

const OK: ReasonCode = ReasonCode::SUCCESS;

#[derive(Clone, Copy, Debug)]
enum Step {
    Live(QoS),
    Queue(QoS),
    ToClient(usize),
    ToServer(usize),
    /// The connection breaks; of what was sent but did not arrive, so much (of 255) had been written to the socket.
    Cut(u8),
    Connect(u16),
}

#[derive(Clone, Copy, Debug)]
enum Packet {
    Publish { id: PacketId, qos: QoS, number: u64, mark: u64 },
    PubAck(PacketId),
    PubRec(PacketId),
    PubRel(PacketId),
    PubComp(PacketId),
}

/// A client that keeps its session and delivers a message at QoS 2 when its PUBLISH comes.
#[derive(Default)]
struct Client {
    held: BTreeSet<PacketId>,
    got: Vec<u64>,
    seen: BTreeSet<u64>,
}

impl Client {
    fn deliver(&mut self, number: u64) {
        self.got.push(number);
        self.seen.insert(number);
    }

    fn receive(&mut self, packet: Packet) -> Packet {
        match packet {
            Packet::Publish { id, qos: QoS::AtLeastOnce, number, .. } => {
                self.deliver(number);
                Packet::PubAck(id)
            }
            Packet::Publish { id, number, .. } => {
                if self.held.insert(id) {
                    self.deliver(number);
                }
                Packet::PubRec(id)
            }
            Packet::PubRel(id) => {
                self.held.remove(&id);
                Packet::PubComp(id)
            }
            other => panic!("not for a client: {other:?}"),
        }
    }
}

/// The server's side of the world: the session under test, and what a broker around it does.
struct World {
    session: Session,
    client: Client,
    to_client: VecDeque<Packet>,
    to_server: VecDeque<Packet>,
    window: u16,
    /// Bytes of output so far: each packet counts one.
    output: u64,
    arrived: u64,
    /// PUBLISH packets of this connection that are not acknowledged.
    unacknowledged: BTreeSet<PacketId>,
    /// Packet ids whose handshake is not over, and whether their message is of a queue.
    open: BTreeSet<PacketId>,
    /// Messages published live so far, by QoS.
    live: BTreeMap<QoS, Vec<u64>>,
    /// The queue: what waits, what is out at which mark, what is settled.
    ready: VecDeque<(u64, QoS)>,
    leased: BTreeMap<u64, (QoS, u64)>,
    settled: BTreeSet<u64>,
    next_number: u64,
}

fn negotiated(window: u16) -> Negotiated {
    let mut request = ConnectRequest::new(ProtocolVersion::V5, "c", false);
    request.receive_maximum = window;
    request.session_expiry_interval = 60;
    negotiate(&request, &ServerLimits::default(), None).expect("acceptable")
}

fn delivery(qos: QoS, number: u64) -> Arc<Delivery> {
    let topic = TopicName::new("t").expect("legal");
    let message =
        Message::new(MessageHead::default(), topic, &[], &number.to_be_bytes()).expect("small");
    Arc::new(Delivery { message, qos, retain: false, subscription_identifiers: Default::default() })
}

fn number(delivery: &Delivery) -> u64 {
    u64::from_be_bytes(delivery.message.payload().try_into().expect("eight bytes"))
}

impl World {
    fn new() -> Self {
        Self {
            session: Session::new(&negotiated(1)),
            client: Client::default(),
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            window: 0,
            output: 0,
            arrived: 0,
            unacknowledged: BTreeSet::new(),
            open: BTreeSet::new(),
            live: BTreeMap::new(),
            ready: VecDeque::new(),
            leased: BTreeMap::new(),
            settled: BTreeSet::new(),
            next_number: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Live(qos) => self.publish_live(qos),
            Step::Queue(qos) => {
                self.ready.push_back((self.next_number, qos));
                self.next_number += 1;
            }
            Step::ToClient(count) => (0..count).for_each(|_| self.deliver_to_client()),
            Step::ToServer(count) => (0..count).for_each(|_| self.deliver_to_server()),
            Step::Cut(share) if self.window > 0 => self.cut(share),
            Step::Connect(window) if self.window == 0 => self.connect(window),
            Step::Cut(_) | Step::Connect(_) => {}
        }
        self.pump();
        invariants::check(&self.session).expect("sound after each step");
    }

    fn publish_live(&mut self, qos: QoS) {
        let number = self.next_number;
        self.next_number += 1;
        self.live.entry(qos).or_default().push(number);
        let delivery = delivery(qos, number);
        match self.session.admit(qos, true) {
            Admission::Send(Some(id)) => self.send_new(id, &delivery, Origin::Live),
            Admission::Queue => {
                assert!(
                    self.session
                        .queue(delivery, Origin::Live, ServerLimits::default().room())
                        .is_empty()
                );
            }
            other => panic!("{other:?} at {qos:?}"),
        }
    }

    fn send_new(&mut self, id: PacketId, delivery: &Arc<Delivery>, origin: Origin) {
        assert!(self.open.insert(id), "packet id {id} is in use");
        self.send_publish(id, delivery);
        self.session.sent(Some(id), delivery.qos, origin, Some(delivery.clone()), self.output);
    }

    fn send_publish(&mut self, id: PacketId, delivery: &Delivery) {
        assert!(self.unacknowledged.insert(id));
        assert!(self.unacknowledged.len() <= usize::from(self.window), "Receive Maximum");
        self.output += 1;
        self.to_client.push_back(Packet::Publish {
            id,
            qos: delivery.qos,
            number: number(delivery),
            mark: self.output,
        });
    }

    fn send(&mut self, packet: Packet) {
        self.output += 1;
        self.to_client.push_back(packet);
    }

    /// What a broker does after each turn.
    fn pump(&mut self) {
        let mut again = Vec::new();
        self.session.resume(&mut again);
        for resend in again {
            match resend {
                Resend::Publish { packet_id, delivery } => self.send_publish(packet_id, &delivery),
                Resend::PubRel { packet_id } => self.send(Packet::PubRel(packet_id)),
            }
        }
        while let Some(next) = self.session.next_pending() {
            self.send_new(next.packet_id.expect("not QoS 0"), &next.delivery, next.origin);
        }
        while self.session.window_free() > 0
            && let Some((offset, qos)) = self.ready.pop_front()
        {
            let Admission::Send(Some(id)) = self.session.admit(qos, true) else {
                panic!("the window is open")
            };
            self.send_new(
                id,
                &delivery(qos, offset),
                Origin::Queue { consumer: 1, offset, attempt: 1 },
            );
            self.leased.insert(offset, (qos, self.output));
        }
    }

    fn deliver_to_client(&mut self) {
        if let Some(packet) = self.to_client.pop_front() {
            self.arrived += 1;
            if let Packet::Publish { mark, .. } = packet {
                assert_eq!(mark, self.arrived);
            }
            let answer = self.client.receive(packet);
            self.to_server.push_back(answer);
        }
    }

    fn deliver_to_server(&mut self) {
        match self.to_server.pop_front() {
            Some(Packet::PubAck(id)) => {
                let completed = self.session.on_puback(id, OK).expect("in flight");
                self.end_handshake(id);
                self.settle(completed);
            }
            Some(Packet::PubRec(id)) => match self.session.on_pubrec(id, OK).expect("in flight") {
                PubRecVerdict::SendPubRel { settled } => {
                    settled.into_iter().for_each(|completed| self.settle(completed));
                    self.send(Packet::PubRel(id));
                }
                other => panic!("the client refuses nothing, the inbox has nothing: {other:?}"),
            },
            Some(Packet::PubComp(id)) => {
                self.session.on_pubcomp(id).expect("in flight");
                self.end_handshake(id);
            }
            Some(other) => panic!("not for a server: {other:?}"),
            None => {}
        }
    }

    fn end_handshake(&mut self, id: PacketId) {
        self.unacknowledged.remove(&id);
        assert!(self.open.remove(&id));
    }

    fn settle(&mut self, completed: Completed) {
        if let Origin::Queue { offset, .. } = completed.origin {
            assert!(self.leased.remove(&offset).is_some(), "{offset} was out");
            assert!(self.settled.insert(offset), "{offset} settles once");
            assert!(self.client.seen.contains(&offset), "{offset} was never delivered");
        }
    }

    fn cut(&mut self, share: u8) {
        let written = self.arrived + (self.output - self.arrived) * u64::from(share) / 255;
        let mut released = Vec::new();
        self.session.disconnect(Closing::WithWill, UnixMillis(0), written, &mut released);
        for one in released.into_iter().rev() {
            let (qos, mark) = self.leased.remove(&one.offset).expect("was out");
            assert_eq!(one.written, mark <= written);
            self.ready.push_front((one.offset, qos));
        }
        assert!(self.leased.is_empty(), "all went back");
        // Of those that went back only the ones at QoS 2 that were written keep their packet id.
        self.open = self.session.in_flight_ids().collect();
        self.to_client.clear();
        self.to_server.clear();
        self.unacknowledged.clear();
        (self.output, self.arrived, self.window) = (0, 0, 0);
    }

    fn connect(&mut self, window: u16) {
        self.window = window;
        assert_eq!(self.session.attach(&negotiated(window), None, UnixMillis(0)), None);
    }

    /// Lets everything come to rest on a connection that holds.
    fn finish(&mut self) {
        self.step(Step::Connect(3));
        while !(self.to_client.is_empty() && self.to_server.is_empty()) {
            self.step(Step::ToClient(self.to_client.len()));
            self.step(Step::ToServer(self.to_server.len()));
        }
        assert!(self.ready.is_empty() && self.leased.is_empty() && self.open.is_empty());
        assert_eq!((self.session.in_flight_len(), self.session.pending_len()), (0, 0));
        let got = |numbers: &[u64]| -> Vec<u64> {
            self.client.got.iter().copied().filter(|number| numbers.contains(number)).collect()
        };
        if let Some(numbers) = self.live.get(&QoS::ExactlyOnce) {
            assert_eq!(got(numbers), *numbers, "exactly once, in order");
        }
        if let Some(numbers) = self.live.get(&QoS::AtLeastOnce) {
            let mut seen = BTreeSet::new();
            let first: Vec<_> =
                got(numbers).into_iter().filter(|number| seen.insert(*number)).collect();
            assert_eq!(first, *numbers, "at least once, first deliveries in order");
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let qos = prop_oneof![Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)];
    let step = prop_oneof![
        6 => qos.clone().prop_map(Step::Live),
        4 => qos.prop_map(Step::Queue),
        6 => (1usize..4).prop_map(Step::ToClient),
        6 => (1usize..4).prop_map(Step::ToServer),
        2 => any::<u8>().prop_map(Step::Cut),
        4 => (1u16..6).prop_map(Step::Connect),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_qos_2_comes_once(steps in steps()) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
    }
}

#[test]
fn a_packet_id_that_the_client_still_holds_bears_no_other_message() {
    let mut world = World::new();
    let first = [
        Step::Connect(1),
        Step::Queue(QoS::ExactlyOnce),
        Step::ToClient(1),
        Step::Cut(255),
        Step::Connect(1),
    ];
    first.into_iter().for_each(|step| world.step(step));
    for _ in 0..66_000 {
        let round = [
            Step::Queue(QoS::ExactlyOnce),
            Step::ToClient(1),
            Step::ToServer(1),
            Step::ToClient(1),
        ];
        round.into_iter().chain([Step::ToServer(1)]).for_each(|step| world.step(step));
    }
    world.finish();
    assert_eq!(world.settled.len(), 66_001);
}
