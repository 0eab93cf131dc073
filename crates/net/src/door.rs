//! What reaches a thread of the network side beside its poll: connections of other threads, and words to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::{Registry, Token, Waker};
use parking_lot::Mutex;
use stdx::Instant;

use crate::transport::Transport;

/// The token of each thread's waker.
pub(crate) const WAKER: Token = Token(0);

/// A connection that another thread accepted, with what it has sent so far.
pub(crate) struct Handover {
    pub(crate) transport: Transport,
    pub(crate) bytes: Vec<u8>,
    /// When it was accepted.
    pub(crate) accepted: Instant,
}

/// What reaches a thread beside its poll.
pub(crate) struct Door {
    pub(crate) handovers: Mutex<Vec<Handover>>,
    pub(crate) stop: AtomicBool,
    pub(crate) closed_to_new: AtomicBool,
    waker: Waker,
}

impl Door {
    pub(crate) fn new(registry: &Registry) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            handovers: Mutex::new(Vec::new()),
            stop: AtomicBool::new(false),
            closed_to_new: AtomicBool::new(false),
            waker: Waker::new(registry, WAKER)?,
        }))
    }

    /// Gives the thread a connection.
    pub(crate) fn hand_over(&self, handover: Handover) {
        self.handovers.lock().push(handover);
        self.wake();
    }

    /// Sets a flag of this door and has the thread look at it.
    pub(crate) fn signal(&self, flag: impl FnOnce(&Self) -> &AtomicBool) {
        flag(self).store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "a thread of the network side could not be woken");
        }
    }
}
