//! Which deliveries the twin takes for right.

use super::*;
use queue_engine::{DispatchStrategy, Stall};

const PASSED_OVER: u64 = u64::MAX;

impl Model {
    /// Checks deliveries. Gives the other actions.
    pub(super) fn check_deliveries(&mut self, actions: &[Action], queue: &Queue) -> Vec<Action> {
        let mut others = Vec::new();
        let mut plain = false;
        for action in actions {
            match *action {
                Action::Deliver { .. } => plain |= self.check_delivery(*action, plain),
                other => others.push(other),
            }
        }
        self.note_passed_over(queue);
        others
    }

    /// Nothing is said of those that are passed over.
    fn note_passed_over(&mut self, queue: &Queue) {
        let mut upcoming = Vec::new();
        queue.upcoming(None, usize::MAX, &mut upcoming);
        for offset in self.offsets() {
            let is_upcoming = upcoming.binary_search_by_key(&offset, |(at, _)| *at).is_ok();
            if self.message(offset).state == State::Fresh && !is_upcoming {
                assert!(self.is_keyed(), "{offset} is not upcoming");
                self.message(offset).state = State::Turn(PASSED_OVER);
            }
        }
    }

    /// Whether a delivery is the right one. True when its message had no bars: those with bars come first.
    fn check_delivery(&mut self, delivery: Action, plain_before: bool) -> bool {
        let Action::Deliver { consumer, offset, at, attempt } = delivery else {
            panic!("{delivery:?} is none");
        };
        assert!(!self.config.paused && !self.is_rekeying, "{delivery:?} while paused");
        let message = self.message(offset).clone();
        assert!(message.is_ready(), "{delivery:?} of a message that is {:?}", message.state);
        assert_eq!((at, attempt), (message.new.at, message.attempts + 1), "{delivery:?}");
        let turn = self.consumer(consumer).and_then(|consumer| consumer.turn);
        assert!(turn.is_some(), "{delivery:?} to one that has no credit");
        assert!(!message.is_barred_from(consumer), "{delivery:?} to one it is barred from");
        let plain = !message.has_bars();
        if self.is_single() {
            assert_eq!(self.next_for_single(), Some((offset, Some(consumer))), "{delivery:?}");
            assert!(self.is_alone(consumer), "{delivery:?} while another has messages");
            assert_eq!(self.awaited_retry(), None, "{delivery:?} overtakes");
        } else {
            assert!(plain || !plain_before, "{delivery:?} after one without bars");
            if self.is_keyed() {
                self.check_key(consumer, offset);
            } else if plain {
                assert_eq!(Some(offset), self.first_ready(), "{delivery:?} out of order");
            }
            let is_free = !self.is_keyed() || self.of_key(message.new.key).0 == 0;
            if plain && is_free {
                self.check_choice(consumer);
            }
        }
        self.deliver(consumer, offset, attempt);
        plain
    }

    fn deliver(&mut self, consumer: ConsumerId, offset: Offset, attempt: u32) {
        self.ledger.redelivered += u64::from(attempt > 1);
        self.turns += 1;
        let (turns, granted) = (self.turns, self.now);
        self.consumer(consumer).expect("it has a turn").turn = Some(turns);
        let key = self.message(offset).new.key;
        let (in_flight, ..) = self.of_key(key);
        let owner = self.owners.entry(key).or_insert(Some(consumer));
        if in_flight > 0 && *owner != Some(consumer) {
            *owner = None;
        }
        let message = self.message(offset);
        message.state = State::InFlight { consumer, granted, turn: turns };
        message.ran_out_at.clear();
        self.refresh(consumer);
    }

    /// When a ready message comes.
    fn turn_of(&self, offset: Offset) -> Option<(u8, u64, Offset)> {
        match self.messages[offset.0 as usize].state {
            State::Turn(turn) => Some((0, turn, offset)),
            State::Fresh => Some((1, 0, offset)),
            _ => None,
        }
    }

    fn first_of(&self, is: impl Fn(&Message) -> bool) -> Option<Offset> {
        let ready = self.offsets().filter(|offset| is(&self.messages[offset.0 as usize]));
        ready.filter_map(|offset| self.turn_of(offset)).min().map(|(_, _, offset)| offset)
    }

    fn first_ready(&self) -> Option<Offset> {
        self.first_of(|message| !message.has_bars())
    }

    /// In flight, held, and the first that waits.
    fn of_key(&self, key: Key) -> (u32, u32, Option<Offset>) {
        let of_key = || self.messages.iter().filter(|message| message.new.key == key);
        let held = |m: &&Message| m.is_backing_off() || m.is_ready() && m.has_bars();
        (
            of_key().filter(|message| message.is_in_flight()).count() as u32,
            of_key().filter(held).count() as u32,
            self.first_of(|message| message.new.key == key && !message.has_bars()),
        )
    }

    /// Whether a key allows for a message to go to a consumer.
    fn key_allows(&self, consumer: ConsumerId, offset: Offset) -> bool {
        let message = &self.messages[offset.0 as usize];
        let (in_flight, held, first) = self.of_key(message.new.key);
        let is_owner = in_flight == 0
            || self.owners.get(&message.new.key).is_some_and(|owner| *owner == Some(consumer));
        let max = self.config.key_inflight.max(1);
        let has_room = if message.has_bars() { in_flight < max } else { in_flight + held < max };
        has_room && is_owner && (message.has_bars() || first == Some(offset))
    }

