//! Readers of a stream that the log has not let go where they were set: they go back, unless somebody has set them elsewhere
//! since. It must not know who sets them.

use stream_engine::{Input, Place, ReaderName, Report};

use super::stream::HostedStream;
use crate::mail::Moved;
use crate::turn::Turn;

/// How many changes that somebody has followed are known. They matter as long as what followed waits for its record.
const KNOWN_MAX: usize = 64;

/// Changes that were not stored.
#[derive(Default)]
pub(super) struct NotMoved {
    /// Places that readers should never have been at, though they went on from there, and how they were before.
    not_at: Vec<(Place, Option<(Report, Place)>)>,
    /// Places of readers that went back, and those that these are.
    back_at: Vec<(Place, Place)>,
}

impl NotMoved {
    /// How a reader was before, as far as that was ever stored.
    fn truly(&self, mut before: Option<(Report, Place)>) -> Option<(Report, Place)> {
        while let Some((_, at)) = &before
            && let Some((_, instead)) = self.not_at.iter().find(|(place, _)| place == at)
        {
            before.clone_from(instead);
        }
        before
    }

    fn place(&self, at: Place) -> Place {
        self.back_at.iter().find(|(place, _)| *place == at).map_or(at, |(_, is)| *is)
    }
}

fn note<T>(known: &mut Vec<T>, one: T) {
    if known.len() == KNOWN_MAX {
        known.remove(0);
    }
    known.push(one);
}

impl HostedStream {
    /// How and where a reader is, for a change that may have to be taken back.
    pub(super) fn before_moving(&self, reader: &ReaderName) -> Option<(Report, Place)> {
        Some((self.report(reader)?, self.place(reader)?))
    }

    /// Where it is.
    pub(super) fn place(&self, reader: &ReaderName) -> Option<Place> {
        Some(self.not_moved.place(self.engine.place(self.engine.reader_id(reader)?)?))
    }

    /// A change could not be stored. Who was set elsewhere since stays there, and goes back before this if that is not stored
    /// either.
    pub(super) fn take_back(&mut self, moved: Moved, turn: &mut Turn) {
        let Moved { reader, before, to } = moved;
        let before = self.not_moved.truly(before);
        if self.place(&reader) != to {
            if let Some(to) = to {
                note(&mut self.not_moved.not_at, (to, before));
            }
            return;
        }
        let Some((report, place)) = before else {
            return self.handle(Input::Forget(reader), turn);
        };
        self.handle(Input::PutBack { reader: reader.clone(), report }, turn);
        let now = self.engine.reader_id(&reader).and_then(|id| self.engine.place(id));
        if let Some(now) = now {
            note(&mut self.not_moved.back_at, (now, place));
        }
    }
}
