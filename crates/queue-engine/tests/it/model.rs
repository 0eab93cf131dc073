//! The naive twin: a queue as a plain list of messages, looked through from end to end for each decision.
//!
//! It says which actions are right; where chance decides (random dispatch, jitter), or where several are right (keys), it
//! says which are possible.

mod deliveries;
mod rules;

use std::collections::BTreeMap;
use std::time::Duration;

use queue_engine::{
    Action, ConsumerId, DeadReason, Input, Key, Ledger, MadeKey, MessageId, MessageState,
    NewMessage, Offset, Outcome, Queue, QueueConfig, Scope, StoredAt,
};
use stdx::{Instant, UnixMillis};

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Fresh,
    /// Before all fresh ones, in order of turns: 0 for one that came back, the time of one that fell due, the last one for
    /// one that was passed over.
    Turn(u64),
    InFlight {
        consumer: ConsumerId,
        granted: Instant,
        turn: u64,
    },
    Delayed {
        since: Instant,
        delay: Duration,
    },
    HeldBack(UnixMillis),
    Kept,
    Left,
}

#[derive(Clone, Debug)]
struct Message {
    new: NewMessage,
    state: State,
    attempts: u32,
    is_replaced: bool,
    /// Whether its key is to be made anew.
    is_stale: bool,
    too_large_for: Vec<ConsumerId>,
    ran_out_at: Vec<ConsumerId>,
}

impl Message {
    fn is_ready(&self) -> bool {
        matches!(self.state, State::Fresh | State::Turn(_))
    }

    fn is_here(&self) -> bool {
        !matches!(self.state, State::Kept | State::Left)
    }

    fn is_in_flight(&self) -> bool {
        matches!(self.state, State::InFlight { .. })
    }

