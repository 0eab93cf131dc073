//! What is known of streams and of who reads them: what each offset is, from where a reader goes on, what it has settled. It must
//! not know how a reader is kept.
//!
//! Of a reader's position there are bounds. What it has settled for sure lies below `least` and never comes again; what lies at
//! `most` or behind it and is not settled must come. After each crash an operator looks where the reader is, and both are that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Auditor};
use crate::plan::{TOPICS, leads_to};
use crate::streams::{FLEETING, LOG, NEWEST, READERS, READS_ON, STREAMS, WRITTEN};

/// A message comes to a reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) number: u32,
    pub(crate) offset: u64,
    pub(crate) attempt: u32,
    pub(crate) stored_ms: u64,
    /// When that was.
    pub(crate) now_ms: u64,
}

/// What is known of a stream's offsets.
#[derive(Default, Debug)]
struct Stream {
    by_offset: BTreeMap<u64, u32>,
    offsets: BTreeMap<u32, BTreeSet<u64>>,
    stored_ms: BTreeMap<u64, u64>,
    /// What was there when it was looked at last.
    kept: BTreeSet<u64>,
}

/// That a message is settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Settled {
    /// The broker has read that, at this moment.
    At(u64),
    /// Nobody knows whether it has.
    Perhaps,
}

/// What is known of a reader.
#[derive(Default, Debug)]
struct Reader {
    least: u64,
    most: u64,
    /// The bounds before it was set elsewhere, and when that was; until it is recorded.
    before: Option<(u64, u64, u64)>,
    settled: BTreeMap<u64, Settled>,
    /// What it had settled where it was before.
    settled_before: BTreeSet<u64>,
    /// Offsets that it has got since it is where it is, when it had them first, and whether the log was told before.
    had: BTreeMap<u64, (u64, bool)>,
    /// Offsets that it gave back at least once without an attempt.
    was_busy: BTreeSet<u64>,
    /// What has come since it has subscribed on this connection.
    got: BTreeSet<u64>,
    newest: Option<u64>,
    /// Refused, and to come later.
    released: BTreeSet<u64>,
    /// It began with what was stored then or later, and nothing has come yet.
    begins_at_ms: Option<u64>,
    /// What is written counts as settled, heard or not.
    is_blind: bool,
    /// It was set elsewhere while its session had messages on their way, which stay with it and come in no order.
    has_others: bool,
}

/// All streams and readers.
#[derive(Debug)]
pub(super) struct Reading {
    streams: [Stream; STREAMS.len()],
    readers: [Reader; READERS.len()],
    /// So many messages have been dropped, of each stream.
    gone: [u64; STREAMS.len()],
    /// All that was ever in the log must be there.
    keeps_all: bool,
    /// What was settled by then is recorded.
    recorded_to: u64,
}

impl Default for Reading {
    fn default() -> Self {
        let (streams, readers) = (Default::default(), Default::default());
        Self { streams, readers, gone: [0; STREAMS.len()], keeps_all: false, recorded_to: 0 }
    }
}

impl Reader {
    /// The lowest and the highest place where it can be.
    fn bounds(&self, gone: u64, recorded_to: u64) -> (u64, u64) {
        let is_sure = |offset: &u64| match self.settled.get(offset) {
            Some(Settled::At(moment)) => *moment <= recorded_to,
            _ => false,
        };
        let least = (self.least..).find(|offset| !is_sure(offset)).unwrap_or(self.least);
        let most = self.farthest(gone);
        let Some((before_least, before_most, _)) = self.before else { return (least, most) };
        (least.min(before_least), most.max(before_most))
    }

    /// The first message that has not gone from the log, and is not settled.
    fn farthest(&self, gone: u64) -> u64 {
        let is_passed = |offset: &u64| *offset < gone || self.settled.contains_key(offset);
        match self.most {
            u64::MAX => u64::MAX,
            most => (most..).find(|offset| !is_passed(offset)).unwrap_or(most),
        }
    }

    /// It may be where it was, or where it was set to: what it settled at either place may come again or not.
    fn settled_perhaps(&mut self) {
        self.settled.extend(
            std::mem::take(&mut self.settled_before).into_iter().map(|at| (at, Settled::Perhaps)),
        );
        self.settled.values_mut().for_each(|settled| *settled = Settled::Perhaps);
    }

