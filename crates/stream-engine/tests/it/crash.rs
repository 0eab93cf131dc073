//! Crashes at any moment: what a caller logged comes back from the log, and from a checkpoint with the rest of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use stdx::{Instant, UnixMillis};
use stream_engine::{
    Action, Departure, Input, MemberId, NewMessage, Offset, Progress, ReaderId, ReaderName, Report,
    Snapshot, Start, StoredAt, Stream, StreamConfig, invariants,
};

use crate::twin::{Command, EPOCH, any_command, any_config, inputs};

/// What a caller logs.
#[derive(Clone, Debug)]
enum Record {
    Appended(NewMessage),
    Removed { offset: Offset, how: Departure },
    Reported { reader: ReaderName, report: Report },
    Forgotten { reader: ReaderName },
    Reconfigured(StreamConfig),
}

/// A snapshot, and the length of the log then.
struct Checkpoint {
    at: usize,
    /// What was logged of readers from here on may lie in the log after the checkpoint, which knows it.
    late: usize,
    bytes: Vec<u8>,
    config: StreamConfig,
}

/// A caller that logs what it should, now and then, and takes checkpoints.
struct Caller {
    stream: Stream,
    log: Vec<Record>,
    removed: Vec<Record>,
    forgotten: Vec<Record>,
    /// What has changed of readers: nothing holds that was said before, or what they have settled since.
    changed: BTreeMap<ReaderId, Option<Vec<Offset>>>,
    in_flight: Vec<(MemberId, Offset)>,
    /// Below which offset the log says that a reader may have been given messages; none when deliveries are not logged
    /// before they are made.
    said: Option<BTreeMap<ReaderId, Offset>>,
    /// What each reader was given since it is where it is.
    had: BTreeMap<ReaderName, BTreeSet<Offset>>,
    checkpoint: Checkpoint,
    now: Instant,
}

impl Caller {
    fn play(&mut self, command: &Command) {
        let wait = if let Command::Wait { milliseconds } = command { *milliseconds } else { 0 };
        self.now = self.now + Duration::from_millis(wait);
        let mut had_before = BTreeSet::new();
        for input in inputs(command, &self.stream, &self.in_flight, self.now) {
            if let Input::Permit(_) = input {
                continue;
            }
            if let Input::Seek { reader, .. } | Input::Forget(reader) = &input {
                had_before = self.had.get(reader).cloned().unwrap_or_default();
            }
            let mut actions = Vec::new();
            let result = self.stream.handle(self.now, input.clone(), &mut actions);
            if result.is_err() {
                continue;
            }
            match input {
                Input::Append(message) => self.log.push(Record::Appended(message)),
                Input::Reconfigure(_) | Input::Pause | Input::Resume => {
                    self.log.push(Record::Reconfigured(self.stream.config().clone()));
                }
                Input::Settle { member, offset, .. } => {
                    self.in_flight.retain(|one| *one != (member, offset));
                }
                Input::Detach { member, .. } => self.in_flight.retain(|(id, _)| *id != member),
                _ => {}
            }
            actions.iter().for_each(|action| self.note_beginning(action));
            if let Input::PutBack { reader, .. } = input {
                self.had.insert(reader, std::mem::take(&mut had_before));
            }
            actions.into_iter().for_each(|action| self.perform(action));
        }
    }

    /// A reader that begins has been given nothing, and the log is to say so.
    fn note_beginning(&mut self, action: &Action) {
        if let Action::Position { reader, begins: true, .. } = action {
            let name = self.stream.reader_name(*reader).expect("it has a name");
            self.had.remove(name);
            self.said.iter_mut().for_each(|said| said.retain(|known, _| known != reader));
        }
    }

    /// Logs that a reader may be given so many more than it was, and lets it be.
    fn ask(&mut self, reader: ReaderId, more: u64) {
        let Some(outlook) = self.stream.outlook(reader) else { return };
        let to = Offset(outlook.dispatched_to.0 + more);
        let before = self.said.as_mut().and_then(|said| said.insert(reader, to));
        let takes_back = before.is_some_and(|before| before > to);
        if takes_back {
            self.permit(reader, to);
        }
        self.changed.entry(reader).or_insert_with(|| Some(Vec::new()));
        self.flush();
        if !takes_back {
            self.permit(reader, to);
        }
    }

