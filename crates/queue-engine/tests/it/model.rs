//! The naive twin: a queue as a plain list of messages, looked through from end to end for each decision.
//!
//! It says which actions are right; where chance decides (random dispatch, jitter) it says which are possible.

use std::time::Duration;

use queue_engine::{
    Action, ConsumerId, DeadReason, DispatchStrategy, Input, Ledger, MessageState, Offset, Outcome,
    Queue, QueueConfig, StoredAt,
};
use stdx::{Instant, UnixMillis};

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Fresh,
    Released,
    InFlight { consumer: ConsumerId, granted: Instant, turn: u64 },
    Delayed { since: Instant, delay: Duration },
    Left,
}

#[derive(Clone, Debug)]
struct Message {
    at: StoredAt,
    size: u32,
    stored: UnixMillis,
    state: State,
    attempts: u32,
    too_large_for: Vec<ConsumerId>,
    ran_out_at: Vec<ConsumerId>,
}

impl Message {
    fn is_ready(&self) -> bool {
        matches!(self.state, State::Fresh | State::Released)
    }

    fn is_barred_from(&self, consumer: ConsumerId) -> bool {
        self.too_large_for.contains(&consumer) || self.ran_out_at.contains(&consumer)
    }

    fn has_bars(&self) -> bool {
        !self.too_large_for.is_empty() || !self.ran_out_at.is_empty()
    }
}

#[derive(Clone, Debug)]
struct Consumer {
    id: ConsumerId,
    max_inflight: u32,
    rests: Option<Instant>,
    /// When it was last served or came back; none: it may not be chosen.
    turn: Option<u64>,
}

/// The twin.
pub(crate) struct Model {
    config: QueueConfig,
    now: Instant,
    messages: Vec<Message>,
    /// Places are taken anew, the last one freed first.
    consumers: Vec<Option<Consumer>>,
    free: Vec<usize>,
    turns: u64,
    ledger: Ledger,
    expected: Vec<Action>,
}

impl Model {
    pub(crate) fn new(config: QueueConfig) -> Self {
        Self {
            config,
            now: Instant::ZERO,
            messages: Vec::new(),
            consumers: Vec::new(),
            free: Vec::new(),
            turns: 0,
            ledger: Ledger::default(),
            expected: Vec::new(),
        }
    }

    pub(crate) fn leases(&self) -> Vec<(ConsumerId, Offset)> {
        let leases =
            self.messages.iter().enumerate().filter_map(|(at, message)| match message.state {
                State::InFlight { consumer, .. } => Some((consumer, Offset(at as u64))),
                _ => None,
            });
        leases.collect()
    }

    fn in_flight(&self, id: ConsumerId) -> u32 {
        self.leases().iter().filter(|(consumer, _)| *consumer == id).count() as u32
    }

    fn consumer(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.iter_mut().flatten().find(|consumer| consumer.id == id)
    }

    fn attached(&self) -> Vec<ConsumerId> {
        self.consumers.iter().flatten().map(|consumer| consumer.id).collect()
    }

    fn message(&mut self, offset: Offset) -> &mut Message {
        &mut self.messages[offset.0 as usize]
    }

    fn is_leased(&self, consumer: ConsumerId, offset: Offset) -> bool {
        self.leases().contains(&(consumer, offset))
    }

    /// Gives a turn to who may be chosen now and could not before, and takes it from who may not any more.
    fn refresh(&mut self, id: ConsumerId) {
        let in_flight = self.in_flight(id);
        let limit = self.config.max_inflight;
        let turns = &mut self.turns;
        let consumers = self.consumers.iter_mut().flatten();
        for consumer in consumers.filter(|consumer| consumer.id == id) {
            let may = consumer.rests.is_none() && in_flight < consumer.max_inflight.min(limit);
            if may && consumer.turn.is_none() {
                *turns += 1;
                consumer.turn = Some(*turns);
            } else if !may {
                consumer.turn = None;
            }
        }
    }

    fn leave(&mut self, offset: Offset) -> StoredAt {
        self.message(offset).state = State::Left;
        self.message(offset).at
    }

    fn dead(&mut self, offset: Offset, reason: DeadReason, attempts: u32) {
        let at = self.leave(offset);
        self.ledger.dead_lettered += 1;
        self.expected.push(Action::DeadLetter { offset, at, reason, attempts });
    }

