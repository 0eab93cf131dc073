//! What each step of a plan does. It must not know what must come of it.

use log_api::{Log, LogState};
use log_disk::Worker;

use super::World;
use crate::auditor::Wall;
use crate::client::{Lease, Open, Role, Source};
use crate::dice::Dice;
use crate::message;
use crate::plan::{CONSUMERS, LATER_TOPIC, LIVE, PUBLISHERS, Step, TIMED_TOPIC, TOPICS, Timing};
use crate::queues::{HASTY, Kind, QUEUES};
use crate::wire;

/// A publisher has no more open than that.
const OPEN_MAX: usize = 8;

impl World {
    pub(super) fn act(&mut self, step: Step) {
        match step {
            Step::Publish { publisher, topic, qos, bytes, retain } => {
                self.publish(publisher, topic, (qos, retain), (bytes, Timing::default()));
            }
            Step::PublishTimed { publisher, qos, bytes, timing } => {
                self.publish(publisher, TIMED_TOPIC, (qos, false), (bytes, timing));
            }
            Step::PublishLater { publisher, qos, bytes, seconds } => {
                let timing = Timing { later: Some(seconds), ..Timing::default() };
                self.publish(publisher, LATER_TOPIC, (qos, false), (bytes, timing));
            }
            Step::Subscribe { consumer, queue, qos } => self.consume(consumer, queue, qos),
            Step::Unsubscribe { consumer, queue } => self.leave(consumer, queue),
            Step::Answer { client, nth, code } => self.answer(PUBLISHERS + client, nth, code),
            Step::Consume { seed } => self.consume_some(&mut Dice::new(seed)),
            Step::AnswerAll { client } => {
                let n = PUBLISHERS + client;
                while !self.clients[n].leases.is_empty() {
                    self.answer(n, 0, 0);
                }
            }
            Step::Lose { client } => self.lose(client),
            Step::Connect { client } => self.connect(client),
            Step::Block { client, is_blocked } => self.block(PUBLISHERS + client, is_blocked),
            Step::Read { reader, start, qos } => self.read_from(reader, start, qos),
            Step::Join { sharer } => self.join(sharer),
            Step::Leave { sharer } => self.leave_group(sharer),
            Step::BeginAnew { sharer } => self.begin_anew(sharer),
            Step::Turn { shard } => {
                self.turned_ms.get_or_insert(self.machine.now_ms());
                self.note_unrest();
                self.node.turn(shard % self.node.shards.len(), &self.limits);
            }
            Step::Work { worker } => {
                let worker = Worker::ALL[worker];
                if !(self.is_slow && worker == Worker::Writer) {
                    self.node.step(worker);
                }
            }
            Step::Run => self.run(),
            Step::Calm => self.calm(),
            Step::Wait { milliseconds } => self.machine.wait(milliseconds),
            Step::Idle => self.idle(),
            Step::TakeAll => {
                self.take_all();
                self.idle();
            }
            Step::Slow { is_slow } => self.is_slow = is_slow,
            Step::SlowReads { is_slow } => self.is_reading_slowly = is_slow,
            Step::Checkpoint => self.node.log.request_checkpoint(),
            Step::Purge => self.purge(),
            Step::Seek { hundredths, is_at_rest } => self.seek(hundredths, is_at_rest),
            Step::LiveProbe { publisher, bytes } => self.probe(publisher, bytes),
            Step::Crash { power, seed } => self.crash(power, seed),
            Step::CutIn { operations, power } => self.machine.cut_in(operations, power),
            Step::Room { bytes } => self.machine.set_room(bytes),
            Step::FailSync => self.machine.fail_next_sync(),
            Step::FailWrite => self.machine.fail_next_write(),
            Step::Clock { seconds } => {
                self.clock_set += 1;
                self.machine.set_clock(seconds);
                self.seen.note("clock set", 1);
            }
            Step::Flip { seed } => self.machine.flip(seed),
            Step::Misdirect { seed } => self.machine.misdirect_next_sync(seed),
            order => self.order(order),
        }
    }

    /// A client reads its connection no more, or again; but those who must hear at once always do.
    fn block(&mut self, n: usize, is_blocked: bool) {
        let role = self.clients[n].role;
        let may_block = matches!(
            role,
            Role::Consumer | Role::Reads(_) | Role::ReadsOn | Role::Member | Role::Sharer(_)
        );
        if let Some(socket) = self.socket(n).filter(|_| may_block) {
            socket.is_blocked = is_blocked;
            self.clients[n].was_blocked |= is_blocked;
        }
    }

