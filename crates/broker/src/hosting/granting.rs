//! Bodies for leases: what is at hand goes to consumers, the rest is asked of the log. It must not know who gets what.

use log_api::Position;
use queue_engine::{Offset, StoredAt};

use super::queue::{Granted, HostedQueue};
use crate::mail::{Lease, Letter};
use crate::turn::Turn;

impl HostedQueue {
    /// Sends granted leases on, in order, as far as their bodies are at hand; asks for the first one that is not.
    pub(super) fn grant(&mut self, turn: &mut Turn) {
        while !self.damaged
            && let Some(&Granted { consumer, offset, attempt, .. }) = self.granted.front()
        {
            let at = self.consumers.get(&consumer).copied();
            // While the body was on its way the consumer may have gone, or the lease may have run out.
            let has_lease = self.engine.has_lease(consumer, offset, attempt);
            let Some(at) = at.filter(|_| has_lease) else {
                self.granted.pop_front();
                continue;
            };
            let Some(message) = self.forget(offset) else {
                if self.engine.message(offset).is_none() {
                    // It was dropped while its body was on the way, and nobody needs that any more.
                    self.granted.pop_front();
                    continue;
                }
                if self.awaited != Some(offset) {
                    self.awaited = Some(offset);
                    self.ask_for_granted(turn);
                }
                return;
            };
            self.granted.pop_front();
            turn.mail(at, Letter::Lease(Lease { consumer, offset, attempt, message }));
        }
    }

    /// Asks the log for the bodies of granted leases that are neither at hand nor asked for: redeliveries, mostly.
    pub(super) fn ask_for_granted(&mut self, turn: &mut Turn) {
        let asked: hashbrown::HashSet<Offset> =
            self.reading.iter().map(|(offset, ..)| *offset).collect();
        let missing = |granted: &&Granted| {
            !asked.contains(&granted.offset) && !self.bodies.contains_key(&granted.offset)
        };
        let missing: Vec<_> = self
            .granted
            .iter()
            .filter(missing)
            .filter_map(|granted| Some((granted.offset, self.engine.body(granted.offset)?)))
            .collect();
        self.ask(&missing, turn);
    }

    /// Asks the log for what comes next, so that it is at hand when a consumer has credit.
    pub(super) fn read_ahead(&mut self, turn: &mut Turn) {
        let held = self.bodies.len() + self.reading.len();
        let bytes = self.body_bytes + self.reading_bytes;
        let has_room = held * 2 <= self.ahead.messages && bytes * 2 <= self.ahead.bytes();
        if self.consumers.is_empty() || self.damaged || !has_room {
            return;
        }
        let mut upcoming = std::mem::take(&mut self.upcoming);
        upcoming.clear();
        self.engine.upcoming(self.fetched_to, self.ahead.messages - held, &mut upcoming);
        let asked = self.ask(&upcoming, turn);
        if let Some((newest, _)) = asked.checked_sub(1).and_then(|last| upcoming.get(last)) {
            self.fetched_to = Some(*newest);
        }
        self.upcoming = upcoming;
    }

    /// Asks the log for bodies, for one at least and no more than may be kept, and says for how many.
    pub(super) fn ask(&mut self, wanted: &[(Offset, StoredAt)], turn: &mut Turn) -> usize {
        let mut positions = Vec::new();
        for (offset, at) in wanted {
            if !positions.is_empty() && self.body_bytes + self.reading_bytes >= self.ahead.bytes() {
                break;
            }
            let size = self.engine.message(*offset).map_or(0, |(_, size, _)| size);
            self.reading.push_back((*offset, *at, size as usize));
            self.reading_bytes += size as usize;
            positions.push((Position::from_u64(at.0), size));
        }
        let asked = positions.len();
        if asked > 0 {
            turn.read_heads(u64::from(self.definition.sink.0), positions);
        }
        asked
    }
}
