//! What a queue asks its caller to do. It must not know how it is done.

use stdx::UnixMillis;

use crate::{ConsumerId, Offset, StoredAt};

/// The one way out of a queue. Actions are to be performed in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Hand the message to the consumer, which now holds a lease.
    ///
    /// Durable first: the message itself, which it is since it was enqueued. The lease is not: after a crash the
    /// message is ready again.
    Deliver {
        /// Who gets it.
        consumer: ConsumerId,
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
        /// 1 = first delivery.
        attempt: u32,
    },
    /// A consumer accepted the message: log it as settled within 50 ms.
    ///
    /// The reference to the body may be dropped once that record is durable. A crash before it brings the message back.
    Settled {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
    },
    /// The message's own time or its retention ran out: log it as expired within 50 ms.
    ///
    /// The reference to the body may be dropped once that record is durable.
    Expired {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
    },
    /// The message cannot be consumed: move it to the dead letters, or drop it when the queue keeps none.
    ///
    /// The move must be durable before, or together with, the record that it left here; the reference to the body may be
    /// dropped after that. It counts as dead-lettered at once; a caller that dropped it says so with
    /// [`Input::DeadLetterDropped`](crate::Input::DeadLetterDropped).
    DeadLetter {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
        /// Why.
        reason: DeadReason,
        /// Deliveries that counted.
        attempts: u32,
    },
    /// A lease ended and the message stays, or it is delivered out of turn, or was passed over: log how many deliveries count and
    /// how long it waits, when there is something to log anyway.
    ///
    /// Nothing waits for it. It keeps a crash from setting the count back, and from ending the back-off.
    Attempted {
        /// The message.
        offset: Offset,
        /// Deliveries that counted, also when this one did not.
        attempts: u32,
        /// Until when it waits before it is tried again; none when it does not, or the wall clock was never told.
        until: Option<UnixMillis>,
    },
    /// A consumer accepted the message, and it stays replayable: log it as settled within 50 ms.
    ///
    /// The reference to the body must stay until [`Action::Forgotten`]. A crash before the record brings the message back.
    Kept {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
    },
    /// A settled message is not replayable any more: log that.
    ///
    /// The reference to the body may be dropped once that record is durable.
    Forgotten {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
    },
    /// The message was one too many: log it as dropped within 50 ms.
    ///
    /// The reference to the body may be dropped once that record is durable.
    Dropped {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
    },
    /// A newer message of its key took its place: log it as replaced within 50 ms.
    ///
    /// The reference to the body may be dropped once that record is durable.
    Replaced {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
    },
    /// An operator removed the message: log it as purged. It is gone for the operator when that is durable.
    ///
    /// The reference to the body may be dropped then.
    Purged {
        /// The message.
        offset: Offset,
        /// Where its body is.
        at: StoredAt,
    },
    /// Settled messages from this offset on are ready again: log that, before anything that happens to them.
    Rewound {
        /// The first.
        to: Offset,
        /// How many.
        count: u64,
    },
    /// The message has an id that is known: it does not become part of the queue, and has no offset.
    ///
    /// The reference to its body may be dropped at once: a replay comes to the same verdict.
    Duplicate {
        /// Where its body is.
        at: StoredAt,
    },
}

/// Why a message became a dead letter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeadReason {
    /// It was delivered as often as the queue allows.
    MaxAttempts,
    /// A consumer rejected it.
    Rejected,
    /// It is larger than any connected consumer takes.
    TooLarge,
    /// Its time ran out, in a queue that keeps such messages.
    Expired,
    /// It was one too many, in a queue that keeps such messages.
    Dropped,
    /// Its key expression had no value, in a queue that wants one.
    Unkeyed,
}

impl DeadReason {
    /// The value of the user property `dead-reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxAttempts => "max_attempts",
            Self::Rejected => "rejected",
            Self::TooLarge => "too_large",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
            Self::Unkeyed => "unkeyed",
        }
    }
}
