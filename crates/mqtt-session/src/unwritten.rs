//! Deliveries of queues at QoS 0 that are not yet in the socket. It must not know the socket.

use std::collections::VecDeque;

use crate::delivery::Released;

/// In the order they were sent: at QoS 0 nobody acknowledges, so a delivery is settled when it is written.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    queue: VecDeque<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The end of its PUBLISH in the connection's output.
    mark: u64,
    delivery: Released,
}

impl Unwritten {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// `delivery` as it is to be given when it is written.
    pub(crate) fn push(&mut self, mark: u64, delivery: Released) {
        self.queue.push_back(Entry { mark, delivery });
    }

    pub(crate) fn settle(&mut self, written: u64, settled: &mut Vec<Released>) {
        while let Some(first) = self.queue.front().filter(|first| first.mark <= written) {
            settled.push(first.delivery);
            self.queue.pop_front();
        }
    }

    pub(crate) fn release(
        &mut self,
        written: u64,
        released: &mut Vec<Released>,
        is_released: impl Fn(u64) -> bool,
    ) {
        self.queue.retain(|one| {
            let leaves = is_released(one.delivery.consumer);
            if leaves {
                released.push(Released { written: one.mark <= written, ..one.delivery });
            }
            !leaves
        });
    }
}
