//! What of a stream's readers waits for a record, and by which numbers the log knows them. It must not know what moves them.

use std::ops::Range;

use hashbrown::HashMap;
use stream_engine::{Offset, ReaderId, ReaderName, Report, Stream};

/// So many readers do not ride along with whatever is written: they would be said again in each turn.
const RIDERS_MAX: usize = 64;

/// A reader that the log is told of.
struct Known {
    /// What the log calls it; nobody else is ever called so while this process lives.
    number: u64,
    /// Whether a record since the newest checkpoint says whom the number stands for.
    is_named: bool,
    is_changed: bool,
    /// What it has settled since its last report, behind something that is not; none when it begins.
    settled: Option<Vec<Offset>>,
}

/// What there is to be said of readers.
pub(super) struct Reports {
    /// The number of the next one.
    next: u64,
    readers: HashMap<ReaderId, Known>,
    changed: Vec<ReaderId>,
    forgotten: Vec<ReaderName>,
    has_beginning: bool,
}

impl Reports {
    /// Numbers begin there.
    pub(super) fn new(next: u64) -> Self {
        Self {
            next,
            readers: HashMap::new(),
            changed: Vec::new(),
            forgotten: Vec::new(),
            has_beginning: false,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.forgotten.is_empty()
    }

    /// Whether there are too many to be said in each turn.
    pub(super) const fn are_many(&self) -> bool {
        self.changed.len() > RIDERS_MAX
    }

    /// Whether a reader is new or was set elsewhere, which the log does not know.
    pub(super) const fn has_beginning(&self) -> bool {
        self.has_beginning
    }

    /// Something is to be said of a reader.
    pub(super) fn note(&mut self, reader: ReaderId) {
        self.change(reader);
    }

    /// A reader has come on, or begins.
    pub(super) fn position(&mut self, reader: ReaderId, begins: bool) {
        let known = self.change(reader);
        if begins {
            known.settled = None;
            self.has_beginning = true;
        }
    }

    /// A reader has settled a message behind one that is not.
    pub(super) fn settled(&mut self, reader: ReaderId, offset: Offset) {
        if let Some(settled) = &mut self.change(reader).settled {
            settled.push(offset);
        }
    }

    fn change(&mut self, reader: ReaderId) -> &mut Known {
        let known = self.readers.entry(reader).or_insert_with(|| {
            let number = self.next;
            self.next += 1;
            Known { number, is_named: false, is_changed: false, settled: Some(Vec::new()) }
        });
        if !std::mem::replace(&mut known.is_changed, true) {
            self.changed.push(reader);
        }
        known
    }

    /// A reader is no more.
    pub(super) fn forget(&mut self, reader: ReaderId, name: ReaderName) {
        self.readers.remove(&reader);
        self.changed.retain(|changed| *changed != reader);
        self.forgotten.push(name);
    }

    /// Who was forgotten.
    pub(super) fn take_forgotten(&mut self) -> Vec<ReaderName> {
        std::mem::take(&mut self.forgotten)
    }

    /// What there is to be said after that: whom numbers stand for, and what is reported of numbers.
    #[expect(clippy::type_complexity)]
    pub(super) fn take(
        &mut self,
        engine: &Stream,
    ) -> (Vec<(u64, ReaderName)>, Vec<(Range<u64>, Report)>) {
        let (mut named, mut reports) = (Vec::new(), Vec::<(Range<u64>, Report)>::new());
        self.has_beginning = false;
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable_by_key(|reader| self.readers.get(reader).map(|known| known.number));
        for reader in changed {
            let Some(known) = self.readers.get_mut(&reader) else { continue };
            known.is_changed = false;
            let settled = known.settled.replace(Vec::new());
            let Some(report) = engine.report(reader, settled.as_deref()) else { continue };
            // One that begins is named again: a checkpoint may have it later than records that this one is behind.
            if !std::mem::replace(&mut known.is_named, true) || report.begins {
                named.extend(engine.reader_name(reader).map(|name| (known.number, name.clone())));
            }
            match reports.last_mut() {
                Some((numbers, same)) if numbers.end == known.number && *same == report => {
                    numbers.end += 1;
                }
                _ => reports.push((known.number..known.number + 1, report)),
            }
        }
        (named, reports)
    }

    /// A checkpoint knows readers as they are now, and not by numbers.
    pub(super) fn name_anew(&mut self) {
        self.readers.values_mut().for_each(|known| known.is_named = false);
    }

    /// Something that was said is not in the log: it is said again, and each report to come says all.
    pub(super) fn not_stored(
        &mut self,
        mut forgotten: Vec<ReaderName>,
        said: &[(Range<u64>, Report)],
    ) {
        self.forgotten.append(&mut forgotten);
        for (reader, known) in &mut self.readers {
            (known.is_named, known.settled) = (false, None);
            let place = said.partition_point(|(numbers, _)| numbers.end <= known.number);
            let was_said =
                said.get(place).is_some_and(|(numbers, _)| numbers.contains(&known.number));
            if was_said && !std::mem::replace(&mut known.is_changed, true) {
                self.changed.push(*reader);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hashbrown::HashSet;
    use mqtt_router::SinkId;
    use stdx::testing::Dice;
    use stdx::{Instant, UnixMillis};
    use stream_engine::{
        Action, Input, MemberId, NewMessage, Outcome, Progress, Start, StoredAt, StreamConfig,
    };

    use super::*;
    use crate::record::StreamRecord;

    /// A stream that many clients read, and what the log is told of them.
    struct Read {
        engine: Stream,
        reports: Reports,
        in_flight: Vec<(MemberId, Offset)>,
        /// Bytes that records took, and would take if readers were said by name.
        bytes: [u64; 2],
    }

    impl Read {
        fn by(readers: u64) -> Self {
            let config = StreamConfig { readers_max: usize::MAX, ..StreamConfig::default() };
            let engine = Stream::new(config);
            let mut read =
                Self { engine, reports: Reports::new(0), in_flight: Vec::new(), bytes: [0; 2] };
            for n in 0..readers {
                let reader = ReaderName::client(&format!("sensor-{n:06}"));
                let (member, start, window) = (MemberId(n), Start::Earliest, 32);
                read.handle(Input::Attach { member, reader, start, window });
            }
            read.log();
            read.bytes = [0; 2];
            read
        }

        fn handle(&mut self, input: Input) {
            let mut actions = Vec::new();
            self.engine.handle(Instant::ZERO, input, &mut actions).expect("it is legal");
            for action in actions {
                match action {
                    Action::Deliver { member, offset, .. } => self.in_flight.push((member, offset)),
                    Action::Position { reader, begins, .. } => {
                        self.reports.position(reader, begins);
                    }
                    Action::Settled { reader, offset } => self.reports.settled(reader, offset),
                    Action::Forgotten { .. } | Action::Removed { .. } => {}
                }
            }
        }

        fn append(&mut self, count: u64) {
            for n in 0..count {
                let message = NewMessage::new(StoredAt(n), 100, UnixMillis(0));
                self.handle(Input::Append(message));
            }
        }

        /// Each settles so much of a hundred of what it has, behind what it does not if it may, and that is logged.
        fn settle(&mut self, percent: usize, is_in_order: bool, dice: &mut Dice) {
            let mut stopped = HashSet::new();
            for (member, offset) in std::mem::take(&mut self.in_flight) {
                if dice.below(100) < percent && !stopped.contains(&member) {
                    self.handle(Input::Settle { member, offset, outcome: Outcome::Accept });
                    continue;
                }
                self.in_flight.push((member, offset));
                if is_in_order {
                    stopped.insert(member);
                }
            }
            self.log();
        }

        fn log(&mut self) {
            let sink = SinkId(1);
            let size = |record: &StreamRecord| {
                let mut body = Vec::new();
                record.encode(&mut body);
                body.len() as u64
            };
            let changed = self.reports.changed.clone();
            let position = |reader: &ReaderId| {
                let progress: Progress = self.engine.report(*reader, Some(&[]))?.progress;
                Some((self.engine.reader_name(*reader)?.clone(), progress))
            };
            let positions = changed.iter().filter_map(position).collect();
            let by_name = StreamRecord { positions, ..StreamRecord::new(sink) };
            let (named, reports) = self.reports.take(&self.engine);
            let by_number = StreamRecord { named, reports, ..StreamRecord::new(sink) };
            self.bytes[0] += size(&by_number);
            self.bytes[1] += size(&by_name);
        }
    }

    /// What is said of a reader by its name, such as that it has a message, must not hold for where it goes then, though a
    /// checkpoint may know it there already and no record since has its number.
    #[test]
    fn a_reader_that_begins_is_named_again() {
        let mut read = Read::by(3);
        read.append(2);
        let seek = |n| Input::Seek {
            reader: ReaderName::client(&format!("sensor-{n:06}")),
            to: Start::Latest,
        };
        let said = |read: &mut Read| {
            let (named, reports) = read.reports.take(&read.engine);
            let numbers = named.into_iter().map(|(number, _)| number).collect::<Vec<_>>();
            (numbers, reports.into_iter().flat_map(|(numbers, _)| numbers).collect::<Vec<_>>())
        };
        read.reports.name_anew();
        read.handle(seek(1));
        assert_eq!(said(&mut read), (vec![1], vec![1]));
        read.handle(seek(1));
        assert_eq!(said(&mut read), (vec![1], vec![1]), "it begins again");
        read.append(1);
        let (member, offset) = (MemberId(1), Offset(2));
        read.handle(Input::Settle { member, offset, outcome: Outcome::Accept });
        assert_eq!(said(&mut read), (vec![], vec![1]), "it has come on");
    }

    /// Twice as many messages come as a reader takes that settles half of what it has.
    #[test]
    fn many_readers_take_little_of_the_log() {
        let mut dice = Dice::new(7);
        for (what, percent, is_in_order, at_most) in [
            ("all keep up", 100, true, 1),
            ("each is somewhere", 50, true, 32),
            ("each is somewhere, and settles in any order", 50, false, 35),
        ] {
            let mut read = Read::by(1_000);
            for _ in 0..100 {
                read.append(2);
                read.settle(percent, is_in_order, &mut dice);
            }
            let [now, by_name] = read.bytes;
            println!("{what}: {now} bytes, by name {by_name}");
            assert!(now * 100 < by_name * at_most, "{what}: {now} bytes, by name {by_name}");
        }
    }
}
