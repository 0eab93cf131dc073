//! What a queue can be told. It must not know what becomes of it.

use stdx::UnixMillis;

use crate::config::QueueConfig;
use crate::ids::{ConsumerId, Offset, StoredAt};

/// The one way into a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message that is durable.
    Enqueue {
        /// Where its body is.
        at: StoredAt,
        /// Its bytes, as limits and the ledger count them.
        size: u32,
        /// When it was stored.
        stored: UnixMillis,
    },
    /// A consumer begins.
    Attach {
        /// Who.
        consumer: ConsumerId,
        /// Unsettled messages it takes at most; the queue's own limit holds besides. 0 counts as 1.
        max_inflight: u32,
    },
    /// A consumer ends: it unsubscribed, or its connection is lost. What it had goes back at once and in order.
    Detach {
        /// Who.
        consumer: ConsumerId,
        /// Its unsettled messages that were written to its socket: for these an attempt counts.
        written: Vec<Offset>,
    },
    /// A consumer's verdict on a message that is leased to it.
    Settle {
        /// Who.
        consumer: ConsumerId,
        /// The message.
        offset: Offset,
        /// The verdict.
        outcome: Outcome,
    },
    /// A leased message is larger than its consumer takes: another gets it, and when nobody attached can, it is dead.
    ///
    /// No attempt counts. The consumer does not get this message again until it has attached anew.
    TooLarge {
        /// Who cannot take it.
        consumer: ConsumerId,
        /// The message.
        offset: Offset,
    },
    /// Time has passed: leases run out, back-offs and rests end. They do so only here.
    Tick,
    /// Other properties, at once. A queue is paused and resumed this way.
    Reconfigure(QueueConfig),
}

/// A consumer's verdict on a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Done: the message leaves.
    Accept,
    /// Not now: an attempt counts, and the message waits before it is tried again.
    Release,
    /// Too busy (0x97): no attempt counts, the consumer rests for `retry_delay`, another gets the message at once.
    Busy,
    /// Never (0x99): a dead letter now.
    Reject,
    /// The message's own time ran out before it was sent.
    Expired,
}

/// Why an input was refused. Nothing has changed then.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InputError {
    /// The consumer is not attached.
    #[error("consumer {0} is not attached")]
    UnknownConsumer(ConsumerId),
    /// The consumer is attached already.
    #[error("consumer {0} is attached already")]
    AlreadyAttached(ConsumerId),
    /// The message is not leased to the consumer, or no longer.
    #[error("offset {offset} is not leased to consumer {consumer}")]
    NotLeased {
        /// Who.
        consumer: ConsumerId,
        /// The message.
        offset: Offset,
    },
}
