//! One stream at its owner: the engine, the bodies that are at hand, and what waits for a record.

use std::sync::Arc;

use log_api::{Position, RecordKind, ShardId, ShardSet};
use mqtt_types::Message;
use queue_engine::ConsumerId;
use stdx::{Instant, UnixMillis};
use stream_engine::{
    Action, Departure, Input, InputError, MemberId, NewMessage, Offset, Outcome, ReaderId,
    ReaderName, Report, Stream, StreamConfig,
};

use super::bodies::Bodies;
use super::hosted::{Hosted, Marks};
use super::reports::{Reports, Said};
use super::taking_back::NotMoved;
use super::{ReadAhead, SETTLE_TOKEN};
use crate::directory::StreamDefinition;
use crate::mail::{Began, Letter, Moved, ReadRefused, Reading};
use crate::record::{StreamRecord, ranges};
use crate::terms::{Load, Room};
use crate::turn::Turn;

/// A stream and what its host keeps beside the engine.
pub(crate) struct HostedStream {
    pub(crate) definition: Arc<StreamDefinition>,
    pub(crate) engine: Stream,
    bodies: Bodies,
    /// How offsets left since the last record.
    left: [Vec<u64>; Departure::ALL.len()],
    /// What became of readers since then.
    pub(super) reports: Reports,
    pub(super) marks: Marks,
    /// Set when a body could not be read unaltered: nothing is delivered any more.
    pub(super) damaged: bool,
    room: Arc<Room>,
    /// What the room was told of the engine.
    counted: Load,
    actions: Vec<Action>,
    /// Members for whom more is to be read ahead.
    short: Vec<MemberId>,
    upcoming: Vec<(Offset, stream_engine::StoredAt, u32)>,
    pub(super) looked_at: Vec<ReaderId>,
    pub(super) not_moved: NotMoved,
}

impl HostedStream {
    pub(super) fn new(
        definition: Arc<StreamDefinition>,
        (engine, numbers_from): (Stream, u64),
        room: Arc<Room>,
        ahead: ReadAhead,
    ) -> Self {
        let counted = load_of(&engine);
        room.take(counted);
        let mut stream = Self {
            definition,
            engine,
            bodies: Bodies::new(ahead),
            left: Default::default(),
            reports: Reports::new(numbers_from),
            marks: Marks::default(),
            damaged: false,
            room,
            counted,
            actions: Vec::new(),
            short: Vec::new(),
            upcoming: Vec::new(),
            looked_at: Vec::new(),
            not_moved: NotMoved::default(),
        };
        stream.reserve();
        stream
    }

    /// Whom a subscription reads for, and where they are.
    pub(super) fn members(&self) -> impl Iterator<Item = (MemberId, ShardId)> {
        self.bodies.members()
    }

    pub(super) fn has_members(&self) -> bool {
        self.bodies.has_members()
    }

    /// Feeds the engine and performs what it asks for.
    pub(super) fn handle(&mut self, input: Input, turn: &mut Turn) {
        let result = self.feed(input, turn);
        // An input can be out of date, such as a verdict on a message that was taken away meanwhile.
        if let Err(error) = result {
            tracing::trace!(stream = &*self.definition.name, %error, "input refused");
        }
        self.perform(Load::default(), turn);
    }

    fn feed(&mut self, input: Input, turn: &Turn) -> Result<(), InputError> {
        self.engine.handle(turn.now, input, &mut self.actions)
    }

