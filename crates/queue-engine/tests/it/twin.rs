//! Random commands against the naive twin, under all strategies and changes between them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use queue_engine::{
    ConsumerId, DispatchStrategy, Input, Key, MadeKey, MessageId, NewMessage, Offset, Outcome,
    Overflow, Queue, QueueConfig, Scope, Snapshot, invariants,
};
use stdx::{Instant, UnixMillis};

use crate::model::Model;
use crate::transcript::stored_at;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Enqueue {
        count: u8,
        size: u32,
        /// Keys go around from here.
        key: u64,
        /// Milliseconds from now, if it runs out.
        expires: Option<u64>,
        /// Milliseconds from now, if it is held back.
        delay: Option<u64>,
        message_id: Option<u128>,
        generation: u8,
    },
    Attach {
        consumer: u64,
        max_inflight: u32,
    },
    Detach {
        consumer: u64,
        written: u64,
    },
    /// About one of the leases.
    Settle {
        lease: Index,
        outcome: Outcome,
    },
    /// By a delivery before the last.
    Late {
        lease: Index,
        before: u32,
        outcome: Outcome,
    },
    TooLarge {
        lease: Index,
    },
    /// About what may be no lease at all.
    Stray {
        consumer: u64,
        offset: u64,
        attempt: u32,
        outcome: Outcome,
    },
    Dropped {
        offset: u64,
    },
    Wait {
        milliseconds: u64,
    },
    Pause,
    Resume,
    Reconfigure(QueueConfig),
    Restart,
    /// The wall clock is so far ahead.
    Clock {
        milliseconds: u64,
    },
    Purge {
        from: Index,
        to: Index,
        key: Option<u64>,
        max: usize,
    },
    PurgeThese {
        offsets: u64,
    },
    Rewind {
        to: Index,
    },
    Redriven {
        offset: Index,
    },
    /// Some get their keys.
    Rekey,
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Accept),
        3 => Just(Outcome::Release),
        2 => Just(Outcome::Busy),
        1 => Just(Outcome::Reject),
        1 => Just(Outcome::Expired),
    ]
}

fn milliseconds(choices: &'static [u64]) -> impl Strategy<Value = Duration> {
    select(choices).prop_map(Duration::from_millis)
}

pub(crate) fn any_config() -> impl Strategy<Value = QueueConfig> {
    let dispatch = (
        select(&DispatchStrategy::ALL[..]),
        1_u32..5,
        milliseconds(&[0, 700, 5_000]),
        0_u32..5,
        milliseconds(&[0, 100, 1_000]),
        milliseconds(&[0, 300, 4_000]),
        prop::bool::weighted(0.1),
    );
    let generation = select(&[0_u8, 0, 0, 1][..]);
    let keys = (0_u32..3, select(&[1_u32, 3, 100][..]), prop::bool::weighted(0.25), generation);
    let limits = (
        select(&[None, None, None, Some(0), Some(1), Some(5), Some(30)][..]),
        select(&[None, None, None, Some(900), Some(5_000), Some(100_000)][..]),
        select(&[Overflow::RejectPublish, Overflow::DropOldest][..]),
    );
    let times = (
        milliseconds(&[0, 0, 900, 6_000]),
        milliseconds(&[0, 500, 8_000]),
        select(&[0_usize, 2, 100][..]),
        milliseconds(&[0, 0, 900, 60_000]),
    );
    (dispatch, keys, limits, times, any::<(bool, bool)>()).prop_map(
        |(dispatch, keys, limits, times, (dead_letter_expired, dead_letter_dropped))| QueueConfig {
            dispatch_strategy: dispatch.0,
            max_inflight: dispatch.1,
            ack_timeout: dispatch.2,
            max_attempts: dispatch.3,
            retry_delay: dispatch.4,
            retry_delay_max: dispatch.5,
            paused: dispatch.6,
            key_inflight: keys.0,
            key_look_ahead: keys.1,
            last_value: keys.2,
            key_generation: keys.3,
            max_messages: limits.0,
            max_bytes: limits.1,
            overflow: limits.2,
            retention: times.0,
            dedup_window: times.1,
            dedup_ids_max: times.2,
            keep_settled: times.3,
            dead_letter_expired,
            dead_letter_dropped,
            dead_letter_unkeyed: false,
        },
    )
}

fn any_enqueue() -> impl Strategy<Value = Command> {
    let time = |weight: u32| {
        prop_oneof![
            3 => Just(None),
            weight => select(&[0_u64, 40, 700, 3_000][..]).prop_map(Some),
        ]
    };
    let message_id = prop_oneof![3 => Just(None), 1 => (1_u128..4).prop_map(Some)];
    let generation = select(&[0_u8, 0, 0, 0, 0, 0, 1][..]);
    (1_u8..6, 0_u32..2000, 0_u64..4, time(1), time(1), message_id, generation).prop_map(
        |(count, size, key, expires, delay, message_id, generation)| Command::Enqueue {
            count,
            size,
            key,
            expires,
            delay,
            message_id,
            generation,
        },
    )
}

