//! How a message stands to a reader, and what it waits for. It must not know who asks.

use std::fmt;

use message_index::{Key, Offset};
use stdx::Instant;

use super::{Around, Member, Reader, State};
use crate::MemberId;

/// Messages that are looked at to find the one that keeps a key busy.
const LOOK_MAX: usize = 4_096;

/// How a message of the stream stands to a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReaderStanding {
    /// It was settled, rejected or passed by, or lies before where the reader began.
    Settled,
    /// A member has it.
    InFlight(MemberId),
    /// It was released and waits before it is tried again.
    BackingOff {
        /// Until when.
        until: Instant,
    },
    /// It will be read.
    Waits(ReaderWaits),
}

/// What a message waits for that a reader has not been given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReaderWaits {
    /// The stream is paused.
    Paused,
    /// Nobody reads for the reader now.
    Away,
    /// The keys of messages are being made anew; groups get nothing until all have one.
    Rekeying {
        /// How many wait for theirs.
        messages: u64,
    },
    /// Each member that has credit was too busy and rests.
    Resting {
        /// Until when the first one does.
        until: Instant,
    },
    /// Each member has as many unsettled messages as it takes.
    NoCredit {
        /// How many they have.
        in_flight: u64,
    },
    /// Another message of its key is unsettled.
    KeyBusy {
        /// That, if it was found soon enough.
        by: Option<Offset>,
    },
    /// It is too large for the members that have credit.
    TooLarge {
        /// Members that it is too large for.
        too_large: u64,
        /// Members there are.
        members: u64,
    },
    /// As much is unsettled as may be, the oldest of it there: nothing behind is read.
    Held {
        /// The first unsettled message.
        by: Offset,
    },
    /// The log is not known yet to have that it may be given out.
    AwaitingLog,
    /// Nothing: it is about to be given out.
    Nothing,
}

impl fmt::Display for ReaderStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settled => f.write_str("settled"),
            Self::InFlight(_) => f.write_str("a client has it and has not settled it"),
            Self::BackingOff { .. } => {
                f.write_str("it was released and is tried again in some time")
            }
            Self::Waits(waits) => waits.fmt(f),
        }
    }
}

impl fmt::Display for ReaderWaits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("the stream is paused"),
            Self::Away => f.write_str("no client reads for it at this moment"),
            Self::Rekeying { messages } => write!(
                f,
                "the keys of {messages} messages are still to be made anew, by properties that have changed"
            ),
            Self::Resting { .. } => {
                f.write_str("all clients with credit that read for it were too busy and rest")
            }
            Self::NoCredit { in_flight } => write!(
                f,
                "no client that reads for it has credit: {in_flight} messages are unsettled"
            ),
            Self::KeyBusy { by: Some(by) } => {
                write!(f, "the message at offset {by}, of the same key, is unsettled")
            }
            Self::KeyBusy { by: None } => f.write_str("a message of the same key is unsettled"),
            Self::TooLarge { too_large, members } => write!(
                f,
                "it is too large for {too_large} of the {members} clients that read for it, and the others have no credit"
            ),
            Self::Held { by } => {
                write!(f, "its first unsettled message, at offset {by}, keeps it from going on")
            }
            Self::AwaitingLog => f.write_str("the log has not taken yet that it may be given out"),
            Self::Nothing => f.write_str("nothing keeps it: it is about to be given out"),
        }
    }
}

impl Reader {
    /// How a message that is here stands to it.
    pub(crate) fn standing(&self, offset: Offset, around: &Around<'_>) -> ReaderStanding {
        let known = self.unsettled.get(offset);
        if let Some(State::InFlight(member)) = known.map(|message| message.state) {
            return ReaderStanding::InFlight(member);
        }
        if !self.wants(offset) {
            return ReaderStanding::Settled;
        }
        match known.map(|message| message.state) {
            Some(State::Delayed(until)) => ReaderStanding::BackingOff { until },
            state => ReaderStanding::Waits(self.why_it_waits(offset, state, around)),
        }
    }

    fn why_it_waits(
        &self,
        offset: Offset,
        state: Option<State>,
        around: &Around<'_>,
    ) -> ReaderWaits {
        let config = around.config;
        if config.paused {
            return ReaderWaits::Paused;
        }
        if self.members.is_empty() {
            return ReaderWaits::Away;
        }
        if state == Some(State::PassedOver) {
            let key = self.unsettled.get(offset).map_or(Key::NONE, |message| message.key);
            return ReaderWaits::KeyBusy { by: self.blocker(key) };
        }
        if !self.members.iter().any(|member| member.is_free(config)) {
            let has_credit = |member: &&Member| member.in_flight < member.credit(config);
            let rests = self.members.iter().filter(has_credit).filter_map(|member| member.rests);
            let in_flight = self.members.iter().map(|member| u64::from(member.in_flight)).sum();
            return match rests.min() {
                Some(until) => ReaderWaits::Resting { until },
                None => ReaderWaits::NoCredit { in_flight },
            };
        }
        if state.is_some() {
            let bars = self.barred.range((offset, MemberId(0))..=(offset, MemberId(u64::MAX)));
            let (too_large, members) = (bars.count() as u64, self.members.len() as u64);
            let is_barred = too_large > 0 && self.pick(Some(offset), config).is_none();
            return match is_barred {
                true => ReaderWaits::TooLarge { too_large, members },
                false => ReaderWaits::Nothing,
            };
        }
        match self.has_room(config) {
            true if offset >= self.permitted => ReaderWaits::AwaitingLog,
            true => ReaderWaits::Nothing,
            false => ReaderWaits::Held { by: self.position() },
        }
    }

    /// An unsettled message of a key, if it is among the first that are looked at.
    fn blocker(&self, key: Key) -> Option<Offset> {
        let keeps = |state| !matches!(state, State::PassedOver);
        let mut first = self.unsettled.iter().take(LOOK_MAX);
        first.find(|(_, one)| one.key == key && keeps(one.state)).map(|(offset, _)| offset)
    }
}
