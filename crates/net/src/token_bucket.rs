//! How much may come in a second. It must not know what is counted, and it asks no clock.

use std::num::NonZeroU64;
use std::time::Duration;

use stdx::Instant;

/// What may come at once after a time of silence, as the time in which it would come at the rate.
const BURST: Duration = Duration::from_secs(1);

/// A token bucket that holds the tokens of one second. It remembers one number: when it will be full again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    rate: NonZeroU64,
    full_at: Instant,
}

impl TokenBucket {
    /// A full one, which gains so many tokens a second.
    pub(crate) const fn new(rate: NonZeroU64) -> Self {
        Self { rate, full_at: Instant::ZERO }
    }

    /// Takes one token if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        let full_at = self.full_after(now, 1);
        let is_there = full_at <= now + BURST;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }

    /// Takes tokens that have been used already. When there were not so many, says when there will have been.
    pub(crate) fn charge(&mut self, now: Instant, tokens: u64) -> Option<Instant> {
        self.full_at = self.full_after(now, tokens);
        let even_at = self.full_at - BURST;
        (even_at > now).then_some(even_at)
    }

    fn full_after(&self, now: Instant, tokens: u64) -> Instant {
        let nanos = tokens.saturating_mul(1_000_000_000) / self.rate;
        self.full_at.max(now) + Duration::from_nanos(nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(rate: u64) -> TokenBucket {
        TokenBucket::new(NonZeroU64::new(rate).expect("a rate"))
    }

    #[test]
    fn a_second_of_tokens_comes_at_once_and_then_the_rate() {
        let mut bucket = bucket(10);
        let mut at = Instant::from_millis(5_000);
        assert_eq!((0..100).filter(|_| bucket.try_take(at)).count(), 10);
        for _ in 0..20 {
            at = at + Duration::from_millis(100);
            assert_eq!((0..100).filter(|_| bucket.try_take(at)).count(), 1);
        }
        let later = at + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.try_take(later)).count(), 10, "it does not heap up");
    }

    #[test]
    fn a_debt_is_waited_for() {
        let mut bucket = bucket(1_000);
        let at = Instant::from_millis(5_000);
        assert_eq!(bucket.charge(at, 1_000), None);
        assert_eq!(bucket.charge(at, 500), Some(Instant::from_millis(5_500)));
        assert_eq!(
            bucket.charge(Instant::from_millis(5_500), 1),
            Some(Instant::from_millis(5_501))
        );
        assert_eq!(bucket.charge(Instant::from_millis(9_000), 1), None);
        assert!(bucket.charge(at, u64::MAX).is_some(), "no overflow");
    }
}