fn many() -> Command {
    Command::Enqueue {
        count: 250,
        size: 70_000,
        key: 0,
        expires: None,
        delay: None,
        message_id: None,
        generation: 0,
    }
}

pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    let index = any::<Index>;
    let key = || prop_oneof![2 => Just(None), 1 => (0_u64..4).prop_map(Some)];
    let ordinary = prop_oneof![
        10 => any_enqueue(),
        1 => Just(many()),
        6 => (0_u64..5, 0_u32..5).prop_map(|(consumer, max_inflight)| Command::Attach { consumer, max_inflight }),
        3 => (0_u64..5, any::<u64>()).prop_map(|(consumer, written)| Command::Detach { consumer, written }),
        20 => (index(), any_outcome()).prop_map(|(lease, outcome)| Command::Settle { lease, outcome }),
        3 => (index(), 1_u32..3, any_outcome())
            .prop_map(|(lease, before, outcome)| Command::Late { lease, before, outcome }),
        5 => index().prop_map(|lease| Command::TooLarge { lease }),
        8 => select(&[0_u64, 50, 100, 700, 1_000, 5_000][..])
            .prop_map(|milliseconds| Command::Wait { milliseconds }),
    ];
    let rare = prop_oneof![
        1 => (0_u64..6, 0_u64..20, 1_u32..4, any_outcome()).prop_map(
            |(consumer, offset, attempt, outcome)| Command::Stray { consumer, offset, attempt, outcome }
        ),
        1 => (0_u64..20).prop_map(|offset| Command::Dropped { offset }),
        1 => Just(Command::Pause),
        2 => Just(Command::Resume),
        2 => any_config().prop_map(Command::Reconfigure),
        1 => Just(Command::Restart),
        4 => select(&[0_u64, 0, 500, 4_000][..])
            .prop_map(|milliseconds| Command::Clock { milliseconds }),
        2 => (index(), index(), key(), select(&[1_usize, 4, 1000][..]))
            .prop_map(|(from, to, key, max)| Command::Purge { from, to, key, max }),
        1 => any::<u64>().prop_map(|offsets| Command::PurgeThese { offsets }),
        2 => index().prop_map(|to| Command::Rewind { to }),
        2 => index().prop_map(|offset| Command::Redriven { offset }),
    ];
    let rekey = Just(Command::Rekey);
    prop_oneof![15 => ordinary, 3 => rare, 2 => rekey]
}

/// The inputs of a command, given the leases there are.
pub(crate) fn inputs(
    command: &Command,
    queue: &Queue,
    leases: &[(ConsumerId, Offset)],
    now: Instant,
) -> Vec<Input> {
    let next = queue.next_offset();
    let stored = UnixMillis(1_800_000_000_000 + now.as_millis());
    let any_offset = |index: &Index| Offset(index.index(next.0 as usize + 2) as u64);
    let leased = |lease: &Index| (!leases.is_empty()).then(|| *lease.get(leases));
    let attempt = |offset: Offset| queue.attempts(offset) + 1;
    match command.clone() {
        Command::Enqueue { count, size, key, expires, delay, message_id, generation } => {
            let later = |milliseconds: u64| UnixMillis(stored.0 + milliseconds);
            let message = |n: u64| NewMessage {
                key: Key((key + n) % 4),
                key_generation: generation,
                expires: expires.map(|after| later(after + n * 30)),
                not_before: delay.map(|after| later(after + n % 3 * 30)),
                message_id: message_id.map(MessageId::new),
                ..NewMessage::new(stored_at(next.0 + n), size, stored)
            };
            (0..u64::from(count)).map(|n| Input::Enqueue(message(n))).collect()
        }
        Command::Attach { consumer, max_inflight } => {
            vec![Input::Attach { consumer: ConsumerId(consumer), max_inflight }]
        }
        Command::Detach { consumer, written } => {
            let held = leases.iter().filter(|(id, _)| id.0 == consumer).map(|(_, offset)| *offset);
            let written = held.filter(|offset| written >> (offset.0 % 64) & 1 == 1).collect();
            vec![Input::Detach { consumer: ConsumerId(consumer), written }]
        }
        Command::Settle { lease, outcome } => {
            let settle = |(consumer, offset)| {
                let attempt = attempt(offset);
                Input::Settle { consumer, offset, attempt, outcome }
            };
            leased(&lease).map(settle).into_iter().collect()
        }
        Command::Late { lease, before, outcome } => {
            let settle = |(consumer, offset)| {
                let attempt = attempt(offset).saturating_sub(before);
                Input::Settle { consumer, offset, attempt, outcome }
            };
            leased(&lease).map(settle).into_iter().collect()
        }
        Command::TooLarge { lease } => {
            let too_large = |(consumer, offset)| {
                let attempt = attempt(offset);
                Input::TooLarge { consumer, offset, attempt }
            };
            leased(&lease).map(too_large).into_iter().collect()
        }
        Command::Stray { consumer, offset, attempt, outcome } => {
            let (consumer, offset) = (ConsumerId(consumer), Offset(offset));
            vec![Input::Settle { consumer, offset, attempt, outcome }]
        }
        Command::Dropped { offset } => vec![Input::DeadLetterDropped { offset: Offset(offset) }],
        Command::Wait { .. } => vec![Input::Tick],
        Command::Pause => vec![Input::Pause],
        Command::Resume => vec![Input::Resume],
        Command::Reconfigure(config) => vec![Input::Reconfigure(Box::new(config))],
        Command::Restart => vec![],
        Command::Clock { milliseconds } => {
            vec![Input::Clock(UnixMillis(stored.0 + milliseconds))]
        }
        Command::Purge { from, to, key, max } => {
            let range = any_offset(&from)..any_offset(&to);
            let scope = match key {
                Some(key) => Scope::Key(range, Key(key)),
                None => Scope::Range(range),
            };
            vec![Input::Purge { scope, max }]
        }
        Command::PurgeThese { offsets } => {
            let named = (0..64).filter(|n| offsets >> n & 1 == 1).map(Offset).collect();
            vec![Input::Purge { scope: Scope::Offsets(named), max: 100 }]
        }
        Command::Rewind { to } => vec![Input::Rewind(any_offset(&to))],
        Command::Redriven { offset } => vec![Input::Redriven(any_offset(&offset))],
        Command::Rekey => rekey(queue, 600).into_iter().collect(),
    }
}