    /// What was settled and recorded stays so, wherever the position is.
    fn settled_crashed(&mut self, is_sure: bool, recorded_to: u64) {
        if !is_sure {
            return self.settled_perhaps();
        }
        let is_recorded =
            |settled: &Settled| matches!(settled, Settled::At(moment) if *moment <= recorded_to);
        for settled in self.settled.values_mut().filter(|settled| !is_recorded(settled)) {
            *settled = Settled::Perhaps;
        }
    }

    /// What it had from there on is lost.
    fn forget_from(&mut self, end: u64) {
        self.settled.split_off(&end);
        self.settled_before.split_off(&end);
        self.had.split_off(&end);
        self.was_busy.split_off(&end);
        self.least = self.least.min(end);
        if let Some((least, ..)) = &mut self.before {
            *least = end.min(*least);
        }
    }

    fn forget_connection(&mut self) {
        self.got.clear();
        self.newest = None;
    }
}

impl Auditor {
    /// So many messages have gone from a stream by now.
    pub(crate) fn note_dropped(&mut self, stream: usize, dropped: u64) {
        let gone = &mut self.reading.gone[stream];
        *gone = dropped.max(*gone);
    }

    /// A reader subscribes, to go on where it is.
    pub(crate) fn reads_on(&mut self, reader: usize) {
        self.reading.readers[reader].forget_connection();
    }

    /// Messages are settled when they are written to this reader from now on, or not.
    pub(crate) fn reads_blindly(&mut self, reader: usize, is_blind: bool) {
        self.reading.readers[reader].is_blind |= is_blind;
    }

    /// A reader asks to go on elsewhere: not before that offset, or with what was stored then.
    pub(crate) fn is_to_read_from(&mut self, reader: usize, least: u64, at_ms: Option<u64>) {
        self.moment += 1;
        let gone = self.reading.gone[READERS[reader].stream];
        let recorded_to = self.reading.recorded_to;
        if reader == READS_ON {
            // What it has had comes once more.
            self.read_once.clear();
        }
        let one = &mut self.reading.readers[reader];
        one.has_others |= reader == READS_ON;
        let (before_least, before_most) = one.bounds(gone, recorded_to);
        one.before = Some((before_least, before_most, self.moment));
        (one.least, one.most) = (least, u64::MAX);
        one.settled_before.extend(std::mem::take(&mut one.settled).into_keys());
        one.had.clear();
        one.was_busy.clear();
        one.released.clear();
        one.begins_at_ms = at_ms;
        one.is_blind = false;
        one.forget_connection();
    }

    /// It does not hear whether it does, and may be where it was.
    pub(crate) fn may_not_have_moved(&mut self, reader: usize) {
        let one = &mut self.reading.readers[reader];
        // Where it was is where it is found after a crash, if it moved and that was not stored.
        if let Some((least, ..)) = one.before {
            (one.least, one.most) = (one.least.min(least), u64::MAX);
            one.begins_at_ms = None;
            one.settled_perhaps();
        }
    }

    /// It went elsewhere, and had to go back: what came meanwhile may come again as if it never had.
    pub(crate) fn was_put_back(&mut self, reader: usize) {
        self.may_not_have_moved(reader);
        let one = &mut self.reading.readers[reader];
        one.had.clear();
        one.was_busy.clear();
        one.forget_connection();
    }

    /// It hears that it does, and not behind that offset.
    pub(crate) fn reads_from(&mut self, reader: usize, most: u64) {
        let one = &mut self.reading.readers[reader];
        one.most = one.most.min(most);
    }

    /// The first offset that is known, and perhaps still there, whose message was stored then or later.
    pub(crate) fn first_stored_at(&self, stream: usize, ms: u64) -> u64 {
        if stream == NEWEST {
            // Whatever was stored then, one that came later may have replaced it, and is from another time.
            return u64::MAX;
        }
        let mut known = self.reading.streams[stream].stored_ms.range(self.reading.gone[stream]..);
        known.find(|(_, stored)| **stored >= ms).map_or(u64::MAX, |(offset, _)| *offset)
    }

