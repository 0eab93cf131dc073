//! The promises of every log, whatever the size of the segments.

use std::sync::Arc;
use std::time::Duration;

use log_api::EventSink;
use log_api::testing::conformance::{self, Opened, Replayed, Subject};
use log_disk::{Config, SyncMode};
use tempfile::TempDir;

struct OnDisk {
    directory: TempDir,
    segment_bytes: u32,
    sync: SyncMode,
}

impl Subject for OnDisk {
    fn open(&mut self, shards: u16, sink: Arc<dyn EventSink>) -> Opened {
        let config = Config {
            segment_bytes: self.segment_bytes,
            sync: self.sync,
            reserve_bytes: 64 << 10,
            verify_all: true,
            ..Config::new(self.directory.path(), shards)
        };
        let opened = log_disk::open(config).expect("the log opens");
        let mut replayed = Vec::new();
        let ready = opened
            .replay
            .run(&mut |kind, position, partition, body| {
                replayed.push(Replayed { kind, position, partition, body: body.to_vec() });
                Ok(())
            })
            .expect("the log replays");
        Opened { log: ready.start(sink), checkpoint: opened.checkpoint, replayed }
    }
}

#[test]
fn it_keeps_the_promises_of_a_log() {
    let lazy = SyncMode::Within(Duration::from_millis(1));
    for (segment_bytes, sync) in
        [(4 << 10, SyncMode::Always), (8 << 20, SyncMode::Always), (16 << 10, lazy)]
    {
        conformance::run(|| OnDisk { directory: TempDir::new().unwrap(), segment_bytes, sync });
    }
}
