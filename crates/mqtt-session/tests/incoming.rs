//! Client to server over connections that break at any moment, with outcomes that come late and in any order: stored
//! exactly once at QoS 2, at least once at QoS 1, never acknowledged before stored, acknowledged in order.

use std::collections::VecDeque;

use mqtt_session::{
    AckTicket, Closing, ConnectRequest, Connection, Incoming2, Negotiated, ReadyAck, ServerLimits,
    Session, invariants, negotiate,
};
use mqtt_types::{PacketId, ProtocolVersion, QoS, ReasonCode};
use proptest::prelude::*;
use stdx::{Instant, UnixMillis};

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(QoS),
    ToServer(usize),
    ToClient(usize),
    /// The outcome of one that is being stored; a few fail.
    Outcome {
        which: usize,
        fails: bool,
    },
    Cut,
    Connect,
}

#[derive(Clone, Copy, Debug)]
enum Packet {
    Publish { id: PacketId, qos: QoS, number: u64 },
    Ack(ReadyAck),
    PubRel(PacketId),
    PubComp(PacketId),
}

/// A message of the client's that is not done.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    id: PacketId,
    qos: QoS,
    number: u64,
    received: bool,
}

/// A message on its way into storage.
#[derive(Clone, Copy, Debug)]
struct Storing {
    connection: u64,
    ticket: AckTicket,
    id: PacketId,
    qos: QoS,
    number: u64,
}

struct World {
    session: Session,
    connection: Option<Connection>,
    connections: u64,
    storing: Vec<Storing>,
    stored: Vec<u64>,
    refused: Vec<u64>,
    to_server: VecDeque<Packet>,
    to_client: VecDeque<Packet>,
    unfinished: Vec<Unfinished>,
    /// Messages sent on this connection that wait for PUBACK or PUBREC, in order.
    awaited: VecDeque<PacketId>,
    published: Vec<(u64, QoS)>,
    next_id: PacketId,
}

fn negotiated() -> Negotiated {
    let mut request = ConnectRequest::new(ProtocolVersion::V5, "c", false);
    request.session_expiry_interval = 60;
    negotiate(&request, &ServerLimits { receive_maximum: 8, ..ServerLimits::default() }, None)
        .expect("acceptable")
}

