//! One outgoing message in flight. It must not know its packet id.

use std::sync::Arc;

use crate::delivery::{Delivery, Origin, Released};

/// What the client owes next.
///
/// ```text
/// QoS 1:  PUBLISH ──▶ PubAck ── PUBACK, any reason ──▶ Nothing
/// QoS 2:  PUBLISH ──▶ PubRec ── PUBREC < 0x80: PUBREL ──▶ PubComp ── PUBCOMP ──▶ Nothing
///                       │                                  ▲
///                       ├── PUBREC >= 0x80 ──▶ Nothing     │
///                       └── connection lost, given back ───┘  (PUBREL on resume)
/// ```
/// Any other acknowledgement is a protocol error; one for an id not in flight is answered by 0x92.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Awaiting {
    /// The handshake is over, the id free.
    Nothing,
    PubAck,
    PubRec,
    PubComp,
}

/// The place of a PUBREC that never came: behind those that did.
const NO_PUBREC: u64 = u64::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) origin: Origin,
    /// The end of its PUBLISH in the connection's output, counted in bytes from the connection's start; when the client
    /// has the message, the place of its PUBREC among others.
    pub(crate) mark: u64,
    /// Kept only to be sent again.
    pub(crate) delivery: Option<Arc<Delivery>>,
    pub(crate) awaiting: Awaiting,
}

impl Slot {
    pub(crate) const fn done() -> Self {
        Self { origin: Origin::Live, mark: 0, delivery: None, awaiting: Awaiting::Nothing }
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.awaiting == Awaiting::Nothing
    }

    /// PUBREC came, in that place among others: the client owns the message, only the packet id is still to be freed.
    pub(crate) fn received(&mut self, place: u64) {
        self.awaiting = Awaiting::PubComp;
        self.mark = place;
        self.origin = Origin::Live;
        self.delivery = None;
    }

    /// Gives the delivery back to its queue, if it is of one and unsettled.
    pub(crate) fn release(&mut self, written: u64) -> Option<Released> {
        match (self.origin, self.awaiting) {
            (Origin::Queue { consumer, offset, attempt }, Awaiting::PubAck | Awaiting::PubRec) => {
                self.origin = Origin::Live;
                Some(Released { consumer, offset, attempt, written: self.mark <= written })
            }
            _ => None,
        }
    }

    /// What becomes of a released or live slot when the connection is gone and the session is not.
    pub(crate) fn survives(&mut self, written: u64) -> bool {
        match self.awaiting {
            Awaiting::Nothing => false,
            Awaiting::PubComp => true,
            Awaiting::PubAck | Awaiting::PubRec if self.delivery.is_some() => true,
            Awaiting::PubAck => false,
            Awaiting::PubRec => {
                let is_written = self.mark <= written;
                self.received(NO_PUBREC);
                is_written
            }
        }
    }
}
