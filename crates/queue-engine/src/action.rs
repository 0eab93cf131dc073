//! What a queue asks its caller to do. It must not know how it is done.

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
    /// The message's own time ran out: log it as expired within 50 ms.
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
    /// A lease ended and the message stays: log how many deliveries count, when there is something to log anyway.
    ///
    /// Nothing waits for it. It keeps a crash from setting the count back.
    Attempted {
        /// The message.
        offset: Offset,
        /// Deliveries that counted, also when this one did not.
        attempts: u32,
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
}

impl DeadReason {
    /// The value of the user property `dead-reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxAttempts => "max_attempts",
            Self::Rejected => "rejected",
            Self::TooLarge => "too_large",
        }
    }
}