    /// Performs what the engine asks for.
    fn perform(&mut self, reserved: Load, turn: &mut Turn) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            self.perform_one(action, turn);
        }
        self.actions = actions;
        self.look_at_readers();
        self.room.count(&mut self.counted, reserved, load_of(&self.engine));
        if self.bodies.has_to_ask() || !self.short.is_empty() {
            self.read_ahead();
            self.bodies.ask(self.definition.sink, turn);
        }
    }

    fn perform_one(&mut self, action: Action, turn: &mut Turn) {
        match action {
            Action::Deliver { member, offset, at, attempt } => {
                let is_there = self.bodies.grant(member, offset, attempt, turn);
                if self.bodies.is_short(member, offset, is_there)
                    && self.short.last() != Some(&member)
                {
                    self.short.push(member);
                }
                if !is_there {
                    let size = self.engine.message(offset).map_or(0, |message| message.size);
                    self.bodies.want((offset, at, size), Some(member));
                }
            }
            Action::Position { reader, begins, .. } => self.reports.position(reader, begins),
            Action::Settled { reader, offset } => self.reports.settled(reader, offset),
            Action::Forgotten { reader, name } => self.reports.forget(reader, name),
            Action::Removed { offset, at, how } => {
                self.logs(how, offset);
                self.bodies.forget(offset);
                turn.release(Position::from_u64(at.0));
            }
        }
    }

    /// Notes for the next record how a message left.
    fn logs(&mut self, how: Departure, offset: Offset) {
        let place = Departure::ALL.iter().position(|one| *one == how);
        if let Some(left) = place.and_then(|place| self.left.get_mut(place)) {
            left.push(offset.0);
        }
    }

    /// Notes for the next record what went with the process.
    pub(super) fn log_lost(&mut self, lost: &[Offset]) {
        lost.iter().for_each(|offset| self.logs(Departure::Dropped, *offset));
    }

    /// Wants what comes next for those that are about to run out of it, so that not each message is read on its own.
    fn read_ahead(&mut self) {
        let mut upcoming = std::mem::take(&mut self.upcoming);
        for member in std::mem::take(&mut self.short) {
            let Some(reader) = self.engine.reader_of(member) else { continue };
            let (after, messages) = self.bodies.ahead_of(member);
            upcoming.clear();
            self.engine.upcoming(reader, after, messages, &mut upcoming);
            self.bodies.read_ahead(member, &upcoming);
        }
        self.upcoming = upcoming;
    }

    /// A new message, with its body if somebody may want it now.
    pub(super) fn append(&mut self, new: NewMessage, message: Option<&Message>, turn: &mut Turn) {
        let offset = self.engine.next_offset();
        if let Some(message) = message {
            self.bodies.begin_fresh(offset, message);
        }
        let appended = self.feed(Input::Append(new), turn);
        debug_assert!(appended.is_ok(), "an append is always taken");
        self.perform(Load::of_one(new.size), turn);
        let is_caught_up = self.engine.is_caught_up();
        self.bodies.end_fresh(!is_caught_up && self.engine.is_here(offset));
        if is_caught_up {
            self.bodies.clear();
        }
    }

    /// Other properties. They do not make a damaged stream deliver.
    pub(super) fn reconfigure(&mut self, definition: Arc<StreamDefinition>, turn: &mut Turn) {
        let config = definition.properties.config.clone();
        self.definition = definition;
        let paused = config.paused || self.damaged;
        self.handle(Input::Reconfigure(Box::new(StreamConfig { paused, ..config })), turn);
        self.reserve_or_not(turn);
    }

    /// Serves a letter.
    pub(super) fn letter(&mut self, letter: Letter, turn: &mut Turn) {
        match letter {
            Letter::Read { consumer, at, reading, asked, .. } => {
                self.attach(consumer, at, reading, asked, turn);
            }
            Letter::SeekReader { consumer, to, .. } => {
                let reader = self.engine.reader_of(MemberId(consumer.0));
                let name = reader.and_then(|reader| self.engine.reader_name(reader)).cloned();
                if let Some(reader) = name {
                    self.handle(Input::Seek { reader, to }, turn);
                    self.log_beginnings(turn);
                }
            }
            Letter::PutBack { moved, .. } => {
                self.take_back(*moved, turn);
                self.log_beginnings(turn);
            }
            Letter::AreThere { consumer, at, mut offsets, .. } => {
                let member = MemberId(consumer.0);
                offsets.retain(|offset| !self.engine.may_come(member, *offset));
                if !offsets.is_empty() {
                    turn.mail(at, Letter::Gone { consumer, offsets });
                }
            }
            Letter::Detach { consumer, written, .. } => {
                let member = MemberId(consumer.0);
                self.bodies.detach(member);
                self.handle(Input::Detach { member, written }, turn);
            }
            Letter::Settle { consumer, offset, outcome, .. } => {
                self.settle(MemberId(consumer.0), offset, outcome_of(outcome), turn);
            }
            Letter::TooLarge { consumer, offset, .. } => {
                self.settle(MemberId(consumer.0), offset, Outcome::TooLarge, turn);
            }
            _ => {}
        }
    }

    fn settle(&mut self, member: MemberId, offset: Offset, outcome: Outcome, turn: &mut Turn) {
        self.handle(Input::Settle { member, offset, outcome }, turn);
    }

    fn attach(
        &mut self,
        consumer: ConsumerId,
        at: ShardId,
        reading: Reading,
        asked: Option<(usize, usize)>,
        turn: &mut Turn,
    ) {
        let member = MemberId(consumer.0);
        let Reading { reader, start, window } = reading;
        let before = self.before_moving(&reader);
        let attach = Input::Attach { member, reader: reader.clone(), start, window };
        let result = self.feed(attach, turn);
        let result = result.map_err(|error| ReadRefused::Engine(self.why_not_read(&error)));
        if result.is_ok() {
            self.bodies.attach(member, at);
        }
        let begins = |action: &Action| matches!(action, Action::Position { begins: true, .. });
        let (owner, sink) = (turn.shard, self.definition.sink);
        let began = self.actions.iter().any(begins);
        let began = began.then(|| {
            let to = self.place(&reader);
            Box::new(Began { owner, sink, moved: Moved { reader, before, to } })
        });
        let result = result.map(|()| began);
        if result.is_err() || asked.is_some() {
            // Before its first message.
            turn.mail(at, Letter::Reading { consumer, asked, result });
        }
        self.perform(Load::default(), turn);
        self.log_beginnings(turn);
    }

    /// Why somebody does not read it, in words that name it: they may speak for all filters of a SUBSCRIBE.
    fn why_not_read(&self, error: &InputError) -> String {
        let name = &self.definition.name;
        match error {
            InputError::TooManyReaders { max } => format!(
                "stream '{name}' keeps the positions of {max} readers, which is all it may; forget one"
            ),
            error => format!("stream '{name}': {error}"),
        }
    }

    /// A reader that begins, or goes elsewhere, is logged before anything that follows from it: its subscription, the packet
    /// ids of what it is given.
    fn log_beginnings(&mut self, turn: &mut Turn) {
        if self.reports.has_beginning() {
            self.log_unlogged(ShardSet::EMPTY, SETTLE_TOKEN, turn);
        }
    }

    /// Writes what is said of readers, and what has left.
    fn write(&mut self, said: Said, notify: ShardSet, token: u64, turn: &mut Turn) {
        let taken = self.left.iter_mut().map(std::mem::take);
        let left = Departure::ALL.into_iter().zip(taken).filter(|(_, offsets)| !offsets.is_empty());
        let forgotten = self.reports.take_forgotten();
        let record = StreamRecord {
            left: left.map(|(how, offsets)| (how, ranges(offsets))).collect(),
            forgotten,
            named: said.named,
            reports: said.reports,
            ..StreamRecord::new(self.definition.sink)
        };
        let is_nothing =
            record.left.is_empty() && record.forgotten.is_empty() && record.reports.is_empty();
        if !is_nothing || token != SETTLE_TOKEN {
            let notify = if said.is_awaited { notify.with(turn.shard) } else { notify };
            let kind = RecordKind::StreamChanged;
            turn.batch.push(kind, 0, 0, notify, token, |out| record.encode(out));
        }
        self.permit(said.taken_back, turn);
    }

    /// A checkpoint has the stream as it is now.
    pub(super) fn name_readers_anew(&mut self) {
        self.reports.name_anew();
    }

    /// What a record says that the log has refused is for the next one, as far as it still holds.
    pub(super) fn owe(&mut self, refused: StreamRecord, turn: &mut Turn) {
        for (how, ranges) in refused.left {
            let has_left = |offset: &u64| !self.engine.is_here(Offset(*offset));
            let owed: Vec<u64> = ranges.into_iter().flatten().filter(has_left).collect();
            let place = Departure::ALL.into_iter().position(|one| one == how);
            if let Some(offsets) = place.and_then(|place| self.left.get_mut(place)) {
                offsets.extend(owed);
            }
        }
        let is_gone = |name: &ReaderName| self.engine.reader_id(name).is_none();
        let forgotten = refused.forgotten.into_iter().filter(is_gone).collect();
        let permits = self.reports.not_stored(forgotten, &refused.reports);
        self.permit(permits, turn);
    }

    /// All that there is to know of a reader.
    pub(super) fn report(&self, name: &ReaderName) -> Option<Report> {
        self.engine.report(self.engine.reader_id(name)?, None)
    }

    /// A body is not what it was: the stream stops.
    pub(super) fn damage(&mut self, turn: &mut Turn) {
        self.damaged = true;
        self.handle(Input::Pause, turn);
    }

    /// What is taken of the room, and what the engine has.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn check_room(&self) -> Result<(), String> {
        let (taken, here) = (self.room.taken(), load_of(&self.engine));
        let name = &self.definition.name;
        if taken == here {
            return Ok(());
        }
        Err(format!("stream {name} has {here:?}, but {taken:?} is taken of its room"))
    }

    /// Bodies in the log that are needed here.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn references(&self) -> usize {
        self.engine.stored().count()
    }

    /// Checks the engine, the account, and what is at hand.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn check(&self) -> Result<(), String> {
        stream_engine::invariants::check(&self.engine).map_err(|broken| broken.to_string())?;
        let name = &self.definition.name;
        let checked = self.bodies.check(|offset| self.engine.is_here(offset));
        checked.map_err(|broken| format!("stream {name} {broken}"))
    }
}

