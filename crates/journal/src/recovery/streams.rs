//! Streams on their way back. It must not know queues or sessions.

use std::collections::BTreeMap;

use log_api::Position;
use mqtt_router::SinkId;
use queue_engine::NewMessage;
use stream_engine::{Departure, Offset, StoredAt, Stream};

use super::Releases;
use crate::checkpoint::StoredStream;
use crate::queue::Durability;
use crate::record::{DefinitionRecord, StreamRecord, stream_message};
use crate::stream::StreamProperties;

/// A stream on its way back.
pub struct RecoveredStream {
    /// What the stream is.
    pub definition: DefinitionRecord<StreamProperties>,
    /// Its engine, as the log left it.
    pub engine: Stream,
}

/// All streams that were not deleted.
#[derive(Default)]
pub(super) struct Streams(BTreeMap<SinkId, RecoveredStream>);

impl Streams {
    /// Takes in what a checkpoint has.
    pub(super) fn restore(&mut self, stored: StoredStream) {
        let StoredStream { definition, snapshot } = stored;
        let engine = Stream::restore(definition.properties.config.clone(), snapshot);
        self.0.insert(definition.sink, RecoveredStream { definition, engine });
    }

    pub(super) fn define(&mut self, definition: DefinitionRecord<StreamProperties>) {
        match self.0.get_mut(&definition.sink) {
            Some(stream) => {
                stream.engine.replay_reconfigure(definition.properties.config.clone());
                stream.definition = definition;
            }
            None => {
                let engine = Stream::new(definition.properties.config.clone());
                self.0.insert(definition.sink, RecoveredStream { definition, engine });
            }
        }
    }

    pub(super) fn delete(&mut self, sink: SinkId, released: &mut Releases) {
        let gone = self.0.remove(&sink);
        for (_, at) in gone.iter().flat_map(|stream| stream.engine.stored()) {
            released.add(Position::from_u64(at.0));
        }
    }

    /// A message is stored. False when there is no such stream.
    pub(super) fn append(&mut self, sink: SinkId, message: &NewMessage) -> bool {
        let Some(stream) = self.0.get_mut(&sink) else { return false };
        stream.engine.replay_append(&stream_message(message));
        true
    }

    /// The body of a message lies elsewhere. Gives where it was.
    pub(super) fn relocate(
        &mut self,
        sink: SinkId,
        offset: Offset,
        to: StoredAt,
    ) -> Option<StoredAt> {
        self.0.get_mut(&sink)?.engine.relocate(offset, to)
    }

    /// Messages have left, readers have come on.
    pub(super) fn change(&mut self, record: StreamRecord, released: &mut Releases) {
        let Some(stream) = self.0.get_mut(&record.sink) else { return };
        for (how, ranges) in record.left {
            for offset in ranges.into_iter().flatten() {
                stream.remove(Offset(offset), how, released);
            }
        }
        record.forgotten.iter().for_each(|reader| stream.engine.replay_forgotten(reader));
        for (reader, progress) in &record.positions {
            stream.engine.replay_position(reader, *progress);
        }
    }

    /// All of them. What was kept for as long as the process lives is gone with it.
    pub(super) fn finish(self, released: &mut Releases) -> Vec<RecoveredStream> {
        let mut streams: Vec<RecoveredStream> = self.0.into_values().collect();
        let in_memory = |stream: &&mut RecoveredStream| {
            stream.definition.properties.durability == Durability::Memory
        };
        for stream in streams.iter_mut().filter(in_memory) {
            let kept: Vec<Offset> = stream.engine.stored().map(|(offset, _)| offset).collect();
            for offset in kept {
                stream.remove(offset, Departure::Dropped, released);
            }
        }
        streams
    }
}

impl RecoveredStream {
    fn remove(&mut self, offset: Offset, how: Departure, released: &mut Releases) {
        if let Some(at) = self.engine.replay_removed(offset, how) {
            released.add(Position::from_u64(at.0));
        }
    }
}
