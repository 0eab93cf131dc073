//! Crashes: what the log says has left never comes again, everything else does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use queue_engine::{
    Action, ConsumerId, Departure, DispatchStrategy, Input, MessageState, NewMessage, Offset,
    Peeked, Queue, QueueConfig, Snapshot, StoredAt, invariants,
};
use stdx::{Instant, UnixMillis};

use crate::twin::{Command, any_command, any_config, inputs};

/// What a log would hold.
#[derive(Clone, Debug)]
enum Record {
    Enqueued { message: NewMessage, is_duplicate: bool },
    Left { offset: Offset, departure: Departure },
    Kept { offset: Offset },
    Forgotten { offset: Offset },
    Rewound { to: Offset },
    Attempts { offset: Offset, attempts: u32, until: Option<UnixMillis> },
    Dispatched { to: Offset },
    Reconfigured(QueueConfig),
}

struct Checkpoint {
    /// The length of the log then.
    at: usize,
    bytes: Vec<u8>,
    config: QueueConfig,
    /// What waited then before it is tried again, and until when.
    waits: BTreeMap<Offset, UnixMillis>,
}

/// A caller that logs what it should, now and then, and takes checkpoints.
struct Caller {
    queue: Queue,
    log: Vec<Record>,
    unlogged: Vec<Record>,
    leases: BTreeMap<Offset, ConsumerId>,
    /// What was in flight when it last logged.
    leases_logged: BTreeSet<Offset>,
    /// What was handed over and counts, or may count, as delivered.
    had: BTreeSet<Offset>,
    /// Whether nothing is delivered that the log does not know of, and below which offset it does.
    said: Option<Offset>,
    /// Whether nothing is delivered at all.
    is_withheld: bool,
    checkpoint: Checkpoint,
    now: Instant,
}

impl Caller {
    fn play(&mut self, command: &Command) {
        let wait = if let Command::Wait { milliseconds } = command { *milliseconds } else { 0 };
        self.now = self.now + Duration::from_millis(wait);
        let leases: Vec<_> =
            self.leases.iter().map(|(offset, consumer)| (*consumer, *offset)).collect();
        for input in inputs(command, &self.queue, &leases, self.now) {
            let mut actions = Vec::new();
            let result = self.queue.handle(self.now, input.clone(), &mut actions);
            match input {
                Input::Enqueue(message) => {
                    let is_duplicate = actions.contains(&Action::Duplicate { at: message.at });
                    self.log.push(Record::Enqueued { message, is_duplicate });
                }
                Input::Reconfigure(config) => self.log.push(Record::Reconfigured(*config)),
                _ => {}
            }
            if result.is_ok() {
                let is_rewound =
                    actions.iter().any(|action| matches!(action, Action::Rewound { .. }));
                actions.into_iter().for_each(|action| self.perform(action));
                if is_rewound {
                    self.flush();
                }
            }
        }
        let state = |offset: &Offset| self.queue.state(*offset);
        self.leases.retain(|offset, _| state(offset) == Some(MessageState::InFlight));
        self.had.retain(|offset| {
            let is_back =
                matches!(state(offset), Some(MessageState::Ready | MessageState::Delayed));
            !is_back || self.queue.attempts(*offset) > 0
        });
    }

    fn tell(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.queue.handle(self.now, input, &mut actions).expect("it fits");
        actions.into_iter().for_each(|action| self.perform(action));
    }

