//! One queue at its owner: the engine, the bodies that are at hand, and the leases that wait for theirs.

mod rooms;

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use log_api::{Position, RecordKind, ShardId, ShardSet};
use mqtt_router::SinkId;
use mqtt_types::Message;
use queue_engine::{
    Action, ConsumerId, Input, Key, MessageState, NewMessage, Offset, Queue, QueueConfig, StoredAt,
};
use stdx::{Instant, UnixMillis};

use super::hosted::{Hosted, Marks};
use super::moves::Moves;
use super::reservation::Reservation;
use super::reserving::Reserved;
use super::watch::Seen;
use crate::budget::Budget;
use crate::directory::DeadLetter;
use crate::directory::QueueDefinition;
use crate::record::{Leaving, Left, SettleRecord, Tried, Why, ranges};
use crate::terms::{Load, Room, knows_ids};
use crate::turn::Turn;
use rooms::load_of;

/// What may be kept in memory ahead of the consumers.
#[derive(Clone, Debug)]
pub(crate) struct ReadAhead {
    pub(crate) messages: usize,
    pub(crate) bytes_max: usize,
    /// All queues have it in common with all else that waits for clients.
    pub(crate) memory: Budget,
}

impl ReadAhead {
    pub(super) fn bytes(&self) -> usize {
        self.bytes_max.min(self.memory.share())
    }
}

/// A lease that the engine has granted and whose body is not at hand yet.
pub(super) struct Granted {
    pub(super) consumer: ConsumerId,
    pub(super) offset: Offset,
    pub(super) attempt: u32,
}

/// A queue and what its host keeps beside the engine.
pub(crate) struct HostedQueue {
    pub(crate) definition: Arc<QueueDefinition>,
    pub(crate) engine: Queue,
    pub(crate) consumers: HashMap<ConsumerId, ShardId>,
    /// How offsets left since the last settle record.
    pub(crate) left: [Vec<u64>; Left::ALL.len()],
    pub(crate) attempts: Vec<Tried>,
    /// What settle records say may be handed to consumers; none when no record outlives the process.
    pub(super) reservation: Option<Reservation>,
    /// Whether a message waits for the record that says it may be.
    pub(super) has_announced: bool,
    pub(super) marks: Marks,
    /// Set when a body could not be read unaltered: nothing is delivered any more.
    pub(crate) damaged: bool,
    /// Set while an operator's seek is under way: nothing is delivered meanwhile.
    pub(crate) is_seeking: bool,
    /// What the watch saw last.
    pub(crate) seen: Option<Seen>,
    pub(super) ahead: ReadAhead,
    pub(super) granted: VecDeque<Granted>,
    pub(super) bodies: HashMap<Offset, Message>,
    pub(super) body_bytes: usize,
    /// Offsets asked of the log, with where they were and their bytes, in the order of the answers.
    pub(super) reading: VecDeque<(Offset, StoredAt, usize)>,
    pub(super) reading_bytes: usize,
    /// The granted offset at the front for whose body an answer is awaited.
    pub(super) awaited: Option<Offset>,
    /// The newest offset whose body was kept or asked for.
    pub(super) fetched_to: Option<Offset>,
    /// Messages the engine has given up in this input, of a queue that keeps no dead letters.
    dead: Vec<Offset>,
    /// Messages on their way to the dead letters.
    pub(crate) moves: Moves,
    /// Whether the host has it on its list of queues with such messages.
    pub(crate) is_moving: bool,
    room: Arc<Room>,
    /// What the room was told of the engine.
    counted: Load,
    /// Whether messages take over the room of those they replace, or did.
    takes_over: bool,
    /// Whether none does at the moment, because keys are being made anew.
    is_rekeying: bool,
    actions: Vec<Action>,
    pub(super) upcoming: Vec<(Offset, StoredAt)>,
}

impl HostedQueue {
    pub(crate) fn new(
        definition: Arc<QueueDefinition>,
        engine: Queue,
        room: Arc<Room>,
        ahead: ReadAhead,
    ) -> Self {
        let counted = load_of(&engine);
        room.take(counted);
        let mut queue = Self {
            definition,
            reservation: None,
            has_announced: false,
            moves: Moves::default(),
            is_moving: false,
            room,
            counted,
            takes_over: false,
            is_rekeying: engine.is_rekeying(),
            engine,
            consumers: HashMap::new(),
            left: Default::default(),
            attempts: Vec::new(),
            marks: Marks::default(),
            damaged: false,
            is_seeking: false,
            seen: None,
            ahead,
            granted: VecDeque::new(),
            bodies: HashMap::new(),
            body_bytes: 0,
            reading: VecDeque::new(),
            reading_bytes: 0,
            awaited: None,
            fetched_to: None,
            dead: Vec::new(),
            actions: Vec::new(),
            upcoming: Vec::new(),
        };
        queue.reserve();
        queue.tell_room();
        queue
    }

