//! An inbox, a store and a client, over lost connections and crashes: at QoS 1 everything comes at least once, at QoS 2
//! exactly once, in order, whatever had not been stored yet.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;

use mqtt_session::{
    Closing, ConnectRequest, Gone, Kept, Negotiated, Origin, PubRecVerdict, ServerLimits, Session,
    SessionImage, invariants, negotiate,
};
use mqtt_types::{PacketId, ProtocolVersion, QoS, ReasonCode};
use proptest::prelude::*;
use stdx::UnixMillis;

const OK: ReasonCode = ReasonCode::SUCCESS;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(QoS),
    ToClient(usize),
    ToServer(usize),
    /// The store writes what was handed to it.
    Flush,
    Cut,
    /// The process dies, with what the store had not written.
    Crash,
    /// The store writes all, and keeps an image in place of the facts.
    Checkpoint,
    Connect(u16),
}

#[derive(Clone, Copy, Debug)]
enum Packet {
    Publish { id: PacketId, qos: QoS, number: u64 },
    PubAck(PacketId),
    PubRec(PacketId),
    PubRel(PacketId),
    PubComp(PacketId),
}

#[derive(Clone, Copy, Debug)]
enum Fact {
    Message { qos: QoS, number: u64 },
    Left(u64),
    Received(u64),
    SentTo(u64),
}

#[derive(Default)]
struct Client {
    /// Packet ids of messages at QoS 2 that it owns and whose PUBREL has not come.
    owned: BTreeSet<PacketId>,
    got: Vec<u64>,
}

struct World {
    session: Session,
    image: SessionImage,
    facts: Vec<Fact>,
    written: usize,
    client: Client,
    to_client: VecDeque<Packet>,
    to_server: VecDeque<Packet>,
    published: Vec<(QoS, u64)>,
    window: u16,
}

fn negotiated(window: u16) -> Negotiated {
    let mut request = ConnectRequest::new(ProtocolVersion::V5, "c", false);
    request.receive_maximum = window;
    request.session_expiry_interval = 60;
    negotiate(&request, &ServerLimits::default(), None).expect("acceptable")
}

fn kept(qos: QoS, number: u64) -> Kept {
    Kept {
        at: number,
        size: 1,
        qos,
        retain: false,
        has_identifiers: false,
        copy: 0,
        set: None,
        is_shared: false,
        is_held: number.is_multiple_of(3),
        identifier: NonZeroU32::new(number as u32).filter(|_| number.is_multiple_of(3)),
    }
}

impl World {
    fn new() -> Self {
        let session = Session::new(&negotiated(1));
        Self {
            image: session.image(),
            session,
            facts: Vec::new(),
            written: 0,
            client: Client::default(),
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            published: Vec::new(),
            window: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(qos) => {
                let number = self.published.len() as u64;
                self.published.push((qos, number));
                self.facts.push(Fact::Message { qos, number });
                // A message is in the inbox when it is stored, and not before.
                self.flush();
                self.inbox_push(qos, number);
            }
            Step::ToClient(count) => (0..count).for_each(|_| self.deliver_to_client()),
            Step::ToServer(count) => (0..count).for_each(|_| self.deliver_to_server()),
            Step::Flush => self.flush(),
            Step::Cut => self.cut(),
            Step::Crash => self.crash(),
            Step::Checkpoint => {
                self.flush();
                self.image = self.session.image();
                (self.facts, self.written) = (Vec::new(), 0);
            }
            Step::Connect(window) => {
                if self.window > 0 {
                    self.cut();
                }
                self.connect(window);
            }
        }
        self.pump();
        invariants::check(&self.session).expect("sound");
    }

    fn inbox_push(&mut self, qos: QoS, number: u64) {
        self.session.inbox_mut().expect("it has one").push(kept(qos, number));
    }

    fn flush(&mut self) {
        for n in std::mem::replace(&mut self.written, self.facts.len())..self.facts.len() {
            if let Fact::Received(sequence) = self.facts[n] {
                let inbox = self.session.inbox_mut().expect("it has one");
                let stored = inbox.received_stored(sequence);
                if let Some(id) = stored.filter(|_| self.window > 0) {
                    self.to_client.push_back(Packet::PubRel(id));
                }
            }
        }
    }

    fn pump(&mut self) {
        let window = self.session.inbox_window();
        let inbox = self.session.inbox_mut().expect("it has one");
        let next: Vec<_> = inbox.upcoming(0, window).collect();
        for next in next {
            inbox.sent(next.sequence);
            let (id, qos, number) = (next.packet_id, next.kept.qos, next.kept.at);
            self.to_client.push_back(Packet::Publish { id, qos, number });
            self.facts.push(Fact::SentTo(next.sequence + 1));
        }
    }

