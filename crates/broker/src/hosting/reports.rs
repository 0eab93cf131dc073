//! What of a stream's readers waits for a record, and by which numbers the log knows them. It must not know what moves them.

mod reserving;

use std::ops::Range;

use hashbrown::HashMap;
use stdx::Instant;
use stream_engine::{Offset, ReaderId, ReaderName, Report, Stream};

use super::reservation::{Plan, Reservation};

/// So many readers do not ride along with whatever is written: they would be said again in each turn.
const RIDERS_MAX: usize = 64;

/// A reader that the log is told of.
struct Known {
    /// What the log calls it; nobody else is ever called so while this process lives.
    number: u64,
    /// Whether a record since the newest checkpoint says whom the number stands for.
    is_named: bool,
    /// Whether it is on the list of those that there is something to be said of.
    is_listed: bool,
    /// Whether that is more than how far deliveries go.
    has_news: bool,
    /// What it has settled since its last report, behind something that is not; none when it begins.
    settled: Option<Vec<Offset>>,
    /// What reports say of deliveries; none when nobody reads for it, or no message outlives the process.
    reservation: Option<Reservation>,
}

/// What a record says of readers, and what follows from it.
#[derive(Default)]
pub(super) struct Said {
    /// Whom numbers stand for.
    pub(super) named: Vec<(u64, ReaderName)>,
    /// What is reported of numbers.
    pub(super) reports: Vec<(Range<u64>, Report)>,
    /// Up to where readers may still be given messages of which more was said before.
    pub(super) taken_back: Vec<(ReaderId, Offset)>,
    /// Whether deliveries wait for it.
    pub(super) is_awaited: bool,
}

/// What there is to be said of readers.
pub(super) struct Reports {
    /// The number of the next one.
    next: u64,
    readers: HashMap<ReaderId, Known>,
    listed: Vec<ReaderId>,
    forgotten: Vec<ReaderName>,
    has_beginning: bool,
    /// Whether readers are given nothing that the log does not know of.
    is_reserving: bool,
    /// Those of whom more was said than is known to be stored.
    asked: Vec<ReaderId>,
    /// Those for whom somebody waits for a record that is not written yet.
    awaiting: Vec<ReaderId>,
}

