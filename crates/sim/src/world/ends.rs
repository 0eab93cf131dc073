//! How lives of the process end and begin, and the end of all: everything is well, and everything must come out.
//! It must not know who breaks what.

use std::collections::BTreeSet;

use log_api::{Log, LogState};

use super::World;
use crate::auditor::Ends;
use crate::client::Source;
use crate::groups::{CASUAL, CREW};
use crate::node::Node;
use crate::plan::{CLIENTS, PUBLISHERS, SHARER, Start};
use crate::queues::{
    BRIEF, DEAD, DYING, Kind, MEMORY, OPERATED, OS, QUEUES, QueueOf, RING_MAX, keeps_settled_ms,
};
use crate::streams::{FLEETING, PLAIN_READERS, WRITTEN};

/// As often the finish looks whether all is drained, with more than the longest back-off between.
const ROUNDS_MAX: usize = 40;
/// More than the longest back-off.
const DRAIN_MS: u64 = 75_000;

impl World {
    /// The process dies, and starts again over what it left.
    pub(super) fn crash(&mut self, power: bool, seed: u64) {
        self.crashes += 1;
        self.note_life(power);
        if power {
            self.machine.lose_power(seed);
            self.auditor.power_lost();
        } else {
            self.machine.kill();
        }
        self.machine.set_room(None);
        (0..self.clients.len()).for_each(|n| self.note_lost(n, false));
        self.auditor.crashed(power);
        (self.is_slow, self.is_reading_slowly, self.failed_at) = (false, false, None);
        self.forget_orders();
        self.deadlines.clear();
        self.newest.clear();
        self.unrested_ms = None;
        self.is_put_back = false;
        if !std::mem::take(&mut self.asked).is_empty() {
            self.auditor.may_be_purged();
        }
        if seed.is_multiple_of(4) {
            // That may happen once more while it starts.
            self.machine.cut_in(seed as usize / 8 % 16, (seed / 4).is_multiple_of(2));
        }
        self.boot(seed);
        self.note_begun();
        self.key_now = None;
        self.note_keys();
        self.check_ledgers();
        self.check_positions();
    }

    /// How far it had come, and what lay in memory is gone, and counted.
    fn note_begun(&mut self) {
        let memory = self.ledger(MEMORY);
        assert_eq!(memory.waiting(), 0, "messages were in memory, and wait still: {memory:?}");
        self.seen.note("message in memory is lost", memory.dropped);
        let written = self.appended(WRITTEN);
        let (os, fleeting) = (self.ledger(OS).enqueued, self.appended(FLEETING));
        self.auditor.begins(Ends { os, memory: memory.enqueued, written, fleeting });
    }

    /// What happened in the life that ends.
    fn note_life(&mut self, power: bool) {
        let (stats, state) = (self.node.log.stats(), self.node.log.state());
        self.seen.note(if power { "power cut" } else { "process killed" }, 1);
        self.seen.note("checkpoint", stats.checkpoints_total);
        let relocated = self.node.handle.state().counts.relocated_total;
        self.seen.note("message written anew", relocated);
        let counts = self.node.handle.state().counts;
        self.seen.note("shared message handed over", counts.shared_handed_over_total);
        self.seen.note("segment trimmed", stats.trimmed_segments_total);
        self.seen.note("damage met in reading", stats.damaged_reads_total);
        self.seen.note("log failed", u64::from(matches!(state, LogState::Failed { .. })));
        self.auditor.has_met_damage |= stats.damaged_reads_total > 0;
    }

