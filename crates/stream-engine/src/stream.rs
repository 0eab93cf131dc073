//! The machine: applies inputs to its parts and says what is to be done. It must not know how the parts keep things.

mod appending;
mod attaching;
mod checks;
mod inspecting;
mod lagging;
mod operating;
mod passing;
mod permitting;
mod recovery;
mod rekeying;
mod removing;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use message_index::{Deadlines, Index, Key, Offset, Stale};
use stdx::{Instant, WallClock};

use crate::ledger::Counts;
use crate::reader::{Around, Halt, News};
use crate::readers::Readers;
use crate::{
    Action, Departure, Input, InputError, Ledger, MemberId, Outcome, ReaderId, StreamConfig,
};

pub use appending::Full;
pub use inspecting::Peeked;
pub use lagging::{Behind, Losses, PACE_WINDOW, ReaderState};

/// Messages that the stream removes at most with one input, so that millions do not hold up everything else. The
/// rest goes with the next tick, which is due at once, and may be read until then.
const REMOVALS_MAX: usize = 65_536;

/// One stream.
#[derive(Debug)]
pub struct Stream {
    config: StreamConfig,
    /// The latest time it was told. Time never goes back.
    now: Instant,
    clock: WallClock,
    index: Index,
    counts: Counts,
    readers: Readers,
    /// The retention in the unit of deadlines, because each message needs it.
    retention_millis: u64,
    /// When messages expire.
    expiry: Deadlines,
    /// The newest message of each key, where only that is kept.
    newest: HashMap<Key, Offset, FixedState>,
    /// Messages that a newer one of their key has replaced, and that are still to be removed.
    replaced: Vec<Offset>,
    /// Messages whose keys are to be made anew.
    stale: Stale,
    /// Whether there are such messages, or were in this input: groups are given nothing, and nothing is replaced.
    is_rekeying: bool,
    /// Whether rules have changed, or were not kept in a replay.
    rules_are_stale: bool,
    /// With so many actions no more is removed by this input.
    enough_at: usize,
    /// Whether the last input left something to be removed.
    has_more: bool,
    /// Whether nothing is delivered for the first time that the log does not know of.
    asks_permits: bool,
    /// Readers that were looked at since the caller asked, if it may have something to log of them.
    looked_at: Vec<ReaderId>,
}

impl Stream {
    /// An empty stream.
    #[must_use]
    pub fn new(config: StreamConfig) -> Self {
        Self {
            retention_millis: passing::millis_or_never(config.retention),
            config,
            now: Instant::ZERO,
            clock: WallClock::default(),
            index: Index::default(),
            counts: Counts::default(),
            readers: Readers::default(),
            expiry: Deadlines::default(),
            newest: HashMap::default(),
            replaced: Vec::new(),
            stale: Stale::default(),
            is_rekeying: false,
            rules_are_stale: false,
            enough_at: 0,
            has_more: false,
            asks_permits: false,
            looked_at: Vec::new(),
        }
    }

    /// Takes an input and appends what is to be done.
    ///
    /// # Errors
    /// The input does not fit the state. Then nothing has changed and nothing was appended.
    pub fn handle(
        &mut self,
        now: Instant,
        input: Input,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        self.now = self.now.max(now);
        match input {
            Input::Append(message) => self.append(&message, actions),
            Input::Attach { member, reader, start, window } => {
                self.attach(member, reader, start, window)?;
            }
            Input::Detach { member, written } => self.detach(member, &written)?,
            Input::Settle { member, offset, outcome } => self.settle(member, offset, outcome)?,
            Input::Seek { reader, to } => self.seek(reader, to)?,
            Input::Forget(name) => self.forget(name, actions)?,
            Input::PutBack { reader, report } => self.put_back(reader, &report),
            Input::Permit(permits) => self.permit(&permits),
            Input::Tick => {}
            Input::Clock(shows) => self.clock.tell(self.now, shows),
            Input::Purge { scope, max } => self.purge(scope, max, actions),
            Input::Pause => self.config.paused = true,
            Input::Resume => self.resume(),
            Input::Reconfigure(config) => self.reconfigure(*config),
            Input::Rekey { round, made } => self.rekey(round, &made),
        }
        self.enough_at = actions.len() + REMOVALS_MAX;
        self.readers.wake(self.now);
        self.time_passes(actions);
        self.end_rekeying();
        if self.rules_are_stale {
            self.apply_rules(actions);
        }
        self.drop_oldest(actions);
        let has_left = self.is_rekeying && !self.stale.is_in(&self.index);
        self.has_more = has_left || actions.len() >= self.enough_at;
        self.deliver(actions);
        Ok(())
    }

