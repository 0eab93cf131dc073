//! What operators ask of a queue beside its messages: who consumes, how far it is behind.

use stdx::{Instant, UnixMillis};

use super::Queue;
use crate::{ConsumerId, Offset};

/// A consumer as an operator sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerState {
    /// Who.
    pub id: ConsumerId,
    /// Its unsettled messages.
    pub in_flight: u32,
    /// How many it takes at once.
    pub max_inflight: u32,
    /// Until when it rests, because it was too busy.
    pub rests_until: Option<Instant>,
}

impl Queue {
    /// A consumer's state; none when it is not attached.
    #[must_use]
    pub fn consumer(&self, id: ConsumerId) -> Option<ConsumerState> {
        let slot = self.consumers.slot(id)?;
        let consumer = self.consumers.get(slot);
        Some(ConsumerState {
            id,
            in_flight: consumer.in_flight,
            max_inflight: self.credit(slot),
            rests_until: consumer.rests,
        })
    }

    /// Since when the message that is next could have been delivered: it was stored then, or its delay was over. None when
    /// nothing is ready.
    #[must_use]
    pub fn next_since(&self) -> Option<UnixMillis> {
        let returned = self.returned.first().map(|(_, offset)| *offset);
        let barred = self.barred.ready().first().copied();
        let fresh = self.index.first_unplaced(self.fresh);
        let next = [returned, barred, self.keys.oldest(), fresh].into_iter().flatten().min()?;
        self.index.get(next).map(|entry| entry.stored.max(entry.not_before))
    }

    /// The first message at or after an offset that is here: ready, in flight or delayed.
    #[must_use]
    pub fn first_here(&self, from: Offset) -> Option<Offset> {
        self.index.first_from(from)
    }

    /// The first message at or after an offset that was settled and is kept.
    #[must_use]
    pub fn first_kept(&self, from: Offset) -> Option<Offset> {
        self.index.first_kept(from)
    }

    /// The oldest message that is here or kept; where the next one will be when there is none.
    #[must_use]
    pub fn earliest(&self) -> Offset {
        let oldest = [self.first_here(Offset(0)), self.first_kept(Offset(0))];
        oldest.into_iter().flatten().min().unwrap_or_else(|| self.next_offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DispatchStrategy, Input, Key, NewMessage, Outcome, QueueConfig, StoredAt};

    fn check_lag(strategy: DispatchStrategy) {
        let config = QueueConfig { dispatch_strategy: strategy, ..QueueConfig::default() };
        let mut queue = Queue::new(config, 1);
        let tell = |queue: &mut Queue, input| {
            queue.handle(Instant::ZERO, input, &mut Vec::new()).expect("it fits");
        };
        assert_eq!((queue.next_since(), queue.earliest()), (None, Offset(0)));
        for stored in [5, 7, 9] {
            let message = NewMessage::new(StoredAt(stored), 1, UnixMillis(stored));
            tell(&mut queue, Input::Enqueue(NewMessage { key: Key(1), ..message }));
        }
        assert_eq!(queue.next_since(), Some(UnixMillis(5)));
        let consumer = ConsumerId(3);
        tell(&mut queue, Input::Attach { consumer, max_inflight: 1 });
        assert_eq!(queue.next_since(), Some(UnixMillis(7)), "the first one is in flight");
        let state = queue.consumer(consumer).expect("it is attached");
        assert_eq!((state.in_flight, state.max_inflight, state.rests_until), (1, 1, None));
        let outcome = Outcome::Busy;
        tell(&mut queue, Input::Settle { consumer, offset: Offset(0), attempt: 1, outcome });
        let state = queue.consumer(consumer).expect("it is attached");
        assert!(state.in_flight == 0 && state.rests_until.is_some());
        assert_eq!(queue.next_since(), Some(UnixMillis(5)), "it came back");
        assert_eq!(queue.consumer(ConsumerId(4)), None);
        assert_eq!(
            (queue.first_here(Offset(1)), queue.first_kept(Offset(0))),
            (Some(Offset(1)), None)
        );
    }

    #[test]
    fn the_lag_is_that_of_the_message_that_is_next() {
        for strategy in [DispatchStrategy::RoundRobin, DispatchStrategy::KeyOrdered] {
            check_lag(strategy);
        }
    }
}
