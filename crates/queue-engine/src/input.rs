//! What a queue can be told. It must not know what becomes of it.

use stdx::UnixMillis;

use crate::{ConsumerId, Key, MessageId, Offset, QueueConfig, StoredAt};

/// The one way into a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A message that is durable.
    Enqueue(NewMessage),
    /// A consumer begins.
    Attach {
        /// Who.
        consumer: ConsumerId,
        /// Unsettled messages it takes at most; the queue's own limit holds besides.
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
        /// Which delivery it is of: a message whose lease ran out may be with its consumer twice. To release what is
        /// there, it must be the newer.
        attempt: u32,
        /// The verdict.
        outcome: Outcome,
    },
    /// A leased message is larger than its consumer takes: another gets it, and when nobody connected can, it is dead.
    TooLarge {
        /// Who cannot take it.
        consumer: ConsumerId,
        /// The message.
        offset: Offset,
        /// Which delivery could not be made.
        attempt: u32,
    },
    /// The caller did not keep a dead letter: it counts as dropped instead of dead-lettered.
    DeadLetterDropped {
        /// The message.
        offset: Offset,
    },
    /// Time has passed: leases run out, back-offs and rests end.
    Tick,
    /// What the wall clock shows at this moment. Until it is told for the first time, nothing expires and nothing that is
    /// held back falls due; told again, it corrects what was derived since.
    Clock(UnixMillis),
    /// An operator removes messages. Those in flight stay with their consumers.
    Purge {
        /// Which.
        scope: Scope,
        /// How many at most. The caller goes on after the last one as long as as many as this have gone.
        max: usize,
    },
    /// An operator wants what was settled again: what is still kept from this offset on is ready, and counts as settled no
    /// more. What was settled must be logged before.
    Rewind(Offset),
    /// The caller stores a waiting message elsewhere, by a record that takes it out here: it counts as settled, and is not
    /// kept.
    Redriven(Offset),
    /// The log knows that messages below `to` may have been delivered, and of those that were held back these: so they may
    /// be. Without `to` only the latter is new. A lower `to` than before takes back what was not made use of.
    Permit {
        /// First deliveries are below.
        to: Option<Offset>,
        /// Messages of which [`Action::Attempted`](crate::Action::Attempted) is in the log.
        tried: Vec<Offset>,
    },
    /// Deliver nothing until there is a permit. Not while there are consumers that may have something.
    Withhold,
    /// Deliver nothing more.
    Pause,
    /// Deliver again.
    Resume,
    /// Other properties, at once.
    Reconfigure(Box<QueueConfig>),
    /// Keys that [`Queue::to_rekey`](crate::Queue::to_rekey) asked for in that round, in the order that it gave.
    Rekey {
        /// Which round it was.
        round: u64,
        /// Them.
        made: Vec<MadeKey>,
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
    /// Its key. Kept only by a queue whose properties need it when the message comes.
    pub key: Key,
    /// Of which making its key is. One of another than the queue's is made anew.
    pub key_generation: u8,
    /// Whether its key expression had no value, and the queue wanted one when the message was stored.
    pub is_unkeyed: bool,
    /// When its own time runs out.
    pub expires: Option<UnixMillis>,
    /// Not to be delivered before.
    pub not_before: Option<UnixMillis>,
    /// What it is known by for deduplication.
    pub message_id: Option<MessageId>,
}

impl NewMessage {
    /// A message of which no more is known.
    #[must_use]
    pub const fn new(at: StoredAt, size: u32, stored: UnixMillis) -> Self {
        Self {
            at,
            size,
            stored,
            key: Key::NONE,
            key_generation: 0,
            is_unkeyed: false,
            expires: None,
            not_before: None,
            message_id: None,
        }
    }
}

/// A key made anew, of a message that was here already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MadeKey {
    /// The message.
    pub offset: Offset,
    /// Its key; where there is none, what stands in for it.
    pub key: Key,
    /// Whether its key expression has no value.
    pub is_unkeyed: bool,
}

/// Which messages an operator means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Those of a range. From the first offset: to seek forward.
    Range(std::ops::Range<Offset>),
    /// Those of a range that have this key, in a queue that keeps keys.
    Key(std::ops::Range<Offset>, Key),
    /// These, as far as they wait here.
    Offsets(Vec<Offset>),
}

/// A consumer's verdict on a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Done: the message leaves.
    Accept,
    /// Not now: an attempt counts, and the message waits before it is tried again.
    Release,
    /// Too busy (0x97): no attempt counts, the consumer rests, another gets the message at once.
    Busy,
    /// Never: a dead letter now.
    Reject,
    /// The message's own time ran out before it was handed over.
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
    /// The consumer would never get anything.
    #[error("consumer {0} takes no messages: its max_inflight is 0")]
    NoCredit(ConsumerId),
    /// Somebody may have been given something.
    #[error("the queue has consumers")]
    HasConsumers,
    /// The message is not leased to the consumer, or no longer, or since anew.
    #[error("offset {offset} is not leased to consumer {consumer}")]
    NotLeased {
        /// Who.
        consumer: ConsumerId,
        /// The message.
        offset: Offset,
    },
    /// The message is not here, or in flight.
    #[error("offset {0} does not wait in this queue")]
    NotWaiting(Offset),
    /// No message of this queue is counted as dead-lettered.
    #[error("offset {0} is no dead letter of this queue")]
    NoDeadLetter(Offset),
}
