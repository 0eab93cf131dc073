//! The watch over queues and streams: raises and clears alarms of accounts that do not balance and of messages that do not move.

use std::time::Duration;

use hashbrown::HashSet;
use stdx::UnixMillis;

use super::Shard;
use crate::alarms::{LEDGER_IMBALANCE, QUEUE_STALLED, STREAM_STALLED};
use crate::control::SinkKind;
use crate::hosting::watch::{Finding, Round};
use crate::timers::Timer;

/// How often queues are looked at, at most.
const INTERVAL_MAX: Duration = Duration::from_secs(5);
/// And at least.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Between the parts of one round.
const PART_INTERVAL: Duration = Duration::from_millis(10);

/// How far the watch is.
#[derive(Default)]
pub(crate) struct Watch {
    round: Round,
    /// The alarms that stand of queues and streams here.
    raised: HashSet<(&'static str, Box<str>)>,
}

impl Shard {
    /// Looks after some of the queues and streams here.
    pub(super) fn watch_due(&mut self) {
        let stalled_after = self.shared.config.stall_alarm_after;
        let round = &mut self.watch.round;
        let findings = self.hosting.watch_over(round, self.turn.now, stalled_after);
        let wait = if round.is_open() { PART_INTERVAL } else { interval(stalled_after) };
        self.timers.set(self.turn.now + wait, Timer::Watch);
        for Finding { what, resource, stalled, imbalance } in findings {
            let name = match what {
                SinkKind::Queue => QUEUE_STALLED,
                SinkKind::Stream => STREAM_STALLED,
            };
            self.tell(name, &resource, stalled);
            self.tell(LEDGER_IMBALANCE, &resource, imbalance);
        }
    }

    fn tell(&mut self, name: &'static str, resource: &str, reason: Option<String>) {
        let now = UnixMillis(self.turn.unix_ms);
        match reason {
            Some(reason) => {
                self.watch.raised.insert((name, resource.into()));
                self.shared.alarms.raise(now, name, resource, reason);
            }
            // Most queues have none: the alarms of all shards need not be looked at.
            None if self.watch.raised.is_empty() => {}
            None => {
                if self.watch.raised.remove(&(name, Box::from(resource))) {
                    self.shared.alarms.clear(name, resource);
                }
            }
        }
    }

    /// A queue or a stream is no more, and neither are its alarms.
    pub(super) fn forget_alarms_of(&mut self, resource: &str) {
        for name in [QUEUE_STALLED, STREAM_STALLED, LEDGER_IMBALANCE] {
            self.tell(name, resource, None);
        }
    }
}

/// How long to wait between rounds so that an alarm comes in time.
fn interval(stalled_after: Duration) -> Duration {
    match stalled_after {
        Duration::ZERO => INTERVAL_MAX,
        after => (after / 6).clamp(INTERVAL_MIN, INTERVAL_MAX),
    }
}