    fn boot(&mut self, seed: u64) {
        match Node::boot(&self.machine, &self.config) {
            Ok(node) => self.node = node,
            Err(_) if self.machine.is_off() => {
                self.say("it ends while the log is opened");
                if self.machine.has_lost_power() {
                    self.machine.lose_power(seed / 3);
                    self.auditor.power_lost();
                } else {
                    self.machine.kill();
                }
                self.boot(seed / 3);
            }
            Err(error) => {
                self.say(format!("start refused: {error}"));
                self.seen.note("start refused", 1);
                assert!(self.machine.is_harmed(), "refused, though nothing is damaged: {error}");
                assert!(
                    !self.machine.is_harmed_lightly(),
                    "refused, though the checkpoint before is whole: {error}"
                );
                let says = |word: &str| error.contains(word);
                assert!(
                    says("damaged") && says("data/") && says("offset"),
                    "damage must be called by its name, with file and offset: {error}"
                );
                self.machine.heal();
                self.machine.kill();
                self.boot(seed / 3);
            }
        }
    }

    /// Accounts hold at least what was acknowledged, and what was recorded as settled.
    pub(super) fn check_ledgers(&mut self) {
        for (n, QueueOf { name, kind, .. }) in QUEUES.iter().enumerate() {
            let Some(ledger) = self.node.ledger(name) else {
                assert!(
                    *kind == Kind::Dead && !self.auditor.has_come_from(n),
                    "queue {name} is lost"
                );
                continue;
            };
            assert!(ledger.balances(), "queue {name}: {ledger:?}");
            let expired = match kind {
                Kind::Timed => self.auditor.expired_at_most(),
                Kind::Brief => self.auditor.too_old_at_most(self.wall()),
                _ => 0,
            };
            let replaced = if *kind == Kind::Latest { 0 } else { ledger.replaced };
            let nowhere = ledger.expired.saturating_sub(expired) + replaced;
            self.seen.note("message expires", ledger.expired);
            self.seen.note("message is replaced", ledger.replaced);
            // What was sent back has come twice, and may have died twice.
            let comes_back = matches!(kind, Kind::Dying | Kind::Dead);
            let back = if comes_back { self.ledger(DEAD).settled } else { 0 };
            let purged = if *kind == Kind::Operated { 0 } else { ledger.purged };
            let may_drop = matches!(kind, Kind::Ring | Kind::Vat | Kind::Memory);
            let dropped = if may_drop { 0 } else { ledger.dropped };
            let died = if *kind == Kind::Dying { 0 } else { ledger.dead_lettered };
            self.seen.note("the oldest is dropped", ledger.dropped);
            assert!(
                nowhere + purged + dropped + died == 0
                    && ledger.enqueued <= self.auditor.most(n) + back,
                "queue {name} counts what never happened: {ledger:?}"
            );
            // An operator settles dead letters too.
            assert!(
                *kind == Kind::Dead || ledger.settled <= self.auditor.answered(n),
                "queue {name} counts {} settled, and {} were accepted",
                ledger.settled,
                self.auditor.answered(n)
            );
            let (taken, settled) = self.auditor.least(n);
            // What was dropped on its way to a consumer is not settled by it.
            let gone = if may_drop { ledger.dropped } else { 0 };
            assert!(
                ledger.enqueued >= taken && ledger.settled + gone >= settled,
                "queue {name} counts less than {taken} taken and {settled} settled: {ledger:?}"
            );
        }
        let (died, arrived) = (self.ledger(DYING).dead_lettered, self.ledger(DEAD).enqueued);
        assert!(arrived <= died, "{died} have died, and {arrived} dead letters were stored");
        let (purged, least) = (self.ledger(OPERATED).purged, self.auditor.purged_at_least());
        self.check_stream_ledgers();
        assert!(purged >= least, "{least} were purged, and {purged} are counted after a crash");
        self.check_all_or_none();
    }

    fn ledger(&self, queue: usize) -> queue_engine::Ledger {
        self.node.ledger(QUEUES[queue].name).unwrap_or_default()
    }