    /// When a message was stored that is so many hundredths of the way among those that are known.
    pub(crate) fn some_time(&self, stream: usize, hundredths: u64) -> u64 {
        let known = &self.reading.streams[stream].stored_ms;
        let nth = known.len() * hundredths as usize / 101;
        known.values().nth(nth).copied().unwrap_or(0)
    }

    /// Whether what comes to a reader may have been on its way when it was set elsewhere.
    pub(crate) const fn has_others(&self, reader: usize) -> bool {
        self.reading.readers[reader].has_others
    }

    /// A reader has answered all that was on its way.
    pub(crate) const fn has_no_others(&mut self, reader: usize) {
        self.reading.readers[reader].has_others = false;
    }

    /// A message has come to a reader.
    pub(crate) fn read(&mut self, reader: usize, arrival: Arrival) {
        let of = READERS[reader];
        let Arrival { number, offset, attempt, stored_ms, now_ms } = arrival;
        self.note_offset(of.stream, offset, number);
        let before = self.reading.streams[of.stream].stored_ms.insert(offset, stored_ms);
        assert!(
            before.is_none_or(|before| before == stored_ms),
            "offset {offset} of stream {} was stored at {before:?} and at {stored_ms}",
            STREAMS[of.stream].name
        );
        self.moment += 1;
        let (gone, moment) = (self.reading.gone[of.stream], self.moment);
        let is_told = self.is_told_at(now_ms) && matches!(of.stream, LOG | NEWEST);
        let one = &mut self.reading.readers[reader];
        assert!(
            offset >= one.least,
            "offset {offset} comes to {}, which had settled it before a crash or begins at {}",
            of.name,
            one.least
        );
        let was_settled = one.settled.remove(&offset);
        assert!(
            !matches!(was_settled, Some(Settled::At(_))),
            "offset {offset} was settled by {}, and comes again (attempt {attempt})",
            of.name
        );
        assert!(
            !one.had.contains_key(&offset) || attempt > 1 || one.was_busy.contains(&offset),
            "offset {offset} comes to {} again as attempt {attempt}",
            of.name
        );
        one.had.entry(offset).or_insert((moment, is_told));
        if let Some(at_ms) = one.begins_at_ms.take() {
            assert!(
                stored_ms >= at_ms || of.stream == NEWEST || gone > 0,
                "{} begins at {offset}, stored at {stored_ms}, and asked for {at_ms}",
                of.name
            );
        }
        if !of.is_group && !one.has_others {
            one.check_way(of.name, offset, (of.stream != NEWEST).then_some(gone));
        }
    }

    /// What is at an offset of a stream, now and for ever.
    fn note_offset(&mut self, stream: usize, offset: u64, number: u32) {
        let name = STREAMS[stream].name;
        let message = &self.messages[number as usize];
        assert!(
            leads_to(TOPICS[message.topic], STREAMS[stream].filter),
            "message {number} is in stream {name} with topic {}",
            TOPICS[message.topic]
        );
        assert!(
            message.answer != Answer::Refused,
            "message {number} was refused, and is in stream {name}"
        );
        let known = &mut self.reading.streams[stream];
        let before = known.by_offset.insert(offset, number);
        assert!(
            before.is_none_or(|before| before == number),
            "offset {offset} of stream {name} was message {before:?} and is {number}"
        );
        if before.is_some() {
            return;
        }
        let offsets = known.offsets.entry(number).or_default();
        offsets.insert(offset);
        assert!(
            offsets.len() == 1 || message.is_resent && message.qos < 2 || message.has_lost_session,
            "message {number} at QoS {} is stored at {offsets:?} in stream {name}",
            message.qos
        );
        for (other, offsets) in &known.offsets {
            let that = &self.messages[*other as usize];
            let is_comparable = (that.publisher, that.topic) == (message.publisher, message.topic)
                && !that.is_resent
                && !message.is_resent;
            let Some(first) = offsets.first().filter(|_| is_comparable) else { continue };
            assert!(
                *other == number || (*other < number) == (*first < offset),
                "stream {name} has message {number} at {offset} and {other} at {first}"
            );
        }
    }

