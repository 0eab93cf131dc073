//! One reader: its position, what of it is unsettled, its members. It must not know other readers, or why messages leave.
//!
//! ```text
//!                 ┌───────── released, and its back-off is over; its member has gone or was too busy ─────────┐
//!                 ▼                                                                                            │
//!   read on ──▶ ready ──▶ in flight ──▶ settled, rejected, skipped: the position moves when all below are ─────┤
//!      │          ▲                                                                                            │
//!      └──▶ passed over: its key is unsettled in this group                              released: delayed ◀───┘
//! ```
//! A message that leaves the stream while it waits here is passed by when its turn comes.

mod checks;
mod delivering;
mod explaining;
mod permitting;
mod reporting;
mod seeking;
mod settling;

use std::collections::BTreeSet;

use message_index::{Index, Key, Offset};
use stdx::Instant;

use crate::busy_keys::BusyKeys;
use crate::window::Window;
use crate::{MemberId, Progress, ReaderName, Runs, StreamConfig};

pub(crate) use delivering::Halt;
pub use explaining::{ReaderStanding, ReaderWaits};
pub(crate) use reporting::News;

/// What a reader may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) index: &'a Index,
    pub(crate) config: &'a StreamConfig,
    pub(crate) now: Instant,
}

/// Where an unsettled message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    InFlight(MemberId),
    Delayed(Instant),
    /// It goes before what was never read.
    Ready,
    /// Its key is busy.
    PassedOver,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Unsettled {
    /// Deliveries that counted, one under way not among them.
    attempts: u32,
    /// [`Key::NONE`] where the reader does not go by keys.
    key: Key,
    state: State,
    /// A member has it, and where the reader was put back to it is settled: it holds up nothing and does not come again.
    is_left_over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Member {
    id: MemberId,
    window: u32,
    in_flight: u32,
    /// Until then it gets nothing.
    rests: Option<Instant>,
}

/// What a member has, and takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberState {
    /// Its unsettled messages.
    pub in_flight: u32,
    /// How many it takes at once.
    pub max_inflight: u32,
    /// Whether it was too busy and is left alone for a while.
    pub is_resting: bool,
}

impl Member {
    fn credit(&self, config: &StreamConfig) -> u32 {
        self.window.min(config.max_inflight.max(1))
    }

    fn is_free(&self, config: &StreamConfig) -> bool {
        self.rests.is_none() && self.in_flight < self.credit(config)
    }
}

/// A reader.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) name: ReaderName,
    /// What is read next is here or after.
    cursor: Offset,
    /// What is below is settled or not wanted, also where a member still has it.
    from: Offset,
    /// What is below was delivered in an earlier life, or may have been: an attempt counts for it.
    floor: Offset,
    /// What was never delivered is not, from here on.
    permitted: Offset,
    /// Whether a replayed log says more of deliveries than was ever made use of.
    is_overstated: bool,
    /// What was settled in an earlier life at the cursor or behind it.
    done: Runs,
    unsettled: Window<Unsettled>,
    ready: BTreeSet<Offset>,
    delayed: BTreeSet<(Instant, Offset)>,
    keys: BusyKeys,
    /// Messages that are too large for a member.
    barred: BTreeSet<(Offset, MemberId)>,
    members: Vec<Member>,
    /// Whose turn it is.
    turn: usize,
    rejected: u64,
    skipped: u64,
    /// What the caller was told last; none when that does not hold any more.
    told: Option<Progress>,
    /// What was settled behind something unsettled since then.
    settled: Vec<Offset>,
}

impl Reader {
    /// A reader that reads from an offset on.
    pub(crate) fn new(name: ReaderName, from: Offset) -> Self {
        Self {
            name,
            cursor: from,
            from,
            floor: from,
            permitted: Offset(u64::MAX),
            is_overstated: false,
            done: Runs::default(),
            unsettled: Window::default(),
            ready: BTreeSet::new(),
            delayed: BTreeSet::new(),
            keys: BusyKeys::default(),
            barred: BTreeSet::new(),
            members: Vec::new(),
            turn: 0,
            rejected: 0,
            skipped: 0,
            told: None,
            settled: Vec::new(),
        }
    }

    /// All messages below are settled or not wanted.
    pub(crate) fn position(&self) -> Offset {
        let oldest = self.unsettled().next();
        oldest.map_or(self.cursor, |offset| self.cursor.min(offset))
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            position: self.position(),
            delivered_to: self.dispatched_to(),
            rejected: self.rejected,
            skipped: self.skipped,
        }
    }

    /// When it has something to do by itself.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let rests = self.members.iter().filter_map(|member| member.rests);
        let delayed = self.delayed.first().map(|(due, _)| *due);
        rests.chain(delayed).min()
    }

    /// Lets back-offs and rests end that are over.
    pub(crate) fn wake(&mut self, now: Instant) {
        for member in &mut self.members {
            member.rests = member.rests.filter(|until| *until > now);
        }
        while let Some((due, offset)) = self.delayed.first().copied().filter(|(due, _)| *due <= now)
        {
            self.delayed.remove(&(due, offset));
            if let Some(message) = self.unsettled.get_mut(offset) {
                message.state = State::Ready;
                self.ready.insert(offset);
            }
        }
    }

    pub(crate) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(crate) fn add(&mut self, id: MemberId, window: u32) {
        self.members.push(Member { id, window, in_flight: 0, rests: None });
    }

    fn member(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    /// Its members, and what each has in flight.
    pub(crate) fn members(&self) -> impl Iterator<Item = (MemberId, u32)> {
        self.members.iter().map(|member| (member.id, member.in_flight))
    }

    pub(crate) fn member_state(&self, id: MemberId, config: &StreamConfig) -> Option<MemberState> {
        let member = self.members.iter().find(|member| member.id == id)?;
        let (in_flight, max_inflight) = (member.in_flight, member.credit(config));
        Some(MemberState { in_flight, max_inflight, is_resting: member.rests.is_some() })
    }

    /// Unsettled messages that are wanted, in order.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = Offset> {
        let from = self.unsettled.iter_from(self.from);
        from.filter(|(_, message)| !message.is_left_over).map(|(offset, _)| offset)
    }

    /// Unsettled messages that no member has.
    pub(crate) fn waiting(&self) -> usize {
        let waits = |message: &Unsettled| !matches!(message.state, State::InFlight(_));
        self.unsettled.iter().filter(|(_, message)| waits(message)).count()
    }

    pub(crate) const fn cursor(&self) -> Offset {
        self.cursor
    }

    /// Whether it keeps the order of keys.
    pub(crate) fn goes_by_keys(&self, config: &StreamConfig) -> bool {
        self.name.is_group() && config.needs_keys()
    }
}
