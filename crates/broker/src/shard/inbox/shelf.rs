//! Bodies of one inbox that are at hand, so that a client that keeps up never reads the disk. It must not know where they come
//! from.

use std::collections::VecDeque;

use mqtt_types::Message;
use smallvec::SmallVec;

use crate::budget::Budget;

/// Bodies that are kept at hand for one session.
pub(super) const SHELF_MESSAGES_MAX: usize = 256;
/// Their bytes, but for the one message that always has room.
const SHELF_BYTES_MAX: usize = 256 * 1024;

/// A body with what goes along.
pub(super) struct Body {
    pub(super) sequence: u64,
    pub(super) message: Message,
    pub(super) identifiers: SmallVec<[u32; 4]>,
}

/// A message whose body the log was asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) sequence: u64,
    /// Where it lay then.
    pub(super) at: u64,
    /// Which of the session's copies it is, if subscription identifiers go along that the inbox does not know: those are in the
    /// list of all sessions that get the message, which can be long.
    pub(super) copy: Option<u8>,
}

/// Bodies of one inbox that are at hand, in order, and those that were asked for.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(super) bodies: VecDeque<Body>,
    pub(super) bytes: usize,
    /// What the log was asked for, in the order of the answers.
    pub(super) asked: VecDeque<Asked>,
    /// Bodies are read with the lists of all sessions that get the message: subscription identifiers of this client are
    /// there alone.
    pub(super) with_lists: bool,
}

pub(super) fn shelf_bytes_max(memory: &Budget) -> usize {
    memory.share().min(SHELF_BYTES_MAX)
}

impl Shelf {
    pub(crate) fn is_empty(&self) -> bool {
        self.bodies.is_empty() && self.asked.is_empty()
    }

    /// Nobody is connected any more: what was asked for will still be answered.
    pub(crate) fn clear(&mut self) {
        self.bodies = VecDeque::new();
        self.bytes = 0;
        self.with_lists = false;
    }

    pub(super) fn has_room(&self, memory: &Budget) -> bool {
        self.bodies.is_empty()
            || self.bodies.len() < SHELF_MESSAGES_MAX && self.bytes < shelf_bytes_max(memory)
    }

    pub(super) fn push(&mut self, body: Body) {
        self.bytes += body.message.bytes().len();
        self.bodies.push_back(body);
    }

    /// The body of that number; older ones are not needed any more.
    pub(super) fn take(&mut self, sequence: u64) -> Option<Body> {
        while self.bodies.front().is_some_and(|body| body.sequence <= sequence) {
            let body = self.bodies.pop_front()?;
            self.bytes -= body.message.bytes().len();
            if body.sequence == sequence {
                return Some(body);
            }
        }
        None
    }
}
