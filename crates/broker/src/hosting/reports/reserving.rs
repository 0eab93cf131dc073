//! What records say of deliveries to readers, and what readers may be given by what is stored. It must not know how much that
//! is to be.

use std::ops::Range;

use stdx::Instant;
use stream_engine::{Offset, Outlook, ReaderId, Report};

use super::super::reservation::{Look, Plan, Reservation};
use super::{Known, Reports};

/// All may be delivered.
const ALL: Offset = Offset(u64::MAX);

impl Reports {
    /// Whether readers are given nothing that the log does not know of.
    pub(in super::super) const fn is_reserving(&self) -> bool {
        self.is_reserving
    }

    /// Readers are given nothing that the log does not know of, from now on; or anything.
    pub(in super::super) fn reserve(&mut self, is_reserving: bool) {
        self.is_reserving = is_reserving;
        self.asked.clear();
        self.awaiting.clear();
        self.readers.values_mut().for_each(|known| known.reservation = None);
    }

    /// An earlier process said more of a reader than is true.
    pub(in super::super) fn overstated(&mut self, reader: ReaderId, outlook: &Outlook) {
        let reservation = Reservation::overstated(outlook.dispatched_to);
        self.change(reader).reservation = Some(reservation);
    }

    /// A reader was looked at.
    pub(in super::super) fn look(&mut self, reader: ReaderId, outlook: &Outlook) {
        let look = look_of(outlook);
        let has_none = |known: &Known| known.reservation.is_none();
        if !look.has_consumers && self.readers.get(&reader).is_none_or(has_none) {
            return;
        }
        let closed = || Reservation::closed(look.dispatched_to);
        let reservation = self.known(reader).reservation.get_or_insert_with(closed);
        let (wants_record, is_urgent) =
            (reservation.wants_record(look), reservation.is_urgent(look));
        if is_urgent {
            self.awaiting.push(reader);
        }
        if wants_record {
            self.list(reader);
        }
    }

    /// Whether somebody waits for a record that is not written yet.
    pub(in super::super) const fn is_awaited(&self) -> bool {
        !self.awaiting.is_empty()
    }

    /// Below which the log says that messages may have been given to a reader.
    pub(in super::super) fn said(&self, reader: ReaderId) -> Offset {
        let reservation = self.readers.get(&reader).and_then(|known| known.reservation.as_ref());
        reservation.map_or(Offset(0), Reservation::said)
    }

    /// A record is stored: what readers may be given now.
    pub(in super::super) fn stored(
        &mut self,
        said: &[(Range<u64>, Report)],
    ) -> Vec<(ReaderId, Offset)> {
        self.answered(said, |reservation, to| reservation.stored(to).then_some(to))
    }

    /// A record is not stored: who goes on without it.
    pub(super) fn refused(&mut self, said: &[(Range<u64>, Report)]) -> Vec<(ReaderId, Offset)> {
        self.answered(said, |reservation, to| reservation.refused(to).then_some(ALL))
    }

    fn answered(
        &mut self,
        said: &[(Range<u64>, Report)],
        permit: impl Fn(&mut Reservation, Offset) -> Option<Offset>,
    ) -> Vec<(ReaderId, Offset)> {
        let mut permits = Vec::new();
        let readers = &mut self.readers;
        self.asked.retain(|reader| {
            let Some(known) = readers.get_mut(reader) else { return false };
            let (report, reservation) = (known.said_in(said), known.reservation.as_mut());
            let to = report.zip(reservation).and_then(|(report, reservation)| {
                permit(reservation, report.progress.delivered_to)
            });
            permits.extend(to.map(|to| (*reader, to)));
            to.is_none()
        });
        permits
    }
}

impl Known {
    /// Decides what the next record says of deliveries.
    pub(super) fn plan(&mut self, outlook: &Outlook, now: Instant) -> Planned {
        let look = look_of(outlook);
        let Some(reservation) = &mut self.reservation else {
            return Planned { plan: Plan::Same, to: look.dispatched_to, is_open: false };
        };
        let plan = reservation.plan(look, now);
        // What goes on without the log may be further.
        let to = reservation.said().max(look.dispatched_to);
        let is_open = reservation.wants_record(look);
        if plan == Plan::Close {
            self.reservation = None;
        }
        Planned { plan, to, is_open }
    }
}

/// What a record says of deliveries to a reader.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// They may be made below.
    pub(super) to: Offset,
    /// Whether there will be more to be said, whatever happens.
    pub(super) is_open: bool,
}

const fn look_of(outlook: &Outlook) -> Look {
    Look {
        dispatched_to: outlook.dispatched_to,
        has_backlog: !outlook.is_hungry,
        has_consumers: outlook.has_members,
        awaits: outlook.awaits_permit,
    }
}
