//! A small deterministic world: shards over a log in memory, and clients that say and hear words.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use log_api::testing::{MemoryLog, MemoryStore};
use log_api::{Log, LogState, ShardId};
use mqtt_codec::Limits;
use mqtt_types::ProtocolVersion;
use queue_engine::Ledger;
use stdx::{Instant, UnixMillis};

use super::client::{Words, connect, heard, packet, version};
use crate::config::Config;
use crate::directory::QueueProperties;
use crate::handle::Handle;
use crate::ids::{ConnId, owner_of};
use crate::mail::Mail;
use crate::post::Post;
use crate::recovery::Recovery;
use crate::shard::Shard;
use crate::testing::{Moment, Socket, Sockets, work};

pub(super) const EPOCH_MS: u64 = 1_700_000_000_000;

struct Client {
    shard: usize,
    conn: ConnId,
    version: ProtocolVersion,
}

/// Shards, a log, clients, a clock.
pub(super) struct World {
    config: Config,
    store: MemoryStore,
    pub(super) log: Arc<MemoryLog>,
    post: Post,
    pub(super) handle: Handle,
    pub(super) shards: Vec<Shard>,
    sockets: Vec<Sockets>,
    clients: BTreeMap<String, Client>,
    conns: u32,
    now_ms: u64,
    /// Shards that get no turn.
    stalled: Vec<usize>,
    /// What clients got, as bytes, for who wants to look at it.
    pub(super) tapped: Option<Vec<(String, Vec<u8>)>>,
    /// What an operator was answered and has not been said.
    pub(super) answers: Arc<Mutex<Vec<String>>>,
    /// A shard whose turn does not end.
    late: Option<usize>,
    /// By how much the wall clock was set.
    set_by_ms: i64,
    was_stopped: bool,
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        let store = MemoryStore::new();
        let now = UnixMillis(EPOCH_MS);
        let (log, post, handle, shards) = start(&config, &store, now);
        let sockets = shards.iter().map(|_| Sockets::default()).collect();
        Self {
            config,
            store,
            log,
            post,
            handle,
            shards,
            sockets,
            clients: BTreeMap::new(),
            conns: 0,
            now_ms: 0,
            stalled: Vec::new(),
            tapped: None,
            answers: Arc::default(),
            late: None,
            set_by_ms: 0,
            was_stopped: false,
        }
    }

    /// What the wall clock says.
    fn unix_ms(&self) -> u64 {
        (EPOCH_MS + self.now_ms).saturating_add_signed(self.set_by_ms)
    }

    /// The process dies and starts again over what the log has committed.
    pub(super) fn crash(&mut self) {
        self.crash_until(UnixMillis(self.unix_ms()));
    }

    fn crash_until(&mut self, now: UnixMillis) {
        (self.log, self.post, self.handle, self.shards) = start(&self.config, &self.store, now);
        self.sockets = self.shards.iter().map(|_| Sockets::default()).collect();
        self.clients.clear();
        self.stalled.clear();
        self.late = None;
    }

    /// Does one command, and says what the clients heard of it.
    pub(super) fn command(&mut self, line: &str) -> Vec<String> {
        let words = Words::of(line);
        match words.at(0) {
            "wait" => {
                self.now_ms += words.at(1).parse::<u64>().expect("milliseconds");
            }
            // The wall clock is set, by so many seconds forwards or backwards.
            "clock" => self.set_by_ms += words.at(1).parse::<i64>().expect("seconds") * 1000,
            // The process does not run for a while; what clients send meanwhile is read after the timers are looked at.
            "stopped" => {
                self.now_ms += words.at(1).parse::<u64>().expect("milliseconds");
                self.was_stopped = true;
            }
            // The clock may come back as it is before anybody has set it.
            "crash" if words.at(1) == "1970" => self.crash_until(UnixMillis(0)),
            "crash" => {
                let shards = words.value("shards").map(|count| count.parse().expect("a number"));
                self.config.shards = shards.unwrap_or(self.config.shards);
                self.crash();
            }
            "stall" => self.stalled.push(words.at(1).parse().expect("a shard")),
            "late" => self.late = Some(usize::from(owner_of(words.at(1), self.config.shards).0)),
            "run" => {
                self.stalled.clear();
                self.late = None;
            }
            "checkpoint" => self.log.request_checkpoint(),
            "segments" => self.store.roll_after(words.at(1).parse().expect("a number of records")),
            "log" => match words.at(1) {
                "hold" => self.log.hold(),
                "commit" => self.log.commit(),
                "refuses" => self.log.refuse_next(),
                // What is read is read late: as it is when reads are answered.
                "slow" => self.log.hold_reads(),
                "reads" => self.log.answer_reads(),
                "full" => self.log.set_state(LogState::Full),
                "well" => self.log.set_state(LogState::Writable),
                "fails" => self.log.set_state(LogState::Failed { reason: "a test".to_owned() }),
                other => panic!("unknown word {other}"),
            },
            "damage" => {
                let offset = words.at(1).parse().expect("an offset");
                self.store.damage(log_api::Position::new(1, offset));
            }
            "alarms" => return self.alarm_lines(),
            "drain" => self.handle.drain(|| ()),
            "create" => return self.create(&words),
            "change" => return self.change(&words),
            "redrive" => return self.redrive(&words),
            "delete" => return self.delete(words.at(1)),
            "held" => return self.held_line(),
            "segments_left" => {
                let left = self.store.segments();
                return vec![left.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")];
            }
            "ends" => return vec![self.open_ends().to_string()],
            "shared" => return vec![self.shared_line()],
            "ledger" => return vec![self.ledger_line(words.at(1))],
            _ if self.operator_command(&words)
                || self.queue_command(&words)
                || self.stream_command(&words)
                || self.explain_command(&words) => {}
            _ => self.client_command(&words),
        }
        self.settle()
    }

    /// The wall clock is set forwards by so many milliseconds.
    pub(super) fn set_clock_by(&mut self, milliseconds: i64) {
        self.set_by_ms += milliseconds;
    }

    /// Hands a command over and lets nothing happen yet.
    pub(super) fn quietly(&mut self, line: &str) {
        self.client_command(&Words::of(line));
    }

    /// Time goes by, and nothing happens yet.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.now_ms += milliseconds;
    }

    /// One turn of each shard, and what clients heard of it.
    pub(super) fn one_turn(&mut self) -> Vec<String> {
        for n in 0..self.shards.len() {
            self.turn(n);
        }
        let mut heard = BTreeMap::<String, Vec<String>>::new();
        self.listen(&mut heard);
        let of = |(name, lines): (String, Vec<String>)| {
            lines.into_iter().map(move |line| format!("{name} {line}")).collect::<Vec<_>>()
        };
        heard.into_iter().flat_map(of).collect()
    }

    /// Segments that hold retained messages, in one line.
    pub(super) fn held_segments(&self) -> Vec<u32> {
        self.shards.first().map_or_else(Vec::new, Shard::retained_segments)
    }

    fn held_line(&self) -> Vec<String> {
        vec![self.held_segments().iter().map(u32::to_string).collect::<Vec<_>>().join(" ")]
    }

    fn client_command(&mut self, words: &Words<'_>) {
        let name = words.at(0);
        if words.at(1) == "connect" {
            let bytes = connect(name, words);
            self.open(name, words.value("id").unwrap_or(name), version(words), bytes);
            return;
        }
        let client = self.clients.get(name).unwrap_or_else(|| panic!("{name} never connected"));
        let (shard, conn) = (client.shard, client.conn);
        let version = client.version;
        let Some(socket) = self.sockets[shard].get(conn) else { return };
        match words.at(1) {
            "block" => socket.is_blocked = true,
            "unblock" => socket.is_blocked = false,
            "lost" => self.lose(name),
            _ => socket.input.push_back(packet(version, words)),
        }
    }

    /// Opens a connection that sends those bytes first, on the shard of its client id.
    pub(super) fn open(
        &mut self,
        name: &str,
        client_id: &str,
        version: ProtocolVersion,
        bytes: Vec<u8>,
    ) {
        let shard = usize::from(owner_of(client_id, self.config.shards).0);
        self.conns += 1;
        let conn = ConnId { slot: self.conns, generation: self.conns };
        let mut old = self.clients.insert(name.to_owned(), Client { shard, conn, version });
        if let Some(old) = old.take() {
            // It stays open until the shard closes it; what it hears then is not of interest.
            let key = format!("{name}~{}", old.conn.slot);
            self.clients.insert(key, old);
        }
        let socket = Socket { input: [bytes].into(), ..Socket::default() };
        self.sockets[shard].open.insert(conn.slot, socket);
    }

    /// A client sends bytes, which need not be whole packets.
    pub(super) fn send(&mut self, name: &str, bytes: Vec<u8>) {
        let Some(client) = self.clients.get(name) else { return };
        if let Some(socket) = self.sockets[client.shard].get(client.conn) {
            socket.input.push_back(bytes);
        }
    }

    pub(super) fn is_open(&self, name: &str) -> bool {
        self.clients.contains_key(name)
    }

    /// Whether nothing is on its way to a client or from it.
    pub(super) fn is_even(&self, name: &str) -> bool {
        let socket = self
            .clients
            .get(name)
            .and_then(|client| self.sockets.get(client.shard)?.open.get(&client.conn.slot));
        socket.is_some_and(|socket| {
            socket.input.is_empty() && socket.unread.is_empty() && !socket.is_blocked
        })
    }

    /// Bytes in the fullest output buffer.
    pub(super) fn longest_buffer(&self) -> usize {
        let all = self.sockets.iter().flat_map(|sockets| sockets.open.values());
        all.map(|socket| socket.out.len()).max().unwrap_or(0)
    }

    /// The limits that the network layer decodes with.
    pub(super) fn limits(&self) -> Limits {
        let max_packet_size = self.config.limits.maximum_packet_size;
        Limits { max_packet_size, check_filters: false, ..Limits::default() }
    }

    fn lose(&mut self, name: &str) {
        let Some(client) = self.clients.remove(name) else { return };
        let unix_ms = self.unix_ms();
        let shard = &mut self.shards[client.shard];
        let sockets = &mut self.sockets[client.shard];
        shard.begin(Instant::from_millis(self.now_ms), unix_ms);
        shard.closed(client.conn, sockets);
        sockets.open.remove(&client.conn.slot);
        shard.end(sockets);
    }

    pub(super) fn queue_defaults(&self) -> QueueProperties {
        self.config.queue_defaults.clone()
    }

    /// The counts of shared subscriptions that are not 0.
    fn shared_line(&self) -> String {
        let counts = self.handle.state().counts;
        let all = [
            ("handed_over", counts.shared_handed_over_total),
            ("dropped", counts.shared_dropped_total),
            ("refused", counts.negative_acks_total),
        ];
        let some = all.iter().filter(|(_, count)| *count > 0);
        some.map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
    }

    fn delete(&mut self, name: &str) -> Vec<String> {
        self.handle.delete_queue(name.to_owned(), Box::new(|_| ()));
        self.settle()
    }

    /// Lets everything happen that follows, and says what the clients heard.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let mut heard = BTreeMap::<String, Vec<String>>::new();
        for turn in 0.. {
            assert!(turn < 10_000, "the shards never come to rest");
            let mut busy = false;
            for n in
                (0..self.shards.len()).filter(|n| !self.stalled.contains(n)).collect::<Vec<_>>()
            {
                busy |= self.turn(n);
            }
            self.was_stopped = false;
            self.listen(&mut heard);
            if !busy {
                break;
            }
        }
        self.check();
        let answers = std::mem::take(&mut *self.answers.lock().expect("not poisoned"));
        heard
            .into_iter()
            .flat_map(|(name, lines)| lines.into_iter().map(move |line| format!("{name} {line}")))
            .chain(answers)
            .collect()
    }

    fn turn(&mut self, n: usize) -> bool {
        let limits = self.limits();
        let unix_ms = self.unix_ms();
        let (shard, sockets) = (&mut self.shards[n], &mut self.sockets[n]);
        let now = Instant::from_millis(self.now_ms);
        if self.was_stopped {
            // The poll gives so many events at once and no more: timers come before some of the packets.
            shard.begin(now, unix_ms);
            shard.was_stopped();
            shard.tick(sockets);
        }
        let mut busy = work(shard, sockets, &self.post, Moment { now, unix_ms }, &limits);
        if self.late != Some(n) {
            shard.end(sockets);
        }
        busy |= sockets.open.values().any(|socket| !socket.is_blocked && !socket.out.is_empty());
        busy
    }

    fn listen(&mut self, said: &mut BTreeMap<String, Vec<String>>) {
        let mut gone = Vec::new();
        for (name, client) in &self.clients {
            let Some(socket) = self.sockets[client.shard].get(client.conn) else { continue };
            if let Some(tapped) = self.tapped.as_mut().filter(|_| !socket.received.is_empty()) {
                tapped.push((name.clone(), socket.received.clone()));
            }
            let lines = heard(&mut socket.received, client.version);
            let is_over = socket.closed.is_some() && (socket.out.is_empty() || socket.is_blocked);
            let said = said.entry(name.clone()).or_default();
            said.extend(lines);
            if is_over && !name.contains('~') {
                said.push("closed".to_owned());
            }
            if is_over {
                gone.push((name.clone(), client.shard, client.conn));
            }
        }
        for (name, shard, conn) in gone {
            self.clients.remove(&name);
            self.sockets[shard].open.remove(&conn.slot);
        }
    }

    /// What must hold after every step.
    pub(super) fn check(&self) {
        for shard in &self.shards {
            shard.check_all().unwrap_or_else(|broken| panic!("{broken}"));
        }
        // A shard that was late hands records over in a turn that may have had nothing else to do.
        let is_quiet = || (0..self.shards.len()).all(|n| self.mail_waiting(n as u16) == 0);
        if self.stalled.is_empty() && self.late.is_none() && is_quiet() {
            // Bodies live as long as somebody needs them, and no longer.
            let held: usize = self.shards.iter().map(Shard::references).sum();
            assert_eq!(self.log.references(), held as i64, "references to bodies in the log");
            let retained = self.shards.first().map_or(0, Shard::retained_held);
            let held = self.shards.iter().map(Shard::held).sum::<usize>() + retained as usize;
            assert_eq!(self.log.held(), held as i64, "retained bodies in the log");
            if !self.log.is_waiting() {
                // What is taken of a queue's room is what it has.
                let checked = self.shards.iter().try_for_each(Shard::check_rooms);
                checked.unwrap_or_else(|broken| panic!("{broken}"));
            }
        }
        let subscriptions: usize = self.shards.iter().map(Shard::subscription_bytes).sum();
        assert_eq!(self.handle.state().subscription_bytes, subscriptions, "bytes of subscriptions");
    }

    /// Letters that wait for a shard.
    pub(super) fn mail_waiting(&self, shard: u16) -> usize {
        let mut mail: Vec<Mail> = Vec::new();
        self.post.take(ShardId(shard), &mut mail);
        let count = mail.len();
        mail.into_iter().for_each(|letter| self.post.send(ShardId(shard), letter));
        count
    }

    /// Answers that somebody waits for, on all shards.
    pub(super) fn open_ends(&self) -> usize {
        self.shards.iter().map(Shard::open_ends).sum()
    }

    /// Whether the log takes no records.
    pub(super) fn log_is_full(&self) -> bool {
        self.log.state() != LogState::Writable
    }

    /// A queue's account.
    pub(super) fn ledger(&self, name: &str) -> Option<Ledger> {
        let definition = self.handle.queue(name)?;
        let owner = self.shards.get(usize::from(definition.owner.0))?;
        owner.ledger(definition.sink)
    }

    fn alarm_lines(&self) -> Vec<String> {
        let line = |alarm: &crate::Alarm| {
            let since = alarm.since.0 - EPOCH_MS;
            format!("{} {} since={since}", alarm.name, alarm.resource)
        };
        self.handle.alarms().list().iter().map(line).collect()
    }

    fn ledger_line(&self, name: &str) -> String {
        let Some(ledger) = self.ledger(name) else { return "no such queue".to_owned() };
        let terms = [
            ("enqueued", ledger.enqueued),
            ("settled", ledger.settled),
            ("ready", ledger.ready),
            ("in_flight", ledger.in_flight),
            ("delayed", ledger.delayed),
            ("expired", ledger.expired),
            ("dropped", ledger.dropped),
            ("replaced", ledger.replaced),
            ("dead_lettered", ledger.dead_lettered),
            ("purged", ledger.purged),
        ];
        let terms = terms.iter().filter(|(_, n)| *n > 0).map(|(term, n)| format!("{term}={n}"));
        terms.collect::<Vec<_>>().join(" ")
    }
}

fn start(
    config: &Config,
    store: &MemoryStore,
    now: UnixMillis,
) -> (Arc<MemoryLog>, Post, Handle, Vec<Shard>) {
    let post = Post::new(config.shards);
    let log = store.open(config.shards, Arc::new(post.clone()));
    let mut recovery = Recovery::new(store.checkpoint().as_ref()).expect("a legal checkpoint");
    store
        .replay(&mut |kind, position, _, body| recovery.visit(kind, position, body))
        .expect("legal records");
    let log_of_broker: Arc<dyn Log> = Arc::clone(&log) as _;
    let recovered = recovery.finish();
    log.release_recovered(&recovered.released);
    log.hold_bodies(&recovered.held);
    let broker = crate::open(config.clone(), post.clone(), log_of_broker, recovered, [1, 2], now);
    (log, post, broker.handle, broker.shards)
}