impl Reports {
    /// Numbers begin there.
    pub(super) fn new(next: u64) -> Self {
        Self {
            next,
            readers: HashMap::new(),
            listed: Vec::new(),
            forgotten: Vec::new(),
            has_beginning: false,
            is_reserving: false,
            asked: Vec::new(),
            awaiting: Vec::new(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.forgotten.is_empty()
    }

    /// Whether there are too many to be said in each turn.
    pub(super) const fn are_many(&self) -> bool {
        self.listed.len() > RIDERS_MAX
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
            (known.settled, known.reservation) = (None, None);
            self.has_beginning = true;
            self.asked.retain(|asked| *asked != reader);
        }
    }

    /// A reader has settled a message behind one that is not.
    pub(super) fn settled(&mut self, reader: ReaderId, offset: Offset) {
        if let Some(settled) = &mut self.change(reader).settled {
            settled.push(offset);
        }
    }

    fn known(&mut self, reader: ReaderId) -> &mut Known {
        self.readers.entry(reader).or_insert_with(|| {
            let number = self.next;
            self.next += 1;
            Known {
                number,
                is_named: false,
                is_listed: false,
                has_news: false,
                settled: Some(Vec::new()),
                reservation: None,
            }
        })
    }

    fn list(&mut self, reader: ReaderId) {
        if !std::mem::replace(&mut self.known(reader).is_listed, true) {
            self.listed.push(reader);
        }
    }

    fn change(&mut self, reader: ReaderId) -> &mut Known {
        self.list(reader);
        let known = self.known(reader);
        known.has_news = true;
        known
    }

    /// A reader is no more.
    pub(super) fn forget(&mut self, reader: ReaderId, name: ReaderName) {
        self.readers.remove(&reader);
        self.listed.retain(|listed| *listed != reader);
        self.asked.retain(|asked| *asked != reader);
        self.awaiting.retain(|awaiting| *awaiting != reader);
        self.forgotten.push(name);
    }

    /// Who was forgotten.
    pub(super) fn take_forgotten(&mut self) -> Vec<ReaderName> {
        std::mem::take(&mut self.forgotten)
    }

    /// What there is to be said after that.
    pub(super) fn take(&mut self, engine: &Stream, now: Instant) -> Said {
        self.has_beginning = false;
        self.awaiting.clear();
        let mut said = Said::default();
        let listed = std::mem::take(&mut self.listed);
        for reader in self.in_order(listed) {
            let is_open = self.say((reader, now), engine, &mut said);
            if let Some(known) = self.readers.get_mut(&reader) {
                known.is_listed = is_open;
                self.listed.extend(is_open.then_some(reader));
            }
        }
        said
    }

    /// What there is to be said of those for whom somebody waits. They stay on the list.
    pub(super) fn take_awaited(&mut self, engine: &Stream, now: Instant) -> Said {
        let mut said = Said::default();
        let awaiting = std::mem::take(&mut self.awaiting);
        for reader in self.in_order(awaiting) {
            self.say((reader, now), engine, &mut said);
        }
        said
    }

    fn in_order(&self, mut readers: Vec<ReaderId>) -> Vec<ReaderId> {
        readers.sort_unstable_by_key(|reader| self.readers.get(reader).map(|known| known.number));
        readers.dedup();
        readers
    }

    /// Says what there is to be said of a reader. True when there will be more, whatever happens.
    fn say(
        &mut self,
        (reader, now): (ReaderId, Instant),
        engine: &Stream,
        said: &mut Said,
    ) -> bool {
        let known = self.readers.get_mut(&reader);
        let Some((known, outlook)) = known.zip(engine.outlook(reader)) else { return false };
        let planned = known.plan(&outlook, now);
        match planned.plan {
            Plan::Same => {}
            Plan::Lower | Plan::Close => said.taken_back.push((reader, planned.to)),
            Plan::Raise | Plan::Open => {
                said.is_awaited = true;
                self.asked.push(reader);
            }
        }
        if std::mem::take(&mut known.has_news) || planned.plan != Plan::Same {
            said.add(known, (reader, planned.to), engine);
        }
        planned.is_open
    }

    /// A checkpoint knows readers as they are now, and not by numbers.
    pub(super) fn name_anew(&mut self) {
        self.readers.values_mut().for_each(|known| known.is_named = false);
    }

    /// Something that was said is not in the log: it is said again, and each report to come says all. Gives who is given messages
    /// all the same: a reader may be what makes room.
    pub(super) fn not_stored(
        &mut self,
        mut forgotten: Vec<ReaderName>,
        said: &[(Range<u64>, Report)],
    ) -> Vec<(ReaderId, Offset)> {
        self.forgotten.append(&mut forgotten);
        for (reader, known) in &mut self.readers {
            (known.is_named, known.settled) = (false, None);
            let was_said = known.said_in(said).is_some();
            known.has_news |= was_said;
            if was_said && !std::mem::replace(&mut known.is_listed, true) {
                self.listed.push(*reader);
            }
        }
        self.refused(said)
    }
}

impl Known {
    /// What a record says of it.
    fn said_in<'a>(&self, said: &'a [(Range<u64>, Report)]) -> Option<&'a Report> {
        let place = said.partition_point(|(numbers, _)| numbers.end <= self.number);
        let (numbers, report) = said.get(place)?;
        numbers.contains(&self.number).then_some(report)
    }
}