    fn permit(&mut self, reader: ReaderId, to: Offset) {
        let mut actions = Vec::new();
        let permit = Input::Permit(vec![(reader, to)]);
        self.stream.handle(self.now, permit, &mut actions).expect("it fits");
        actions.into_iter().for_each(|action| self.perform(action));
    }

    /// Below which offset messages may have been given to a reader, as far as the log says.
    fn said(&self, reader: ReaderId) -> Offset {
        let said = self.said.as_ref().and_then(|said| said.get(&reader));
        said.copied().unwrap_or_default()
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Deliver { member, offset, .. } => {
                self.in_flight.push((member, offset));
                let reader = self.stream.reader_of(member).expect("it reads for somebody");
                let name = self.stream.reader_name(reader).expect("it has a name").clone();
                self.had.entry(name).or_default().insert(offset);
            }
            Action::Position { reader, begins, .. } => {
                let settled = self.changed.entry(reader).or_insert_with(|| Some(Vec::new()));
                if begins {
                    *settled = None;
                }
            }
            Action::Settled { reader, offset } => {
                let settled = self.changed.entry(reader).or_insert_with(|| Some(Vec::new()));
                settled.iter_mut().for_each(|settled| settled.push(offset));
            }
            Action::Forgotten { reader, name } => {
                self.changed.remove(&reader);
                self.had.remove(&name);
                self.said.iter_mut().for_each(|said| said.retain(|known, _| *known != reader));
                self.forgotten.push(Record::Forgotten { reader: name });
            }
            Action::Removed { offset, how, .. } => {
                self.removed.push(Record::Removed { offset, how });
            }
        }
    }

    fn flush(&mut self) {
        self.log.append(&mut self.removed);
        self.log.append(&mut self.forgotten);
        for (reader, settled) in std::mem::take(&mut self.changed) {
            let mut report = self.stream.report(reader, settled.as_deref()).expect("it is known");
            let delivered_to = &mut report.progress.delivered_to;
            *delivered_to = self.said(reader).max(*delivered_to);
            let reader = self.stream.reader_name(reader).expect("it has a name").clone();
            self.log.push(Record::Reported { reader, report });
        }
    }

    /// A checkpoint stands for the log up to it, so what it knows is logged first.
    fn take_checkpoint(&mut self) {
        let late = self.log.len();
        self.flush();
        let mut bytes = Vec::new();
        self.stream.snapshot(|reader| self.said(reader)).encode(&mut bytes);
        let config = self.stream.config().clone();
        self.checkpoint = Checkpoint { at: self.log.len(), late, bytes, config };
    }
}

/// Replays records. Gives the bodies that are not needed any more.
fn replay(stream: &mut Stream, records: &[Record]) -> Vec<StoredAt> {
    let mut given_up = Vec::new();
    for record in records {
        match record {
            Record::Appended(message) => drop(stream.replay_append(message)),
            Record::Removed { offset, how } => {
                given_up.extend(stream.replay_removed(*offset, *how))
            }
            Record::Reported { reader, report } => {
                let reader = stream.replay_reader(reader);
                stream.replay_report(reader, report);
            }
            Record::Forgotten { reader } => drop(stream.replay_forgotten(reader)),
            Record::Reconfigured(config) => stream.replay_reconfigure(config.clone()),
        }
    }
    given_up
}

/// What a log says.
#[derive(Default)]
struct Told {
    messages: Vec<NewMessage>,
    removed: BTreeMap<Offset, Departure>,
    readers: BTreeMap<ReaderName, (Progress, BTreeSet<u64>)>,
}

impl Told {
    fn by(log: &[Record]) -> Self {
        let mut told = Self::default();
        for record in log {
            match record {
                Record::Appended(message) => told.messages.push(*message),
                Record::Removed { offset, how } => {
                    assert_eq!(told.removed.insert(*offset, *how), None, "{offset} left twice");
                }
                Record::Reported { reader, report } => {
                    let (known, settled) = told.readers.entry(reader.clone()).or_default();
                    if report.begins {
                        settled.clear();
                    } else {
                        assert!(known.position <= report.progress.position, "it went back");
                    }
                    *known = report.progress;
                    settled.extend(report.settled.iter().flatten());
                }
                Record::Forgotten { reader } => drop(told.readers.remove(reader)),
                Record::Reconfigured(_) => {}
            }
        }
        told
    }

    fn here(&self) -> Vec<(Offset, StoredAt)> {
        let all = self.messages.iter().zip(0..);
        let all = all.map(|(message, offset)| (Offset(offset), message.at));
        all.filter(|(offset, _)| !self.removed.contains_key(offset)).collect()
    }

