//! How much of a queue, or to a reader of a stream, the log knows that may have been delivered. It must not know what is
//! delivered, or to whom.
//!
//! After a crash attempt 1 means that there was no delivery before. So the log hears of deliveries *before* they are made: a
//! record says up to where they may be. To say so for each would cost a write for each, so it says more than is
//! needed now, about twice what was delivered of late; and takes back what was not, when that is over.
//!
//! ```text
//!           the first consumer                 more is needed
//!  Nothing ─────────────────────▶ asked ──────────────────────────────▶ asked
//!     ▲                             │ stored                              │ stored
//!     │  the last one has gone      ▼        too much was said            ▼
//!     └────────────────────────── said ◀──────────────────────────────── said
//! ```

use std::time::Duration;

use queue_engine::Offset;
use stdx::Instant;

/// Deliveries are counted for so long.
const PERIOD: Duration = Duration::from_millis(50);
/// More than that is said while nothing waits: it can be true of what comes only.
const IDLE: u64 = 256;
/// The first step when messages wait, doubled as long as it is too little.
const STEP: u64 = 64;
const STEP_MAX: u64 = 1 << 16;

/// What the queue or the reader is like at this moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// No message from here on was dispatched.
    pub(super) dispatched_to: Offset,
    /// Whether messages wait that were never dispatched, or would.
    pub(super) has_backlog: bool,
    pub(super) has_consumers: bool,
    /// Whether something would go if the log knew of it.
    pub(super) awaits: bool,
}

/// What is to be done with the next record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Plan {
    /// It says what the last one said.
    Same,
    /// It takes something back: not to be delivered from now on.
    Lower,
    /// It says more: to be delivered when it is stored.
    Raise,
    /// It is the first one: also what was set aside may be delivered when it is stored.
    Open,
    /// Nothing is delivered from now on.
    Close,
}

/// What the records say of one queue or reader.
#[derive(Debug)]
pub(super) struct Reservation {
    /// Deliveries may be made below, the newest record says.
    said: Offset,
    /// Whether that is more than the last one that is known to be stored says.
    is_asked: bool,
    /// Whether an earlier process said more.
    is_overstated: bool,
    /// Whether nothing is to be delivered.
    is_closed: bool,
    /// Whether the log takes nothing, and deliveries go on without it.
    is_lifted: bool,
    /// What is said ahead while messages wait.
    window: u64,
    /// Since when deliveries are counted, and where they were then.
    counted: (Instant, Offset),
}

impl Reservation {
    /// Nothing is delivered, and the log says so.
    pub(super) const fn closed(dispatched_to: Offset) -> Self {
        Self {
            said: dispatched_to,
            is_asked: false,
            is_overstated: false,
            is_closed: true,
            is_lifted: false,
            window: 0,
            counted: (Instant::ZERO, dispatched_to),
        }
    }

    /// The same, but that the log says more of what is still to come.
    pub(super) const fn overstated(dispatched_to: Offset) -> Self {
        Self { is_overstated: true, ..Self::closed(dispatched_to) }
    }

    /// The same while somebody consumes, who gets only what was dispatched before.
    pub(super) const fn open(dispatched_to: Offset) -> Self {
        Self { is_closed: false, ..Self::closed(dispatched_to) }
    }

    pub(super) const fn said(&self) -> Offset {
        self.said
    }

    /// Whether the next record has more to say than the last one.
    pub(super) fn wants_record(&self, look: Look) -> bool {
        if self.is_asked {
            return false;
        }
        if self.is_closed || !look.has_consumers {
            return self.is_closed == look.has_consumers || self.is_overstated;
        }
        let ahead = self.ahead(look);
        let is_exact =
            if look.has_backlog { ahead == 0 } else { ahead >= self.window.max(IDLE) / 2 };
        self.is_lifted || look.awaits || !is_exact
    }

    /// Whether a record is wanted at once.
    pub(super) const fn is_urgent(&self, look: Look) -> bool {
        look.awaits && !self.is_asked
    }

    const fn ahead(&self, look: Look) -> u64 {
        self.said.0.saturating_sub(look.dispatched_to.0)
    }

    /// What a record that is written now is to say.
    pub(super) fn plan(&mut self, look: Look, now: Instant) -> Plan {
        if self.is_asked {
            return Plan::Same;
        }
        if !look.has_consumers {
            let is_said = self.is_closed && !self.is_overstated;
            let plan = if is_said { Plan::Same } else { Plan::Close };
            *self = Self::closed(look.dispatched_to);
            return plan;
        }
        let is_over = now.since(self.counted.0) >= PERIOD;
        if is_over {
            let delivered = look.dispatched_to.0.saturating_sub(self.counted.1.0);
            self.window = delivered.saturating_mul(2).min(STEP_MAX);
            self.counted = (now, look.dispatched_to);
        }
        if look.awaits {
            self.window = self.window.saturating_mul(2).clamp(STEP, STEP_MAX);
        }
        let wanted = if look.has_backlog { self.window } else { self.window.max(IDLE) };
        let ahead = self.ahead(look);
        if self.is_closed || self.is_lifted || ahead < wanted / 2 || look.awaits {
            let plan = if self.is_closed { Plan::Open } else { Plan::Raise };
            let ahead = Offset(look.dispatched_to.0.saturating_add(wanted));
            let to = if look.has_backlog { ahead } else { on_grid(look.dispatched_to, wanted) };
            self.said = self.said.max(to);
            (self.is_asked, self.is_overstated) = (true, false);
            return plan;
        }
        if look.has_backlog && is_over && ahead > wanted {
            self.said = Offset(look.dispatched_to.0.saturating_add(wanted));
            return Plan::Lower;
        }
        Plan::Same
    }

    /// A record that said so is stored. True when that is what was asked for.
    pub(super) fn stored(&mut self, said: Offset) -> bool {
        let is_it = self.is_asked && said == self.said;
        if is_it {
            (self.is_asked, self.is_closed, self.is_lifted) = (false, false, false);
        }
        is_it
    }

    /// A record that said so was refused. Deliveries go on all the same: a consumer may be what makes room. True when they
    /// wait for it.
    pub(super) fn refused(&mut self, said: Offset) -> bool {
        let is_it = self.is_asked && said == self.said;
        if is_it {
            (self.is_asked, self.is_closed, self.is_lifted) = (false, false, true);
        }
        is_it
    }
}

/// About so far ahead, and half of it at the least; the same from many places, so that readers that keep up say the same.
fn on_grid(from: Offset, ahead: u64) -> Offset {
    let step = (ahead / 2).next_power_of_two();
    Offset((from.0 / step).saturating_add(2).saturating_mul(step))
}
