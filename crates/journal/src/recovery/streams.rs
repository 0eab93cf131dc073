//! Streams on their way back. It must not know queues or sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use log_api::Position;
use mqtt_router::SinkId;
use queue_engine::NewMessage;
use stream_engine::{
    Departure, Offset, Progress, ReaderId, ReaderName, Report, Runs, StoredAt, Stream,
};

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
    /// Numbers from here on stand for no reader in the log.
    pub numbers_from: u64,
    /// Whom numbers stand for.
    numbers: BTreeMap<u64, ReaderId>,
    /// What was in memory alone and is dropped with this start. The log does not say so yet.
    pub lost: Vec<Offset>,
}

/// All streams that were not deleted.
#[derive(Default)]
pub(super) struct Streams {
    streams: BTreeMap<SinkId, RecoveredStream>,
    /// What readers have at QoS 2 of which nothing else has been met.
    received: BTreeMap<(SinkId, ReaderName), Runs>,
}

impl Streams {
    /// Takes in what a checkpoint has.
    pub(super) fn restore(&mut self, stored: StoredStream) {
        let StoredStream { definition, snapshot } = stored;
        let engine = Stream::restore(definition.properties.config.clone(), snapshot);
        self.streams.insert(definition.sink, RecoveredStream::new(definition, engine));
    }

    pub(super) fn define(&mut self, definition: DefinitionRecord<StreamProperties>) {
        match self.streams.get_mut(&definition.sink) {
            Some(stream) => {
                stream.engine.replay_reconfigure(definition.properties.config.clone());
                stream.definition = definition;
            }
            None => {
                let engine = Stream::new(definition.properties.config.clone());
                self.streams.insert(definition.sink, RecoveredStream::new(definition, engine));
            }
        }
    }

    pub(super) fn delete(&mut self, sink: SinkId, released: &mut Releases) {
        let gone = self.streams.remove(&sink);
        for (_, at) in gone.iter().flat_map(|stream| stream.engine.stored()) {
            released.add(Position::from_u64(at.0));
        }
    }

    /// A message is stored. False when there is no such stream.
    pub(super) fn append(&mut self, sink: SinkId, message: &NewMessage) -> bool {
        let Some(stream) = self.streams.get_mut(&sink) else { return false };
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
        self.streams.get_mut(&sink)?.engine.relocate(offset, to)
    }

    /// The offsets that streams give next.
    pub(super) fn ends(&self) -> impl Iterator<Item = (SinkId, Offset)> {
        self.streams.iter().map(|(sink, stream)| (*sink, stream.engine.next_offset()))
    }

    /// Messages have left, readers have come on. Offsets are those that the stream gave as far as they are below `sure`.
    pub(super) fn change(&mut self, record: StreamRecord, sure: Offset, released: &mut Releases) {
        let Some(stream) = self.streams.get_mut(&record.sink) else { return };
        for (how, ranges) in record.left {
            for offset in ranges.into_iter().flatten().map(Offset).filter(|at| *at < sure) {
                stream.remove(offset, how, released);
            }
        }
        stream.forget(&record.forgotten);
        for reader in record.forgotten {
            // It begins anew, also with what it had received before.
            self.received.remove(&(record.sink, reader));
        }
        for (reader, progress) in record.positions {
            // A message is read again rather than not at all.
            let progress = Progress { position: progress.position.min(sure), ..progress };
            stream.engine.replay_position(&reader, progress);
        }
        stream.name(&record.named);
        for (numbers, report) in record.reports {
            stream.report(numbers, believed(report, sure), sure);
        }
    }

    /// The name of a stream.
    pub(super) fn name_of(&self, sink: SinkId) -> Option<&str> {
        self.streams.get(&sink).map(|stream| stream.definition.name.as_str())
    }

    /// A reader has a message at QoS 2: it is settled, whether that comes to be in a report or not.
    pub(super) fn received(&mut self, sink: SinkId, reader: ReaderName, offset: Offset) {
        let one = offset.0..offset.0 + 1;
        let settled = Runs::from_iter([one.clone()]);
        let stream = self.streams.get_mut(&sink);
        if !stream.is_some_and(|stream| stream.engine.replay_settled(&reader, &settled)) {
            self.received.entry((sink, reader)).or_default().add(one);
        }
    }

