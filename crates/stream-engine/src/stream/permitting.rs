//! Deliveries that the log knows of before they are made.

use message_index::Offset;

use super::Stream;
use crate::reader::{Halt, Reader};
use crate::{Outlook, ReaderId};

impl Stream {
    /// Whether readers are given nothing for the first time that there is no [`Input::Permit`](crate::Input::Permit) for.
    /// A reader that begins or goes elsewhere has none.
    ///
    /// Then [`Stream::take_looked_at`] says of whom there may be something to be logged: of all at first. When none is asked for any
    /// more, what waited for one goes with the next input.
    pub fn ask_for_permits(&mut self, asks: bool) {
        self.asks_permits = asks;
        self.looked_at.clear();
        if asks {
            self.readers.iter_mut().for_each(Reader::withhold);
            self.looked_at.extend(self.readers.iter().map(|(id, _)| id));
        } else {
            self.readers.iter_mut().for_each(|reader| reader.permit(Offset(u64::MAX)));
            self.readers.stir_all();
        }
    }

    pub(super) fn permit(&mut self, permits: &[(ReaderId, Offset)]) {
        for (id, to) in permits.iter().filter(|_| self.asks_permits) {
            if let Some(reader) = self.readers.get_mut(*id) {
                reader.permit(*to);
                self.readers.stir(*id);
            }
        }
    }

    /// A reader is somewhere else than the log has it.
    pub(super) fn withhold(&mut self, id: ReaderId) {
        if let Some(reader) = self.readers.get_mut(id).filter(|_| self.asks_permits) {
            reader.withhold();
        }
    }

    /// Appends the readers of which something may have changed that [`Stream::outlook`] tells, since that was asked last.
    pub fn take_looked_at(&mut self, out: &mut Vec<ReaderId>) {
        out.append(&mut self.looked_at);
    }

    /// What a reader has been given and is about to be given.
    #[must_use]
    pub fn outlook(&self, id: ReaderId) -> Option<Outlook> {
        let (reader, halt) = (self.readers.get(id)?, self.readers.halt(id)?);
        Some(Outlook {
            dispatched_to: reader.dispatched_to(),
            has_members: reader.has_members(),
            is_hungry: halt == Halt::Hungry,
            awaits_permit: halt == Halt::Withheld,
        })
    }

    /// All of the log was replayed: what comes from now on was given to nobody, whatever the log says.
    pub fn end_replay(&mut self) {
        let end = self.index.next();
        self.readers.iter_mut().for_each(|reader| reader.end_replay(end));
    }

    /// Readers of which the log says that they may have been given messages that are still to come, and is to be told
    /// otherwise soon.
    pub fn overstated(&self) -> impl Iterator<Item = ReaderId> {
        self.readers.iter().filter(|(_, reader)| reader.is_overstated()).map(|(id, _)| id)
    }
}
