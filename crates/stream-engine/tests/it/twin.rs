//! Random commands against the naive twin, with changes of properties and restarts in between.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use stdx::{Instant, UnixMillis};
use stream_engine::{
    Input, Key, MemberId, NewMessage, Offset, Outcome, Outlook, ReaderId, ReaderName, Scope,
    Snapshot, Start, Stream, StreamConfig, invariants,
};

use crate::model::Model;
use crate::transcript::stored_at;

pub(crate) const EPOCH: u64 = 1_800_000_000_000;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Append {
        count: u16,
        size: u32,
        /// Keys go around from here.
        key: u64,
        /// Milliseconds from now, if it runs out.
        expires: Option<u64>,
        generation: u8,
    },
    Attach {
        member: u64,
        reader: usize,
        start: (u8, Index),
        window: u32,
    },
    Detach {
        member: u64,
        written: u64,
    },
    /// About one of those in flight.
    Settle {
        which: Index,
        outcome: Outcome,
    },
    /// About what may be in flight nowhere.
    Stray {
        member: u64,
        offset: u64,
        outcome: Outcome,
    },
    Seek {
        reader: usize,
        to: (u8, Index),
    },
    Forget {
        reader: usize,
    },
    /// Set elsewhere or forgotten, and put back.
    Undone {
        reader: usize,
        to: Option<(u8, Index)>,
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
    Wait {
        milliseconds: u64,
    },
    /// The wall clock is so far ahead.
    Clock {
        milliseconds: u64,
    },
    Pause,
    Resume,
    Reconfigure(StreamConfig),
    /// Some messages get their keys.
    Rekey,
    /// A reader may be given so many more for the first time.
    Permit {
        reader: usize,
        more: u64,
    },
    Restart,
}

fn milliseconds(choices: &'static [u64]) -> impl Strategy<Value = Duration> {
    select(choices).prop_map(Duration::from_millis)
}

pub(crate) fn any_config() -> impl Strategy<Value = StreamConfig> {
    let reading = (1_u32..5, milliseconds(&[0, 100, 1000]), milliseconds(&[0, 300, 4000]));
    let generation = select(&[0_u8, 0, 0, 1][..]);
    let flags = (
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.25),
        generation,
    );
    let limits = (
        select(&[None, None, None, Some(0), Some(1), Some(5), Some(30)][..]),
        select(&[None, None, None, Some(900), Some(5000), Some(100_000)][..]),
        select(&[0_u64, 2, 6, 1000, 65_536][..]),
        select(&[2_usize, 4, 100][..]),
    );
    let times = (milliseconds(&[0, 0, 900, 6000]), milliseconds(&[0, 500, 8000]));
    (reading, flags, limits, times).prop_map(|(reading, flags, limits, times)| StreamConfig {
        max_inflight: reading.0,
        retry_delay: reading.1,
        retry_delay_max: reading.2,
        paused: flags.0,
        keyed: flags.1,
        last_value: flags.2,
        key_generation: flags.3,
        max_messages: limits.0,
        max_bytes: limits.1,
        look_ahead: limits.2,
        readers_max: limits.3,
        retention: times.0,
        keep_positions: times.1,
    })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        8 => Just(Outcome::Accept),
        3 => Just(Outcome::Release),
        2 => Just(Outcome::Busy),
        1 => Just(Outcome::Reject),
        2 => Just(Outcome::TooLarge),
        1 => Just(Outcome::Gone),
    ]
}

pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    let index = any::<Index>;
    let start = || (0_u8..8, index());
    let expires = prop_oneof![
        3 => Just(None),
        1 => select(&[0_u64, 40, 700, 3000][..]).prop_map(Some),
    ];
    let generation = select(&[0_u8, 0, 0, 0, 0, 0, 1][..]);
    let key = prop_oneof![2 => Just(None), 1 => (0_u64..4).prop_map(Some)];
    let ordinary = prop_oneof![
        10 => (1_u16..6, 0_u32..2000, 0_u64..4, expires, generation).prop_map(
            |(count, size, key, expires, generation)| {
                Command::Append { count, size, key, expires, generation }
            }
        ),
        1 => Just(Command::Append { count: 250, size: 70, key: 0, expires: None, generation: 0 }),
        6 => (0_u64..5, 0_usize..4, start(), 0_u32..5)
            .prop_map(|(member, reader, start, window)| Command::Attach { member, reader, start, window }),
        3 => (0_u64..5, any::<u64>())
            .prop_map(|(member, written)| Command::Detach { member, written }),
        24 => (index(), any_outcome())
            .prop_map(|(which, outcome)| Command::Settle { which, outcome }),
        8 => select(&[0_u64, 50, 100, 700, 1000, 5000][..])
            .prop_map(|milliseconds| Command::Wait { milliseconds }),
    ];
    let rare = prop_oneof![
        1 => (0_u64..6, 0_u64..20, any_outcome())
            .prop_map(|(member, offset, outcome)| Command::Stray { member, offset, outcome }),
        4 => (0_usize..4, start()).prop_map(|(reader, to)| Command::Seek { reader, to }),
        1 => (0_usize..4).prop_map(|reader| Command::Forget { reader }),
        2 => (0_usize..4, prop::option::of(start()))
            .prop_map(|(reader, to)| Command::Undone { reader, to }),
        3 => (index(), index(), key, select(&[1_usize, 4, 1000][..]))
            .prop_map(|(from, to, key, max)| Command::Purge { from, to, key, max }),
        2 => any::<u64>().prop_map(|offsets| Command::PurgeThese { offsets }),
        4 => select(&[0_u64, 0, 500, 4000][..])
            .prop_map(|milliseconds| Command::Clock { milliseconds }),
        1 => Just(Command::Pause),
        2 => Just(Command::Resume),
        2 => any_config().prop_map(Command::Reconfigure),
        1 => Just(Command::Restart),
    ];
    let rekey = Just(Command::Rekey);
    let permit = (0_usize..4, select(&[0_u64, 0, 1, 3, 9, u64::MAX][..]))
        .prop_map(|(reader, more)| Command::Permit { reader, more });
    prop_oneof![15 => ordinary, 3 => rare, 2 => rekey, 2 => permit]
}

pub(crate) fn reader(number: usize) -> ReaderName {
    match number {
        0 | 1 => ReaderName::client(&format!("client {number}")),
        _ => ReaderName::group(&format!("group {number}")),
    }
}