    /// When it wants a tick, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_more || self.rules_are_stale {
            return Some(self.now);
        }
        let wall = [self.expiry.first(), self.next_to_forget().map(|(due, _)| due)];
        let wall = wall.into_iter().flatten().min().and_then(|due| self.clock.when(due));
        [wall, self.readers.first_wake()].into_iter().flatten().min()
    }

    fn settle(
        &mut self,
        member: MemberId,
        offset: Offset,
        outcome: Outcome,
    ) -> Result<(), InputError> {
        let id = self.readers.of_member(member).ok_or(InputError::UnknownMember(member))?;
        let around = Around { index: &self.index, config: &self.config, now: self.now };
        let reader = self.readers.get_mut(id).filter(|reader| reader.has(member, offset));
        let reader = reader.ok_or(InputError::NotInFlight { member, offset })?;
        reader.settle(member, offset, outcome, &around);
        self.readers.stir(id);
        Ok(())
    }

    /// Lets all that may have more have it, and says how far they have come.
    fn deliver(&mut self, actions: &mut Vec<Action>) {
        while let Some(id) = self.readers.next_stirred() {
            let around = Around { index: &self.index, config: &self.config, now: self.now };
            let Some(reader) = self.readers.get_mut(id) else { continue };
            let awaits_keys = self.is_rekeying && reader.goes_by_keys(&self.config);
            let redelivered = &mut self.counts.redelivered;
            let halt = match awaits_keys {
                true => Halt::Full,
                false => reader.deliver(&around, redelivered, actions),
            };
            if let Some(News { progress, begins }) = reader.news() {
                actions.push(Action::Position { reader: id, progress, begins });
            }
            let settled = reader.take_settled();
            actions.extend(settled.map(|offset| Action::Settled { reader: id, offset }));
            self.readers.looked_at(id, halt);
            if self.asks_permits {
                self.looked_at.push(id);
            }
        }
    }

    /// Its properties.
    #[must_use]
    pub const fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// The account at this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let oldest = self.index.iter_from(Offset(0)).next();
        Ledger {
            appended: self.index.next().0,
            kept: self.index.len(),
            expired: self.counts.get(Departure::Expired),
            dropped: self.counts.get(Departure::Dropped),
            replaced: self.counts.get(Departure::Replaced),
            purged: self.counts.get(Departure::Purged),
            redelivered: self.counts.redelivered,
            bytes: self.index.bytes(),
            readers: self.readers.len() as u64,
            members: self.readers.members() as u64,
            oldest_offset: oldest.map(|(offset, _)| offset),
            oldest_stored: oldest.map(|(_, entry)| entry.stored),
        }
    }

    /// The offset that the next message gets.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.index.next()
    }

    /// Messages that are here, and their bytes.
    #[must_use]
    pub const fn kept(&self) -> (u64, u64) {
        (self.index.len(), self.index.bytes())
    }

    /// Whether all readers with members have what there is and would take the next message at once: then nobody is about to
    /// be given an older one, but for what comes again.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.readers.are_all_hungry()
    }

    /// Bytes of memory that the index of messages takes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.heap_bytes()
    }
}