    /// Sends a new message, or comes back to send one later. Gives its number.
    fn publish(
        &mut self,
        publisher: usize,
        topic: usize,
        (qos, retain): (u8, bool),
        (bytes, timing): (usize, Timing),
    ) -> Option<u32> {
        self.connect(publisher);
        let client = &self.clients[publisher];
        if !client.is_greeted || client.open.len() >= OPEN_MAX {
            return None;
        }
        let sessions = self.subscribed_sessions(TOPICS[topic]);
        let message = self.auditor.publish(publisher, topic, (qos, retain), sessions);
        self.share(message);
        self.auditor.is_sent(self.wall());
        let client = &self.clients[publisher];
        let plain = Timing { later: timing.later, ..Timing::default() };
        let timing = if client.version.is_v5() { timing } else { plain };
        if timing != Timing::default() {
            let now = self.wall();
            self.auditor.is_timed(message, timing, now);
        }
        self.sizes.push(bytes);
        let client = &mut self.clients[publisher];
        let id = client.next_id();
        if qos > 0 {
            client.open.push(Open { id, message, qos, is_released: false });
        }
        let payload = message::payload(message, TOPICS[topic], bytes);
        let what = (&payload[..], &wire::Said::of(message, timing));
        let address = timing.address(TOPICS[topic]);
        let packet = wire::publish(client.version, (qos, id), (false, retain), &address, what);
        self.say(format!("p{publisher} publishes {message} at QoS {qos} to {address}"));
        self.send(publisher, packet);
        Some(message)
    }

    /// What the wall clock says.
    pub(super) fn wall(&self) -> Wall {
        Wall { unix_ms: self.machine.unix_ms(), was_set: self.clock_set }
    }

    fn idle(&mut self) {
        for _ in 0..16 {
            self.machine.wait(5);
            self.run();
        }
    }

    fn consume(&mut self, consumer: usize, queue: usize, qos: u8) {
        let n = PUBLISHERS + consumer;
        if QUEUES[queue].kind == Kind::Once {
            return;
        }
        self.connect(n);
        let is_taken = self.clients.iter().any(|client| client.consumes.contains(&queue));
        if !self.clients[n].is_greeted || QUEUES[queue].kind == Kind::Alone && is_taken {
            return;
        }
        self.clients[n].consumes.insert(queue);
        // What is settled when it is written may be heard after what comes next.
        let qos = if QUEUES[queue].key_of("").is_some() { qos.max(1) } else { qos };
        let id = self.clients[n].next_id();
        self.send(n, wire::subscribe(id, &QUEUES[queue].address(), qos));
    }

    /// Consumers come to some queues, and accept, refuse or keep what they get.
    fn consume_some(&mut self, dice: &mut Dice) {
        let consumers = 1 + dice.below(CONSUMERS);
        (0..consumers).for_each(|consumer| self.connect(PUBLISHERS + consumer));
        self.run();
        let queues: Vec<usize> = (0..4).map(|_| dice.below(QUEUES.len())).collect();
        for consumer in 0..consumers {
            for queue in &queues {
                self.consume(consumer, *queue, dice.one_of(&[1, 1, 2]));
            }
        }
        for _ in 0..dice.below(4) {
            self.run();
            self.listen();
            if self.machine.is_off() {
                return;
            }
            for n in PUBLISHERS..PUBLISHERS + consumers {
                for _ in 0..self.clients[n].leases.len() {
                    if !dice.one_in(4) {
                        let code = dice.one_of(&[0, 0, 0, 0x97, 0x80, 0x99]);
                        self.answer(n, dice.below(2), code);
                    }
                }
            }
            if dice.one_in(2) {
                self.machine.wait(dice.one_of(&[1, 20, 1500]));
            }
        }
    }

    /// Ends a subscription. What is on its way then is heard, and is the queue's again: the client is lost to it at once.
    fn leave(&mut self, consumer: usize, queue: usize) {
        let n = PUBLISHERS + consumer;
        if !self.clients[n].consumes.remove(&queue) {
            return;
        }
        if queue == HASTY {
            self.auditor.consumer_goes(n);
        }
        if let Some(socket) = self.socket(n) {
            socket.is_blocked = false;
        }
        let id = self.clients[n].next_id();
        self.send(n, wire::unsubscribe(id, &QUEUES[queue].address()));
        self.run();
        self.listen();
        let is_of = |lease: &Lease| matches!(lease.source, Source::Queue(of, _) if of == queue);
        self.clients[n].leases.retain(|lease| !is_of(lease));
    }

    /// Notes that the log takes nothing at this moment.
    pub(super) fn note_log(&mut self) {
        if self.node.log.state() != LogState::Writable {
            self.auditor.log_takes_nothing(self.machine.now_ms());
        }
    }

