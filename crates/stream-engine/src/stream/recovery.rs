//! Taking the state out, putting it back, and replaying what the log says happened since.

use std::collections::BTreeSet;

use message_index::{Index, Offset, StoredAt};

use super::Stream;
use crate::reader::Reader;
use crate::snapshot::StoredReader;
use crate::{Departure, NewMessage, Progress, ReaderName, Snapshot, StreamConfig};

impl Stream {
    /// The state as it would be found after a crash at this moment.
    ///
    /// Full chunks of the index are shared with the stream, so this is quick however much is kept. Members are not part of
    /// it, and of readers only their positions are.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let readers = self.readers.iter().map(|(id, reader)| StoredReader {
            name: reader.name.clone(),
            progress: reader.progress(),
            gone_since: self.readers.gone_since(id),
        });
        let mut readers: Vec<StoredReader> = readers.collect();
        readers.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Snapshot {
            next: self.index.next(),
            counts: self.counts,
            readers,
            chunks: self.index.share(),
        }
    }

    /// A stream in the state of a snapshot, without members.
    #[must_use]
    pub fn restore(config: StreamConfig, snapshot: Snapshot) -> Self {
        let mut stream = Self::new(config);
        stream.index = Index::restore(snapshot.next, &snapshot.chunks);
        stream.counts = snapshot.counts;
        for StoredReader { name, progress, gone_since } in snapshot.readers {
            let id = stream.readers.insert(Reader::restore(name, progress));
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

    /// What the log says an [`Action::Position`](crate::Action::Position) said. The last one of a reader holds. Replay comes
    /// before the first member: a reader that has members stays where it is.
    pub fn replay_position(&mut self, name: &ReaderName, progress: Progress) {
        // A stream that is in memory alone has lost what its readers have read.
        let end = self.index.next();
        let progress = Progress {
            position: progress.position.min(end),
            delivered_to: progress.delivered_to.min(end).max(progress.position.min(end)),
            ..progress
        };
        let reader = Reader::restore(name.clone(), progress);
        match self.readers.of_name(name) {
            None => drop(self.readers.insert(reader)),
            Some(id) => {
                if let Some(known) = self.readers.get_mut(id).filter(|known| !known.has_members()) {
                    *known = reader;
                    self.readers.looked_at(id, false);
                }
            }
        }
    }

    /// Messages that the log says a reader has settled, though it does not say so of its position yet. The position moves past
    /// those that stand next; what lies behind others is not kept, and comes again.
    pub fn replay_settled(&mut self, name: &ReaderName, settled: &BTreeSet<Offset>) {
        let Some(state) = self.reader(name) else { return };
        let mut position = state.progress.position;
        while let Some(next) = self.index.first_from(position).filter(|next| settled.contains(next))
        {
            position = next.next();
        }
        if position > state.progress.position {
            let delivered_to = state.progress.delivered_to.max(position);
            self.replay_position(name, Progress { position, delivered_to, ..state.progress });
        }
    }

    /// What the log says an [`Action::Forgotten`](crate::Action::Forgotten) said.
    pub fn replay_forgotten(&mut self, name: &ReaderName) {
        let id = self.readers.of_name(name);
        let id = id.filter(|id| !self.readers.get(*id).is_some_and(Reader::has_members));
        if let Some(id) = id {
            self.readers.remove(id);
        }
    }

    /// Other properties, which the log says it got.
    pub fn replay_reconfigure(&mut self, config: StreamConfig) {
        self.reconfigure(config);
    }
}