    /// Feeds the engine and performs what it asks for.
    pub(crate) fn handle(&mut self, input: Input, turn: &mut Turn) {
        self.feed(input, None, turn);
    }

    /// The same, when room was taken before for a message that comes: of that key and size.
    fn feed(&mut self, input: Input, came: Option<(Key, u32)>, turn: &mut Turn) {
        let mut actions = std::mem::take(&mut self.actions);
        // An input can be out of date, such as a verdict on a lease that has run out meanwhile.
        if let Err(error) = self.engine.handle(turn.now, input, &mut actions) {
            tracing::trace!(queue = &*self.definition.name, %error, "input refused");
        }
        for action in actions.drain(..) {
            self.perform(action, turn);
        }
        for offset in std::mem::take(&mut self.dead) {
            if let Err(error) =
                self.engine.handle(turn.now, Input::DeadLetterDropped { offset }, &mut actions)
            {
                tracing::error!(queue = &*self.definition.name, %error, "a dead letter was not counted as dropped");
            }
        }
        for action in actions.drain(..) {
            self.perform(action, turn);
        }
        self.actions = actions;
        self.count_room(came);
        self.grant(turn);
        self.read_ahead(turn);
    }

    /// Lets a waiting message go to another queue. False when it does not wait any more.
    pub(crate) fn redrive(&mut self, offset: Offset, to: SinkId, turn: &mut Turn) -> bool {
        let Some((at, ..)) = self.engine.message(offset) else { return false };
        let mut actions = std::mem::take(&mut self.actions);
        let taken = self.engine.handle(turn.now, Input::Redriven(offset), &mut actions).is_ok();
        if taken {
            self.forget(offset);
            self.moves.add(offset, Leaving { at, why: Why::Redriven { to } });
        }
        for action in actions.drain(..) {
            // The record by which it arrives elsewhere says that it has left.
            if !matches!(action, Action::Settled { offset: gone, .. } if gone == offset) {
                self.perform(action, turn);
            }
        }
        self.actions = actions;
        self.count_room(None);
        self.grant(turn);
        taken
    }

    /// Other properties. They do not make a damaged queue deliver.
    pub(crate) fn reconfigure(&mut self, definition: Arc<QueueDefinition>, turn: &mut Turn) {
        let config = definition.properties.config.clone();
        self.definition = definition;
        let paused = self.is_held();
        let config = Box::new(QueueConfig { paused, ..config });
        self.handle(Input::Reconfigure(config), turn);
        self.reserve_or_not(turn);
        self.tell_room();
    }

    /// A new message, with its body if somebody may want it now.
    pub(crate) fn enqueue(&mut self, new: NewMessage, message: Option<&Message>, turn: &mut Turn) {
        let offset = self.engine.next_offset();
        let kept = message.filter(|_| self.keeps(offset));
        if let Some(message) = kept {
            self.keep(offset, self.ahead.memory.keep(message));
        }
        self.feed(Input::Enqueue(new), Some((new.key, new.size)), turn);
        if let Some(id) = new.message_id
            && knows_ids(&self.definition.properties.config)
        {
            self.room.remember(id, new.stored, &self.definition.properties.config);
        }
        // It may have been known already, or gone at once.
        if kept.is_some() && self.engine.message(offset).is_none() {
            self.forget(offset);
        }
    }

    /// Whether the body of a new message is worth keeping: no gap before it, and room.
    fn keeps(&self, offset: Offset) -> bool {
        let contiguous =
            !self.engine.has_fresh() || self.fetched_to.is_some_and(|to| to.0 + 1 == offset.0);
        contiguous
            && self.bodies.len() < self.ahead.messages
            && self.body_bytes < self.ahead.bytes()
    }

    fn keep(&mut self, offset: Offset, message: Message) {
        self.body_bytes += message.bytes().len();
        self.bodies.insert(offset, message);
        self.fetched_to = self.fetched_to.max(Some(offset));
    }

