//! Members that come and go, and readers that go on somewhere else.

use message_index::Offset;

use super::Stream;
use crate::reader::Reader;
use crate::{Action, InputError, MemberId, ReaderId, ReaderName, Report, Start};

impl Stream {
    pub(super) fn attach(
        &mut self,
        member: MemberId,
        name: ReaderName,
        start: Start,
        window: u32,
    ) -> Result<(), InputError> {
        if self.readers.of_member(member).is_some() {
            return Err(InputError::AlreadyAttached(member));
        }
        if window == 0 {
            return Err(InputError::NoCredit(member));
        }
        let id = match self.readers.of_name(&name) {
            Some(id) if name.is_group() => id,
            Some(id) if self.has_members(id) => return Err(InputError::ReaderBusy(name)),
            Some(id) => {
                self.reposition(id, start);
                id
            }
            None if self.readers.len() >= self.config.readers_max => {
                return Err(InputError::TooManyReaders { max: self.config.readers_max });
            }
            None => {
                let from = self.offset_of(start).unwrap_or_else(|| self.earliest());
                let id = self.readers.insert(Reader::new(name, from));
                self.withhold(id);
                id
            }
        };
        self.readers.attach(id, member, window);
        Ok(())
    }

    pub(super) fn detach(
        &mut self,
        member: MemberId,
        written: &[Offset],
    ) -> Result<(), InputError> {
        let id = self.readers.of_member(member).ok_or(InputError::UnknownMember(member))?;
        self.readers.detach(member);
        if let Some(reader) = self.readers.get_mut(id) {
            reader.remove(member, written);
        }
        self.readers.note_gone(id, self.clock.at(self.now));
        self.readers.stir(id);
        Ok(())
    }

    pub(super) fn seek(&mut self, name: ReaderName, to: Start) -> Result<(), InputError> {
        let id = self.readers.of_name(&name).ok_or(InputError::UnknownReader(name))?;
        self.reposition(id, to);
        self.readers.stir(id);
        Ok(())
    }

    pub(super) fn forget(
        &mut self,
        name: ReaderName,
        actions: &mut Vec<Action>,
    ) -> Result<(), InputError> {
        let Some(id) = self.readers.of_name(&name) else {
            return Err(InputError::UnknownReader(name));
        };
        if self.has_members(id) {
            return Err(InputError::ReaderBusy(name));
        }
        self.readers.remove(id);
        actions.push(Action::Forgotten { reader: id, name });
        Ok(())
    }

    /// A reader is again as it was reported, though members have come since.
    pub(super) fn put_back(&mut self, name: ReaderName, report: &Report) {
        let id = self.readers.of_name(&name).unwrap_or_else(|| {
            let id = self.readers.insert(Reader::new(name, Offset(0)));
            self.readers.note_gone(id, self.clock.at(self.now));
            id
        });
        if let Some(reader) = self.readers.get_mut(id) {
            reader.put_back(report);
            self.readers.moved(id);
        }
        self.withhold(id);
        self.readers.stir(id);
    }

    fn has_members(&self, id: ReaderId) -> bool {
        self.readers.get(id).is_some_and(Reader::has_members)
    }

    fn reposition(&mut self, id: ReaderId, start: Start) {
        let to = self.offset_of(start);
        if let (Some(reader), Some(to)) = (self.readers.get_mut(id), to) {
            reader.seek(to);
            self.readers.moved(id);
            self.withhold(id);
        }
    }

    /// Where a start is; none: where the reader is.
    fn offset_of(&self, start: Start) -> Option<Offset> {
        match start {
            Start::Earliest => Some(self.earliest()),
            Start::Latest => Some(self.index.next()),
            Start::Next => None,
            Start::Offset(offset) => Some(offset.clamp(self.earliest(), self.index.next())),
            Start::Time(time) => Some(self.offset_at(time)),
        }
    }
}
