//! What a queue does beyond what its engine is told: its key, its durability, where its dead letters go. It must not know
//! how that is done.

use key_expression::KeyExpression;
use queue_engine::QueueConfig;

/// What a publisher may rely on when its message is acknowledged. The numbers are on disk and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Durability {
    /// The message is on the disk, synced.
    #[default]
    Sync = 1,
    /// The message is written, and synced within `sync_interval`: it survives the process, perhaps not a power cut.
    Os = 2,
    /// The message is gone with the process, and counts as dropped then.
    Memory = 3,
}

impl Durability {
    /// The class of a number on disk.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Sync, Self::Os, Self::Memory].into_iter().find(|one| *one as u8 == number)
    }
}

/// Where a queue's dead letters go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum DeadLetter {
    /// To a queue of its own, `dead:<name>`, that is made when it is needed.
    #[default]
    Own,
    /// Nowhere: they are dropped, and counted so.
    None,
    /// To the queue of that name.
    Queue(Box<str>),
}

/// The properties of a queue.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct QueueProperties {
    /// What its engine goes by.
    pub config: QueueConfig,
    /// What makes the keys of its messages.
    pub key_expression: KeyExpression,
    /// What an acknowledgement stands for.
    pub durability: Durability,
    /// Where its dead letters go.
    pub dead_letter: DeadLetter,
}