    /// Logs that so many more than were delivered may be, or that none is while nobody consumes.
    fn ask(&mut self, more: u64) {
        let dispatched_to = self.queue.dispatched_to();
        if self.queue.ledger().consumers == 0 {
            if !self.is_withheld {
                self.tell(Input::Withhold);
                self.is_withheld = true;
                self.said = Some(dispatched_to);
                self.flush();
                self.log_untried(0);
            }
            return;
        }
        let to = Offset(dispatched_to.0 + more);
        self.said = Some(to);
        let announced = self.unlogged.iter().filter_map(|record| match record {
            Record::Attempts { offset, .. } => Some(*offset),
            _ => None,
        });
        let tried = announced.collect();
        self.flush();
        let was_withheld = std::mem::take(&mut self.is_withheld);
        if was_withheld {
            self.log_untried(1);
        }
        let (awaits, leases) = (self.queue.awaits_permit(), self.leases.len());
        let had_announced = self.queue.has_announced();
        let has_more = self.queue.next_deadline().is_some_and(|due| due <= self.now);
        self.tell(Input::Permit { to: Some(to), tried });
        // It asks for what is of use, and for nothing else.
        if more > 0 && !was_withheld && !has_more {
            let goes_on = self.queue.dispatched_to() > dispatched_to;
            assert!(goes_on || !awaits || had_announced, "it had no use for a permit");
            let is_wanted = awaits || had_announced;
            assert!(is_wanted || self.leases.len() <= leases, "it did not ask for a permit");
        }
    }

    fn log_untried(&mut self, attempts: u32) {
        let untried = self.queue.untried().into_iter();
        self.log.extend(untried.map(|offset| Record::Attempts { offset, attempts, until: None }));
    }

    fn perform(&mut self, action: Action) {
        let left = |offset, departure| (offset, Record::Left { offset, departure });
        let (offset, record) = match action {
            Action::Deliver { consumer, offset, .. } => {
                self.leases.insert(offset, consumer);
                self.had.insert(offset);
                return;
            }
            Action::Rewound { to, .. } => {
                // What became of messages before must stand before it.
                self.unlogged.push(Record::Rewound { to });
                return;
            }
            Action::Duplicate { .. } => return,
            Action::Settled { offset, .. } => left(offset, Departure::Settled),
            Action::Expired { offset, .. } => left(offset, Departure::Expired),
            Action::DeadLetter { offset, .. } => left(offset, Departure::DeadLettered),
            Action::Dropped { offset, .. } => left(offset, Departure::Dropped),
            Action::Replaced { offset, .. } => left(offset, Departure::Replaced),
            Action::Purged { offset, .. } => left(offset, Departure::Purged),
            Action::Kept { offset, .. } => (offset, Record::Kept { offset }),
            Action::Forgotten { offset, .. } => (offset, Record::Forgotten { offset }),
            Action::Attempted { offset, attempts, until } => {
                (offset, Record::Attempts { offset, attempts, until })
            }
        };
        self.leases.remove(&offset);
        self.unlogged.push(record);
    }

    fn flush(&mut self) {
        let to = self.said.unwrap_or_else(|| self.queue.dispatched_to());
        self.log.push(Record::Dispatched { to });
        self.log.append(&mut self.unlogged);
        self.leases_logged = self.leases.keys().copied().collect();
    }

    /// A checkpoint stands for the log up to it, so what it knows is logged first.
    fn take_checkpoint(&mut self) {
        self.flush();
        let mut bytes = Vec::new();
        self.queue.snapshot(self.said.unwrap_or_default()).encode(&mut bytes);
        let config = self.queue.config().clone();
        let offsets = (0..self.queue.next_offset().0).map(Offset);
        let waits = offsets.filter_map(|at| Some((at, self.queue.waits_until(at)?))).collect();
        self.checkpoint = Checkpoint { at: self.log.len(), bytes, config, waits };
    }
}

/// Replays records. Gives what has left, and its body with it.
fn replay(queue: &mut Queue, records: &[Record]) -> Vec<Offset> {
    let mut left = Vec::new();
    for record in records {
        match record {
            Record::Enqueued { message, is_duplicate } => {
                assert_eq!(queue.replay_enqueue(message).is_none(), *is_duplicate, "{message:?}");
            }
            Record::Left { offset, departure } => {
                left.extend(queue.replay_left(*offset, *departure).map(|_| *offset));
            }
            Record::Kept { offset } => queue.replay_kept(*offset),
            Record::Forgotten { offset } => {
                left.extend(queue.replay_forgotten(*offset).map(|_| *offset));
            }
            Record::Rewound { to } => queue.replay_rewound(*to),
            Record::Attempts { offset, attempts, until } => {
                queue.replay_attempts(*offset, *attempts, *until);
            }
            Record::Dispatched { to } => queue.replay_dispatched(*to),
            Record::Reconfigured(config) => queue.replay_reconfigure(config.clone()),
        }
    }
    left
}

