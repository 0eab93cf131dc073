//! Released messages that wait before they are tried again, and how long they wait.
//! It must not know who released them.

use std::collections::BTreeSet;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::Instant;

use crate::prng::Prng;
use crate::{Offset, QueueConfig};

/// Jitter, in per cent of the delay, either way.
const JITTER_PERCENT: u64 = 20;

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

/// The messages that wait, by when they are due.
#[derive(Debug, Default)]
pub(crate) struct Delayed {
    due: BTreeSet<(Instant, Offset)>,
    when: HashMap<Offset, Instant, FixedState>,
}

impl Delayed {
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn insert(&mut self, due: Instant, offset: Offset) {
        self.due.insert((due, offset));
        self.when.insert(offset, due);
    }

    /// The one that is due next, and when.
    pub(crate) fn first(&self) -> Option<(Instant, Offset)> {
        self.due.first().copied()
    }

    pub(crate) fn first_due(&self) -> Option<Instant> {
        self.first().map(|(due, _)| due)
    }

    /// When a message is due that waits here.
    pub(crate) fn when(&self, offset: Offset) -> Option<Instant> {
        self.when.get(&offset).copied()
    }

    /// Takes out the next message that is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Offset> {
        let next = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.remove(next.1);
        Some(next.1)
    }

    /// Takes out a message. False when it does not wait here.
    pub(crate) fn remove(&mut self, offset: Offset) -> bool {
        let due = self.when.remove(&offset);
        due.is_some_and(|due| self.due.remove(&(due, offset)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Offset> {
        self.due.iter().map(|(_, offset)| *offset)
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
