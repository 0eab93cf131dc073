//! Telling the log what readers of a stream may be given, and the engine what the log knows. It must not know how much that is
//! to be.

use stream_engine::{Input, Offset, ReaderId};

use super::stream::HostedStream;
use crate::directory::Durability;
use crate::record::StreamRecord;
use crate::turn::Turn;

impl HostedStream {
    /// Whether a restart finds messages, and so to whom they may have been given.
    fn outlives_the_process(&self) -> bool {
        self.definition.properties.durability != Durability::Memory
    }

    /// A stream begins: nobody reads it.
    pub(super) fn reserve(&mut self) {
        if !self.outlives_the_process() {
            return;
        }
        self.reports.reserve(true);
        self.engine.ask_for_permits(true);
        let overstated: Vec<ReaderId> = self.engine.overstated().collect();
        for reader in overstated {
            if let Some(outlook) = self.engine.outlook(reader) {
                self.reports.overstated(reader, &outlook);
            }
        }
    }

    /// A stream may have another durability than before.
    pub(super) fn reserve_or_not(&mut self, turn: &mut Turn) {
        let is_reserving = self.outlives_the_process();
        if is_reserving == self.reports.is_reserving() {
            return;
        }
        self.reports.reserve(is_reserving);
        self.engine.ask_for_permits(is_reserving);
        if is_reserving {
            // The log was not told of deliveries so far.
            let names = self.engine.reader_names();
            let readers: Vec<_> = names.filter_map(|name| self.engine.reader_id(name)).collect();
            readers.into_iter().for_each(|reader| self.reports.note(reader));
        }
        self.handle(Input::Tick, turn);
    }

    /// Finds out whether the log is to be told more of those that something has happened to.
    pub(super) fn look_at_readers(&mut self) {
        let mut looked_at = std::mem::take(&mut self.looked_at);
        self.engine.take_looked_at(&mut looked_at);
        for reader in looked_at.drain(..) {
            if let Some(outlook) = self.engine.outlook(reader) {
                self.reports.look(reader, &outlook);
            }
        }
        self.looked_at = looked_at;
    }

    /// A record is stored that deliveries waited for.
    pub(super) fn deliver_what_is_logged(&mut self, record: &StreamRecord, turn: &mut Turn) {
        let permits = self.reports.stored(&record.reports);
        self.permit(permits, turn);
    }

    pub(super) fn permit(&mut self, permits: Vec<(ReaderId, Offset)>, turn: &mut Turn) {
        if !permits.is_empty() {
            self.handle(Input::Permit(permits), turn);
        }
    }

    /// Below which the log says that messages may have been given to a reader.
    pub(super) fn reserved_to(&self, reader: ReaderId) -> Offset {
        self.reports.said(reader)
    }
}
