//! A shard's timers: an enum and a heap. A timer that has become pointless fires and finds nothing to do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mqtt_router::SinkId;
use stdx::Instant;

use crate::ids::{ConnId, SessionId};

/// What is due.
///
/// | timer | set | fires |
/// |---|---|---|
/// | `KeepAlive` | at CONNECT, again when it fires early | the client has been silent for too long |
/// | `SignIn` | when a client's sign-in does not end at once | it has taken too long |
/// | `Throttled` | when the first publisher is not read | others may have caught up |
/// | `Session` | when a session is left without a connection | its will or its expiry is due |
/// | `Replay` | when a retained message for a session is on its way to the log | it may be there |
/// | `Hold` | when a 3.x publisher's message cannot be stored | the publisher has been held for long enough |
/// | `Settlements` | with the first settlement that waits | the settle records are to be written |
/// | `Moves` | when a dead letter could not be stored | it is tried again |
/// | `Delayed` | with the first delayed message | the next one is due, or the clock may have jumped |
/// | `Members` | with the first member of a shared subscription | members may stall, or be able to take what waits |
/// | `Retained` | always, at the control shard | retained messages expire, or are worth being written anew |
/// | `Relocation` | always | the log may have more than is needed, or there is more to be written anew |
/// | `Overflow` | when the first session drops a message for room | sessions may have stopped to |
/// | `Status` | always, at the control shard | the status under `$SYS/` is told |
/// | `Watch` | always | queues are looked after: does anything stand still, does every account balance |
/// | `RouteCache` | always | routes of topics that come no more are forgotten |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    KeepAlive(ConnId),
    SignIn(ConnId),
    Session(SessionId),
    Replay(SessionId),
    Hold(ConnId),
    Settlements,
    LeasesAgain,
    Throttled,
    Moves(SinkId),
    Delayed,
    Members,
    Retained,
    Relocation,
    Overflow,
    Status,
    Watch,
    RouteCache,
}

#[derive(PartialEq, Eq)]
struct Entry {
    at: Instant,
    sequence: u64,
    timer: Timer,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// All timers of a shard.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    /// How many there were when pointless ones were last looked for.
    kept: usize,
}

/// Fewer are not looked through for pointless ones.
const FEW: usize = 1024;

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, timer }));
    }

    /// Lets pointless timers go once they may be the larger part: else clients that come and go would leave theirs behind
    /// for as long as those were set.
    pub(crate) fn prune(&mut self, has_point: impl Fn(Timer) -> bool) {
        if self.heap.len() <= 2 * self.kept.max(FEW) {
            return;
        }
        self.heap.retain(|Reverse(entry)| has_point(entry.timer));
        self.heap.shrink_to(2 * self.heap.len());
        self.kept = self.heap.len();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next timer that is due, in order of time.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next_deadline()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointless_timers_do_not_gather() {
        let mut timers = Timers::default();
        let conn = |n: u32| ConnId { slot: n, generation: n };
        for n in 0..100_000 {
            timers.set(Instant::from_millis(u64::MAX / 2_000_000), Timer::KeepAlive(conn(n)));
            timers.prune(|timer| timer == Timer::KeepAlive(conn(n)) || timer == Timer::Status);
            assert!(timers.len() <= 2 * FEW + 1);
        }
        for _ in 0..3 * FEW {
            timers.set(Instant::ZERO, Timer::Status);
            timers.prune(|timer| timer == Timer::Status);
        }
        let due = std::iter::from_fn(|| timers.pop_due(Instant::ZERO)).count();
        assert_eq!(due, 3 * FEW, "those with a point stay");
    }

    #[test]
    fn timers_fire_in_order_of_time_and_of_setting() {
        let mut timers = Timers::default();
        timers.set(Instant::from_millis(2), Timer::Settlements);
        timers.set(Instant::from_millis(1), Timer::RouteCache);
        let conn = ConnId { slot: 1, generation: 1 };
        timers.set(Instant::from_millis(2), Timer::Hold(conn));
        assert_eq!(timers.next_deadline(), Some(Instant::from_millis(1)));
        assert_eq!(timers.pop_due(Instant::ZERO), None);
        let now = Instant::from_millis(2);
        let order: Vec<_> = std::iter::from_fn(|| timers.pop_due(now)).collect();
        assert_eq!(order, [Timer::RouteCache, Timer::Settlements, Timer::Hold(conn)]);
    }
}