    /// Everyone works until nothing is left to do, or the power goes.
    pub(super) fn run(&mut self) {
        self.note_unrest();
        for round in 0.. {
            assert!(round < 10_000, "the broker never comes to rest");
            let mut busy = false;
            self.note_log();
            for shard in 0..self.node.shards.len() {
                busy |= self.node.turn(shard, &self.limits);
                self.listen();
            }
            for worker in Worker::ALL {
                if self.is_slow && worker == Worker::Writer
                    || self.is_reading_slowly && worker == Worker::Reader
                {
                    continue;
                }
                busy |= self.node.step(worker);
                if self.machine.is_off() {
                    return;
                }
            }
            if !busy {
                self.is_paused |= self.pauses && !self.is_slow && !self.is_reading_slowly;
                self.turned_ms = None;
                self.note_synced();
                self.note_rest();
                self.check_bounds();
                return self.note_state();
            }
        }
    }

    /// What was written a while ago is synced, if the log works.
    fn note_synced(&mut self) {
        if !self.is_slow && self.node.log.state() == LogState::Writable {
            self.auditor.is_synced_by(self.machine.now_ms());
        }
    }

    fn note_state(&mut self) {
        let is_full = self.node.log.state() == LogState::Full;
        self.seen.note("log full", u64::from(is_full));
    }

    /// Lets pass what settlements need to be recorded.
    pub(super) fn calm(&mut self) {
        (self.is_slow, self.is_reading_slowly) = (false, false);
        self.run();
        // What comes later has not had its time.
        let (accepted, moment) = (self.auditor.accepted_by_now(), self.auditor.moment());
        for _ in 0..3 {
            self.machine.wait(30);
            self.run();
        }
        if self.machine.is_off() || self.node.log.state() != LogState::Writable {
            return;
        }
        // An answer that a client could not send yet has settled nothing.
        let is_heard = |client: &crate::client::Client| {
            let sockets = client.at.map(|(shard, conn)| (&self.node.sockets[shard], conn));
            sockets
                .and_then(|(sockets, conn)| sockets.open.get(&conn.slot))
                .is_none_or(|socket| socket.input.is_empty() && !socket.is_blocked)
        };
        if self.clients.iter().all(is_heard) {
            self.auditor.recorded(&accepted);
            self.auditor.reading_recorded(moment);
            self.auditor.sharing_recorded(moment);
            let (held, counted) = self.node.references();
            assert_eq!(held, counted, "bodies that are needed, and references in the log");
            self.check_ledgers();
            self.note_keys();
        }
    }

    /// With nothing stored meanwhile, a message must reach whoever listens.
    fn probe(&mut self, publisher: usize, bytes: usize) {
        let live = LIVE;
        self.connect(live);
        let was_slow = std::mem::replace(&mut self.is_slow, true);
        self.run();
        let is_read = self.clients[publisher].is_greeted
            && self.socket(publisher).is_some_and(|socket| {
                !socket.is_paused && socket.input.is_empty() && socket.closed.is_none()
            });
        if is_read && self.node.log.state() == LogState::Full && self.probe_full(publisher, bytes) {
            self.seen.note("message refused or held by a full log", 1);
        } else if is_read
            && self.clients[live].is_subscribed
            && let Some(message) =
                self.publish(publisher, 1, (0, false), (bytes, Timing::default()))
        {
            assert_eq!(self.clients[live].role, Role::Live);
            self.run();
            assert!(
                self.auditor.has_come_live(message) || self.machine.is_off(),
                "message {message} waits for the disk and does not run live"
            );
            self.seen.note("message runs live while nothing is stored", 1);
        }
        self.is_slow = was_slow;
    }

    /// While the log is full, a message that would be stored takes neither road. Says whether one was tried.
    fn probe_full(&mut self, publisher: usize, bytes: usize) -> bool {
        // Answers come in the order of publishing: one that waits for the disk keeps this one back.
        if !self.clients[publisher].open.is_empty() {
            return false;
        }
        let Some(message) = self.publish(publisher, 1, (1, false), (bytes, Timing::default()))
        else {
            return false;
        };
        self.run();
        self.listen();
        if self.machine.is_off() {
            return true;
        }
        let is_v5 = self.clients[publisher].version.is_v5();
        assert!(
            !self.auditor.has_come_live(message),
            "message {message} is not stored by a full log, and runs live"
        );
        assert!(
            self.auditor.is_refused(message) == is_v5 && !self.auditor.is_taken(message),
            "a 5.0 publisher must hear that the log is full, and one of 3.1.1 nothing: {message}"
        );
        true
    }
}