impl Hosted for HostedStream {
    fn marks(&mut self) -> &mut Marks {
        &mut self.marks
    }

    fn has_unlogged(&self) -> bool {
        !self.reports.is_empty() || self.left.iter().any(|offsets| !offsets.is_empty())
    }

    fn log_unlogged(&mut self, notify: ShardSet, token: u64, turn: &mut Turn) {
        let said = self.reports.take(&self.engine, turn.now);
        self.write(said, notify, token, turn);
    }

    fn is_urgent(&self) -> bool {
        self.reports.is_awaited()
    }

    fn log_urgent(&mut self, turn: &mut Turn) {
        if !self.reports.are_many() {
            return self.log_unlogged(ShardSet::EMPTY, SETTLE_TOKEN, turn);
        }
        let said = self.reports.take_awaited(&self.engine, turn.now);
        self.write(said, ShardSet::EMPTY, SETTLE_TOKEN, turn);
    }

    fn can_wait(&self) -> bool {
        self.reports.are_many()
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
        self.bodies.answered();
    }

    fn read(&mut self, message: Message, turn: &mut Turn) {
        let Some((offset, _)) = self.bodies.answered() else { return };
        self.bodies.came(offset, &message, turn);
        if !self.engine.is_here(offset) {
            self.bodies.forget(offset);
        }
    }

