//! Telling the log what may be delivered, and the engine what the log knows. It must not know how much that is to be.

use queue_engine::{Input, Offset};

use super::queue::HostedQueue;
use super::reservation::{Look, Plan, Reservation};
use crate::directory::Durability;
use crate::record::{SettleRecord, Tried};
use crate::turn::Turn;

/// All may be delivered.
const ALL: Offset = Offset(u64::MAX);

/// What a settle record says of deliveries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    /// They may be made below.
    pub(super) to: Offset,
    /// Whether deliveries wait for it.
    pub(super) is_awaited: bool,
    /// Whether the record before said something else.
    pub(super) is_new: bool,
}

impl HostedQueue {
    /// Whether a restart finds messages, and so how often they were delivered.
    fn outlives_the_process(&self) -> bool {
        self.definition.properties.durability != Durability::Memory
    }

    /// A queue begins: nobody consumes it.
    pub(super) fn reserve(&mut self) {
        if self.outlives_the_process() && self.engine.withhold().is_ok() {
            let dispatched_to = self.engine.dispatched_to();
            self.reservation = Some(match self.engine.is_overstated() {
                true => Reservation::overstated(dispatched_to),
                false => Reservation::closed(dispatched_to),
            });
        }
    }

    /// A queue may have another durability than before.
    pub(super) fn reserve_or_not(&mut self, turn: &mut Turn) {
        if self.outlives_the_process() == self.reservation.is_some() {
            return;
        }
        let dispatched_to = self.engine.dispatched_to();
        let to = if self.reservation.is_some() { ALL } else { dispatched_to };
        self.reservation = self.reservation.is_none().then(|| Reservation::open(dispatched_to));
        self.handle(Input::Permit { to: Some(to), tried: Vec::new() }, turn);
    }

    fn look(&self) -> Look {
        Look {
            dispatched_to: self.engine.dispatched_to(),
            has_backlog: self.engine.has_fresh(),
            has_consumers: self.engine.has_consumers(),
            awaits: self.engine.awaits_permit(),
        }
    }

    pub(super) fn wants_to_reserve(&self) -> bool {
        let reservation = self.reservation.as_ref();
        reservation.is_some_and(|reservation| reservation.wants_record(self.look()))
    }

    /// Whether somebody waits for a record that is not written yet.
    pub(super) fn awaits_log(&self) -> bool {
        let reservation = self.reservation.as_ref();
        reservation.is_some_and(|reservation| reservation.is_urgent(self.look()))
    }

    /// Below which the log says that messages may have been delivered.
    pub(super) fn reserved_to(&self) -> Offset {
        self.reservation.as_ref().map_or(Offset(0), Reservation::said)
    }

    /// Decides what the next record says, and takes back from the engine what it does not say any more.
    pub(super) fn reserve_more(&mut self, turn: &mut Turn) -> Reserved {
        let look = self.look();
        let Some(reservation) = &mut self.reservation else {
            return Reserved { to: look.dispatched_to, is_awaited: false, is_new: false };
        };
        let plan = reservation.plan(look, turn.now);
        let to = reservation.said();
        match plan {
            Plan::Same | Plan::Raise => {}
            Plan::Lower => self.handle(Input::Permit { to: Some(to), tried: Vec::new() }, turn),
            Plan::Open => {
                self.say_untried(1);
                self.engine.begin_to_permit();
            }
            Plan::Close => {
                self.handle(Input::Withhold, turn);
                self.say_untried(0);
            }
        }
        let is_awaited = matches!(plan, Plan::Raise | Plan::Open);
        // What goes on without the log may be further.
        let to = to.max(if is_awaited { to } else { look.dispatched_to });
        Reserved { to, is_awaited, is_new: plan != Plan::Same }
    }

    fn say_untried(&mut self, attempts: u32) {
        let untried = self.engine.untried().into_iter();
        self.attempts.extend(untried.map(|offset| Tried { offset, attempts, until: None }));
    }

    /// A record is stored that deliveries waited for.
    pub(super) fn deliver_what_is_logged(&mut self, record: &SettleRecord, turn: &mut Turn) {
        let to = record.dispatched_to;
        let is_it = self.reservation.as_mut().is_some_and(|reservation| reservation.stored(to));
        if is_it || self.engine.has_announced() {
            let tried = record.attempts.iter().map(|tried| tried.offset).collect();
            self.handle(Input::Permit { to: is_it.then_some(to), tried }, turn);
        }
    }

    /// A record that deliveries waited for is not stored.
    pub(super) fn go_on_without_log(&mut self, record: &SettleRecord, turn: &mut Turn) {
        let to = record.dispatched_to;
        let is_it = self.reservation.as_mut().is_some_and(|reservation| reservation.refused(to));
        if is_it || self.engine.has_announced() {
            let tried = record.attempts.iter().map(|tried| tried.offset).collect();
            self.handle(Input::Permit { to: is_it.then_some(ALL), tried }, turn);
        }
    }
}
