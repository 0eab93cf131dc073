//! A broker, its machine and its clients in one thread: what a plan says happens, and the auditor watches. It must not know how
//! plans are made.

mod ends;
mod hearing;
mod operating;
mod orders;
mod reading;
mod sharing;
mod steps;
mod stream;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use broker::Config;
use broker::testing::Socket;
use mqtt_codec::Limits;

use crate::auditor::Auditor;
use crate::client::{Client, Role, Source};
use crate::disk::Machine;
use crate::node::Node;
use crate::plan::{Plan, Step};
use crate::queues::{KeyOf, Kind, QUEUES};
use crate::seen::Seen;
use crate::streams::READERS;
use crate::wire;

/// The world of one simulation.
pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) node: Node,
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) clients: Vec<Client>,
    pub(crate) auditor: Auditor,
    pub(crate) trace: Vec<String>,
    pub(crate) seen: Seen,
    /// What an operator waits for.
    asked: Vec<operating::Asked>,
    orders: Vec<orders::Order>,
    /// An operator has heard that a queue is paused.
    pauses: bool,
    /// And what had been delivered before has been heard.
    is_paused: bool,
    /// By which keys messages of a queue come for sure, if by any.
    key_now: Option<KeyOf>,
    /// A reader went back to where it was while its clients read: two members may have the same message.
    is_put_back: bool,
    /// By reader of a stream, how often it was asked to go on elsewhere.
    sought: [u64; READERS.len()],
    /// When a shard had its first turn since all was at rest: what was written then may be heard later.
    turned_ms: Option<u64>,
    /// When the first turn was since all was at rest, and nothing was slow.
    unrested_ms: Option<u64>,
    /// By client and offset of the hasty queue, until when the broker takes what the client has accepted.
    deadlines: BTreeMap<(usize, u64), u64>,
    /// By client and offset of the hasty queue, which delivery came last.
    newest: BTreeMap<(usize, u64), u32>,
    /// Clients and offsets of the hasty queue that they have accepted by an older delivery than the last, or that may have been
    /// taken back unseen.
    is_unsure: BTreeSet<(usize, u64)>,
    /// So many messages of the brief queue had expired when all was at rest.
    expired: u64,
    /// How often the wall clock was set.
    clock_set: u64,
    /// Lengths of the messages that were published.
    sizes: Vec<usize>,
    conns: u32,
    is_slow: bool,
    is_reading_slowly: bool,
    /// So many messages had been published when the disk failed, in this life of the process.
    failed_at: Option<u32>,
    crashes: u64,
    seed: u64,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let machine = Machine::new(plan.seed, is_traced());
        let mut config = Config { shards: plan.shards, ..Config::default() };
        config.shared_subscriptions = crate::groups::config(plan.seed);
        config.relocation_look = std::time::Duration::from_millis(5);
        config.queue_defaults.config.max_attempts = 0;
        config.queue_defaults.config.max_inflight = 5;
        config.queue_defaults.config.ack_timeout = std::time::Duration::from_secs(1_000_000);
        let limits = Limits {
            max_packet_size: config.limits.maximum_packet_size,
            check_filters: false,
            ..Limits::default()
        };
        let node = Node::boot(&machine, &config).expect("an empty directory");
        let mut world = Self {
            machine,
            node,
            config,
            limits,
            clients: Client::all(),
            auditor: Auditor::new(plan.seed),
            trace: Vec::new(),
            seen: Seen::default(),
            asked: Vec::new(),
            orders: Vec::new(),
            pauses: false,
            is_paused: false,
            key_now: None,
            is_put_back: false,
            sought: [0; READERS.len()],
            turned_ms: None,
            unrested_ms: None,
            expired: 0,
            deadlines: BTreeMap::new(),
            newest: BTreeMap::new(),
            is_unsure: BTreeSet::new(),
            clock_set: 0,
            sizes: Vec::new(),
            conns: 0,
            is_slow: false,
            is_reading_slowly: false,
            failed_at: None,
            crashes: 0,
            seed: plan.seed,
        };
        world.create_queues();
        world
    }

    fn create_queues(&mut self) {
        let ours = QUEUES.iter().filter(|of| of.kind != Kind::Dead);
        for of in ours.clone() {
            let queue = broker::NewQueue {
                name: of.name.to_owned(),
                topic_filter: Some(of.filter.to_owned()),
                properties: of.properties(&self.config.queue_defaults, self.seed),
            };
            self.node.handle.create_queue(queue, Box::new(|made| drop(made.expect("it is new"))));
        }
        self.create_streams();
        self.run();
        assert_eq!(self.node.handle.queues().len(), ours.count());
    }

    /// Does one step of the plan.
    pub(crate) fn step(&mut self, number: usize, step: Step) {
        self.trace.push(format!("{number}: {step:?}"));
        self.act(step);
        self.listen();
        self.note_machine();
        self.note_failure();
        if self.machine.is_off() {
            // The machine dies, or the process only.
            let power = self.machine.has_lost_power();
            self.say(if power { "the power is gone" } else { "the process is killed" });
            self.seen.note("power cut in the middle", 1);
            let seed = self.seed ^ self.crashes;
            if seed.is_multiple_of(2) {
                // Other threads may have been quick: what the log had told before, clients have heard.
                for shard in (0..self.node.shards.len()).chain(0..self.node.shards.len()) {
                    self.node.turn(shard, &self.limits);
                }
                self.listen();
            }
            self.crash(power, seed);
        }
        self.node.check();
        self.check_vat();
        let damaged = log_api::Log::stats(&*self.node.log).damaged_reads_total;
        assert!(damaged == 0 || self.machine.was_harmed(), "read as damaged, though nothing is");
    }

    pub(crate) fn say(&mut self, what: impl Into<String>) {
        self.note_machine();
        self.trace.push(format!("    {}", what.into()));
    }

    /// From the moment of a failure on, nothing that is sent can be stored.
    fn note_failure(&mut self) {
        if self.failed_at.is_none() && self.machine.has_failed() {
            self.failed_at = Some(self.auditor.published());
        }
    }

    fn note_machine(&mut self) {
        let said = self.machine.take_said();
        self.trace.extend(said.into_iter().map(|said| format!("    disk: {said}")));
    }

    /// Connects a client, unless it is connected.
    fn connect(&mut self, n: usize) {
        if self.clients[n].at.is_some() {
            return;
        }
        let shard = self.node.shard_of(&self.clients[n].name);
        self.conns += 1;
        let conn = broker::ConnId { slot: self.conns, generation: self.conns };
        let client = &mut self.clients[n];
        client.at = Some((shard, conn));
        client.connection += 1;
        let begins_anew = std::mem::take(&mut client.begins_anew);
        let how = (client.keeps_session(), begins_anew);
        let hello = wire::connect(&client.name, client.version, how);
        let socket = Socket { input: [hello].into(), ..Socket::default() };
        self.node.sockets[shard].open.insert(conn.slot, socket);
    }

    /// A client says something, if it is connected.
    fn send(&mut self, n: usize, bytes: Vec<u8>) {
        if let Some(socket) = self.socket(n) {
            socket.input.push_back(bytes);
        }
    }

    fn socket(&mut self, n: usize) -> Option<&mut Socket> {
        let (shard, conn) = self.clients[n].at?;
        self.node.sockets[shard].get(conn)
    }

    /// A client's connection ends without a word.
    fn lose(&mut self, n: usize) {
        let Some((shard, conn)) = self.clients[n].at else { return };
        // What it had may be given to others at once.
        self.note_unrest();
        let at = self.node.moment();
        let (engine, sockets) = (&mut self.node.shards[shard], &mut self.node.sockets[shard]);
        let is_blocked = sockets.get(conn).is_some_and(|socket| socket.is_blocked);
        engine.begin(at.now, at.unix_ms);
        engine.closed(conn, sockets);
        sockets.open.remove(&conn.slot);
        engine.end(sockets);
        self.note_lost(n, is_blocked);
    }

    /// A client's connection is gone; what it had not read of it, too.
    fn note_lost(&mut self, n: usize, was_blocked: bool) {
        for (source, message) in std::mem::take(&mut self.clients[n].accepting) {
            match source {
                Source::Stream(reader, offset) => self.auditor.may_have_settled(reader, offset),
                Source::Group(group) => self.auditor.may_have_taken(group, message),
                Source::Queue(queue, offset) => self.auditor.may_have_accepted(queue, offset),
                Source::Topic => {}
            }
        }
        self.forget_asking(n);
        let role = self.clients[n].role;
        if let Some(reader) = reading::reader_of(role) {
            self.auditor.reads_on(reader);
        }
        if let Some(sharer) = sharing::sharer_of(role).filter(|_| was_blocked) {
            self.auditor.has_missed(sharer);
        }
        self.auditor.consumer_goes(n);
        self.clients[n].lose();
        self.note_deserted();
    }

    /// Sessions that are subscribed to the topic for sure.
    fn subscribed_sessions(&self, topic: &str) -> Vec<usize> {
        if !crate::plan::leads_to(topic, "t/+") {
            return Vec::new();
        }
        let is_session = |client: &&Client| matches!(client.role, Role::Session { .. });
        let sessions = self.clients.iter().filter(is_session).enumerate();
        sessions.filter(|(_, client)| client.is_subscribed).map(|(n, _)| n).collect()
    }
}

/// Whether a trace shows every operation of the disk: `WEIR_SIM_TRACE=1`.
fn is_traced() -> bool {
    std::env::var_os("WEIR_SIM_TRACE").is_some_and(|wanted| wanted != "0")
}