    /// Counts an attempt or not. False when the message has become a dead letter.
    fn tried(&mut self, offset: Offset, counts: bool) -> bool {
        self.message(offset).attempts += u32::from(counts);
        let attempts = self.message(offset).attempts;
        if counts && self.config.max_attempts != 0 && attempts >= self.config.max_attempts {
            self.dead(offset, DeadReason::MaxAttempts, attempts);
            return false;
        }
        self.expected.push(Action::Attempted { offset, attempts });
        true
    }

    fn make_ready(&mut self, offset: Offset) {
        let attached = self.attached();
        let message = self.message(offset);
        message.state = State::Released;
        if !attached.is_empty() && attached.iter().all(|id| message.is_barred_from(*id)) {
            message.ran_out_at.clear();
            if attached.iter().all(|id| message.is_barred_from(*id)) {
                let attempts = message.attempts;
                self.dead(offset, DeadReason::TooLarge, attempts);
            }
        }
    }

    /// Takes an input and what the queue made of it; panics where that is wrong.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        input: &Input,
        outcome: Result<&[Action], ()>,
        queue: &Queue,
    ) {
        self.now = now;
        self.expected.clear();
        let legal = self.apply(input, queue);
        assert_eq!(legal, outcome.is_ok(), "whether {input:?} is legal");
        let actions = outcome.unwrap_or_default();
        let is_delivery = |action: &Action| matches!(action, Action::Deliver { .. });
        let (others, deliveries) =
            actions.split_at(actions.iter().position(is_delivery).unwrap_or(actions.len()));
        let sorted = |actions: &[Action]| {
            let mut actions: Vec<String> =
                actions.iter().map(|action| format!("{action:?}")).collect();
            actions.sort();
            actions
        };
        assert_eq!(sorted(others), sorted(&self.expected), "actions of {input:?}");
        let mut plain = false;
        for delivery in deliveries {
            plain |= self.check_delivery(*delivery, plain);
        }
        self.check_nobody_waits_in_vain();
        self.check_ledger(queue);
    }

    fn apply(&mut self, input: &Input, queue: &Queue) -> bool {
        match input {
            Input::Enqueue { at, size, stored } => self.messages.push(Message {
                at: *at,
                size: *size,
                stored: *stored,
                state: State::Fresh,
                attempts: 0,
                too_large_for: Vec::new(),
                ran_out_at: Vec::new(),
            }),
            Input::Attach { consumer, max_inflight } => {
                if self.consumer(*consumer).is_some() || *max_inflight == 0 {
                    return false;
                }
                let new = Consumer {
                    id: *consumer,
                    max_inflight: *max_inflight,
                    rests: None,
                    turn: None,
                };
                match self.free.pop() {
                    Some(place) => self.consumers[place] = Some(new),
                    None => self.consumers.push(Some(new)),
                }
                self.refresh(*consumer);
            }
            Input::Detach { consumer, written } => return self.detach(*consumer, written),
            Input::Settle { consumer, offset, outcome } => {
                let legal = self.is_leased(*consumer, *offset);
                if legal {
                    self.settle(*consumer, *offset, *outcome);
                }
                return legal;
            }
            Input::TooLarge { consumer, offset } => {
                if !self.is_leased(*consumer, *offset) {
                    return false;
                }
                self.message(*offset).state = State::Released;
                self.message(*offset).too_large_for.push(*consumer);
                self.refresh(*consumer);
                self.tried(*offset, false);
                self.make_ready(*offset);
            }
            Input::DeadLetterDropped { offset } => {
                let has_left =
                    self.messages.get(offset.0 as usize).is_some_and(|m| m.state == State::Left);
                if !has_left || self.ledger.dead_lettered == 0 {
                    return false;
                }
                self.ledger.dead_lettered -= 1;
                self.ledger.dropped += 1;
            }
            Input::Tick => self.tick(queue),
            Input::Pause => self.config.paused = true,
            Input::Resume => self.config.paused = false,
            Input::Reconfigure(config) => {
                if self.config.dispatch_strategy != config.dispatch_strategy {
                    self.consumers.iter_mut().flatten().for_each(|consumer| consumer.turn = None);
                }
                self.config = config.clone();
                self.attached().into_iter().for_each(|id| self.refresh(id));
            }
        }
        true
    }

    fn settle(&mut self, consumer: ConsumerId, offset: Offset, outcome: Outcome) {
        self.message(offset).state = State::Released;
        match outcome {
            Outcome::Accept => {
                let at = self.leave(offset);
                self.ledger.settled += 1;
                self.expected.push(Action::Settled { offset, at });
            }
            Outcome::Expired => {
                let at = self.leave(offset);
                self.ledger.expired += 1;
                self.expected.push(Action::Expired { offset, at });
            }
            Outcome::Reject => {
                let attempts = self.message(offset).attempts + 1;
                self.dead(offset, DeadReason::Rejected, attempts);
            }
            Outcome::Busy => {
                let (now, delay) = (self.now, self.config.retry_delay);
                if !delay.is_zero() {
                    let resting = self.consumer(consumer).expect("it is attached");
                    resting.rests = resting.rests.max(Some(now + delay));
                }
                self.tried(offset, false);
                self.make_ready(offset);
            }
            Outcome::Release => {
                if self.tried(offset, true) {
                    let doublings = self.message(offset).attempts - 1;
                    let delay = self.config.retry_delay * 2_u32.pow(doublings.min(20));
                    let delay = delay.min(self.config.retry_delay_max);
                    if delay.is_zero() {
                        self.make_ready(offset);
                    } else {
                        self.message(offset).state = State::Delayed { since: self.now, delay };
                    }
                }
            }
        }
        self.refresh(consumer);
    }

    fn detach(&mut self, consumer: ConsumerId, written: &[Offset]) -> bool {
        let Some(place) =
            self.consumers.iter().position(|c| c.as_ref().is_some_and(|c| c.id == consumer))
        else {
            return false;
        };
        let mut back = Vec::new();
        for (_, offset) in self.leases().into_iter().filter(|(id, _)| *id == consumer) {
            self.message(offset).state = State::Released;
            if self.tried(offset, written.contains(&offset)) {
                back.push(offset);
            }
        }
        self.consumers[place] = None;
        self.free.push(place);
        let had_bars: Vec<bool> = self.messages.iter().map(Message::has_bars).collect();
        for message in &mut self.messages {
            message.too_large_for.retain(|id| *id != consumer);
            message.ran_out_at.retain(|id| *id != consumer);
        }
        for (at, had_bars) in had_bars.into_iter().enumerate() {
            let offset = Offset(at as u64);
            if back.contains(&offset) || (had_bars && self.messages[at].is_ready()) {
                self.make_ready(offset);
            }
        }
        true
    }

    fn tick(&mut self, queue: &Queue) {
        let mut woken: Vec<(Instant, ConsumerId)> = Vec::new();
        for consumer in self.consumers.iter_mut().flatten() {
            if let Some(until) = consumer.rests.filter(|until| *until <= self.now) {
                consumer.rests = None;
                woken.push((until, consumer.id));
            }
        }
        woken.sort();
        woken.into_iter().for_each(|(_, id)| self.refresh(id));
        for at in 0..self.messages.len() {
            let State::Delayed { since, delay } = self.messages[at].state else { continue };
            let offset = Offset(at as u64);
            let (soonest, latest) = (since + delay * 4 / 5, since + delay * 6 / 5);
            // In between chance has decided.
            let is_due = queue.state(offset) != Some(MessageState::Delayed);
            if self.now < soonest {
                assert!(!is_due, "offset {offset} comes back too soon");
            } else if self.now >= latest {
                assert!(is_due, "offset {offset} comes back too late");
            }
            if is_due {
                self.make_ready(offset);
            }
        }
        let timeout = self.config.ack_timeout;
        let mut run_out: Vec<(u64, usize, ConsumerId)> = Vec::new();
        for (at, message) in self.messages.iter().enumerate() {
            if let State::InFlight { consumer, granted, turn } = message.state
                && !timeout.is_zero()
                && granted + timeout <= self.now
            {
                run_out.push((turn, at, consumer));
            }
        }
        run_out.sort();
        for (at, consumer) in run_out.into_iter().map(|(_, at, consumer)| (at, consumer)) {
            let offset = Offset(at as u64);
            self.message(offset).state = State::Released;
            self.refresh(consumer);
            if self.tried(offset, true) {
                self.message(offset).ran_out_at.push(consumer);
                self.make_ready(offset);
            }
        }
    }

    /// Whether a delivery is the right one. True when its message had no bars: those with bars come first.
    fn check_delivery(&mut self, delivery: Action, plain_before: bool) -> bool {
        let Action::Deliver { consumer, offset, at, attempt } = delivery else {
            panic!("{delivery:?} comes after a delivery");
        };
        assert!(!self.config.paused, "{delivery:?} while paused");
        let message = self.message(offset).clone();
        assert!(message.is_ready(), "{delivery:?} of a message that is {:?}", message.state);
        assert_eq!((at, attempt), (message.at, message.attempts + 1), "{delivery:?}");
        let turn = self.consumer(consumer).and_then(|consumer| consumer.turn);
        assert!(turn.is_some(), "{delivery:?} to one that has no credit");
        assert!(!message.is_barred_from(consumer), "{delivery:?} to one it is barred from");
        let plain = !message.has_bars();
        if plain {
            assert_eq!(Some(offset), self.first_ready(), "{delivery:?} out of order");
            self.check_choice(consumer);
        } else {
            assert!(!plain_before, "{delivery:?} after one without bars");
        }
        self.ledger.redelivered += u64::from(attempt > 1);
        self.turns += 1;
        let (turns, granted) = (self.turns, self.now);
        self.consumer(consumer).expect("it has a turn").turn = Some(turns);
        let message = self.message(offset);
        message.state = State::InFlight { consumer, granted, turn: turns };
        message.ran_out_at.clear();
        self.refresh(consumer);
        plain
    }

    fn first_ready(&self) -> Option<Offset> {
        let first = |state| self.messages.iter().position(|m| m.state == state && !m.has_bars());
        first(State::Released).or_else(|| first(State::Fresh)).map(|at| Offset(at as u64))
    }

    fn check_choice(&self, chosen: ConsumerId) {
        let may = self
            .consumers
            .iter()
            .flatten()
            .filter_map(|consumer| Some((consumer.turn?, consumer.id)));
        let right = match self.config.dispatch_strategy {
            DispatchStrategy::RoundRobin => may.min(),
            DispatchStrategy::LeastInflight => {
                may.min_by_key(|(turn, id)| (self.in_flight(*id), *turn))
            }
            DispatchStrategy::Random => return,
        };
        assert_eq!(Some(chosen), right.map(|(_, id)| id), "the consumer that the strategy chooses");
    }

    fn check_nobody_waits_in_vain(&self) {
        for consumer in self.consumers.iter().flatten().filter(|consumer| consumer.turn.is_some()) {
            let waits =
                self.messages.iter().position(|m| m.is_ready() && !m.is_barred_from(consumer.id));
            assert!(
                self.config.paused || waits.is_none(),
                "offset {waits:?} waits, {:?} has credit",
                consumer.id
            );
        }
    }

    fn check_ledger(&self, queue: &Queue) {
        let count = |is: fn(&Message) -> bool| {
            self.messages.iter().filter(|message| is(message)).count() as u64
        };
        let here = |message: &&Message| message.state != State::Left;
        let oldest = self.messages.iter().position(|message| here(&message));
        let expected = Ledger {
            enqueued: self.messages.len() as u64,
            ready: count(Message::is_ready),
            in_flight: count(|message| matches!(message.state, State::InFlight { .. })),
            delayed: count(|message| matches!(message.state, State::Delayed { .. })),
            bytes: self.messages.iter().filter(here).map(|message| u64::from(message.size)).sum(),
            consumers: self.attached().len() as u64,
            oldest_offset: oldest.map(|at| Offset(at as u64)),
            oldest_stored: oldest.map(|at| self.messages[at].stored),
            ..self.ledger
        };
        assert_eq!(queue.ledger(), expected);
        let stored = self.messages.iter().enumerate().filter(|(_, message)| here(message));
        let stored = stored.map(|(at, message)| (Offset(at as u64), message.at));
        assert!(queue.stored().eq(stored), "what is stored");
        let mut upcoming = Vec::new();
        queue.upcoming(None, usize::MAX, &mut upcoming);
        let fresh =
            self.messages.iter().enumerate().filter(|(_, message)| message.state == State::Fresh);
        let fresh: Vec<_> = fresh.map(|(at, message)| (Offset(at as u64), message.at)).collect();
        assert_eq!((queue.has_fresh(), upcoming), (!fresh.is_empty(), fresh));
    }

    /// The process ends and begins again: what was in flight may have been handed over.
    pub(crate) fn restart(&mut self) {
        self.consumers.clear();
        self.free.clear();
        for message in self.messages.iter_mut().filter(|message| message.state != State::Left) {
            message.attempts += u32::from(matches!(message.state, State::InFlight { .. }));
            message.state = State::Fresh;
            message.too_large_for.clear();
            message.ran_out_at.clear();
        }
    }
}