    /// Queues with the same filter have taken the same messages; what was sent back came on top.
    fn check_all_or_none(&self) {
        let taken = self.ledger(0).enqueued;
        let relaxed = [self.ledger(OS).enqueued, self.ledger(MEMORY).enqueued];
        let in_streams = [self.appended(WRITTEN), self.appended(FLEETING)];
        assert_eq!(relaxed, in_streams, "queues and streams that do not sync have taken the same");
        assert_eq!(relaxed[0], relaxed[1], "what is written, and what is in memory");
        for (n, of) in QUEUES.iter().enumerate() {
            let enqueued = self.ledger(n).enqueued;
            match of.kind {
                _ if of.filter != QUEUES[0].filter => {}
                Kind::Dying => {
                    let (back, (least, _)) = (enqueued - taken, self.auditor.sent_back());
                    let settled = self.ledger(DEAD).settled;
                    assert!(
                        (least..=settled).contains(&back),
                        "{least} dead letters were sent back, {settled} are settled, {back} came"
                    );
                }
                // It takes no more than others.
                Kind::Dedup => assert!(enqueued <= taken, "{enqueued} are in {}", of.name),
                _ => assert_eq!(enqueued, taken, "queue {}, and queue {}", of.name, QUEUES[0].name),
            }
        }
    }

    /// Dead letters that were neither sent back nor settled by a consumer are none.
    fn check_sent_back(&self) {
        let back = self.ledger(DYING).enqueued - self.ledger(0).enqueued;
        let (_, by_consumers) = self.auditor.sent_back();
        let settled = self.ledger(DEAD).settled;
        assert!(
            by_consumers.contains(&(settled - back)),
            "{settled} dead letters are settled, {back} were sent back, consumers took {by_consumers:?}"
        );
    }

    /// What must hold of queues whenever nothing is under way.
    pub(super) fn check_bounds(&self) {
        for of in QUEUES.iter().filter(|of| of.kind == Kind::Ring) {
            let waiting = self.node.ledger(of.name).map_or(0, |ledger| ledger.waiting());
            assert!(waiting <= RING_MAX, "queue {} has {waiting} messages", of.name);
        }
        self.check_keys();
        if !self.is_put_back {
            self.check_members();
        }
        self.check_sharers();
    }

    /// Of each key that a queue keeps in order one message is with consumers.
    fn check_keys(&self) {
        let mut held = BTreeSet::new();
        for client in &self.clients {
            for lease in &client.leases {
                let Source::Queue(queue, offset) = lease.source else { continue };
                let topic = self.auditor.topic(lease.message);
                if let Some(key) = QUEUES[queue].key_of(topic)
                    && client.consumes.contains(&queue)
                {
                    let name = QUEUES[queue].name;
                    let is_first = held.insert((queue, key));
                    assert!(is_first, "two messages of key '{key}' of {name}, one at {offset}");
                }
            }
        }
    }

    /// All is well again: what waits comes out, and it is all that must.
    pub(crate) fn finish(&mut self) {
        self.trace.push("finish".to_owned());
        self.check_alive();
        let seed = self.seed / 4 * 4 + 1;
        self.crash(self.seed.is_multiple_of(2), seed);
        self.drain();
        let mut is_whole = self.look_at_streams();
        self.auditor.has_met_damage |= self.node.log.stats().damaged_reads_total > 0;
        if self.auditor.has_met_damage {
            self.say("damage was met in reading: the files are restored");
            self.machine.heal();
            self.crash(false, seed);
            self.drain();
            is_whole = self.look_at_streams();
        }
        assert!(is_whole, "a message of the stream cannot be read, though nothing is damaged");
        self.connect(CLIENTS);
        self.run();
        self.listen();
        self.run();
        self.listen();
        self.auditor.check_complete();
        self.auditor.check_retained();
        self.auditor.check_set_back();
        self.auditor.check_read();
        self.auditor.check_shared(CREW);
        self.auditor.check_newest_came();
        self.auditor.check_delayed();
        self.auditor.check_brief(self.ledger(BRIEF).expired);
        for of in QUEUES {
            let ledger = self.node.ledger(of.name).unwrap_or_default();
            assert_eq!(ledger.waiting(), 0, "queue {}: {ledger:?}", of.name);
        }
        self.check_sent_back();
        self.delete_streams();
        let (died, arrived) = (self.ledger(DYING).dead_lettered, self.ledger(DEAD).enqueued);
        assert_eq!(died, arrived, "so many have died, and so many dead letters were stored");
        assert_eq!(self.node.open_ends(), 0, "somebody waits for an answer");
        let (held, counted) = self.node.references();
        // The drain takes longer than what is kept for a while is kept.
        let keeps_all = keeps_settled_ms(self.seed) > DRAIN_MS;
        let kept = if keeps_all { self.ledger(OPERATED).settled } else { 0 };
        let needed = self.node.retained() + kept;
        assert_eq!((held, counted), (needed, needed), "nothing else is needed any more");
    }

