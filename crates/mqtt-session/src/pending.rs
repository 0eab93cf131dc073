//! Messages that wait for the client, or for a place in its window. It must not know packet ids.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::delivery::{Delivery, Origin};

/// A message that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingDelivery {
    /// The message.
    pub delivery: Arc<Delivery>,
    /// Where it came from.
    pub origin: Origin,
}

/// What had to go because a limit was reached: the oldest, for the caller to count or to give back to its queue.
pub type Overflow = SmallVec<[PendingDelivery; 1]>;

/// Waiting messages in order, bounded by count and bytes.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    queue: VecDeque<PendingDelivery>,
    bytes: usize,
}

impl Pending {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(
        &mut self,
        pending: PendingDelivery,
        max_messages: usize,
        max_bytes: usize,
    ) -> Overflow {
        self.bytes += pending.delivery.size();
        self.queue.push_back(pending);
        let mut overflow = Overflow::new();
        while (self.queue.len() > max_messages || self.bytes > max_bytes)
            && let Some(oldest) = self.pop()
        {
            overflow.push(oldest);
        }
        overflow
    }

    pub(crate) fn front(&self) -> Option<&PendingDelivery> {
        self.queue.front()
    }

    pub(crate) fn pop(&mut self) -> Option<PendingDelivery> {
        let pending = self.queue.pop_front()?;
        self.bytes -= pending.delivery.size();
        Some(pending)
    }

    /// Takes out what `leaves` names, and says each to it once, in order.
    pub(crate) fn remove_where(&mut self, mut leaves: impl FnMut(&PendingDelivery) -> bool) {
        let bytes = &mut self.bytes;
        self.queue.retain(|pending| {
            let leaves = leaves(pending);
            if leaves {
                *bytes -= pending.delivery.size();
            }
            !leaves
        });
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.bytes == self.queue.iter().map(|pending| pending.delivery.size()).sum::<usize>()
    }
}
