//! Looking at messages and readers without changing anything.

use message_index::{Key, NEVER, Offset, StoredAt, first_of};
use stdx::UnixMillis;

use super::Stream;
use crate::reader::{Around, Reader};
use crate::{
    MemberId, MemberState, Place, ReaderId, ReaderName, ReaderStanding, ReaderWaits, Report,
};

/// A message as an operator sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peeked {
    /// Its place in the stream.
    pub offset: Offset,
    /// Where its body is.
    pub at: StoredAt,
    /// Its bytes, as limits count them.
    pub size: u32,
    /// When it was stored.
    pub stored: UnixMillis,
    /// Its key, if the stream keeps keys.
    pub key: Key,
    /// When its own time runs out.
    pub expires: Option<UnixMillis>,
}

impl Stream {
    /// The messages that are here, from an offset on, in order.
    pub fn peek(&self, from: Offset) -> impl Iterator<Item = Peeked> {
        self.index.iter_from(from).map(|(offset, entry)| Peeked {
            offset,
            at: entry.at,
            size: entry.size,
            stored: entry.stored,
            key: entry.key,
            expires: (entry.expires != NEVER).then_some(entry.expires),
        })
    }

    /// The body of a message lies elsewhere from now on, and in a replay. Gives where it was; none when nobody needs it.
    pub fn relocate(&mut self, offset: Offset, to: StoredAt) -> Option<StoredAt> {
        self.index.relocate(offset, to)
    }

    /// Bodies of a part of the messages that are here, from that one on: offset, place, size. And where to go on.
    #[must_use]
    pub fn bodies(&self, from: Offset) -> (Vec<(Offset, StoredAt, u32)>, Option<Offset>) {
        self.index.bodies_from(from)
    }

    /// A message that is still here.
    #[must_use]
    pub fn message(&self, offset: Offset) -> Option<Peeked> {
        self.peek(offset).next().filter(|found| found.offset == offset)
    }

    /// Whether a message is still here.
    #[must_use]
    pub fn is_here(&self, offset: Offset) -> bool {
        self.index.contains(offset)
    }

    /// The oldest message that is here; where the next one will be when there is none.
    #[must_use]
    pub fn earliest(&self) -> Offset {
        self.index.first_from(Offset(0)).unwrap_or_else(|| self.index.next())
    }

    /// The first message that was stored at that time or later; where the next one will be when there is none. Times of
    /// messages are taken to be in order, but for a few.
    #[must_use]
    pub fn offset_at(&self, time: UnixMillis) -> Offset {
        let from = first_of(self.index.chunk_at(time));
        let found = self.index.iter_from(from).find(|(_, entry)| entry.stored >= time);
        found.map_or(self.index.next(), |(offset, _)| offset)
    }

    /// All messages that are here, and where their bodies are, in order.
    pub fn stored(&self) -> impl Iterator<Item = (Offset, StoredAt)> {
        self.index.iter_from(Offset(0)).map(|(offset, entry)| (offset, entry.at))
    }

    /// Appends the next messages that a reader was never given, where their bodies are and their sizes, in order, at most `max`
    /// of those after `after`: what a caller may read ahead.
    pub fn upcoming(
        &self,
        reader: ReaderId,
        after: Option<Offset>,
        max: usize,
        out: &mut Vec<(Offset, StoredAt, u32)>,
    ) {
        let Some(reader) = self.readers.get(reader) else { return };
        let cursor = reader.cursor();
        let from = after.map_or(cursor, |after| cursor.max(after.next()));
        let messages = self.index.iter_from(from);
        let messages = messages.map(|(offset, entry)| (offset, entry.at, entry.size));
        out.extend(messages.filter(|(offset, ..)| !reader.is_done(*offset)).take(max));
    }

    /// The name of a reader that is known.
    #[must_use]
    pub fn reader_name(&self, id: ReaderId) -> Option<&ReaderName> {
        self.readers.get(id).map(|reader| &reader.name)
    }

    /// The offset below which a reader has settled everything.
    #[must_use]
    pub fn position(&self, id: ReaderId) -> Option<Offset> {
        self.readers.get(id).map(Reader::position)
    }

    /// Who stands for a name.
    #[must_use]
    pub fn reader_id(&self, name: &ReaderName) -> Option<ReaderId> {
        self.readers.of_name(name)
    }

    /// Where a reader was set last; none when it is not known.
    #[must_use]
    pub fn place(&self, reader: ReaderId) -> Option<Place> {
        self.readers.place(reader)
    }

    /// What is to be logged of a reader at this moment: all of it, if it begins or a report of it was lost; else with what
    /// it is known to have settled since the last report.
    #[must_use]
    pub fn report(&self, id: ReaderId, settled: Option<&[Offset]>) -> Option<Report> {
        let reader = self.readers.get(id)?;
        let progress = reader.progress();
        Some(match settled {
            None => Report { progress, settled: reader.settled(), begins: true },
            Some(offsets) => {
                let above = offsets.iter().filter(|offset| **offset >= progress.position);
                let settled = above.map(|offset| offset.0..offset.0 + 1).collect();
                Report { progress, settled, begins: false }
            }
        })
    }

    /// Whether a message may still come to a member: it is here, and its reader has not settled it.
    #[must_use]
    pub fn may_come(&self, member: MemberId, offset: Offset) -> bool {
        let reader = self.readers.of_member(member).and_then(|id| self.readers.get(id));
        self.index.contains(offset) && reader.is_some_and(|reader| reader.wants(offset))
    }

    /// Whom a member reads for.
    #[must_use]
    pub fn reader_of(&self, member: MemberId) -> Option<ReaderId> {
        self.readers.of_member(member)
    }

    /// The names of all readers, in no order that means anything.
    pub fn reader_names(&self) -> impl Iterator<Item = &ReaderName> {
        self.readers.iter().map(|(_, reader)| &reader.name)
    }

    /// How a message that is here stands to a reader, and what it waits for; none when the reader is not known.
    #[must_use]
    pub fn standing(&self, name: &ReaderName, offset: Offset) -> Option<ReaderStanding> {
        let reader = self.readers.get(self.readers.of_name(name)?)?;
        let around = Around { index: &self.index, config: &self.config, now: self.now };
        let standing = reader.standing(offset, &around);
        let awaits_keys = self.is_rekeying && reader.goes_by_keys(&self.config);
        Some(match standing {
            ReaderStanding::Waits(_) if awaits_keys && !self.config.paused => {
                ReaderStanding::Waits(ReaderWaits::Rekeying { messages: self.rekeying() })
            }
            standing => standing,
        })
    }

    /// When a message that is here expires, by its own time or the stream's; none when it does not.
    #[must_use]
    pub fn expires(&self, offset: Offset) -> Option<UnixMillis> {
        let deadline = self.index.get(offset).map(|entry| self.deadline(&entry));
        deadline.filter(|deadline| *deadline != NEVER)
    }

    /// What a member has, and takes.
    #[must_use]
    pub fn member(&self, member: MemberId) -> Option<MemberState> {
        self.readers.get(self.reader_of(member)?)?.member_state(member, &self.config)
    }
}