/// All that a queue gives out to a consumer that takes everything: offset, body, attempt.
fn drain(mut queue: Queue) -> Vec<(Offset, StoredAt, u32)> {
    let mut actions = Vec::new();
    let config = QueueConfig {
        dispatch_strategy: DispatchStrategy::RoundRobin,
        max_inflight: u32::MAX,
        paused: false,
        max_messages: None,
        max_bytes: None,
        last_value: false,
        retention: Duration::ZERO,
        dead_letter_expired: false,
        ..queue.config().clone()
    };
    let attach = Input::Attach { consumer: ConsumerId(0), max_inflight: u32::MAX };
    let far = Input::Clock(UnixMillis(3_000_000_000_000));
    for input in [Input::Reconfigure(Box::new(config)), attach, far, Input::Tick] {
        queue
            .handle(Instant::ZERO, input, &mut actions)
            .expect("a restored queue has no consumers");
        invariants::check(&queue).expect("a queue that is drained is in order");
    }
    let delivery = |action| match action {
        Action::Deliver { offset, at, attempt, .. } => Some((offset, at, attempt)),
        // It was held back, and its time was over before.
        Action::Expired { offset, at } => Some((offset, at, u32::MAX)),
        Action::Attempted { .. } | Action::Forgotten { .. } => None,
        other => panic!("{other:?} of a queue that is drained"),
    };
    actions.into_iter().filter_map(delivery).collect()
}

fn run(config: &QueueConfig, commands: &[(Command, u8)], asks: bool) {
    let queue = Queue::new(config.clone(), 1);
    let mut bytes = Vec::new();
    queue.snapshot(Offset(0)).encode(&mut bytes);
    let mut caller = Caller {
        queue,
        log: Vec::new(),
        unlogged: Vec::new(),
        leases: BTreeMap::new(),
        leases_logged: BTreeSet::new(),
        had: BTreeSet::new(),
        said: None,
        is_withheld: false,
        checkpoint: Checkpoint { at: 0, bytes, config: config.clone(), waits: BTreeMap::new() },
        now: Instant::ZERO,
    };
    if asks {
        caller.tell(Input::Withhold);
        (caller.said, caller.is_withheld) = (Some(Offset(0)), true);
    }
    for (command, chance) in commands {
        caller.play(command);
        if asks && chance % 3 > 0 {
            caller.ask(u64::from(chance % 7));
        }
        match chance {
            0..40 => caller.flush(),
            40..50 => caller.take_checkpoint(),
            _ => {}
        }
    }
    check_recovery(config, &caller);
}

/// What a log says.
#[derive(Default)]
struct Told {
    messages: Vec<NewMessage>,
    left: BTreeSet<Offset>,
    kept: BTreeSet<Offset>,
    attempts: BTreeMap<Offset, u32>,
    waits: BTreeMap<Offset, UnixMillis>,
    dispatched: Offset,
    rewinds: usize,
}

impl Told {
    fn by(log: &[Record]) -> Self {
        Self::default().and(log)
    }

    fn and(mut self, log: &[Record]) -> Self {
        let told = &mut self;
        for record in log {
            match record {
                Record::Enqueued { message, is_duplicate: false } => told.messages.push(*message),
                Record::Enqueued { .. } | Record::Reconfigured(_) => {}
                Record::Left { offset, .. } => {
                    told.left.insert(*offset);
                    told.waits.remove(offset);
                }
                Record::Kept { offset } => {
                    told.kept.insert(*offset);
                    told.waits.remove(offset);
                }
                Record::Forgotten { offset } => {
                    assert!(told.kept.remove(offset), "{offset} was not kept");
                    told.left.insert(*offset);
                }
                Record::Rewound { to } => {
                    told.rewinds += 1;
                    for offset in told.kept.split_off(to) {
                        told.attempts.remove(&offset);
                    }
                }
                Record::Attempts { offset, attempts, until } => {
                    told.attempts.insert(*offset, *attempts);
                    match until {
                        Some(until) => told.waits.insert(*offset, *until),
                        None => told.waits.remove(offset),
                    };
                }
                Record::Dispatched { to } => told.dispatched = *to,
            }
        }
        self
    }

