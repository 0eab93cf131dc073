//! Random commands against the naive twin, under all strategies and changes between them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use queue_engine::{
    ConsumerId, DispatchStrategy, Input, Offset, Outcome, Queue, QueueConfig, Snapshot, invariants,
};
use stdx::{Instant, UnixMillis};

use crate::model::Model;
use crate::transcript::stored_at;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Enqueue {
        count: u8,
        size: u32,
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
    TooLarge {
        lease: Index,
    },
    /// About what may be no lease at all.
    Stray {
        consumer: u64,
        offset: u64,
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

pub(crate) fn any_config() -> impl Strategy<Value = QueueConfig> {
    let seconds = |choices: &'static [u64]| select(choices).prop_map(Duration::from_millis);
    (
        select(&DispatchStrategy::ALL[..]),
        1_u32..5,
        seconds(&[0, 700, 5_000]),
        0_u32..5,
        seconds(&[0, 100, 1_000]),
        seconds(&[0, 300, 4_000]),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(
                dispatch_strategy,
                max_inflight,
                ack_timeout,
                max_attempts,
                retry_delay,
                retry_delay_max,
                paused,
            )| {
                QueueConfig {
                    dispatch_strategy,
                    max_inflight,
                    ack_timeout,
                    max_attempts,
                    retry_delay,
                    retry_delay_max,
                    paused,
                }
            },
        )
}

pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    let lease = any::<Index>;
    prop_oneof![
        8 => (1_u8..6, 0_u32..2000).prop_map(|(count, size)| Command::Enqueue { count, size }),
        1 => Just(Command::Enqueue { count: 250, size: 70_000 }),
        6 => (0_u64..5, 0_u32..5).prop_map(|(consumer, max_inflight)| Command::Attach { consumer, max_inflight }),
        3 => (0_u64..5, any::<u64>()).prop_map(|(consumer, written)| Command::Detach { consumer, written }),
        20 => (lease(), any_outcome()).prop_map(|(lease, outcome)| Command::Settle { lease, outcome }),
        5 => lease().prop_map(|lease| Command::TooLarge { lease }),
        1 => (0_u64..6, 0_u64..20, any_outcome())
            .prop_map(|(consumer, offset, outcome)| Command::Stray { consumer, offset, outcome }),
        1 => (0_u64..20).prop_map(|offset| Command::Dropped { offset }),
        8 => select(&[0_u64, 50, 100, 700, 1_000, 5_000][..])
            .prop_map(|milliseconds| Command::Wait { milliseconds }),
        1 => Just(Command::Pause),
        2 => Just(Command::Resume),
        1 => any_config().prop_map(Command::Reconfigure),
        1 => Just(Command::Restart),
    ]
}

/// The inputs of a command, given the leases there are.
pub(crate) fn inputs(
    command: &Command,
    next: Offset,
    leases: &[(ConsumerId, Offset)],
    now: Instant,
) -> Vec<Input> {
    let stored = UnixMillis(1_800_000_000_000 + now.as_millis());
    let leased = |lease: &Index| (!leases.is_empty()).then(|| *lease.get(leases));
    match command.clone() {
        Command::Enqueue { count, size } => {
            let offsets = next.0..next.0 + u64::from(count);
            offsets.map(|offset| Input::Enqueue { at: stored_at(offset), size, stored }).collect()
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
            let settle = |(consumer, offset)| Input::Settle { consumer, offset, outcome };
            leased(&lease).map(settle).into_iter().collect()
        }
        Command::TooLarge { lease } => {
            let too_large = |(consumer, offset)| Input::TooLarge { consumer, offset };
            leased(&lease).map(too_large).into_iter().collect()
        }
        Command::Stray { consumer, offset, outcome } => {
            vec![Input::Settle { consumer: ConsumerId(consumer), offset: Offset(offset), outcome }]
        }
        Command::Dropped { offset } => vec![Input::DeadLetterDropped { offset: Offset(offset) }],
        Command::Wait { .. } => vec![Input::Tick],
        Command::Pause => vec![Input::Pause],
        Command::Resume => vec![Input::Resume],
        Command::Reconfigure(config) => vec![Input::Reconfigure(config)],
        Command::Restart => vec![],
    }
}

/// A queue out of the bytes of another's snapshot.
pub(crate) fn restarted(queue: &Queue, seed: u64) -> Queue {
    let mut bytes = Vec::new();
    queue.snapshot().encode(&mut bytes);
    let snapshot = Snapshot::decode(&bytes).expect("what was encoded is legal");
    assert_eq!(snapshot, queue.snapshot(), "a snapshot comes out as it went in");
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
            model.restart();
        }
        for input in inputs(command, queue.next_offset(), &model.leases(), now) {
            let (mut actions, mut same_actions) = (Vec::new(), Vec::new());
            let result = queue.handle(now, input.clone(), &mut actions);
            let same_result = same.handle(now, input.clone(), &mut same_actions);
            assert_eq!(
                (&result, &actions),
                (&same_result, &same_actions),
                "same inputs, same actions"
            );
            model.check(now, &input, result.map(|()| &actions[..]).map_err(drop), &queue);
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