impl Said {
    /// Reports a reader, that may be given what is below an offset.
    fn add(&mut self, known: &mut Known, (reader, to): (ReaderId, Offset), engine: &Stream) {
        let settled = known.settled.replace(Vec::new());
        let Some(mut report) = engine.report(reader, settled.as_deref()) else { return };
        report.progress.delivered_to = to;
        // One that begins is named again: a checkpoint may have it later than records that this one is behind.
        if !std::mem::replace(&mut known.is_named, true) || report.begins {
            self.named.extend(engine.reader_name(reader).map(|name| (known.number, name.clone())));
        }
        match self.reports.last_mut() {
            Some((numbers, same)) if numbers.end == known.number && *same == report => {
                numbers.end += 1;
            }
            _ => self.reports.push((known.number..known.number + 1, report)),
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
        now: Instant,
        /// Bytes that records took, and would take if readers were said by name.
        bytes: [u64; 2],
    }

    impl Read {
        fn by(readers: u64) -> Self {
            let config = StreamConfig { readers_max: usize::MAX, ..StreamConfig::default() };
            let mut engine = Stream::new(config);
            engine.ask_for_permits(true);
            let mut reports = Reports::new(0);
            reports.reserve(true);
            let now = Instant::ZERO;
            let mut read = Self { engine, reports, in_flight: Vec::new(), now, bytes: [0; 2] };
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
            self.engine.handle(self.now, input, &mut actions).expect("it is legal");
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
            let mut looked_at = Vec::new();
            self.engine.take_looked_at(&mut looked_at);
            for reader in looked_at {
                let outlook = self.engine.outlook(reader).expect("it is known");
                self.reports.look(reader, &outlook);
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

        /// What is said is stored.
        fn store(&mut self) -> Said {
            let said = self.reports.take(&self.engine, self.now);
            self.now = self.now + std::time::Duration::from_millis(50);
            self.handle(Input::Permit(said.taken_back.clone()));
            let stored = self.reports.stored(&said.reports);
            self.handle(Input::Permit(stored));
            said
        }

        fn log(&mut self) {
            let sink = SinkId(1);
            let size = |record: &StreamRecord| {
                let mut body = Vec::new();
                record.encode(&mut body);
                body.len() as u64
            };
            let has_news = |reader: &&ReaderId| self.reports.readers[*reader].has_news;
            let changed: Vec<ReaderId> =
                self.reports.listed.iter().filter(has_news).copied().collect();
            let position = |reader: &ReaderId| {
                let progress: Progress = self.engine.report(*reader, Some(&[]))?.progress;
                Some((self.engine.reader_name(*reader)?.clone(), progress))
            };
            let positions = changed.iter().filter_map(position).collect();
            let by_name = StreamRecord { positions, ..StreamRecord::new(sink) };
            let Said { named, reports, .. } = self.store();
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
            let Said { named, reports, .. } = read.store();
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

    /// Where many have something to say, not each of them says it whenever one needs more than it may be given.
    #[test]
    fn one_that_waits_says_so_without_the_others() {
        let mut read = Read::by(RIDERS_MAX as u64 + 2);
        read.append(300);
        while !read.reports.is_awaited() {
            let (member, offset) = read.in_flight.remove(0);
            read.handle(Input::Settle { member, offset, outcome: Outcome::Accept });
            let of_first = |one: &&(MemberId, Offset)| one.0 == member;
            let first = read.in_flight.iter().position(|one| of_first(&one));
            read.in_flight.swap(0, first.expect("it has the next"));
        }
        assert!(read.reports.are_many());
        let said = read.reports.take_awaited(&read.engine, read.now);
        assert_eq!((said.reports.len(), said.is_awaited), (1, true));
        assert_eq!(said.reports[0].0, 0..1);
        let rest = read.reports.take(&read.engine, read.now);
        assert!(rest.reports.iter().all(|(numbers, _)| !numbers.contains(&0)), "it was said");
        let others: u64 = rest.reports.iter().map(|(numbers, _)| numbers.end - numbers.start).sum();
        assert_eq!(others, RIDERS_MAX as u64 + 1);
    }

    /// Twice as many messages come as a reader takes that settles half of what it has.
    #[test]
    fn many_readers_take_little_of_the_log() {
        let mut dice = Dice::new(7);
        for (what, percent, is_in_order, at_most) in [
            ("all keep up", 100, true, 1),
            ("each is somewhere", 50, true, 39),
            ("each is somewhere, and settles in any order", 50, false, 36),
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