    fn here(&self) -> Vec<Offset> {
        let stays = |offset: &Offset| !self.left.contains(offset) && !self.kept.contains(offset);
        (0..self.messages.len() as u64).map(Offset).filter(stays).collect()
    }

    /// The least number of deliveries that must count.
    fn attempts(&self, offset: Offset) -> u32 {
        let is_held_back = self.messages[offset.0 as usize].not_before.is_some();
        let implied = u32::from(offset < self.dispatched && !is_held_back);
        self.attempts.get(&offset).copied().unwrap_or(implied)
    }
}

fn check_recovery(config: &QueueConfig, caller: &Caller) {
    let told = Told::by(&caller.log);
    let here = told.here();
    let mut from_log = Queue::new(config.clone(), 2);
    let replayed = replay(&mut from_log, &caller.log);
    assert_eq!(replayed.len(), told.left.len(), "each body is given up once");
    let Checkpoint { at, bytes, config, waits } = &caller.checkpoint;
    let snapshot = Snapshot::decode(bytes).expect("what was encoded is legal");
    let mut from_checkpoint = Queue::restore(config.clone(), 2, snapshot);
    replay(&mut from_checkpoint, &caller.log[*at..]);
    let since = Told { waits: waits.clone(), ..Told::by(&caller.log[..*at]) };
    let since = since.and(&caller.log[*at..]).waits;

    for (what, mut queue, waits) in
        [("the log", from_log, &told.waits), ("the checkpoint", from_checkpoint, &since)]
    {
        invariants::check(&queue).unwrap_or_else(|violation| panic!("{violation} from {what}"));
        queue.end_replay();
        check_waits(&queue, waits, what);
        if told.rewinds == 0 {
            let again: Vec<Record> =
                caller.log.iter().filter(|record| is_idempotent(record)).cloned().collect();
            assert_eq!(replay(&mut queue, &again), [], "replaying twice, from {what}");
        }
        invariants::check(&queue).unwrap_or_else(|violation| panic!("{violation} from {what}"));
        let ledger = queue.ledger();
        assert_eq!(
            (ledger.waiting(), ledger.left()),
            (here.len() as u64, (told.left.len() + told.kept.len()) as u64),
            "from {what}"
        );
        assert_eq!(ledger.enqueued, caller.queue.ledger().enqueued, "from {what}");
        assert!(queue.kept().map(|(offset, _)| offset).eq(told.kept.iter().copied()), "{what}");
        let mut drained = drain(queue);
        let is_held_back = |offset: &Offset| told.messages[offset.0 as usize].not_before.is_some();
        if !waits.is_empty() || here.iter().any(is_held_back) {
            drained.sort_unstable();
        }
        let offsets: Vec<Offset> = drained.iter().map(|(offset, _, _)| *offset).collect();
        assert_eq!(offsets, here, "from {what}");
        for (offset, at, attempt) in drained {
            assert_eq!(at, told.messages[offset.0 as usize].at);
            // A delivery that was under way when something was logged counts, unless it was said not to.
            let least = told.attempts(offset);
            assert!(attempt > least, "attempt {attempt} of {offset} from {what}, after {least}");
            assert!(
                attempt > 1 || !caller.leases_logged.contains(&offset),
                "attempt 1 of {offset} from {what}, which was in flight"
            );
            let (asks, has_had) = (caller.said.is_some(), caller.had.contains(&offset));
            assert!(attempt > 1 || !asks || !has_had, "attempt 1 of {offset} from {what}, again");
            let is_exact = caller.is_withheld && !has_had;
            let is_first = attempt == 1 || attempt == u32::MAX;
            assert!(is_first || !is_exact, "attempt {attempt} of {offset}, which nobody had");
            // What was held back comes before fresh ones when its time has come.
            let is_held_back = told.messages[offset.0 as usize].not_before.is_some();
            assert!(
                offset < caller.queue.dispatched_to().max(caller.said.unwrap_or_default())
                    || is_held_back
                    || attempt == 1,
                "{offset} was never tried"
            );
        }
    }
}

