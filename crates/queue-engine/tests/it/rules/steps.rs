//! However many messages are to leave at once, each input takes a bounded part, and nothing that should have left is
//! delivered meanwhile.

use std::time::Duration;

use queue_engine::{
    Action, ConsumerId, Input, Key, NewMessage, Overflow, Queue, QueueConfig, StoredAt,
};
use stdx::{Instant, UnixMillis};

const MESSAGES: u64 = 100_000;
/// More than one input removes: its limit, and the rest of a part of the index.
const BOUND: usize = 20_000;
const DAY_MS: u64 = 86_400_000;

/// A queue in which so many wait, each with one of 100 keys, due after a time.
fn filled(config: QueueConfig, delay_ms: Option<u64>) -> Queue {
    let mut queue = Queue::new(config, 0);
    let mut actions = Vec::new();
    let now = Instant::from_millis(1);
    queue.handle(now, Input::Clock(UnixMillis(0)), &mut actions).expect("legal");
    for n in 0..MESSAGES {
        let message = NewMessage {
            at: StoredAt(n),
            size: 100,
            stored: UnixMillis(0),
            expires: None,
            not_before: delay_ms.map(UnixMillis),
            key: Key(n % 100 + 1),
            key_generation: 0,
            is_unkeyed: false,
            message_id: None,
        };
        queue.handle(now, Input::Enqueue(message), &mut actions).expect("legal");
    }
    assert!(actions.is_empty(), "they only wait");
    queue
}

/// Gives the input, then ticks for as long as one is due at once, with a consumer there. Gives what was done, but for
/// deliveries and what they count, and how many were delivered before all was done.
fn steps(queue: &mut Queue, now: Instant, input: Input) -> (Vec<Action>, usize) {
    let consumer = ConsumerId(1);
    let before = Instant::from_millis(2);
    queue.handle(before, Input::Pause, &mut Vec::new()).expect("legal");
    queue
        .handle(before, Input::Attach { consumer, max_inflight: 4 }, &mut Vec::new())
        .expect("legal");
    let (mut all, mut early, mut input) = (Vec::new(), 0, input);
    for round in 0..1_000 {
        let mut actions = Vec::new();
        queue.handle(now, input, &mut actions).expect("legal");
        queue_engine::invariants::check(queue).expect("sound");
        assert!(actions.len() <= BOUND, "{} at once", actions.len());
        let delivered = actions.iter().filter(|one| matches!(one, Action::Deliver { .. })).count();
        actions.retain(|one| !matches!(one, Action::Deliver { .. } | Action::Attempted { .. }));
        all.extend(actions);
        if queue.next_deadline().is_none_or(|due| due > now) {
            assert!(round >= 4, "all was done in {round} steps and one");
            return (all, early);
        }
        early += delivered;
        input = Input::Tick;
    }
    panic!("it does not come to an end");
}

#[test]
fn millions_expire_in_steps() {
    let retention = Duration::from_secs(3600);
    let mut queue = filled(QueueConfig { retention, ..QueueConfig::default() }, None);
    let later = Instant::from_millis(2 * DAY_MS);
    let (done, early) = steps(&mut queue, later, Input::Resume);
    assert_eq!((done.len() as u64, early), (MESSAGES, 0));
    assert_eq!((queue.ledger().expired, queue.ledger().ready), (MESSAGES, 0));
}

#[test]
fn a_smaller_limit_drops_in_steps() {
    let config = QueueConfig { overflow: Overflow::DropOldest, ..QueueConfig::default() };
    let mut queue = filled(config.clone(), None);
    let small = QueueConfig { max_messages: Some(10), ..config };
    let now = Instant::from_millis(2);
    let (done, early) = steps(&mut queue, now, Input::Reconfigure(Box::new(small)));
    assert_eq!((done.len() as u64, early), (MESSAGES - 10, 0));
    assert_eq!(queue.ledger().dropped, MESSAGES - 10);
    assert_eq!(queue.ledger().in_flight, 4, "then it delivers");
}

#[test]
fn only_the_newest_of_keys_stay_in_steps() {
    let keyed = QueueConfig {
        dispatch_strategy: queue_engine::DispatchStrategy::KeyOrdered,
        ..QueueConfig::default()
    };
    let mut queue = filled(keyed.clone(), None);
    let newest = QueueConfig { last_value: true, ..keyed };
    let now = Instant::from_millis(2);
    let (done, early) = steps(&mut queue, now, Input::Reconfigure(Box::new(newest)));
    assert_eq!((done.len() as u64, early), (MESSAGES - 100, 0));
    assert_eq!(queue.ledger().replaced, MESSAGES - 100);
}

#[test]
fn delayed_messages_fall_due_in_steps() {
    let mut queue = filled(QueueConfig::default(), Some(1_000));
    assert_eq!(queue.ledger().delayed, MESSAGES);
    let later = Instant::from_millis(10_000);
    let (done, early) = steps(&mut queue, later, Input::Resume);
    assert_eq!((&done[..], early), (&[][..], 0));
    assert_eq!((queue.ledger().delayed, queue.ledger().in_flight), (0, 4));
}

#[test]
fn kept_messages_are_forgotten_in_steps() {
    let keeping = QueueConfig { keep_settled: Duration::from_secs(3600), ..QueueConfig::default() };
    let mut queue = filled(keeping.clone(), None);
    let now = Instant::from_millis(2);
    let consumer = ConsumerId(9);
    let mut actions = Vec::new();
    queue.handle(now, Input::Attach { consumer, max_inflight: 32 }, &mut actions).expect("legal");
    while let Some(action) = actions.pop() {
        if let Action::Deliver { offset, attempt, .. } = action {
            let outcome = queue_engine::Outcome::Accept;
            let settle = Input::Settle { consumer, offset, attempt, outcome };
            queue.handle(now, settle, &mut actions).expect("legal");
        }
    }
    assert_eq!(queue.ledger().settled, MESSAGES);
    let none = QueueConfig { keep_settled: Duration::ZERO, ..keeping };
    let (done, _) = steps(&mut queue, now, Input::Reconfigure(Box::new(none)));
    assert_eq!(done.len() as u64, MESSAGES);
    assert_eq!(queue.kept().count(), 0);
}