    fn perform(&mut self, action: Action, turn: &mut Turn) {
        match action {
            Action::Deliver { consumer, offset, attempt, .. } => {
                self.granted.push_back(Granted { consumer, offset, attempt });
            }
            Action::Settled { offset, at } => self.leaves(Left::Settled, offset, at, turn),
            Action::Expired { offset, at } => self.leaves(Left::Expired, offset, at, turn),
            Action::DeadLetter { offset, at, reason, attempts } => {
                if self.definition.properties.dead_letter == DeadLetter::None {
                    self.dead.push(offset);
                    self.leaves(Left::Dropped, offset, at, turn);
                } else {
                    self.forget(offset);
                    self.moves.add(offset, Leaving { at, why: Why::Dead { reason, attempts } });
                }
            }
            Action::Attempted { offset, attempts, until } => {
                self.attempts.push(Tried { offset, attempts, until });
                self.has_announced |= self.engine.has_announced();
            }
            Action::Dropped { offset, at } => self.leaves(Left::Dropped, offset, at, turn),
            Action::Replaced { offset, at } => self.leaves(Left::Replaced, offset, at, turn),
            Action::Purged { offset, at } => self.leaves(Left::Purged, offset, at, turn),
            Action::Forgotten { offset, at } => self.leaves(Left::Forgotten, offset, at, turn),
            Action::Kept { offset, .. } => self.logs(Left::Kept, offset),
            Action::Duplicate { at } => turn.release(Position::from_u64(at.0)),
            Action::Rewound { to, .. } => self.rewound(to),
        }
    }

    fn leaves(&mut self, how: Left, offset: Offset, at: StoredAt, turn: &mut Turn) {
        self.logs(how, offset);
        turn.release(Position::from_u64(at.0));
    }

    /// Messages from there on are to be read once more.
    fn rewound(&mut self, to: Offset) {
        self.fetched_to = self.fetched_to.min(to.0.checked_sub(1).map(Offset));
    }

    /// Writes what has happened since the last record, a rewind before all of it.
    pub(crate) fn log(
        &mut self,
        rewound: Option<Offset>,
        notify: ShardSet,
        token: u64,
        turn: &mut Turn,
    ) {
        let reserved = self.reserve_more(turn);
        self.write((rewound, reserved), notify, token, turn);
    }

    fn write(
        &mut self,
        (rewound, reserved): (Option<Offset>, Reserved),
        notify: ShardSet,
        token: u64,
        turn: &mut Turn,
    ) {
        let is_awaited = reserved.is_awaited || std::mem::take(&mut self.has_announced);
        let notify = if is_awaited { notify.with(turn.shard) } else { notify };
        let taken = self.left.iter_mut().map(std::mem::take);
        let left = Left::ALL.into_iter().zip(taken).filter(|(_, offsets)| !offsets.is_empty());
        let record = SettleRecord {
            sink: self.definition.sink,
            rewound,
            dispatched_to: reserved.to,
            left: left.map(|(how, offsets)| (how, ranges(offsets))).collect(),
            attempts: std::mem::take(&mut self.attempts),
        };
        turn.batch.push(RecordKind::Settle, 0, 0, notify, token, |out| record.encode(out));
    }

    /// What a record says that the log has refused is for the next one, as far as it still holds: a message that was set back
    /// meanwhile is here again.
    pub(super) fn owe(&mut self, refused: SettleRecord, turn: &mut Turn) {
        self.go_on_without_log(&refused, turn);
        for (how, ranges) in refused.left {
            let state = |offset: &u64| self.engine.state(Offset(*offset));
            let still_holds = |offset: &u64| match state(offset) {
                None => true,
                Some(state) => how == Left::Kept && state == MessageState::Settled,
            };
            let owed: Vec<u64> = ranges.into_iter().flatten().filter(still_holds).collect();
            if let Some(offsets) = self.left.get_mut(how as usize - 1) {
                offsets.extend(owed);
            }
        }
        let said: HashSet<Offset> = self.attempts.iter().map(|tried| tried.offset).collect();
        let is_here = |offset: &Offset| self.engine.message(*offset).is_some();
        let owed = refused.attempts.into_iter().map(|tried| tried.offset);
        let owed = owed.filter(|offset| is_here(offset) && !said.contains(offset));
        let owed = owed.map(|offset| Tried {
            offset,
            attempts: self.engine.attempts_to_say(offset),
            until: self.engine.waits_until(offset),
        });
        self.attempts.extend(owed.collect::<Vec<_>>());
    }

    fn has_news(&self) -> bool {
        !self.attempts.is_empty() || self.left.iter().any(|offsets| !offsets.is_empty())
    }

    /// Notes for the next settle record that a message is not here any more.
    fn logs(&mut self, how: Left, offset: Offset) {
        if let Some(offsets) = self.left.get_mut(how as usize - 1) {
            offsets.push(offset.0);
        }
        self.forget(offset);
    }

    /// Notes for the next settle record what went with the process.
    pub(super) fn log_lost(&mut self, lost: &[Offset]) {
        lost.iter().for_each(|offset| self.logs(Left::Dropped, *offset));
    }