/// What waited before it is tried again waits on, for as long as it was to wait, and what did not does not: but behind one of
/// its key that does not wait, where order is kept.
fn check_waits(queue: &Queue, waits: &BTreeMap<Offset, UnixMillis>, what: &str) {
    let config = queue.config().clone();
    let found = |queue: &Queue| -> BTreeMap<Offset, UnixMillis> {
        let offsets = (0..queue.next_offset().0).map(Offset);
        offsets.filter_map(|offset| Some((offset, queue.waits_until(offset)?))).collect()
    };
    let resumed = found(queue);
    let keeps_order =
        config.dispatch_strategy == DispatchStrategy::KeyOrdered && config.key_inflight <= 1;
    if keeps_order && !queue.is_rekeying() {
        let all: BTreeMap<Offset, Peeked> =
            queue.peek(Offset(0)).map(|peeked| (peeked.offset, peeked)).collect();
        for (offset, until) in waits {
            let is_ready = |one: &&Peeked| {
                let was_held_back = one.not_before.is_some() && one.attempts > 0;
                let waits = resumed.contains_key(&one.offset);
                one.state == MessageState::Ready || was_held_back && !waits
            };
            let mut older = all.range(..offset).map(|(_, one)| one);
            let ready = older.find(|one| one.key == all[offset].key && is_ready(one));
            assert_eq!(resumed.contains_key(offset), ready.is_none(), "{offset} from {what}");
            assert!(resumed.get(offset).is_none_or(|found| found == until), "{offset} from {what}");
        }
        assert!(resumed.keys().all(|offset| waits.contains_key(offset)), "{resumed:?} from {what}");
    } else {
        assert_eq!(&resumed, waits, "from {what}");
    }
    let count = resumed.len() as u64;
    assert!(queue.ledger().delayed >= count, "they count as delayed, from {what}");
    let middle = resumed.values().nth(resumed.len() / 2).filter(|_| !queue.is_rekeying());
    let Some(middle) = middle.copied() else { return };
    let longest = config.retry_delay_max * 6 / 5;
    let just_before = Instant::ZERO + longest.saturating_sub(Duration::from_nanos(1));
    // With a clock that is right, and with one that was set far back: what is over by then.
    let all = UnixMillis(u64::MAX);
    let none = if longest.is_zero() { all } else { UnixMillis(0) };
    for (shows, at, over) in [
        (middle, Instant::ZERO, middle.max(none)),
        (UnixMillis(0), just_before, none),
        (UnixMillis(0), Instant::ZERO + longest, all),
    ] {
        let mut queue = Queue::restore(config.clone(), 3, queue.snapshot(Offset(0)));
        queue.end_replay();
        for (now, input) in [(Instant::ZERO, Input::Clock(shows)), (at, Input::Tick)] {
            queue.handle(now, input, &mut Vec::new()).expect("it fits");
            invariants::check(&queue).expect("it is in order");
        }
        for (offset, until) in &resumed {
            let waits = queue.waits_until(*offset).is_some();
            let is_here = queue.message(*offset).is_some();
            assert_eq!(waits, is_here && *until > over, "{offset} until {until:?} at {shows:?}");
        }
    }
}

const fn is_idempotent(record: &Record) -> bool {
    !matches!(record, Record::Enqueued { .. } | Record::Rewound { .. } | Record::Reconfigured(_))
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_that_was_logged_comes_again(
        config in any_config(),
        commands in prop::collection::vec((any_command(), any::<u8>()), 1..150),
        asks in any::<bool>(),
    ) {
        run(&config, &commands, asks);
    }
}