/// The keys that a queue asks for, as many as are of so many bytes: each follows from offset and making alone.
pub(crate) fn rekey(queue: &Queue, bytes_max: u64) -> Option<Input> {
    let part = queue.to_rekey(bytes_max)?;
    let generation = u64::from(queue.config().key_generation);
    let made = part.bodies.into_iter().map(|(offset, ..)| {
        let key = Key((offset.0 / (generation + 1)) % 4);
        MadeKey { offset, key, is_unkeyed: false }
    });
    Some(Input::Rekey { round: part.round, made: made.collect() })
}

/// A queue out of the bytes of another's snapshot.
pub(crate) fn restarted(queue: &Queue, seed: u64) -> Queue {
    let mut bytes = Vec::new();
    queue.snapshot(Offset(0)).encode(&mut bytes);
    let snapshot = Snapshot::decode(&bytes).expect("what was encoded is legal");
    assert_eq!(snapshot, queue.snapshot(Offset(0)), "a snapshot comes out as it went in");
    Queue::restore(queue.config().clone(), seed, snapshot)
}

fn run(config: QueueConfig, seed: u64, commands: &[Command]) {
    let mut model = Model::new(config.clone());
    let mut queue = Queue::new(config.clone(), seed);
    let mut same = Queue::new(config, seed);
    let mut now = Instant::ZERO;
    for command in commands {
        // A little more each time, so that no two things are due at the same moment.
        now = now + Duration::from_nanos(1);
        if let Command::Wait { milliseconds } = command {
            now = now + Duration::from_millis(*milliseconds);
        }
        if matches!(command, Command::Restart) {
            (queue, same) = (restarted(&queue, seed), restarted(&same, seed));
            model.restart(queue.dispatched_to());
        }
        for input in inputs(command, &queue, &model.leases(), now) {
            let (mut actions, mut same_actions) = (Vec::new(), Vec::new());
            let dispatched_to = queue.dispatched_to();
            let result = queue.handle(now, input.clone(), &mut actions);
            let same_result = same.handle(now, input.clone(), &mut same_actions);
            assert_eq!(
                (&result, &actions),
                (&same_result, &same_actions),
                "same inputs, same actions"
            );
            let result = result.map(|()| &actions[..]).map_err(drop);
            model.check(now, &input, result, &queue, dispatched_to);
        }
        invariants::check(&queue)
            .unwrap_or_else(|violation| panic!("{violation} after {command:?}"));
        if !matches!(command, Command::Wait { .. }) {
            continue;
        }
        let deadline = queue.next_deadline();
        assert!(deadline.is_none_or(|deadline| deadline > now), "nothing is overdue after a tick");
    }
}

proptest! {
    #[test]
    fn a_queue_does_what_its_twin_does(
        config in any_config(),
        seed in any::<u64>(),
        commands in prop::collection::vec(any_command(), 1..120),
    ) {
        run(config, seed, &commands);
    }
}