    fn is_idle(&self) -> bool {
        self.is_here() && !self.is_in_flight()
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
    clock: Option<(Instant, UnixMillis)>,
    messages: Vec<Message>,
    /// Places are taken anew, the last one freed first.
    consumers: Vec<Option<Consumer>>,
    free: Vec<usize>,
    line: Vec<ConsumerId>,
    turns: u64,
    /// Who has all that is in flight of a key; none: several.
    owners: BTreeMap<Key, Option<ConsumerId>>,
    is_rekeying: bool,
    ids: Vec<(MessageId, UnixMillis)>,
    kept_since: BTreeMap<u64, UnixMillis>,
    /// What is below was delivered once before the start.
    floor: Offset,
    dispatched_to_before: Offset,
    ledger: Ledger,
    expected: Vec<Action>,
}

impl Model {
    pub(crate) fn new(config: QueueConfig) -> Self {
        Self {
            config,
            now: Instant::ZERO,
            clock: None,
            messages: Vec::new(),
            consumers: Vec::new(),
            free: Vec::new(),
            line: Vec::new(),
            turns: 0,
            owners: BTreeMap::new(),
            is_rekeying: false,
            ids: Vec::new(),
            kept_since: BTreeMap::new(),
            floor: Offset(0),
            dispatched_to_before: Offset(0),
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

    fn offsets(&self) -> impl Iterator<Item = Offset> + use<> {
        (0..self.messages.len() as u64).map(Offset)
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

    /// Ends a lease.
    fn end(&mut self, offset: Offset) {
        let State::InFlight { consumer, .. } = self.message(offset).state else {
            panic!("offset {offset} is not in flight")
        };
        self.message(offset).state = State::Turn(0);
        let key = self.message(offset).new.key;
        if !self.messages.iter().any(|m| m.is_in_flight() && m.new.key == key) {
            self.owners.remove(&key);
        }
        self.refresh(consumer);
    }

    fn leave(&mut self, offset: Offset) -> StoredAt {
        if self.message(offset).is_in_flight() {
            self.end(offset);
        }
        self.message(offset).state = State::Left;
        self.message(offset).new.at
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
        if attempts > 0 {
            self.expected.push(Action::Attempted { offset, attempts });
        }
        true
    }

    fn make_ready(&mut self, offset: Offset, turn: u64) {
        if self.is_over(offset) {
            return;
        }
        let attached = self.attached();
        let message = self.message(offset);
        message.state = State::Turn(turn);
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
        dispatched_to_before: Offset,
    ) {
        self.now = now;
        self.dispatched_to_before = dispatched_to_before;
        self.expected.clear();
        let legal = self.apply(input, queue);
        assert_eq!(legal, outcome.is_ok(), "whether {input:?} is legal");
        let actions = outcome.unwrap_or_default();
        if legal {
            self.time_passes();
            self.end_rekeying();
            self.apply_rules();
        }
        let others = self.check_deliveries(actions, queue);
        let sorted = |actions: &[Action]| {
            let mut actions: Vec<String> =
                actions.iter().map(|action| format!("{action:?}")).collect();
            actions.sort();
            actions
        };
        assert_eq!(sorted(&others), sorted(&self.expected), "actions of {input:?}");
        self.check_nobody_waits_in_vain(queue);
        self.check_ledger(queue);
        self.check_room(queue);
    }

    fn apply(&mut self, input: &Input, queue: &Queue) -> bool {
        match input {
            Input::Enqueue(new) => self.enqueue(new),
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
                self.line.push(*consumer);
                self.refresh(*consumer);
            }
            Input::Detach { consumer, written } => return self.detach(*consumer, written),
            Input::Settle { consumer, offset, attempt, outcome } => {
                let puts_back = matches!(outcome, Outcome::Release | Outcome::Busy);
                let legal = self.is_leased(*consumer, *offset)
                    && (!puts_back || *attempt == self.message(*offset).attempts + 1);
                if legal {
                    self.settle(*consumer, *offset, *outcome);
                }
                return legal;
            }
            Input::TooLarge { consumer, offset, attempt } => {
                if !self.is_leased(*consumer, *offset)
                    || *attempt != self.message(*offset).attempts + 1
                {
                    return false;
                }
                self.end(*offset);
                self.message(*offset).too_large_for.push(*consumer);
                self.tried(*offset, false);
                self.make_ready(*offset, 0);
            }
            Input::DeadLetterDropped { offset } => {
                let has_left = self.messages.get(offset.0 as usize).is_some_and(|m| !m.is_here());
                if !has_left || self.ledger.dead_lettered == 0 {
                    return false;
                }
                self.ledger.dead_lettered -= 1;
                self.ledger.dropped += 1;
            }
            Input::Tick => self.tick(queue),
            Input::Clock(shows) => self.clock = Some((self.now, *shows)),
            Input::Purge { scope, max } => self.purge(scope, *max),
            Input::Rewind(to) => self.rewind(*to, self.dispatched_to_before),
            Input::Redriven(offset) => {
                if !self.messages.get(offset.0 as usize).is_some_and(Message::is_idle) {
                    return false;
                }
                self.redriven(*offset);
            }
            Input::Permit { .. } | Input::Withhold => panic!("{input:?} is not played here"),
            Input::Pause => self.config.paused = true,
            Input::Resume => self.config.paused = false,
            Input::Reconfigure(config) => self.reconfigure(config),
            Input::Rekey { made, .. } => self.rekey(made),
        }
        true
    }

    fn settle(&mut self, consumer: ConsumerId, offset: Offset, outcome: Outcome) {
        self.end(offset);
        match outcome {
            Outcome::Accept => self.accepted(offset),
            Outcome::Expired => self.expired(offset),
            Outcome::Reject => {
                let attempts = self.message(offset).attempts + 1;
                self.dead(offset, DeadReason::Rejected, attempts);
            }
            Outcome::Busy => {
                let (now, delay) = (self.now, self.config.retry_delay);
                if self.is_single() {
                    self.line.retain(|id| *id != consumer);
                    self.line.push(consumer);
                }
                if !delay.is_zero() {
                    let resting = self.consumer(consumer).expect("it is attached");
                    resting.rests = resting.rests.max(Some(now + delay));
                }
                self.refresh(consumer);
                self.tried(offset, false);
                self.make_ready(offset, 0);
            }
            Outcome::Release => {
                if self.tried(offset, true) && !self.is_over(offset) {
                    let doublings = self.message(offset).attempts - 1;
                    let delay = self.config.retry_delay * 2_u32.pow(doublings.min(20));
                    let delay = delay.min(self.config.retry_delay_max);
                    if delay.is_zero() || self.has_older_before(offset) {
                        self.make_ready(offset, 0);
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
            self.end(offset);
            if self.tried(offset, written.contains(&offset)) {
                back.push(offset);
            }
        }
        self.consumers[place] = None;
        self.free.push(place);
        self.line.retain(|id| *id != consumer);
        let had_bars: Vec<bool> = self.messages.iter().map(Message::has_bars).collect();
        for message in &mut self.messages {
            message.too_large_for.retain(|id| *id != consumer);
            message.ran_out_at.retain(|id| *id != consumer);
        }
        for (at, had_bars) in had_bars.into_iter().enumerate() {
            let offset = Offset(at as u64);
            if back.contains(&offset) || (had_bars && self.messages[at].is_ready()) {
                self.make_ready(offset, 0);
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
            // In between chance has decided, unless it expires now.
            let is_due = queue.state(offset) != Some(MessageState::Delayed);
            if self.now < soonest {
                assert!(!is_due || self.is_overdue(offset), "offset {offset} comes back too soon");
            } else if self.now >= latest {
                assert!(is_due, "offset {offset} comes back too late");
            }
            if is_due {
                self.make_ready(offset, 0);
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
            self.end(offset);
            if self.is_single() {
                self.line.retain(|id| *id != consumer);
                self.line.push(consumer);
            }
            if self.tried(offset, true) {
                if !self.is_single() {
                    self.message(offset).ran_out_at.push(consumer);
                }
                self.make_ready(offset, 0);
            }
        }
    }

    fn check_ledger(&self, queue: &Queue) {
        let count = |is: fn(&Message) -> bool| {
            self.messages.iter().filter(|message| is(message)).count() as u64
        };
        let here = |message: &&Message| message.is_here();
        let oldest = self.messages.iter().position(Message::is_here);
        let is_delayed =
            |m: &Message| matches!(m.state, State::Delayed { .. } | State::HeldBack(_));
        let bytes = self.messages.iter().filter(here).map(|message| u64::from(message.new.size));
        let expected = Ledger {
            enqueued: self.messages.len() as u64,
            ready: count(Message::is_ready),
            in_flight: count(Message::is_in_flight),
            delayed: count(is_delayed),
            bytes: bytes.sum(),
            consumers: self.attached().len() as u64,
            oldest_offset: oldest.map(|at| Offset(at as u64)),
            oldest_stored: oldest.map(|at| self.messages[at].new.stored),
            ..self.ledger
        };
        assert_eq!(queue.ledger(), expected);
        assert!(expected.balances(), "{expected:?}");
        let stored = self.messages.iter().enumerate().filter(|(_, message)| message.is_here());
        let stored = stored.map(|(at, message)| (Offset(at as u64), message.new.at));
        assert!(queue.stored().eq(stored), "what is stored");
        for peeked in queue.peek(Offset(0)) {
            let message = &self.messages[peeked.offset.0 as usize];
            let state = match message.state {
                State::Fresh | State::Turn(_) => MessageState::Ready,
                State::InFlight { .. } => MessageState::InFlight,
                State::Delayed { .. } | State::HeldBack(_) => MessageState::Delayed,
                State::Kept => MessageState::Settled,
                State::Left => panic!("{peeked:?} has left"),
            };
            let attempts = if state == MessageState::Settled { 0 } else { message.attempts };
            assert_eq!((peeked.state, peeked.attempts), (state, attempts), "{peeked:?}");
            let new = message.new;
            assert_eq!((peeked.at, peeked.size, peeked.key), (new.at, new.size, new.key));
            assert_eq!((peeked.expires, peeked.not_before), (new.expires, new.not_before));
        }
        let left = |message: &&Message| message.state != State::Left;
        assert_eq!(queue.peek(Offset(0)).count(), self.messages.iter().filter(left).count());
        let mut upcoming = Vec::new();
        queue.upcoming(None, usize::MAX, &mut upcoming);
        let fresh =
            self.messages.iter().enumerate().filter(|(_, message)| message.state == State::Fresh);
        let fresh: Vec<_> = fresh.map(|(at, m)| (Offset(at as u64), m.new.at)).collect();
        assert_eq!((queue.has_fresh(), upcoming), (!fresh.is_empty(), fresh));
    }

    /// The process ends and begins again: what was in flight may have been handed over.
    pub(crate) fn restart(&mut self, dispatched_to: Offset) {
        self.consumers.clear();
        self.free.clear();
        self.line.clear();
        self.owners.clear();
        self.kept_since.clear();
        self.clock = None;
        self.floor = dispatched_to;
        let messages = self.messages.iter_mut().enumerate();
        for (at, message) in messages.filter(|(_, message)| message.is_here()) {
            let offset = Offset(at as u64);
            message.attempts += u32::from(message.is_in_flight());
            // Whoever asks for no permits may have delivered what was set aside, for all that the log says.
            let is_set_aside = matches!(message.state, State::Turn(_));
            let is_held_back = matches!(message.state, State::HeldBack(_));
            let may_be_tried = is_set_aside || (offset < dispatched_to && !is_held_back);
            message.attempts = message.attempts.max(u32::from(may_be_tried));
            message.state = message.new.not_before.map_or(State::Fresh, State::HeldBack);
            message.too_large_for.clear();
            message.ran_out_at.clear();
        }
    }
}