    fn removed(&self, how: Departure) -> u64 {
        self.removed.values().filter(|other| **other == how).count() as u64
    }
}

/// All that a reader gets that comes back and takes everything, and one message more that comes then: offset, attempt.
fn read_all(mut stream: Stream, name: &ReaderName) -> Vec<(Offset, u32)> {
    let config = StreamConfig {
        max_inflight: u32::MAX,
        look_ahead: u64::MAX,
        paused: false,
        keyed: false,
        last_value: false,
        max_messages: None,
        max_bytes: None,
        retention: Duration::ZERO,
        ..stream.config().clone()
    };
    let member = MemberId(77);
    let (reader, start) = (name.clone(), Start::Next);
    let attach = Input::Attach { member, reader, start, window: u32::MAX };
    // As a replay, so that nothing else is done to it than the log says.
    stream.replay_reconfigure(config);
    let mut actions = Vec::new();
    stream.handle(Instant::ZERO, attach, &mut actions).expect("a restored stream has no members");
    let next = Input::Append(NewMessage::new(StoredAt(1), 1, UnixMillis(EPOCH)));
    stream.handle(Instant::ZERO, next, &mut actions).expect("it is legal");
    invariants::check(&stream).expect("a stream that is read is in order");
    let delivery = |action| match action {
        Action::Deliver { offset, attempt, .. } => Some((offset, attempt)),
        _ => None,
    };
    actions.into_iter().filter_map(delivery).collect()
}

fn run(config: &StreamConfig, commands: &[(Command, u8)], asks: bool) {
    let mut stream = Stream::new(config.clone());
    stream.ask_for_permits(asks);
    let mut bytes = Vec::new();
    stream.snapshot(|_| Offset(0)).encode(&mut bytes);
    let mut caller = Caller {
        stream,
        log: Vec::new(),
        removed: Vec::new(),
        forgotten: Vec::new(),
        changed: BTreeMap::new(),
        in_flight: Vec::new(),
        said: asks.then(BTreeMap::new),
        had: BTreeMap::new(),
        checkpoint: Checkpoint { at: 0, late: 0, bytes, config: config.clone() },
        now: Instant::ZERO,
    };
    for (command, chance) in commands {
        caller.play(command);
        if asks && chance % 3 > 0 {
            let names: Vec<ReaderName> = caller.stream.reader_names().cloned().collect();
            let name = names.get(usize::from(chance / 32) % names.len().max(1));
            let reader = name.and_then(|name| caller.stream.reader_id(name));
            reader.into_iter().for_each(|reader| caller.ask(reader, u64::from(chance % 7)));
        }
        match chance {
            0..40 => caller.flush(),
            40..50 => caller.take_checkpoint(),
            _ => {}
        }
    }
    check_recovery(config, &caller);
    caller.flush();
    check_recovery(config, &caller);
    check_that_nothing_is_lost(config, &caller);
}

/// With all that it said logged, a stream comes back as it was.
fn check_that_nothing_is_lost(config: &StreamConfig, caller: &Caller) {
    let mut stream = Stream::new(config.clone());
    replay(&mut stream, &caller.log);
    stream.end_replay();
    assert!(stream.stored().eq(caller.stream.stored()));
    for name in caller.stream.reader_names() {
        let state = caller.stream.reader(name).expect("it is known");
        let restored = stream.reader(&state.name).expect("it is known");
        let (before, after) = (state.progress, restored.progress);
        // Deliveries since the position moved are not said, or some are that were not made.
        assert_eq!(Progress { delivered_to: before.delivered_to, ..after }, before);
        let asks = caller.said.is_some();
        assert!(asks || after.delivered_to <= before.delivered_to);
        assert_eq!(restored.members, []);
        let here: BTreeSet<u64> = stream.stored().map(|(offset, _)| offset.0).collect();
        let settled = |stream: &Stream| {
            let id = stream.reader_id(&state.name).expect("it is known");
            let settled = stream.report(id, None).expect("it is known").settled;
            settled.iter().flatten().filter(|n| here.contains(n)).collect::<Vec<u64>>()
        };
        assert_eq!(settled(&stream), settled(&caller.stream), "{}", state.name);
    }
    assert_eq!(stream.reader_names().count(), caller.stream.reader_names().count());
}

