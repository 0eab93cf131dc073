//! Taking the state out, putting it back, and replaying what the log says happened since.

use message_index::{Index, Offset, StoredAt};

use super::Stream;
use crate::reader::Reader;
use crate::snapshot::StoredReader;
use crate::{
    Departure, NewMessage, Progress, ReaderId, ReaderName, Report, Runs, Snapshot, StreamConfig,
};

impl Stream {
    /// The state as it would be found after a crash at this moment, when the log says of a reader that messages below `said`
    /// may have been delivered.
    ///
    /// Full chunks of the index are shared with the stream, so this is quick however much is kept. Members are not part of
    /// it, and of readers only their positions are.
    #[must_use]
    pub fn snapshot(&self, said: impl Fn(ReaderId) -> Offset) -> Snapshot {
        let readers = self.readers.iter().map(|(id, reader)| {
            let mut progress = reader.progress();
            progress.delivered_to = progress.delivered_to.max(said(id));
            StoredReader {
                name: reader.name.clone(),
                progress,
                settled: reader.settled(),
                gone_since: self.readers.gone_since(id),
            }
        });
        let mut readers: Vec<StoredReader> = readers.collect();
        readers.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Snapshot {
            next: self.index.next(),
            counts: self.counts,
            readers,
            stale: self.stale.share(),
            chunks: self.index.share(),
        }
    }

    /// A stream in the state of a snapshot, without members.
    #[must_use]
    pub fn restore(config: StreamConfig, snapshot: Snapshot) -> Self {
        let mut stream = Self::new(config);
        stream.index = Index::restore(snapshot.next, &snapshot.chunks);
        stream.stale = snapshot.stale.restore(&stream.index);
        stream.is_rekeying = !stream.stale.is_empty();
        stream.counts = snapshot.counts;
        for StoredReader { name, progress, settled, gone_since } in snapshot.readers {
            let id = stream.readers.insert(Reader::restore(name, progress, settled));
            if let Some(since) = gone_since {
                stream.readers.date(id, since);
            }
        }
        stream.find_deadlines();
        stream.find_newest();
        stream.rules_are_stale = true;
        stream
    }

    /// A message that the log says was appended, and the offset that it had and has again.
    ///
    /// Each such record is to be replayed once, in the order of the log: a snapshot stands for all those before it. What is
    /// replayed after them is idempotent, but for properties and for readers that were forgotten: their order counts.
    pub fn replay_append(&mut self, message: &NewMessage) -> Offset {
        // Rules that a replay does not keep are kept with the next input.
        self.rules_are_stale = true;
        let offset = self.push(message);
        if let Some(older) = self.replaces(offset, message.key) {
            self.replaced.push(older);
        }
        offset
    }

    /// A message that the log says an [`Action::Removed`](crate::Action::Removed) named. Gives where its body is, unless it
    /// has left already or never came.
    pub fn replay_removed(&mut self, offset: Offset, how: Departure) -> Option<StoredAt> {
        self.take_out(offset, how).map(|entry| entry.at)
    }

    /// A reader that the log names, which is known from now on.
    pub fn replay_reader(&mut self, name: &ReaderName) -> ReaderId {
        let known = self.readers.of_name(name);
        known.unwrap_or_else(|| self.readers.insert(Reader::restored(name.clone())))
    }

    /// A report that the log has of a reader. Replay comes before the first member: a reader that has members stays where it
    /// is.
    pub fn replay_report(&mut self, id: ReaderId, report: &Report) {
        // A stream that is in memory alone has lost what its readers have read.
        let end = self.index.next();
        if let Some(reader) = self.readers.get_mut(id).filter(|reader| !reader.has_members()) {
            reader.replay(report, end);
        }
    }

    /// What older logs say of a reader: where it is, the last time for all.
    pub fn replay_position(&mut self, name: &ReaderName, progress: Progress) {
        let id = self.replay_reader(name);
        let position = self.readers.get(id).map(Reader::position);
        let begins = position.is_some_and(|position| progress.position < position);
        self.replay_report(id, &Report { progress, settled: Runs::default(), begins });
    }

    /// Messages that the log says a reader has settled, though no report of it says so yet. False when it is not known.
    pub fn replay_settled(&mut self, name: &ReaderName, settled: &Runs) -> bool {
        let id = self.readers.of_name(name);
        let Some(reader) = id.and_then(|id| self.readers.get_mut(id)) else { return false };
        if !reader.has_members() {
            reader.replay_settled(settled, &self.index);
        }
        true
    }

    /// What the log says an [`Action::Forgotten`](crate::Action::Forgotten) said. Gives who stood for the name.
    pub fn replay_forgotten(&mut self, name: &ReaderName) -> Option<ReaderId> {
        let id = self.readers.of_name(name)?;
        if self.readers.get(id).is_some_and(Reader::has_members) {
            return None;
        }
        self.readers.remove(id).map(|_| id)
    }

    /// Other properties, which the log says it got.
    pub fn replay_reconfigure(&mut self, config: StreamConfig) {
        self.reconfigure(config);
    }
}
