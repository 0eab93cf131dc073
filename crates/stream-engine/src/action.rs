//! What a stream asks its caller to do. It must not know how it is done.

use message_index::{Offset, StoredAt};

use crate::{Departure, MemberId, Progress, ReaderId, ReaderName};

/// The one way out of a stream. Actions are to be performed in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Hand the message to the member.
    ///
    /// Durable first: the message itself, which it is since it was appended; and, where that is asked for, that its reader may
    /// have been given it, which there was a permit for. The message may be removed while it is on its
    /// way; if its body is gone before it is read, the caller settles it as [`Outcome::Gone`](crate::Outcome::Gone).
    Deliver {
        /// Who gets it.
        member: MemberId,
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
        /// 1 = first delivery.
        attempt: u32,
    },
    /// A reader has come on, begins, or was set elsewhere: log a [`Report`](crate::Report) of it within 50 ms.
    /// [`Stream::report`](crate::Stream::report) makes one at any time later, which says this and what came since.
    ///
    /// A crash before that record takes the reader back to the one before, and what it settled since comes again.
    Position {
        /// Whose; [`Stream::reader_name`](crate::Stream::reader_name) has the name.
        reader: ReaderId,
        /// How far it has come.
        progress: Progress,
        /// Whether nothing holds any more that was said of it before.
        begins: bool,
    },
    /// A reader has settled a message behind one that it has not settled: its next report, within 50 ms, is to say so
    /// unless the position is above it by then.
    Settled {
        /// Who.
        reader: ReaderId,
        /// What.
        offset: Offset,
    },
    /// A reader's position is not kept any more: log that, instead of any position of it that waits to be logged.
    Forgotten {
        /// Whose. The number may come to stand for another reader.
        reader: ReaderId,
        /// The name.
        name: ReaderName,
    },
    /// A message has left the stream: log that within 50 ms.
    ///
    /// The reference to the body may be dropped once that record is durable. A crash before it brings the message back,
    /// until the stream comes to the same end again; what was purged stays then.
    Removed {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
        /// Why.
        how: Departure,
    },
}