    /// A reader has accepted or rejected a message, and the broker knows.
    pub(crate) fn has_settled(&mut self, reader: usize, offset: u64) {
        self.moment += 1;
        let settled = &mut self.reading.readers[reader].settled;
        settled.insert(offset, Settled::At(self.moment));
    }

    /// Or nobody knows whether it does.
    pub(crate) fn may_have_settled(&mut self, reader: usize, offset: u64) {
        self.reading.readers[reader].settled.entry(offset).or_insert(Settled::Perhaps);
    }

    /// A reader gives a message back.
    pub(crate) fn gave_back(&mut self, reader: usize, offset: u64, is_busy: bool) {
        let one = &mut self.reading.readers[reader];
        one.released.insert(offset);
        if is_busy {
            one.was_busy.insert(offset);
        }
    }

    /// A moment, for what is recorded.
    pub(crate) const fn moment(&self) -> u64 {
        self.moment
    }

    /// What readers did until that moment is recorded.
    pub(crate) fn reading_recorded(&mut self, moment: u64) {
        self.reading.recorded_to = moment;
        for one in &mut self.reading.readers {
            one.before = one.before.filter(|(.., since)| *since > moment);
            if one.before.is_none() {
                one.settled_before.clear();
            }
        }
    }

    /// The process has ended.
    pub(super) fn readers_crashed(&mut self) {
        let recorded_to = self.reading.recorded_to;
        let has_met_damage = self.has_met_damage;
        for (of, one) in READERS.iter().zip(&mut self.reading.readers) {
            let gone = self.reading.gone[of.stream];
            let (least, most) = one.bounds(gone, recorded_to);
            one.least = least;
            one.most = if one.is_blind { u64::MAX } else { most };
            // It may have begun elsewhere, and then not.
            let is_sure = one.before.is_none();
            one.before = None;
            one.begins_at_ms = one.begins_at_ms.filter(|_| is_sure);
            one.settled_crashed(is_sure, recorded_to);
            one.had.retain(|_, (since, is_told)| {
                *is_told && !has_met_damage || is_sure && *since <= recorded_to
            });
            one.released.clear();
            one.forget_connection();
        }
    }

    /// Where an operator finds a reader after a start, if at all.
    pub(crate) fn is_found_at(&mut self, reader: usize, position: Option<u64>) {
        let of = READERS[reader];
        let gone = self.reading.gone[of.stream];
        let one = &mut self.reading.readers[reader];
        // One that was forgotten, or never known, begins with what is there.
        let place = position.unwrap_or(0);
        assert!(
            // A position before what has gone is as good as one behind it.
            place.max(gone) >= one.least,
            "{} had settled all before {}, and goes on at {position:?}",
            of.name,
            one.least
        );
        // More may have gone since the process ended.
        let most = one.farthest(gone);
        assert!(
            of.stream == NEWEST || place <= most,
            "{} has not settled {most}, and goes on at {position:?}",
            of.name
        );
        one.least = one.least.max(place);
        one.most = one.least;
    }

    /// A stream is looked at from its beginning. `keeps_all` says whether what ever was in the log must be there.
    pub(crate) fn begin_look(&mut self, stream: usize, keeps_all: bool) {
        self.reading.streams[stream].kept.clear();
        self.reading.keeps_all = keeps_all;
    }

    /// A message is there.
    pub(crate) fn is_kept(&mut self, stream: usize, offset: u64, number: u32) {
        assert!((number as usize) < self.messages.len(), "{number} was never published");
        self.note_offset(stream, offset, number);
        self.reading.streams[stream].kept.insert(offset);
    }