    pub(super) fn forget(&mut self, offset: Offset) -> Option<Message> {
        let message = self.bodies.remove(&offset)?;
        self.body_bytes -= message.bytes().len();
        Some(message)
    }

    /// The message that consumers wait for while its body is on its way.
    pub(crate) const fn awaited(&self) -> Option<Offset> {
        self.awaited
    }

    fn answered(&mut self) -> Option<(Offset, StoredAt)> {
        let (offset, at, size) = self.reading.pop_front()?;
        self.reading_bytes -= size;
        Some((offset, at))
    }

    /// A body is not what it was: the queue stops.
    pub(crate) fn damage(&mut self, turn: &mut Turn) {
        self.damaged = true;
        self.handle(Input::Pause, turn);
    }

    /// Consumers have gone: bodies that were read for nobody are given back.
    pub(crate) fn trim(&mut self) {
        if self.consumers.is_empty() {
            self.bodies = HashMap::new();
            self.body_bytes = 0;
            self.granted.clear();
            self.awaited = None;
            self.fetched_to = None;
        }
    }

    /// What is taken of the room, and what the engine has.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn check_room(&self) -> Result<(), String> {
        let (taken, here) = (self.room.taken(), load_of(&self.engine));
        let name = &self.definition.name;
        if taken == here {
            return Ok(());
        }
        Err(format!("queue {name} has {here:?}, but {taken:?} is taken of its room"))
    }

    /// Bodies in the log that are needed here.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn references(&self) -> usize {
        self.engine.stored().count() + self.engine.kept().count() + self.moves.leaving().len()
    }

    /// Checks the engine, the account, and that each body at hand is of a message that is here.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn check(&self) -> Result<(), String> {
        queue_engine::invariants::check(&self.engine).map_err(|broken| broken.to_string())?;
        let name = &self.definition.name;
        if !self.engine.ledger().balances() {
            return Err(format!("queue {name} does not balance: {:?}", self.engine.ledger()));
        }
        if let Some(offset) =
            self.bodies.keys().find(|offset| self.engine.message(**offset).is_none())
        {
            return Err(format!("queue {name} keeps the body of offset {offset}, which has left"));
        }
        let bytes: usize = self.bodies.values().map(|message| message.bytes().len()).sum();
        if bytes != self.body_bytes {
            return Err(format!(
                "queue {name} counts {} bytes of bodies, not {bytes}",
                self.body_bytes
            ));
        }
        Ok(())
    }
}

impl Hosted for HostedQueue {
    fn marks(&mut self) -> &mut Marks {
        &mut self.marks
    }

    fn has_unlogged(&self) -> bool {
        self.has_news() || self.wants_to_reserve()
    }

    fn log_unlogged(&mut self, notify: ShardSet, token: u64, turn: &mut Turn) {
        let reserved = self.reserve_more(turn);
        if reserved.is_new || self.has_news() {
            self.write((None, reserved), notify, token, turn);
        }
    }

    fn is_urgent(&self) -> bool {
        self.has_announced || self.awaits_log()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.engine.next_deadline()
    }

    fn tick(&mut self, turn: &mut Turn) {
        self.handle(Input::Tick, turn);
    }

    fn wants_keys(&self) -> bool {
        self.engine.is_rekeying() && !self.damaged
    }

    fn tell_clock(&mut self, unix_ms: u64, turn: &mut Turn) {
        self.handle(Input::Clock(UnixMillis(unix_ms)), turn);
    }

    fn not_read(&mut self) {
        self.answered();
    }

    fn not_whole(&mut self, turn: &mut Turn) -> bool {
        let Some((offset, asked)) = self.answered() else { return false };
        match self.engine.message(offset) {
            Some((at, ..)) if at != asked => {
                self.ask(&[(offset, at)], turn);
                false
            }
            Some(_) => {
                self.damage(turn);
                true
            }
            // One that has left may be gone from the disk.
            None => false,
        }
    }

    fn read(&mut self, message: Message, _: &mut Turn) {
        let Some((offset, _)) = self.answered() else { return };
        // It may have left while its body was on the way, or all consumers have.
        if !self.consumers.is_empty() && self.engine.message(offset).is_some() {
            self.forget(offset);
            self.body_bytes += message.bytes().len();
            self.bodies.insert(offset, self.ahead.memory.keep(&message));
        }
    }

    fn reads_done(&mut self, turn: &mut Turn) {
        if self.damaged {
            return;
        }
        self.awaited = None;
        self.grant(turn);
        self.read_ahead(turn);
    }
}
