//! Crashes: what the log says has left never comes again, everything else does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use queue_engine::{
    Action, ConsumerId, Departure, Input, Offset, Queue, QueueConfig, Snapshot, StoredAt,
    invariants,
};
use stdx::{Instant, UnixMillis};

use crate::twin::{Command, any_command, any_config, inputs};

/// What a log would hold.
#[derive(Clone, Copy, Debug)]
enum Record {
    Enqueued { at: StoredAt, size: u32, stored: UnixMillis },
    Left { offset: Offset, departure: Departure },
    Attempts { offset: Offset, attempts: u32 },
    Dispatched { to: Offset },
}

/// A caller that logs what it should, now and then, and takes checkpoints.
struct Caller {
    queue: Queue,
    log: Vec<Record>,
    unlogged: Vec<Record>,
    leases: BTreeMap<Offset, ConsumerId>,
    /// The length of the log then, and the bytes of the snapshot.
    checkpoint: Option<(usize, Vec<u8>)>,
    now: Instant,
}

impl Caller {
    fn play(&mut self, command: &Command) {
        let wait = if let Command::Wait { milliseconds } = command { *milliseconds } else { 0 };
        self.now = self.now + Duration::from_millis(wait);
        let leases: Vec<_> =
            self.leases.iter().map(|(offset, consumer)| (*consumer, *offset)).collect();
        for input in inputs(command, self.queue.next_offset(), &leases, self.now) {
            if let Input::Enqueue { at, size, stored } = input {
                self.log.push(Record::Enqueued { at, size, stored });
            }
            let mut actions = Vec::new();
            if self.queue.handle(self.now, input, &mut actions).is_ok() {
                actions.into_iter().for_each(|action| self.perform(action));
            }
        }
    }

    fn perform(&mut self, action: Action) {
        let (offset, record) = match action {
            Action::Deliver { consumer, offset, .. } => {
                self.leases.insert(offset, consumer);
                return;
            }
            Action::Settled { offset, .. } => {
                (offset, Record::Left { offset, departure: Departure::Settled })
            }
            Action::Expired { offset, .. } => {
                (offset, Record::Left { offset, departure: Departure::Expired })
            }
            Action::DeadLetter { offset, .. } => {
                (offset, Record::Left { offset, departure: Departure::DeadLettered })
            }
            Action::Attempted { offset, attempts } => {
                (offset, Record::Attempts { offset, attempts })
            }
        };
        self.leases.remove(&offset);
        self.unlogged.push(record);
    }

    fn flush(&mut self) {
        self.log.push(Record::Dispatched { to: self.queue.dispatched_to() });
        self.log.append(&mut self.unlogged);
    }

    /// A checkpoint stands for the log up to it, so what it knows is logged first.
    fn take_checkpoint(&mut self) {
        self.flush();
        let mut bytes = Vec::new();
        self.queue.snapshot().encode(&mut bytes);
        self.checkpoint = Some((self.log.len(), bytes));
    }
}

fn replay(queue: &mut Queue, records: &[Record], and_enqueue: bool) -> Vec<Offset> {
    let mut left = Vec::new();
    for record in records {
        match *record {
            Record::Enqueued { at, size, stored } if and_enqueue => {
                queue.replay_enqueue(at, size, stored);
            }
            Record::Enqueued { .. } => {}
            Record::Left { offset, departure } => {
                left.extend(queue.replay_left(offset, departure).map(|_| offset));
            }
            Record::Attempts { offset, attempts } => queue.replay_attempts(offset, attempts),
            Record::Dispatched { to } => queue.replay_dispatched(to),
        }
    }
    left
}

