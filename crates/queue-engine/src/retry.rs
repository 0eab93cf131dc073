//! Released messages that wait before they are tried again, and how long they wait.
//! It must not know who released them.

use std::collections::BTreeSet;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::{Instant, UnixMillis, WallClock};

use crate::prng::Prng;
use crate::{Offset, QueueConfig};

/// Jitter, in per cent of the delay, either way.
const JITTER_PERCENT: u64 = 20;

const END_OF_TIME: Instant = Instant::from_nanos(u64::MAX);

/// How long a message waits of which so many deliveries counted: doubling from `retry_delay` to `retry_delay_max`,
/// then jitter, so that messages released together do not come back together for ever.
pub(crate) fn back_off(config: &QueueConfig, attempts: u32, prng: &mut Prng) -> Duration {
    let first = u64::try_from(config.retry_delay.as_nanos()).unwrap_or(u64::MAX);
    let last = u64::try_from(config.retry_delay_max.as_nanos()).unwrap_or(u64::MAX);
    let factor = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
    let delay = first.saturating_mul(factor).min(last);
    if delay == 0 {
        return Duration::ZERO;
    }
    let jitter = delay / 100 * JITTER_PERCENT;
    Duration::from_nanos((delay - jitter).saturating_add(prng.below(2 * jitter + 1)))
}

/// Longer than any back-off lasts that begins now.
pub(crate) fn longest_back_off(config: &QueueConfig) -> Duration {
    let longest = config.retry_delay_max;
    longest.saturating_add(longest / 100 * JITTER_PERCENT as u32)
}

/// The messages that wait, by when they are due.
#[derive(Debug, Default)]
pub(crate) struct Delayed {
    due: BTreeSet<(Instant, Offset)>,
    when: HashMap<Offset, Instant, FixedState>,
    resumed: Resumed,
}

/// Those that waited already before a restart: until a time of the wall clock, which is all that outlives one.
#[derive(Debug, Default)]
struct Resumed {
    due: BTreeSet<(UnixMillis, Offset)>,
    until: HashMap<Offset, UnixMillis, FixedState>,
    /// The wall clock, once it is told, and until when they wait at most however that is set.
    known: Option<(WallClock, Instant)>,
}

impl Delayed {
    pub(crate) fn len(&self) -> usize {
        self.due.len() + self.resumed.due.len()
    }

    pub(crate) fn insert(&mut self, due: Instant, offset: Offset) {
        self.due.insert((due, offset));
        self.when.insert(offset, due);
    }

    /// One waited already before a restart. Nobody knows for how long yet.
    pub(crate) fn resume(&mut self, until: UnixMillis, offset: Offset) {
        self.resumed.due.insert((until, offset));
        self.resumed.until.insert(offset, until);
    }

    /// The wall clock was told, or set. What was resumed waits no longer than `longest` from when it was told first.
    pub(crate) fn tell(&mut self, clock: WallClock, now: Instant, longest: Duration) {
        if self.resumed.due.is_empty() {
            return;
        }
        let latest = self.resumed.known.map_or(now + longest, |(_, latest)| latest);
        self.resumed.known = Some((clock, latest));
    }

    /// The one that is due next, and when: at the end of time as long as nobody knows.
    pub(crate) fn first(&self) -> Option<(Instant, Offset)> {
        let resumed = self.resumed.due.first();
        let resumed = resumed.map(|(until, offset)| (self.resumed.when(*until), *offset));
        [self.due.first().copied(), resumed].into_iter().flatten().min()
    }

    pub(crate) fn first_due(&self) -> Option<Instant> {
        self.first().map(|(due, _)| due).filter(|due| *due < END_OF_TIME)
    }

    /// When a message is due that waits here: at the end of time as long as nobody knows.
    pub(crate) fn when(&self, offset: Offset) -> Option<Instant> {
        let resumed = || self.resumed.until.get(&offset).map(|until| self.resumed.when(*until));
        self.when.get(&offset).copied().or_else(resumed)
    }

    /// Takes out the next message that is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Offset> {
        let (_, next) = self.first().filter(|(due, _)| *due <= now)?;
        self.remove(next);
        Some(next)
    }

    /// Takes out a message. False when it does not wait here.
    pub(crate) fn remove(&mut self, offset: Offset) -> bool {
        if let Some(due) = self.when.remove(&offset) {
            return self.due.remove(&(due, offset));
        }
        let until = self.resumed.until.remove(&offset);
        until.is_some_and(|until| self.resumed.due.remove(&(until, offset)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Offset> {
        let resumed = self.resumed.due.iter().map(|(_, offset)| *offset);
        self.due.iter().map(|(_, offset)| *offset).chain(resumed)
    }

    /// Until when a message waits, by a wall clock; none when it does not wait, or the clock was never told.
    pub(crate) fn until(&self, offset: Offset, clock: &WallClock) -> Option<UnixMillis> {
        if let Some(due) = self.when.get(&offset) {
            return clock.at(*due);
        }
        let until = *self.resumed.until.get(&offset)?;
        let latest = self.resumed.known.and_then(|(_, latest)| clock.at(latest));
        Some(latest.map_or(until, |latest| until.min(latest)))
    }
}

impl Resumed {
    fn when(&self, until: UnixMillis) -> Instant {
        let when = self.known.and_then(|(clock, latest)| Some(clock.when(until)?.min(latest)));
        when.unwrap_or(END_OF_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_with_jitter_around() {
        let config = QueueConfig::default();
        for (attempts, seconds) in [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 4),
            (6, 32),
            (7, 60),
            (8, 60),
            (64, 60),
            (65, 60),
            (u32::MAX, 60),
        ] {
            let mut prng = Prng::new(7);
            let delays: Vec<Duration> =
                (0..2000).map(|_| back_off(&config, attempts, &mut prng)).collect();
            let (least, most) =
                (Duration::from_millis(seconds * 800), Duration::from_millis(seconds * 1200));
            assert!(delays.iter().all(|delay| (least..=most).contains(delay)), "{attempts}");
            let near = (most - least) / 50;
            assert!(delays.iter().any(|delay| *delay < least + near), "{attempts}");
            assert!(delays.iter().any(|delay| *delay > most - near), "{attempts}");
        }
    }

    #[test]
    fn odd_delays_are_legal() {
        let config = |delay, delay_max| QueueConfig {
            retry_delay: delay,
            retry_delay_max: delay_max,
            ..QueueConfig::default()
        };
        let mut prng = Prng::new(7);
        let none = config(Duration::ZERO, Duration::MAX);
        assert_eq!(back_off(&none, 9, &mut prng), Duration::ZERO);
        let longest = back_off(&config(Duration::MAX, Duration::MAX), 3, &mut prng);
        assert!(longest > Duration::from_secs(400 * 365 * 24 * 3600));
        let crossed =
            back_off(&config(Duration::from_secs(9), Duration::from_secs(1)), 1, &mut prng);
        assert!(crossed <= Duration::from_millis(1200));
        let tiny = back_off(&config(Duration::from_nanos(3), Duration::MAX), 1, &mut prng);
        assert_eq!(tiny, Duration::from_nanos(3));
    }
}