fn check_recovery(config: &StreamConfig, caller: &Caller) {
    let told = Told::by(&caller.log);
    let here = told.here();
    let mut from_log = Stream::new(config.clone());
    let given_up = replay(&mut from_log, &caller.log);
    assert_eq!(given_up.len(), told.removed.len(), "each body is given up once");
    let Checkpoint { at, late, bytes, config } = &caller.checkpoint;
    let snapshot = Snapshot::decode(bytes).expect("what was encoded is legal");
    let mut from_checkpoint = Stream::restore(config.clone(), snapshot);
    let of_readers =
        |one: &&Record| matches!(one, Record::Reported { .. } | Record::Forgotten { .. });
    let late: Vec<Record> = caller.log[*late..*at].iter().filter(of_readers).cloned().collect();
    replay(&mut from_checkpoint, &late);
    replay(&mut from_checkpoint, &caller.log[*at..]);

    for (what, make) in [("the log", true), ("the checkpoint", false)] {
        let stream = if make { &mut from_log } else { &mut from_checkpoint };
        stream.end_replay();
        invariants::check(stream).unwrap_or_else(|violation| panic!("{violation} from {what}"));
        let again: Vec<Record> =
            caller.log.iter().filter(|one| is_idempotent(one)).cloned().collect();
        assert_eq!(replay(stream, &again), [], "replaying twice, from {what}");
        assert_eq!(stream.stored().collect::<Vec<_>>(), here, "from {what}");
        let ledger = stream.ledger();
        let counts = [ledger.dropped, ledger.expired, ledger.replaced, ledger.purged];
        assert_eq!(counts, Departure::ALL.map(|how| told.removed(how)), "from {what}");
        assert_eq!(stream.config(), caller.stream.config(), "from {what}");
        assert_eq!(stream.reader_names().count(), told.readers.len(), "from {what}");
        for (name, (progress, settled)) in &told.readers {
            let state = stream.reader(name).expect("it was told");
            let restored = state.progress;
            assert_eq!(restored.position, progress.position, "{name} from {what}");
            let least = progress.delivered_to.min(stream.next_offset());
            assert!(restored.delivered_to >= least, "{name} from {what}");
            if make {
                let settled_to = settled.last().map_or(Offset(0), |last| Offset(last + 1));
                let most = least.max(settled_to).max(progress.position);
                assert!(restored.delivered_to <= most, "{name} from {what}: it was taken back");
            }
            let counts = (restored.rejected, restored.skipped);
            assert_eq!(counts, (progress.rejected, progress.skipped), "{name} from {what}");
            let mut bytes = Vec::new();
            stream.snapshot(|_| Offset(0)).encode(&mut bytes);
            let copy = Snapshot::decode(&bytes).expect("what was encoded is legal");
            let copy = Stream::restore(stream.config().clone(), copy);
            let expected: Vec<(Offset, u32)> = here
                .iter()
                .filter(|(offset, _)| *offset >= restored.position && !settled.contains(&offset.0))
                .map(|(offset, _)| (*offset, 1 + u32::from(*offset < restored.delivered_to)))
                .chain([(stream.next_offset(), 1)])
                .collect();
            let read = read_all(copy, name);
            assert_eq!(read, expected, "{name} from {what}");
            let had = caller.had.get(name).filter(|_| caller.said.is_some());
            for (offset, attempt) in read {
                let is_again = had.is_some_and(|had| had.contains(&offset));
                assert!(attempt > 1 || !is_again, "{offset} comes to {name} as new from {what}");
            }
        }
        let is_known = |name: &ReaderName| caller.said.is_none() || told.readers.contains_key(name);
        assert!(caller.had.keys().all(is_known), "nobody knows who was given something");
        settle_down(stream, caller.now);
    }
}

/// The clock is told: all rules hold again.
fn settle_down(stream: &mut Stream, now: Instant) {
    let mut actions = Vec::new();
    let shows = Input::Clock(UnixMillis(EPOCH + now.as_millis()));
    stream.handle(Instant::ZERO, shows, &mut actions).expect("the clock may be told");
    invariants::check(stream).unwrap_or_else(|violation| panic!("{violation}"));
}

const fn is_idempotent(record: &Record) -> bool {
    matches!(record, Record::Removed { .. })
}

proptest! {
    #[test]
    fn nothing_is_lost_that_was_logged_and_readers_go_on_where_they_were(
        config in any_config(),
        commands in prop::collection::vec((any_command(), any::<u8>()), 1..150),
        asks in any::<bool>(),
    ) {
        run(&config, &commands, asks);
    }
}