/// All that a queue gives out to a consumer that takes everything: offset, body, attempt.
fn drain(mut queue: Queue) -> Vec<(Offset, StoredAt, u32)> {
    let mut actions = Vec::new();
    let config = QueueConfig { max_inflight: u32::MAX, paused: false, ..queue.config().clone() };
    let attach = Input::Attach { consumer: ConsumerId(0), max_inflight: u32::MAX };
    for input in [Input::Reconfigure(config), attach] {
        queue
            .handle(Instant::ZERO, input, &mut actions)
            .expect("a restored queue has no consumers");
    }
    invariants::check(&queue).expect("a drained queue is in order");
    let delivery = |action| match action {
        Action::Deliver { offset, at, attempt, .. } => (offset, at, attempt),
        other => panic!("{other:?} of a queue that is drained"),
    };
    actions.into_iter().map(delivery).collect()
}

fn run(config: &QueueConfig, commands: &[(Command, u8)]) {
    let mut caller = Caller {
        queue: Queue::new(config.clone(), 1),
        log: Vec::new(),
        unlogged: Vec::new(),
        leases: BTreeMap::new(),
        checkpoint: None,
        now: Instant::ZERO,
    };
    for (command, chance) in commands {
        caller.play(command);
        match chance {
            0..40 => caller.flush(),
            40..50 => caller.take_checkpoint(),
            _ => {}
        }
    }
    check_recovery(config, &caller);
}

fn check_recovery(config: &QueueConfig, caller: &Caller) {
    let mut bodies = Vec::new();
    let (mut left, mut attempts, mut dispatched) = (BTreeSet::new(), BTreeMap::new(), Offset(0));
    for record in &caller.log {
        match *record {
            Record::Enqueued { at, .. } => bodies.push(at),
            Record::Left { offset, .. } => drop(left.insert(offset)),
            Record::Attempts { offset, attempts: count } => drop(attempts.insert(offset, count)),
            Record::Dispatched { to } => dispatched = dispatched.max(to),
        }
    }
    let stays = |offset: &Offset| !left.contains(offset);
    let here: Vec<Offset> = (0..bodies.len() as u64).map(Offset).filter(stays).collect();

    let mut from_log = Queue::new(config.clone(), 2);
    let replayed = replay(&mut from_log, &caller.log, true);
    assert_eq!(replayed.len(), left.len(), "each body is given up once");
    let (at, bytes) = caller.checkpoint.clone().unwrap_or_else(|| {
        let mut bytes = Vec::new();
        Queue::new(config.clone(), 2).snapshot().encode(&mut bytes);
        (0, bytes)
    });
    let snapshot = Snapshot::decode(&bytes).expect("what was encoded is legal");
    let mut from_checkpoint = Queue::restore(config.clone(), 2, snapshot);
    replay(&mut from_checkpoint, &caller.log[at..], true);

    for (what, mut queue) in [("the log", from_log), ("the checkpoint", from_checkpoint)] {
        invariants::check(&queue).unwrap_or_else(|violation| panic!("{violation} from {what}"));
        assert_eq!(replay(&mut queue, &caller.log, false), [], "replaying twice, from {what}");
        let ledger = queue.ledger();
        assert_eq!(
            (ledger.ready, ledger.left()),
            (here.len() as u64, left.len() as u64),
            "from {what}"
        );
        assert_eq!(ledger.enqueued, caller.queue.ledger().enqueued, "from {what}");
        let drained = drain(queue);
        assert!(
            drained.iter().map(|(offset, _, _)| *offset).eq(here.iter().copied()),
            "from {what}"
        );
        for (offset, at, attempt) in drained {
            assert_eq!(at, bodies[offset.0 as usize]);
            // A delivery that was under way when something was logged counts, unless it was said not to.
            let least = attempts.get(&offset).copied().unwrap_or(u32::from(offset < dispatched));
            assert!(attempt > least, "attempt {attempt} of {offset} from {what}, after {least}");
            assert!(
                offset < caller.queue.dispatched_to() || attempt == 1,
                "{offset} was never tried"
            );
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_that_was_logged_comes_again(
        config in any_config(),
        commands in prop::collection::vec((any_command(), any::<u8>()), 1..150),
    ) {
        run(&config, &commands);
    }
}
