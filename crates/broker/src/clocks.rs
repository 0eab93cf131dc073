//! What the two clocks say about each other and about the shard itself: that the wall clock was set, that the process was
//! stopped for a while. It must not know what is due.

use std::time::Duration;

use stdx::Instant;

/// What the clocks may drift apart from one turn to the next without having been set.
const DRIFT_MS: u64 = 1_000;
/// How long clients are given after that to be heard: what they sent meanwhile lies in their sockets.
const GRACE: Duration = Duration::from_secs(5);

/// The clocks as of the last turn.
#[derive(Default)]
pub(crate) struct Clocks {
    last: Option<(Instant, u64)>,
    has_jumped: bool,
    grace_until: Instant,
}

impl Clocks {
    /// A turn begins.
    pub(crate) fn begin(&mut self, now: Instant, unix_ms: u64) {
        if let Some((last, last_unix_ms)) = self.last {
            let passed_ms = u64::try_from(now.since(last).as_millis()).unwrap_or(u64::MAX);
            let expected = last_unix_ms.saturating_add(passed_ms);
            self.has_jumped |= unix_ms.abs_diff(expected) > DRIFT_MS;
        }
        self.last = Some((now, unix_ms));
    }

    /// The process was stopped until now, or had no processor.
    pub(crate) fn was_stopped(&mut self, now: Instant) {
        self.grace_until = now + GRACE;
    }

    /// Whether the wall clock was set since this was asked last.
    pub(crate) fn take_jump(&mut self) -> bool {
        std::mem::take(&mut self.has_jumped)
    }

    /// Until when nobody counts as silent, if that is not over.
    pub(crate) fn grace(&self, now: Instant) -> Option<Instant> {
        Some(self.grace_until).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_drifts_is_not() {
        let mut clocks = Clocks::default();
        for (now_ms, unix_ms, jumps) in [
            (0, 0, false),
            (1_000, 1_500, false),
            (2_000, 1_700_000_000_000, true),
            (3_000, 1_700_000_001_000, false),
            (4_000, 1_600_000_000_000, true),
            (90_000_000, 1_600_089_996_000, false),
        ] {
            clocks.begin(Instant::from_millis(now_ms), unix_ms);
            assert_eq!(clocks.take_jump(), jumps, "at {now_ms}");
        }
    }

    #[test]
    fn who_was_stopped_listens_before_it_judges() {
        let mut clocks = Clocks::default();
        let at = Instant::from_millis;
        assert_eq!(clocks.grace(at(10_500)), None);
        clocks.was_stopped(at(80_000));
        assert_eq!(clocks.grace(at(80_000)), Some(at(85_000)));
        assert_eq!(clocks.grace(at(85_000)), None);
    }
}
