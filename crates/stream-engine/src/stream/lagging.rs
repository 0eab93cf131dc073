//! How far readers are behind, and when what they have not settled is lost. It must not know who asks.

use std::time::Duration;

use message_index::{Offset, Tally};
use stdx::UnixMillis;

use super::Stream;
use crate::reader::Reader;
use crate::{Departure, MemberId, Progress, ReaderName};

/// A reader as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReaderState {
    /// Who.
    pub name: ReaderName,
    /// How far it has come.
    pub progress: Progress,
    /// Its members, and the messages that each has.
    pub members: Vec<(MemberId, u32)>,
    /// Messages that were read and wait to be delivered again, or for their key.
    pub waiting: usize,
    /// Messages that are here and that it has not settled.
    pub lag: u64,
    /// Their bytes.
    pub lag_bytes: u64,
    /// The age of the oldest of these in milliseconds: 0 when there is none, or the time was never told.
    pub lag_ms: u64,
}

/// How far readers are behind, there or away: of each number the greatest that any of them has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behind {
    /// Messages that are here and that one of them has not settled.
    pub messages: u64,
    /// Bytes of such messages.
    pub bytes: u64,
    /// The oldest message that is here and that one of them has not settled.
    pub oldest: Option<Offset>,
    /// When that one was stored.
    pub since: Option<UnixMillis>,
    /// Readers that have not settled all that is here.
    pub readers: u64,
}

/// How long until the oldest message that a reader has not settled is lost to it, by what takes it: none where nothing will.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Losses {
    /// By its age.
    pub retention: Option<Duration>,
    /// As one of too many, if messages go on to come as they did lately.
    pub max_messages: Option<Duration>,
    /// As one of too many bytes, likewise.
    pub max_bytes: Option<Duration>,
}

impl Losses {
    /// The first of them.
    #[must_use]
    pub fn first(&self) -> Option<Duration> {
        [self.retention, self.max_messages, self.max_bytes].into_iter().flatten().min()
    }
}

/// What came lately and is here, and in how long.
#[derive(Clone, Copy, Debug)]
struct Pace {
    came: Tally,
    within: Duration,
}

/// "Lately": long enough to even out bursts, short enough to see that something has changed.
pub const PACE_WINDOW: Duration = Duration::from_secs(600);

/// The shortest time that a pace is told of: the first messages of a stream would make thousands in a second.
const PACE_MIN: Duration = Duration::from_secs(60);

/// The same where limits have taken what came before, so that what is here is all that is known.
const PACE_MIN_OF_FULL: Duration = Duration::from_secs(1);

impl Pace {
    /// How long until so many more than `room` have come; none when nothing comes.
    fn until_above(&self, room: u64, came: u64) -> Option<Duration> {
        let more = u128::from(room) + 1;
        let millis = self.within.as_millis() * more;
        let millis = millis.checked_div(u128::from(came))?;
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}

/// Readers that are measured at once, in looking for the one that is behind the most.
const MEASURED_AT_ONCE: usize = 64;

/// What a reader has not settled.
#[derive(Clone, Copy, Debug, Default)]
struct Lag {
    tally: Tally,
    oldest: Option<Offset>,
}

impl Stream {
    /// A reader's state.
    #[must_use]
    pub fn reader(&self, name: &ReaderName) -> Option<ReaderState> {
        self.readers_of(&[name]).pop()
    }

    /// The states of those of that name that are known, at hardly more cost than for one.
    #[must_use]
    pub fn readers_of(&self, names: &[&ReaderName]) -> Vec<ReaderState> {
        let ids = names.iter().filter_map(|name| self.readers.of_name(name));
        let readers: Vec<&Reader> = ids.filter_map(|id| self.readers.get(id)).collect();
        let lags = self.lags(&readers);
        readers.iter().zip(lags).map(|(reader, lag)| self.state(reader, lag)).collect()
    }

    /// How far the readers are behind.
    #[must_use]
    pub fn behind(&self) -> Behind {
        let readers = self.readers.iter();
        let wants = readers.filter_map(|(_, reader)| Some((self.oldest_of(reader)?, reader)));
        let mut wants: Vec<(Offset, &Reader)> = wants.collect();
        wants.sort_unstable_by_key(|(oldest, _)| *oldest);
        let (mut messages, mut bytes) = (0, 0);
        for some in wants.chunks(MEASURED_AT_ONCE) {
            // None of them, and of those behind them, wants more than all that is here from there on.
            let most = some.first().map(|(oldest, _)| self.index.tally_from(*oldest));
            if most.is_some_and(|most| most.messages <= messages && most.bytes <= bytes) {
                break;
            }
            let readers: Vec<&Reader> = some.iter().map(|(_, reader)| *reader).collect();
            for lag in self.lags(&readers) {
                messages = messages.max(lag.tally.messages);
                bytes = bytes.max(lag.tally.bytes);
            }
        }
        let oldest = wants.first().map(|(oldest, _)| *oldest);
        let since = oldest.and_then(|oldest| self.index.get(oldest)).map(|entry| entry.stored);
        Behind { messages, bytes, oldest, since, readers: wants.len() as u64 }
    }

