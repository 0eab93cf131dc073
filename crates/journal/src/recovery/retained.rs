//! Retained messages on their way back. It must not know queues and sessions.

use std::collections::BTreeMap;

use log_api::Position;
use mqtt_router::RetainedIndex;
use mqtt_types::Message;

use super::Releases;
use crate::record::{PublishRecord, RecordError};
use crate::retained::{Entry, StoredRetained};

/// What is known of them so far.
#[derive(Default)]
pub(super) struct Retained {
    /// Records up to this version are in the checkpoint.
    floor: u64,
    newest: u64,
    index: RetainedIndex<Entry>,
    /// Messages of an old checkpoint, by topic, that no record has replaced.
    whole: BTreeMap<Box<str>, Message>,
}

/// What they come to.
pub(super) struct RecoveredRetained {
    pub(super) newest: u64,
    pub(super) index: RetainedIndex<Entry>,
    pub(super) whole: Vec<Message>,
    pub(super) held: Vec<(u32, i32)>,
}

impl Retained {
    /// Takes in what a checkpoint has. Its references have what it holds; what is still held in the end is said anew.
    pub(super) fn restore(&mut self, part: StoredRetained, released: &mut Releases) {
        let StoredRetained { version, floor, index, holding, whole } = part;
        self.floor = self.floor.max(floor);
        self.newest = self.newest.max(version);
        index.values().filter_map(Entry::at).chain(holding).for_each(|at| released.add(at));
        if !index.is_empty() {
            self.index = index;
        }
        let topics = whole.into_iter().map(|message| (message.topic().into(), message));
        self.whole.extend(topics);
    }

    /// A change of a topic's message. Which of two is newer its version says, and not its place in the log.
    pub(super) fn publish(
        &mut self,
        version: u64,
        at: Position,
        record: &PublishRecord<&[u8]>,
    ) -> Result<(), RecordError> {
        self.newest = self.newest.max(version);
        if version <= self.floor {
            return Ok(());
        }
        let (topic, kept) = record.kept(at)?;
        self.index.get_or_default(topic).apply(version, kept);
        self.whole.remove(topic.as_str());
        Ok(())
    }

    pub(super) fn finish(mut self) -> RecoveredRetained {
        // Nothing is on its way any more that a removed one could be older than.
        self.index.retain(|entry| entry.at().is_some());
        let mut held = BTreeMap::<u32, i32>::new();
        for at in self.index.values().filter_map(Entry::at) {
            *held.entry(at.segment()).or_default() += 1;
        }
        RecoveredRetained {
            newest: self.newest,
            index: self.index,
            whole: self.whole.into_values().collect(),
            held: held.into_iter().collect(),
        }
    }
}