/// The inputs of a command, given what is in flight.
pub(crate) fn inputs(
    command: &Command,
    stream: &Stream,
    in_flight: &[(MemberId, Offset)],
    now: Instant,
) -> Vec<Input> {
    let stored = UnixMillis(EPOCH + now.as_millis());
    let next = stream.next_offset();
    let any_offset = |index: &Index| Offset(index.index(next.0 as usize + 2) as u64);
    let start = |(kind, index): &(u8, Index)| match kind {
        0 | 1 => Start::Earliest,
        2 => Start::Latest,
        3 | 4 => Start::Next,
        5 | 6 => Start::Offset(any_offset(index)),
        _ => Start::Time(UnixMillis(EPOCH + index.index(now.as_millis() as usize + 2) as u64)),
    };
    match command.clone() {
        Command::Append { count, size, key, expires, generation } => {
            let message = |n: u64| NewMessage {
                key: Key((key + n) % 4),
                key_generation: generation,
                expires: expires.map(|after| UnixMillis(stored.0 + after + n * 30)),
                ..NewMessage::new(stored_at(next.0 + n), size, stored)
            };
            (0..u64::from(count)).map(|n| Input::Append(message(n))).collect()
        }
        Command::Attach { member, reader: number, start: at, window } => vec![Input::Attach {
            member: MemberId(member),
            reader: reader(number),
            start: start(&at),
            window,
        }],
        Command::Detach { member, written } => {
            let held = in_flight.iter().filter(|(id, _)| id.0 == member).map(|(_, offset)| *offset);
            let written = held.filter(|offset| written >> (offset.0 % 64) & 1 == 1).collect();
            vec![Input::Detach { member: MemberId(member), written }]
        }
        Command::Settle { which, outcome } => {
            let settle = |(member, offset)| Input::Settle { member, offset, outcome };
            let one = (!in_flight.is_empty()).then(|| *which.get(in_flight));
            one.map(settle).into_iter().collect()
        }
        Command::Stray { member, offset, outcome } => {
            vec![Input::Settle { member: MemberId(member), offset: Offset(offset), outcome }]
        }
        Command::Seek { reader: number, to } => {
            vec![Input::Seek { reader: reader(number), to: start(&to) }]
        }
        Command::Forget { reader: number } => vec![Input::Forget(reader(number))],
        Command::Undone { reader: number, to } => {
            let reader = reader(number);
            let report = stream.reader_id(&reader).and_then(|id| stream.report(id, None));
            let Some(report) = report else { return Vec::new() };
            let change = match to {
                Some(to) => Input::Seek { reader: reader.clone(), to: start(&to) },
                None => Input::Forget(reader.clone()),
            };
            vec![change, Input::PutBack { reader, report }]
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
        Command::Wait { .. } => vec![Input::Tick],
        Command::Clock { milliseconds } => vec![Input::Clock(UnixMillis(stored.0 + milliseconds))],
        Command::Pause => vec![Input::Pause],
        Command::Resume => vec![Input::Resume],
        Command::Reconfigure(config) => vec![Input::Reconfigure(Box::new(config))],
        Command::Rekey => rekey(stream, 600).into_iter().collect(),
        Command::Permit { reader: number, more } => {
            let id = stream.reader_id(&reader(number));
            let to = id.and_then(|id| stream.outlook(id)).map(|outlook| outlook.dispatched_to);
            let to = to.map(|to| Offset(to.0.saturating_add(more)));
            id.zip(to).map(|permit| Input::Permit(vec![permit])).into_iter().collect()
        }
        Command::Restart => vec![],
    }
}

/// The keys that a stream asks for, as many as are of so many bytes: each follows from offset and making alone.
pub(crate) fn rekey(stream: &Stream, bytes_max: u64) -> Option<Input> {
    let part = stream.to_rekey(bytes_max)?;
    let generation = u64::from(stream.config().key_generation);
    let key = |offset: Offset| Key((offset.0 / (generation + 1)) % 4);
    let made = part.bodies.into_iter().map(|(offset, ..)| (offset, key(offset)));
    Some(Input::Rekey { round: part.round, made: made.collect() })
}

/// A stream out of the bytes of another's snapshot.
fn restarted(stream: &Stream, asks: bool) -> Stream {
    let mut bytes = Vec::new();
    let snapshot = stream.snapshot(|_| Offset(0));
    snapshot.encode(&mut bytes);
    let decoded = Snapshot::decode(&bytes).expect("what was encoded is legal");
    assert_eq!(decoded, snapshot, "a snapshot comes out as it went in");
    let mut stream = Stream::restore(stream.config().clone(), decoded);
    stream.ask_for_permits(asks);
    stream
}

fn run(config: StreamConfig, commands: &[Command], asks: bool) {
    let mut model = Model::new(config.clone(), asks);
    let mut stream = Stream::new(config.clone());
    let mut same = Stream::new(config);
    stream.ask_for_permits(asks);
    same.ask_for_permits(asks);
    let mut now = Instant::ZERO;
    for command in commands {
        // A little more each time, so that no two things are due at the same moment.
        now = now + Duration::from_nanos(1);
        if let Command::Wait { milliseconds } = command {
            now = now + Duration::from_millis(*milliseconds);
        }
        if matches!(command, Command::Restart) {
            (stream, same) = (restarted(&stream, asks), restarted(&same, asks));
            model.restart();
        }
        for input in inputs(command, &stream, &model.in_flight(), now) {
            let (mut actions, mut same_actions) = (Vec::new(), Vec::new());
            let before = outlooks(&stream);
            let result = stream.handle(now, input.clone(), &mut actions);
            let same_result = same.handle(now, input.clone(), &mut same_actions);
            assert_eq!(
                (&result, &actions),
                (&same_result, &same_actions),
                "same inputs, same actions"
            );
            let result = result.map(|()| &actions[..]).map_err(drop);
            model.check(now, &input, result, &stream);
            let mut looked_at = Vec::new();
            stream.take_looked_at(&mut looked_at);
            for (id, outlook) in outlooks(&stream).into_iter().filter(|_| asks) {
                let is_known = before.get(&id) == Some(&outlook) || looked_at.contains(&id);
                assert!(is_known, "{outlook:?} of {id:?} is not told");
            }
        }
        invariants::check(&stream)
            .unwrap_or_else(|violation| panic!("{violation} after {command:?}"));
        if matches!(command, Command::Wait { .. }) {
            let deadline = stream.next_deadline();
            assert!(
                deadline.is_none_or(|deadline| deadline > now),
                "nothing is overdue after a tick"
            );
        }
    }
}

fn outlooks(stream: &Stream) -> BTreeMap<ReaderId, Outlook> {
    let ids = stream.reader_names().filter_map(|name| stream.reader_id(name));
    ids.filter_map(|id| Some((id, stream.outlook(id)?))).collect()
}

proptest! {
    #[test]
    fn a_stream_does_what_its_twin_does(
        config in any_config(),
        commands in prop::collection::vec(any_command(), 1..120),
        asks in any::<bool>(),
    ) {
        run(config, &commands, asks);
    }
}
