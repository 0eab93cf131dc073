//! What a stream can be told. It must not know what becomes of it.

use message_index::{Key, Offset, StoredAt};
use stdx::UnixMillis;

use crate::{MemberId, ReaderId, ReaderName, Report, StreamConfig};

/// The one way into a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message that is durable.
    Append(NewMessage),
    /// A subscription begins to read.
    Attach {
        /// Who reads.
        member: MemberId,
        /// Whose position it reads from. A client's has one member at a time, a group's any number.
        reader: ReaderName,
        /// Where to start. A group that is known goes on where it is, whatever a new member says.
        start: Start,
        /// Messages in flight it takes at most: its Receive Maximum. The stream's own limit holds besides.
        window: u32,
    },
    /// A subscription ends: it unsubscribed, or its connection is lost. What it had is delivered again: to the others of its
    /// group at once, to a client when it comes back.
    Detach {
        /// Who.
        member: MemberId,
        /// Its unsettled messages that were written to its socket: for these an attempt counts.
        written: Vec<Offset>,
    },
    /// What became of a message at a member.
    Settle {
        /// Who.
        member: MemberId,
        /// The message.
        offset: Offset,
        /// What became of it.
        outcome: Outcome,
    },
    /// A reader is to go on somewhere else. What its members have stays with them, and is not delivered twice at a time.
    Seek {
        /// Who.
        reader: ReaderName,
        /// Where. [`Start::Next`] leaves it where it is.
        to: Start,
    },
    /// A reader without members is not to be known any more.
    Forget(ReaderName),
    /// What was done to a reader could not be logged: it goes on where a report has it, which says all of it, and is known
    /// again if it was forgotten. What its members have stays with them.
    PutBack {
        /// Who.
        reader: ReaderName,
        /// How it was.
        report: Report,
    },
    /// The log knows that these readers may have been given messages below these offsets: so they may be. A lower one than
    /// before takes back what was not made use of.
    Permit(Vec<(ReaderId, Offset)>),
    /// An operator removes messages.
    Purge {
        /// Which.
        scope: Scope,
        /// How many at most. The caller goes on after the last one as long as as many as this have gone.
        max: usize,
    },
    /// Time has passed: back-offs and rests end.
    Tick,
    /// What the wall clock shows at this moment. Until it is told for the first time nothing expires; told again, it
    /// corrects what was derived since.
    Clock(UnixMillis),
    /// Deliver nothing more.
    Pause,
    /// Deliver again.
    Resume,
    /// Other properties, at once.
    Reconfigure(Box<StreamConfig>),
    /// Keys that [`Stream::to_rekey`](crate::Stream::to_rekey) asked for in that round, in the order that it gave.
    Rekey {
        /// Which round it was.
        round: u64,
        /// Messages and their keys.
        made: Vec<(Offset, Key)>,
    },
}

/// A message as it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewMessage {
    /// Where its body is.
    pub at: StoredAt,
    /// Its bytes, as limits and the ledger count them.
    pub size: u32,
    /// When it was stored.
    pub stored: UnixMillis,
    /// Its key. Kept only by a stream whose properties need it when the message comes.
    pub key: Key,
    /// Of which making its key is. One of another than the stream's is made anew.
    pub key_generation: u8,
    /// When its own time runs out.
    pub expires: Option<UnixMillis>,
}

impl NewMessage {
    /// A message of which no more is known.
    #[must_use]
    pub const fn new(at: StoredAt, size: u32, stored: UnixMillis) -> Self {
        Self { at, size, stored, key: Key::NONE, key_generation: 0, expires: None }
    }
}

/// Where a reader starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the oldest message that is kept.
    Earliest,
    /// At the next message to come.
    Latest,
    /// Where it is; at the oldest if it is not known.
    Next,
    /// At that message; at the oldest if that is gone, at the next to come if it has not come yet.
    Offset(Offset),
    /// At the first message that was stored then or later.
    Time(UnixMillis),
}

/// Which messages an operator means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Those of a range.
    Range(std::ops::Range<Offset>),
    /// Those of a range that have this key, in a stream that keeps keys.
    Key(std::ops::Range<Offset>, Key),
    /// These, as far as they are here.
    Offsets(Vec<Offset>),
}

/// What became of a message at a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Done.
    Accept,
    /// Not now: an attempt counts, and it comes again after a while.
    Release,
    /// Too busy (0x97): no attempt counts, and the member rests. Another of the group gets it at once.
    Busy,
    /// Never: this reader passes it by, and it counts as rejected. Others still read it.
    Reject,
    /// It is larger than the member takes: another of the group gets it; if there is none that can, the reader passes it
    /// by, and it counts as skipped.
    TooLarge,
    /// Its time ran out, or its body was given up, before it was handed over: it counts as skipped.
    Gone,
}

/// Why an input was refused. Nothing has changed then.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InputError {
    /// The member is not attached.
    #[error("member {0} is not attached")]
    UnknownMember(MemberId),
    /// The member is attached already.
    #[error("member {0} is attached already")]
    AlreadyAttached(MemberId),
    /// The member would never get anything.
    #[error("member {0} takes no messages: its window is 0")]
    NoCredit(MemberId),
    /// A client reads with one subscription at a time, and what reads cannot be forgotten.
    #[error("{0} reads already; detach it first")]
    ReaderBusy(ReaderName),
    /// The reader is not known.
    #[error("{0} has no position in this stream")]
    UnknownReader(ReaderName),
    /// There would be too many readers.
    #[error("the stream keeps the positions of {max} readers, which is all it may; forget one")]
    TooManyReaders {
        /// The most that it keeps.
        max: usize,
    },
    /// The message is not in flight at the member, or no longer.
    #[error("offset {offset} is not in flight at member {member}")]
    NotInFlight {
        /// Who.
        member: MemberId,
        /// The message.
        offset: Offset,
    },
}
