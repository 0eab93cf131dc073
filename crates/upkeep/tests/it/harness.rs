//! Data directories with queues, sessions and retained messages in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::queue::QueueProperties;
use journal::record::{DefinitionRecord, Left, MoreTargets, SettleRecord, Targets, encode_publish};
use journal::recovery::{Recovered, Recovery};
use key_expression::KeySeed;
use log_api::testing::Recorder;
use log_api::{AppendBatch, CommittedRecord, Log, RecordKind, ShardId, ShardSet};
use log_disk::{Config, DiskLog};
use mqtt_router::SinkId;
use mqtt_types::MessageHead;
use queue_engine::Offset;

pub const ME: ShardId = ShardId(0);
pub const JOBS: SinkId = SinkId(1);

pub fn config(directory: &Path) -> Config {
    Config { segment_bytes: 4 << 10, reserve_bytes: 8 << 10, ..Config::new(directory, 1) }
}

/// What a start makes of a data directory.
pub fn recover(directory: &Path) -> Result<(Recovered, log_disk::Ready), log_disk::OpenError> {
    let opened = log_disk::open(config(directory))?;
    let mut recovery = Recovery::new(opened.checkpoint.as_ref()).unwrap();
    let ready = opened.replay.run(&mut |kind, at, _, body| recovery.visit(kind, at, body))?;
    Ok((recovery.finish(), ready))
}

/// A log that is written by hand.
pub struct Writing {
    pub log: Arc<DiskLog>,
    recorder: Arc<Recorder>,
    committed: usize,
}

impl Writing {
    pub fn start(directory: &Path) -> Self {
        let (_, ready) = recover(directory).unwrap();
        let recorder = Arc::new(Recorder::new());
        let log = ready.start(Arc::clone(&recorder) as _);
        Self { log, recorder, committed: 0 }
    }

    fn append(&mut self, kind: RecordKind, references: u32, body: &[u8]) -> CommittedRecord {
        let mut batch = AppendBatch::new();
        batch.push(kind, 0, references, ShardSet::single(ME), 0, |out| out.extend_from_slice(body));
        self.log.append(ME, batch);
        self.committed += 1;
        self.recorder.committed(ME, self.committed).pop().unwrap()
    }

    pub fn define(&mut self) -> CommittedRecord {
        let definition = DefinitionRecord {
            sink: JOBS,
            name: "jobs".to_owned(),
            topic_filter: None,
            created_at_ms: 1,
            properties: QueueProperties::default(),
            key_seed: KeySeed::default(),
        };
        let mut body = Vec::new();
        definition.encode(&mut body);
        self.append(RecordKind::QueueDefined, 0, &body)
    }

    pub fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        retained: Option<u64>,
    ) -> CommittedRecord {
        let head = MessageHead { received_at_ms: 9, ..MessageHead::default() };
        let more = MoreTargets { retained, ..MoreTargets::default() };
        let sinks: &[SinkId] = if retained.is_some() { &[] } else { &[JOBS] };
        let mut body = Vec::new();
        let targets = Targets { sinks, more: Some(&more) };
        encode_publish(&mut body, &head, targets, topic, &[], payload);
        self.append(RecordKind::Publish, sinks.len() as u32, &body)
    }

    pub fn settle(&mut self, range: std::ops::Range<u64>) -> CommittedRecord {
        let dispatched_to = Offset(range.end);
        let left = vec![(Left::Settled, [range].to_vec())];
        let (sink, attempts) = (JOBS, Vec::new());
        let record = SettleRecord { sink, rewound: None, left, dispatched_to, attempts };
        let mut body = Vec::new();
        record.encode(&mut body);
        self.append(RecordKind::Settle, 0, &body)
    }

    pub fn stop(self) {
        self.log.shutdown();
    }
}

/// A queue with twenty messages over several segments, of which three are settled, and a retained one.
pub fn filled(directory: &Path) -> Vec<CommittedRecord> {
    let mut writing = Writing::start(directory);
    let mut records = vec![writing.define(), writing.publish("kept", b"retained", Some(1))];
    let publish = |n: u8| writing.publish("t", &[n; 600], None);
    records.extend((1..=20).map(publish));
    records.push(writing.settle(0..3));
    writing.stop();
    fs::write(directory.join("users.toml"), "# users\n").unwrap();
    records
}

/// All files below a directory with what is in them.
pub fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_owned();
                all.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    all
}
