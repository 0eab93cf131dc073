//! Deliveries that the log has refused to take the packet ids of, and those of the same consumers behind them, none of which
//! may overtake another. The log is asked again, in their order; when it stays full they all go back to their queue.

use std::collections::BTreeMap;
use std::time::Duration;

use hashbrown::HashMap;
use queue_engine::ConsumerId;
use stdx::Instant;

use super::Shard;
use super::leases::Delivering;
use super::session_log::Waiting;
use crate::record::{KeptLease, SessionEvent};
use crate::timers::Timer;

/// After so long a full log may have room for what is small.
const AGAIN: Duration = Duration::from_millis(100);

/// For so long it is asked again. Then another consumer may take the messages, and the queue waits for this one.
const PATIENCE: Duration = Duration::from_secs(1);

/// A delivery's place among all that go to the log.
pub(crate) struct Place {
    nth: u64,
    /// When the log refused it first.
    refused: Option<Instant>,
}

/// Such deliveries, by consumer.
#[derive(Default)]
pub(super) struct LeasesAgain {
    /// How many deliveries have gone to the log so far, which orders them.
    count: u64,
    held: HashMap<ConsumerId, Held>,
}

/// Those of one consumer, by their places.
#[derive(Default)]
struct Held {
    waiting: BTreeMap<u64, Box<Delivering>>,
    /// Others have gone back just now, and so do these, which were on their way behind them.
    go_back: bool,
}

impl LeasesAgain {
    /// The place of a new delivery among all.
    pub(super) const fn next(&mut self) -> Place {
        self.count += 1;
        Place { nth: self.count, refused: None }
    }

    /// How many wait.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn len(&self) -> usize {
        self.held.values().map(|held| held.waiting.len()).sum()
    }
}

impl Shard {
    /// Keeps a delivery back that comes behind one that the log has refused. Gives it again when there is none.
    pub(super) fn keep_behind(&mut self, delivering: Box<Delivering>) -> Option<Box<Delivering>> {
        match self.leases_again.held.get_mut(&delivering.consumer) {
            Some(held) => {
                held.waiting.insert(delivering.place.nth, delivering);
                None
            }
            None => Some(delivering),
        }
    }

    /// The log has refused a delivery's packet id, and may take it later.
    pub(super) fn keep_back(&mut self, mut delivering: Box<Delivering>) {
        delivering.place.refused.get_or_insert(self.turn.now);
        self.ask_log_again();
        let held = self.leases_again.held.entry(delivering.consumer).or_default();
        held.waiting.insert(delivering.place.nth, delivering);
    }

    /// The consumer is gone: what it would have had does not go out.
    pub(super) fn forget_kept_back(&mut self, consumer: ConsumerId) {
        if let Some(held) = self.leases_again.held.remove(&consumer) {
            held.waiting.values().for_each(|delivering| self.unsend_lease(delivering));
        }
    }

    /// Asks the log again, or gives up.
    pub(super) fn store_kept_back(&mut self) {
        for (consumer, held) in std::mem::take(&mut self.leases_again.held) {
            let Some(sink) = self.consumers.get(consumer).map(|state| state.sink) else { continue };
            let refused = held.waiting.values().filter_map(|one| one.place.refused).min();
            let is_tired = refused.is_some_and(|at| at + PATIENCE <= self.turn.now);
            if held.go_back || is_tired {
                for delivering in held.waiting.into_values() {
                    self.give_back_lease(&delivering);
                }
                if !held.go_back {
                    self.ask_log_again();
                    let held = Held { go_back: true, ..Held::default() };
                    self.leases_again.held.insert(consumer, held);
                }
                continue;
            }
            for delivering in held.waiting.into_values() {
                let Delivering { session, packet_id, offset, .. } = *delivering;
                let event = SessionEvent::Leased(KeptLease { packet_id, sink, offset });
                self.log_session(session, event, Waiting::Lease(delivering));
            }
        }
    }

    fn ask_log_again(&mut self) {
        if self.leases_again.held.is_empty() {
            self.timers.set(self.turn.now + AGAIN, Timer::LeasesAgain);
        }
    }
}