    /// Nothing interferes any more: what waits comes out without a restart, which would hide that it is stuck.
    fn check_alive(&mut self) {
        self.machine.cut_in(usize::MAX, true);
        self.machine.set_room(None);
        (self.is_slow, self.is_reading_slowly) = (false, false);
        self.unblock_all();
        self.answer_until_quiet(SHARER);
        self.auditor.check_shared(CASUAL);
        if self.node.log.state() != LogState::Writable || self.machine.was_harmed() {
            return;
        }
        self.drain();
        if self.machine.has_failed() || self.machine.was_harmed() {
            return;
        }
        for of in QUEUES {
            let ledger = self.node.ledger(of.name).unwrap_or_default();
            assert_eq!(ledger.waiting(), 0, "queue {} is stuck: {ledger:?}", of.name);
        }
        assert!(self.look_at_streams(), "a message cannot be read, though nothing is damaged");
        self.auditor.check_read();
        self.auditor.check_shared(CREW);
        self.auditor.check_memory_complete();
        self.seen.note("all comes out without a restart", 1);
    }

    fn unblock_all(&mut self) {
        for n in 0..self.clients.len() {
            if let Some(socket) = self.socket(n) {
                socket.is_blocked = false;
            }
        }
    }

    /// One consumer takes all that there is in queues, sessions and readers what there is for them.
    pub(super) fn take_all(&mut self) {
        self.is_reading_slowly = false;
        self.pause(false);
        for n in 0..CLIENTS {
            self.connect(n);
        }
        self.run();
        for queue in 0..QUEUES.len() {
            self.consume_all(queue);
        }
        for reader in PLAIN_READERS {
            self.read_from(reader, Start::Next, 1);
        }
        self.answer_at_once();
    }

    /// Clients answer as long as something comes.
    fn answer_at_once(&mut self) {
        for _ in 0..200 {
            self.run();
            self.listen();
            if !self.answer_all(PUBLISHERS) {
                return;
            }
        }
    }

    /// The same, with time for what comes later.
    fn drain(&mut self) {
        self.take_all();
        for round in 0..ROUNDS_MAX {
            if round == 5 {
                // What is held back was sent when the clock stood somewhere else.
                self.clock_set += 1;
                self.machine.set_clock_latest();
            }
            self.subscribe_again();
            self.answer_at_once();
            self.machine.wait(100);
            self.run();
            let waiting = |of: &QueueOf| self.node.ledger(of.name).map_or(0, |one| one.waiting());
            let is_answered = self.clients.iter().all(|client| client.leases.is_empty());
            let delayed = self.node.handle.state().counts.delayed_messages;
            match QUEUES.iter().map(waiting).sum::<u64>() + delayed {
                0 if is_answered => break,
                0 => {}
                _ => self.machine.wait(DRAIN_MS),
            }
        }
        // What a reader gave back comes after the longest back-off.
        self.machine.wait(DRAIN_MS);
        self.answer_until_quiet(PUBLISHERS);
    }

    fn consume_all(&mut self, queue: usize) {
        self.act(crate::plan::Step::Subscribe { consumer: 0, queue, qos: 1 });
    }
}