    fn deliver_to_client(&mut self) {
        let answer = match self.to_client.pop_front() {
            Some(Packet::Publish { id, qos: QoS::ExactlyOnce, number }) => {
                if self.client.owned.insert(id) {
                    self.client.got.push(number);
                }
                Packet::PubRec(id)
            }
            Some(Packet::Publish { id, number, .. }) => {
                self.client.got.push(number);
                Packet::PubAck(id)
            }
            Some(Packet::PubRel(id)) => {
                self.client.owned.remove(&id);
                Packet::PubComp(id)
            }
            Some(other) => panic!("not for a client: {other:?}"),
            None => return,
        };
        self.to_server.push_back(answer);
    }

    fn deliver_to_server(&mut self) {
        match self.to_server.pop_front() {
            Some(Packet::PubAck(id)) => {
                let done = self.session.on_puback(id, OK).expect("in flight");
                let Origin::Inbox(Gone { sequence, .. }) = done.origin else { panic!("{done:?}") };
                self.facts.push(Fact::Left(sequence));
            }
            Some(Packet::PubRec(id)) => match self.session.on_pubrec(id, OK).expect("in flight") {
                PubRecVerdict::Store(gone) => self.facts.push(Fact::Received(gone.sequence)),
                PubRecVerdict::BeingStored => {}
                other => panic!("once a connection: {other:?}"),
            },
            Some(Packet::PubComp(id)) => {
                // After a crash the broker may have forgotten that it asked.
                if let Some(sequence) = self.session.on_pubcomp(id).expect("in flight") {
                    self.facts.push(Fact::Left(sequence));
                }
            }
            Some(other) => panic!("not for a server: {other:?}"),
            None => {}
        }
    }

    fn cut(&mut self) {
        self.session.disconnect(Closing::WithWill, UnixMillis(0), 0, &mut Vec::new());
        self.to_client.clear();
        self.to_server.clear();
        self.window = 0;
    }

    fn crash(&mut self) {
        self.facts.truncate(self.written);
        let mut session = Session::from_image(&self.image, UnixMillis(0));
        let inbox = session.inbox_mut().expect("it has one");
        for fact in &self.facts {
            match *fact {
                Fact::Message { qos, number } => _ = inbox.push(kept(qos, number)),
                Fact::Left(sequence) => _ = inbox.replay_left(sequence),
                Fact::Received(sequence) => _ = inbox.replay_received(sequence),
                Fact::SentTo(sequence) => inbox.replay_sent_to(sequence),
            }
        }
        self.session = session;
        self.to_client.clear();
        self.to_server.clear();
        self.window = 0;
    }

    fn connect(&mut self, window: u16) {
        self.window = window;
        assert_eq!(self.session.attach(&negotiated(window), None, UnixMillis(0)), None);
        let inbox = self.session.inbox().expect("it has one");
        self.to_client.extend(inbox.pubrels().map(Packet::PubRel));
    }

    fn finish(&mut self) {
        self.step(Step::Connect(3));
        self.step(Step::Flush);
        while !(self.to_client.is_empty() && self.to_server.is_empty()) {
            self.step(Step::ToClient(self.to_client.len()));
            self.step(Step::ToServer(self.to_server.len()));
            self.step(Step::Flush);
        }
        assert!(self.session.inbox().expect("it has one").is_empty());
        assert!(self.client.owned.is_empty(), "{:?}", self.client.owned);
        for wanted in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let numbers: Vec<u64> =
                self.published.iter().filter(|(qos, _)| *qos == wanted).map(|one| one.1).collect();
            let mut got: Vec<u64> =
                self.client.got.iter().copied().filter(|one| numbers.contains(one)).collect();
            if wanted == QoS::AtLeastOnce {
                let mut seen = BTreeSet::new();
                got.retain(|number| seen.insert(*number));
            }
            assert_eq!(got, numbers, "at {wanted:?}");
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let qos = prop_oneof![Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)];
    let step = prop_oneof![
        8 => qos.prop_map(Step::Publish),
        8 => (1usize..4).prop_map(Step::ToClient),
        8 => (1usize..4).prop_map(Step::ToServer),
        4 => Just(Step::Flush),
        2 => Just(Step::Cut),
        2 => Just(Step::Crash),
        1 => Just(Step::Checkpoint),
        4 => (1u16..6).prop_map(Step::Connect),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_qos_2_comes_once_over_crashes(steps in steps()) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
    }
}