impl World {
    fn new() -> Self {
        Self {
            session: Session::new(&negotiated()),
            connection: None,
            connections: 0,
            storing: Vec::new(),
            stored: Vec::new(),
            refused: Vec::new(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            unfinished: Vec::new(),
            awaited: VecDeque::new(),
            published: Vec::new(),
            next_id: PacketId::MIN,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(qos) if self.connection.is_some() && self.unfinished.len() < 8 => {
                self.publish(qos)
            }
            Step::ToServer(count) => (0..count).for_each(|_| self.deliver_to_server()),
            Step::ToClient(count) => (0..count).for_each(|_| self.deliver_to_client()),
            Step::Outcome { which, fails } if !self.storing.is_empty() => {
                self.outcome(which, fails)
            }
            Step::Cut if self.connection.is_some() => self.cut(),
            Step::Connect if self.connection.is_none() => self.connect(),
            Step::Publish(_) | Step::Outcome { .. } | Step::Cut | Step::Connect => {}
        }
        invariants::check(&self.session).expect("sound after each step");
    }

    fn publish(&mut self, qos: QoS) {
        while self.unfinished.iter().any(|one| one.id == self.next_id) {
            self.next_id = self.next_id.next();
        }
        let number = self.published.len() as u64;
        self.published.push((number, qos));
        let one = Unfinished { id: self.next_id, qos, number, received: false };
        // Ids come round soon, so that one left behind would be noticed.
        self.next_id = if self.next_id.get() < 12 { self.next_id.next() } else { PacketId::MIN };
        self.unfinished.push(one);
        self.send(one);
    }

    fn send(&mut self, one: Unfinished) {
        if one.received {
            self.to_server.push_back(Packet::PubRel(one.id));
        } else {
            self.awaited.push_back(one.id);
            self.to_server.push_back(Packet::Publish {
                id: one.id,
                qos: one.qos,
                number: one.number,
            });
        }
    }

    fn deliver_to_server(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        match self.to_server.pop_front() {
            Some(Packet::Publish { id, qos, number }) => {
                let incoming = match qos {
                    QoS::ExactlyOnce => self.session.receive_qos2(id),
                    _ => Incoming2::New,
                };
                match incoming {
                    Incoming2::New => {
                        if qos == QoS::ExactlyOnce {
                            self.session.kept_qos2(id);
                        }
                        assert_eq!(connection.begin_incoming(qos), Ok(()), "the client keeps to 8");
                        let ticket = connection.ack_begin(id, qos);
                        self.storing.push(Storing {
                            connection: self.connections,
                            ticket,
                            id,
                            qos,
                            number,
                        });
                    }
                    Incoming2::Duplicate => {
                        let ack = connection.ack_now(id, qos, ReasonCode::SUCCESS);
                        self.to_client.extend(ack.map(Packet::Ack));
                    }
                    Incoming2::InProgress => connection.ack_begin_repeated(id),
                }
            }
            Some(Packet::PubRel(id)) => {
                let reason = self.session.on_pubrel(id);
                assert!(
                    matches!(reason, ReasonCode::SUCCESS | ReasonCode::PACKET_IDENTIFIER_NOT_FOUND),
                    "{reason}"
                );
                connection.pubcomp_sent();
                self.to_client.push_back(Packet::PubComp(id));
            }
            Some(other) => panic!("not for a server: {other:?}"),
            None => {}
        }
    }

    fn outcome(&mut self, which: usize, fails: bool) {
        let one = self.storing.remove(which % self.storing.len());
        let reason = if fails { ReasonCode::QUOTA_EXCEEDED } else { ReasonCode::SUCCESS };
        let list = if fails { &mut self.refused } else { &mut self.stored };
        list.push(one.number);
        match (one.qos, fails) {
            (QoS::ExactlyOnce, true) => self.session.refuse_qos2(one.id),
            (QoS::ExactlyOnce, false) => self.session.stored_qos2(one.id),
            _ => {}
        }
        let Some(connection) = &mut self.connection else { return };
        if one.connection == self.connections {
            connection.ack_ready(one.ticket, reason);
        } else if one.qos == QoS::ExactlyOnce {
            connection.ack_ready_for(one.id, reason);
        }
        self.to_client.extend(std::iter::from_fn(|| connection.next_ack()).map(Packet::Ack));
    }

    fn deliver_to_client(&mut self) {
        match self.to_client.pop_front() {
            Some(Packet::Ack(ack)) => {
                // [MQTT-4.6.0-2], [MQTT-4.6.0-3]
                assert_eq!(self.awaited.pop_front(), Some(ack.packet_id), "acknowledged in order");
                let at = self
                    .unfinished
                    .iter()
                    .position(|one| one.id == ack.packet_id)
                    .expect("awaited");
                let one = &mut self.unfinished[at];
                assert_eq!(one.qos, ack.qos);
                if ack.reason.is_error() {
                    assert!(self.refused.contains(&one.number));
                    self.unfinished.remove(at);
                    return;
                }
                assert!(self.stored.contains(&one.number), "acknowledged but not stored");
                if ack.qos == QoS::AtLeastOnce {
                    self.unfinished.remove(at);
                } else {
                    one.received = true;
                    self.to_server.push_back(Packet::PubRel(ack.packet_id));
                }
            }
            Some(Packet::PubComp(id)) => self.unfinished.retain(|one| one.id != id),
            Some(other) => panic!("not for a client: {other:?}"),
            None => {}
        }
    }

    fn cut(&mut self) {
        self.session.disconnect(Closing::WithWill, UnixMillis(0), 0, &mut Vec::new());
        self.connection = None;
        self.to_server.clear();
        self.to_client.clear();
        self.awaited.clear();
    }

    fn connect(&mut self) {
        self.session.attach(&negotiated(), None, UnixMillis(0));
        self.connection = Some(Connection::new(&negotiated(), Instant::ZERO));
        self.connections += 1;
        self.unfinished.clone().into_iter().for_each(|one| self.send(one));
    }

    /// Lets everything come to rest on a connection that holds.
    fn finish(&mut self) {
        self.step(Step::Connect);
        while !(self.to_server.is_empty() && self.to_client.is_empty() && self.storing.is_empty()) {
            self.step(Step::ToServer(self.to_server.len()));
            self.step(Step::Outcome { which: 0, fails: false });
            self.step(Step::ToClient(self.to_client.len()));
        }
        assert!(self.unfinished.is_empty(), "{:?}", self.unfinished);
        assert_eq!(self.connection.as_ref().map(Connection::pending_acks), Some(0));
        assert_eq!(self.session.image().incoming_qos2, []);
        for (number, qos) in &self.published {
            let stored = self.stored.iter().filter(|one| *one == number).count();
            let refused = self.refused.iter().filter(|one| *one == number).count();
            match qos {
                // A refusal that got lost makes the client try again, so a message may be refused more than once.
                QoS::ExactlyOnce => assert!(
                    stored == 1 || stored == 0 && refused > 0,
                    "{number} {stored} {refused}"
                ),
                _ => assert!(stored + refused >= 1, "{number}"),
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let qos = prop_oneof![Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)];
    let step = prop_oneof![
        6 => qos.prop_map(Step::Publish),
        6 => (1usize..4).prop_map(Step::ToServer),
        6 => (1usize..4).prop_map(Step::ToClient),
        6 => (0usize..8, prop::bool::weighted(0.15)).prop_map(|(which, fails)| Step::Outcome { which, fails }),
        2 => Just(Step::Cut),
        4 => Just(Step::Connect),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// `[MQTT-4.3.3-10]`, `[MQTT311-4.6.0-2]`, `[MQTT311-4.6.0-3]`
    #[test]
    fn qos_2_is_stored_once_and_no_ack_is_false(steps in steps()) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
    }
}