    /// All has been looked at: offsets have no gaps but for what left, and each key its newest.
    pub(crate) fn check_look(&self, stream: usize, appended: u64) {
        let kept = &self.reading.streams[stream].kept;
        let name = STREAMS[stream].name;
        if stream == LOG {
            let from = appended - kept.len() as u64;
            assert!(
                kept.iter().copied().eq(from..appended) && (from == 0 || !self.reading.keeps_all),
                "stream {name} has had {appended} messages, and keeps {kept:?}"
            );
            return;
        }
        if matches!(stream, WRITTEN | FLEETING) {
            let from = if stream == WRITTEN { 0 } else { self.durability.begun_at.fleeting };
            assert!(
                kept.iter().copied().eq(from..appended),
                "stream {name} has had {appended} messages, and keeps {kept:?} from {from} on"
            );
            return;
        }
        for topic in TOPICS.into_iter().filter(|topic| leads_to(topic, STREAMS[stream].filter)) {
            let by_offset = &self.reading.streams[stream].by_offset;
            let of = |offset: &&u64| TOPICS[self.messages[by_offset[*offset] as usize].topic];
            let count = kept.iter().filter(|offset| of(offset) == topic).count();
            assert!(count <= 1, "stream {name} keeps {count} messages of {topic}: {kept:?}");
            let newest = kept.iter().find(|offset| of(offset) == topic);
            self.check_newest(topic, newest.map(|offset| by_offset[offset]));
        }
    }

    /// No message of the topic was sent after the one that is kept had been acknowledged, and is acknowledged too.
    pub(super) fn check_newest(&self, topic: &str, kept: Option<u32>) {
        for (number, message) in self.messages.iter().enumerate() {
            let is_meant = TOPICS[message.topic] == topic
                && message.answer == Answer::Taken
                && message.qos > 0;
            if !is_meant {
                continue;
            }
            let kept = kept.unwrap_or_else(|| panic!("message {number} is lost, and none newer"));
            let other = &self.messages[kept as usize];
            assert!(
                other.is_resent || other.answered.is_none_or(|answered| answered > message.sent),
                "message {kept} is the newest of {topic}, and {number} came after it"
            );
        }
    }

    /// Whether the message is in a stream, if all must be.
    pub(super) fn is_in_stream(&self, stream: usize, number: u32) -> Option<bool> {
        let keeps_all = stream != LOG || self.reading.keeps_all;
        keeps_all.then(|| self.reading.streams[stream].offsets.contains_key(&number))
    }

    /// What was in a stream from that offset on is lost, and others may come there. Gives it.
    pub(super) fn stream_forgets_from(&mut self, stream: usize, end: u64) -> BTreeMap<u64, u32> {
        let known = &mut self.reading.streams[stream];
        let lost = known.by_offset.split_off(&end);
        for (offset, number) in &lost {
            if let Some(offsets) = known.offsets.get_mut(number) {
                offsets.remove(offset);
            }
        }
        known.offsets.retain(|_, offsets| !offsets.is_empty());
        known.stored_ms.split_off(&end);
        let readers = READERS.iter().zip(&mut self.reading.readers);
        let of_stream = readers.filter(|(of, _)| of.stream == stream);
        of_stream.for_each(|(_, one)| one.forget_from(end));
        lost
    }

    /// All readers have been there, and accepted what came: all that is kept has come to each.
    pub(crate) fn check_read(&self) {
        for (of, one) in READERS.iter().zip(&self.reading.readers) {
            let kept = &self.reading.streams[of.stream].kept;
            let open = kept.range(one.most..).find(|offset| !one.settled.contains_key(offset));
            assert_eq!(open, None, "an offset of a stream never came to {}", of.name);
        }
    }
}

impl Reader {
    /// What lies between was settled, or has gone from the log, or is on its way.
    fn check_way(&mut self, name: &str, offset: u64, gone: Option<u64>) {
        let was_released = self.released.remove(&offset);
        let is_new = self.newest.is_none_or(|newest| newest < offset);
        assert!(
            is_new || was_released,
            "offset {offset} comes to {name} after {:?}: out of order",
            self.newest
        );
        if let (true, Some(gone)) = (is_new && self.most != u64::MAX, gone) {
            let is_known = |at: &u64| {
                self.settled.contains_key(at) || self.got.contains(at) || self.released.contains(at)
            };
            let skipped = (self.most.max(gone)..offset).find(|at| !is_known(at));
            assert_eq!(skipped, None, "an offset never comes to {name}, which gets {offset}");
        }
        // Where it was set to and when that was heard of lie apart, and this is the first.
        self.most = self.most.min(offset.max(self.least));
        self.newest = self.newest.max(Some(offset));
        self.got.insert(offset);
    }
}