    /// All of them. What was kept for as long as the process lives is gone with it.
    pub(super) fn finish(mut self, released: &mut Releases) -> Vec<RecoveredStream> {
        for ((sink, reader), settled) in &self.received {
            if let Some(stream) = self.streams.get_mut(sink) {
                stream.engine.replay_settled(reader, settled);
            }
        }
        let mut streams: Vec<RecoveredStream> = self.streams.into_values().collect();
        let in_memory = |stream: &&mut RecoveredStream| {
            stream.definition.properties.durability == Durability::Memory
        };
        for stream in streams.iter_mut().filter(in_memory) {
            stream.lost = stream.engine.stored().map(|(offset, _)| offset).collect();
            for offset in stream.lost.clone() {
                stream.remove(offset, Departure::Dropped, released);
            }
        }
        streams.iter_mut().for_each(|stream| stream.engine.end_replay());
        streams
    }
}

/// What is sure of a report, when offsets are those that the stream gave as far as they are below `sure`. A message is read
/// again rather than not at all.
fn believed(mut report: Report, sure: Offset) -> Report {
    report.progress.position = report.progress.position.min(sure);
    if report.settled.end().is_some_and(|end| end > sure) {
        let below = report.settled.iter().map(|run| run.start..run.end.min(sure.0));
        report.settled = below.collect();
    }
    report
}

impl RecoveredStream {
    const fn new(definition: DefinitionRecord<StreamProperties>, engine: Stream) -> Self {
        let numbers = BTreeMap::new();
        Self { definition, engine, numbers_from: 0, numbers, lost: Vec::new() }
    }

    fn forget(&mut self, readers: &[ReaderName]) {
        let gone = readers.iter().filter_map(|reader| self.engine.replay_forgotten(reader));
        let gone: BTreeSet<ReaderId> = gone.collect();
        if !gone.is_empty() {
            self.numbers.retain(|_, reader| !gone.contains(reader));
        }
    }

    fn name(&mut self, named: &[(u64, ReaderName)]) {
        for (number, reader) in named {
            self.numbers.insert(*number, self.engine.replay_reader(reader));
        }
    }

    fn report(&mut self, numbers: Range<u64>, mut report: Report, sure: Offset) {
        self.numbers_from = self.numbers_from.max(numbers.end);
        let (begins, position) = (report.begins, report.progress.position);
        for (_, reader) in self.numbers.range(numbers) {
            // Where it went back may be among what is lost.
            let goes_back = || self.engine.position(*reader).is_some_and(|known| position < known);
            report.begins = begins || sure < Offset(u64::MAX) && goes_back();
            self.engine.replay_report(*reader, &report);
        }
    }

    fn remove(&mut self, offset: Offset, how: Departure, released: &mut Releases) {
        if let Some(at) = self.engine.replay_removed(offset, how) {
            released.add(Position::from_u64(at.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint's part of a stream that was taken when the reader had been forgotten knows nothing of it, and the log behind
    /// the other parts says again what it had received before.
    #[test]
    fn what_a_reader_received_before_it_was_forgotten_comes_again() {
        let sink = SinkId(5);
        let reader = ReaderName::client("r");
        let mut streams = Streams::default();
        streams.define(DefinitionRecord {
            sink,
            name: "log".to_owned(),
            topic_filter: None,
            created_at_ms: 0,
            properties: StreamProperties::default(),
            key_seed: Default::default(),
        });
        let stream = streams.streams.get_mut(&sink).expect("it is there");
        for at in 0..3 {
            stream.engine.replay_append(&stream_engine::NewMessage {
                at: StoredAt(at),
                size: 1,
                stored: stdx::UnixMillis(1),
                key: stream_engine::Key::NONE,
                key_generation: 0,
                expires: None,
            });
        }
        streams.received(sink, reader.clone(), Offset(0));
        let forgotten = vec![reader.clone()];
        let record = StreamRecord { forgotten, ..StreamRecord::new(sink) };
        streams.change(record, Offset(3), &mut Releases::default());
        let positions = vec![(reader.clone(), Progress::default())];
        let record = StreamRecord { positions, ..StreamRecord::new(sink) };
        streams.change(record, Offset(3), &mut Releases::default());
        let streams = streams.finish(&mut Releases::default());
        let known = streams[0].engine.reader(&reader).expect("it began anew");
        assert_eq!(known.progress.position, Offset(0));
    }
}
