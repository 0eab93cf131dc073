//! What the wall clock shows, derived from the last time it was told. It must not know what falls due.

use crate::{Instant, UnixMillis};

const NANOS_PER_MILLISECOND: u64 = 1_000_000;

/// The wall clock as of some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WallClock {
    told: Option<(Instant, UnixMillis)>,
}

impl WallClock {
    /// It shows this now.
    pub const fn tell(&mut self, now: Instant, shows: UnixMillis) {
        self.told = Some((now, shows));
    }

    /// What it shows at a moment, if it was ever told.
    #[must_use]
    pub fn at(&self, now: Instant) -> Option<UnixMillis> {
        let (told, shows) = self.told?;
        let since = now.as_nanos().saturating_sub(told.as_nanos()) / NANOS_PER_MILLISECOND;
        Some(UnixMillis(shows.0.saturating_add(since)))
    }

    /// The first moment at which it shows that time, if it was ever told.
    #[must_use]
    pub fn when(&self, shows: UnixMillis) -> Option<Instant> {
        self.told.map(|(told, showed)| told + shows.since(showed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_where_it_was_told() {
        let mut clock = WallClock::default();
        assert_eq!((clock.at(Instant::ZERO), clock.when(UnixMillis(5))), (None, None));
        clock.tell(Instant::from_nanos(7_500_000), UnixMillis(1000));
        for (nanos, shows) in [(7_500_000, 1000), (8_499_999, 1000), (8_500_000, 1001), (0, 1000)] {
            assert_eq!(clock.at(Instant::from_nanos(nanos)), Some(UnixMillis(shows)), "{nanos}");
        }
        for (shows, nanos) in [(1000, 7_500_000), (1001, 8_500_000), (3, 7_500_000)] {
            let when = clock.when(UnixMillis(shows));
            assert_eq!(when, Some(Instant::from_nanos(nanos)), "{shows}");
        }
        let last = clock.when(UnixMillis(u64::MAX));
        assert_eq!(last, Some(Instant::from_nanos(u64::MAX)), "the end of time");
    }
}