    /// When the oldest message is lost that a reader has not settled.
    #[must_use]
    pub fn losses(&self, behind: &Behind, now: UnixMillis) -> Losses {
        let Some((oldest, since)) = behind.oldest.zip(behind.since) else {
            return Losses::default();
        };
        let retention = self.config.retention;
        let kept = self.index.tally_from(oldest);
        let pace = self.pace(now);
        let room = |max: u64, kept: u64| max.saturating_sub(kept);
        let messages = self.config.max_messages.map(|max| room(max, kept.messages));
        let bytes = self.config.max_bytes.map(|max| room(max, kept.bytes));
        Losses {
            retention: (!retention.is_zero()).then(|| (since + retention).since(now)),
            max_messages: messages.and_then(|room| pace.until_above(room, pace.came.messages)),
            max_bytes: bytes.and_then(|room| pace.until_above(room, pace.came.bytes)),
        }
    }

    /// What came within the last [`PACE_WINDOW`] and is still here; where all that is here is younger, in its time, or in
    /// a minute if nothing was dropped before.
    fn pace(&self, now: UnixMillis) -> Pace {
        let window = UnixMillis(now.0.saturating_sub(PACE_WINDOW.as_millis() as u64));
        let since = self.index.first_since(window);
        let came = since.map_or_else(Tally::default, |offset| self.index.tally_from(offset));
        let first = self.index.first_from(Offset(0)).and_then(|first| self.index.get(first));
        let age = first.map_or(PACE_WINDOW, |entry| now.since(entry.stored));
        let is_full = self.counts.get(Departure::Dropped) > 0;
        let least = if is_full { PACE_MIN_OF_FULL } else { PACE_MIN };
        Pace { came, within: age.clamp(least, PACE_WINDOW) }
    }

    fn lags(&self, readers: &[&Reader]) -> Vec<Lag> {
        let cuts = readers.iter().flat_map(|reader| {
            let runs = reader.done_ahead().flat_map(|run| [Offset(run.start), Offset(run.end)]);
            runs.chain([reader.cursor()])
        });
        let mut cuts: Vec<Offset> = cuts.collect();
        cuts.sort_unstable();
        cuts.dedup();
        let tallies = self.index.tallies_from(&cuts);
        let from = |offset: Offset| {
            let place = cuts.binary_search(&offset).ok();
            place.and_then(|place| tallies.get(place)).copied().unwrap_or_default()
        };
        readers.iter().map(|reader| self.lag(reader, from)).collect()
    }

    fn lag(&self, reader: &Reader, from: impl Fn(Offset) -> Tally) -> Lag {
        let cursor = reader.cursor();
        // What it went back before, and a member still has, is counted from the cursor on.
        let unsettled = reader.unsettled().take_while(|offset| *offset < cursor);
        let mut tally = from(cursor);
        for run in reader.done_ahead() {
            let (start, end) = (from(Offset(run.start)), from(Offset(run.end)));
            tally.messages -= start.messages - end.messages;
            tally.bytes -= start.bytes - end.bytes;
        }
        for size in unsettled.filter_map(|offset| self.index.size(offset)) {
            tally.messages += 1;
            tally.bytes += u64::from(size);
        }
        Lag { tally, oldest: self.oldest_of(reader) }
    }

    /// The first message that is here and that a reader has not settled.
    fn oldest_of(&self, reader: &Reader) -> Option<Offset> {
        let cursor = reader.cursor();
        let mut unsettled = reader.unsettled().take_while(|offset| *offset < cursor);
        if let Some(oldest) = unsettled.find(|offset| self.index.contains(*offset)) {
            return Some(oldest);
        }
        let next = |from| self.index.first_from(from);
        let mut offsets = std::iter::successors(next(cursor), |offset| next(offset.next()));
        offsets.find(|offset| !reader.is_done(*offset))
    }

    fn state(&self, reader: &Reader, lag: Lag) -> ReaderState {
        let oldest = lag.oldest.and_then(|offset| self.index.get(offset));
        let age = oldest.zip(self.clock.at(self.now)).map(|(entry, now)| now.since(entry.stored));
        ReaderState {
            name: reader.name.clone(),
            progress: reader.progress(),
            members: reader.members().collect(),
            waiting: reader.waiting(),
            lag: lag.tally.messages,
            lag_bytes: lag.tally.bytes,
            lag_ms: age.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