    fn check_key(&self, consumer: ConsumerId, offset: Offset) {
        let key = self.messages[offset.0 as usize].new.key;
        assert!(
            self.key_allows(consumer, offset),
            "{offset} to {consumer}: {:?} of {key:?} at {:?}",
            self.of_key(key),
            self.owners.get(&key)
        );
        let of_key = self.leases().into_iter();
        let mut of_key = of_key.filter(|(_, other)| self.messages[other.0 as usize].new.key == key);
        assert!(of_key.all(|(at, _)| at == consumer), "{key:?} at two consumers");
    }

    fn next_for_single(&self) -> Option<(Offset, Option<ConsumerId>)> {
        let next = self.first_of(|_| true)?;
        let message = &self.messages[next.0 as usize];
        Some((next, self.line.iter().copied().find(|id| !message.is_barred_from(*id))))
    }

    /// A message that nothing may overtake.
    fn awaited_retry(&self) -> Option<Offset> {
        let is_delayed = |offset: &Offset| self.messages[offset.0 as usize].is_backing_off();
        let keeps_order = self.is_single() && self.config.max_inflight <= 1;
        self.offsets().find(|offset| keeps_order && is_delayed(offset))
    }

    /// Whether nobody else has messages.
    fn is_alone(&self, consumer: ConsumerId) -> bool {
        self.leases().iter().all(|(at, _)| *at == consumer)
    }

    fn check_choice(&self, chosen: ConsumerId) {
        let may = self
            .consumers
            .iter()
            .flatten()
            .filter_map(|consumer| Some((consumer.turn?, consumer.id)));
        let right = match self.config.dispatch_strategy {
            DispatchStrategy::RoundRobin => may.min(),
            DispatchStrategy::LeastInflight | DispatchStrategy::KeyOrdered => {
                may.min_by_key(|(turn, id)| (self.in_flight(*id), *turn))
            }
            DispatchStrategy::Random | DispatchStrategy::SingleActive => return,
        };
        assert_eq!(Some(chosen), right.map(|(_, id)| id), "the consumer that the strategy chooses");
    }

    pub(super) fn check_nobody_waits_in_vain(&self, queue: &Queue) {
        self.check_stall(queue);
        if self.config.paused || self.is_rekeying {
            return;
        }
        let waiting = |m: &&Message| matches!(m.state, State::Turn(_)) && !m.has_bars();
        let passed_over = self.messages.iter().filter(waiting).count();
        let is_far = passed_over >= self.config.key_look_ahead.max(1) as usize;
        let next = self.next_for_single();
        let candidates = self.candidates();
        for consumer in self.consumers.iter().flatten().filter(|consumer| consumer.turn.is_some()) {
            let waits = candidates.iter().find(|offset| {
                let message = &self.messages[offset.0 as usize];
                !message.is_barred_from(consumer.id)
                    && match self.config.dispatch_strategy {
                        DispatchStrategy::SingleActive => {
                            self.awaited_retry().is_none()
                                && next == Some((**offset, Some(consumer.id)))
                                && self.is_alone(consumer.id)
                        }
                        DispatchStrategy::KeyOrdered => {
                            self.key_allows(consumer.id, **offset)
                                && !(is_far && message.state == State::Fresh)
                        }
                        _ => true,
                    }
            });
            assert!(waits.is_none(), "offset {waits:?} waits, {:?} has credit", consumer.id);
        }
    }

    /// Ready messages that might go: all with bars, and the first without of each key.
    fn candidates(&self) -> Vec<Offset> {
        let mut firsts: BTreeMap<Key, (u8, u64, Offset)> = BTreeMap::new();
        let mut candidates = Vec::new();
        for offset in self.offsets() {
            let message = &self.messages[offset.0 as usize];
            let Some(turn) = self.turn_of(offset) else { continue };
            if message.has_bars() {
                candidates.push(offset);
            } else {
                let first = firsts.entry(message.new.key).or_insert(turn);
                *first = turn.min(*first);
            }
        }
        candidates.extend(firsts.into_values().map(|(_, _, offset)| offset));
        candidates
    }

    /// The reason that the queue finds.
    fn check_stall(&self, queue: &Queue) {
        let ready = self.messages.iter().filter(|message| message.is_ready()).count();
        let idle = self.messages.iter().filter(|message| message.is_idle()).count();
        let stall = queue.why_no_progress();
        let has_credit = self.consumers.iter().flatten().any(|consumer| consumer.turn.is_some());
        let expected = match stall {
            None => idle == 0,
            Some(Stall::Rekeying { messages }) => {
                let here = |m: &&Message| m.is_stale && m.is_here();
                let here = self.messages.iter().filter(here).count() as u64;
                // Some that are kept may be counted as well.
                self.is_rekeying && messages >= here
            }
            Some(Stall::AwaitingLog) => false,
            Some(Stall::Paused) => self.config.paused,
            Some(Stall::NoConsumers) => self.attached().is_empty(),
            Some(Stall::Delayed { .. }) => ready == 0,
            Some(Stall::Resting { .. }) => {
                self.consumers.iter().flatten().any(|consumer| consumer.rests.is_some())
            }
            Some(Stall::NoCredit { .. }) => !has_credit || self.is_single(),
            Some(Stall::KeysBlocked { .. }) => self.is_keyed() && has_credit,
            Some(Stall::AwaitingRetry { .. }) => self.awaited_retry().is_some() && ready > 0,
            Some(Stall::HandingOver { in_flight }) => self.is_single() && in_flight > 0,
            Some(Stall::Barred { messages }) => messages == ready as u64 && has_credit,
        };
        assert!(expected, "{stall:?} with {idle} messages, {ready} ready");
    }
}