    fn not_whole(&mut self, turn: &mut Turn) -> bool {
        let Some((offset, asked)) = self.bodies.answered() else { return false };
        match self.engine.message(offset) {
            Some(found) if found.at != asked => {
                self.bodies.ask_again(offset, found.at, found.size);
                false
            }
            Some(_) => {
                self.damage(turn);
                true
            }
            // One that has left may be gone from the disk.
            None => {
                for member in self.bodies.gone(offset, turn) {
                    self.settle(member, offset, Outcome::Gone, turn);
                }
                false
            }
        }
    }

    fn reads_done(&mut self, turn: &mut Turn) {
        if !self.damaged {
            self.bodies.ask(self.definition.sink, turn);
        }
    }
}

/// What a consumer's verdict means to a reader.
const fn outcome_of(outcome: queue_engine::Outcome) -> Outcome {
    match outcome {
        queue_engine::Outcome::Accept => Outcome::Accept,
        queue_engine::Outcome::Release => Outcome::Release,
        queue_engine::Outcome::Busy => Outcome::Busy,
        queue_engine::Outcome::Reject => Outcome::Reject,
        queue_engine::Outcome::Expired => Outcome::Gone,
    }
}

const fn load_of(engine: &Stream) -> Load {
    let (messages, bytes) = engine.kept();
    Load { messages, bytes }
}
