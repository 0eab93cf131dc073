//! Measures durable appends: rate, CPU time of the process for each, and how fast a backlog is read back.
//!
//! `cargo run --release -p log-disk --example append -- [directory] [seconds]`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use log_api::{AppendBatch, EventSink, Log, LogEvent, Position, RecordKind, ShardId, ShardSet};
use log_disk::Config;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

const BODY: [u8; 256] = [0x5A; 256];

/// Passes every event to the thread that measures.
struct Mailbox {
    events: Mutex<Sender<LogEvent>>,
}

impl EventSink for Mailbox {
    fn deliver(&self, _: ShardId, event: LogEvent) {
        // The receiver is gone when the measurement is over.
        let _ = self.events.lock().send(event);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().map_or_else(|| PathBuf::from("log-bench"), PathBuf::from);
    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(3);
    for (in_flight, batch_records) in
        [(1024, 1024), (1024, 16), (1024, 1), (64, 64), (64, 1), (1, 1)]
    {
        append(&directory, in_flight, batch_records, Duration::from_secs(seconds));
    }
    std::fs::remove_dir_all(&directory).expect("the directory of the measurement can be removed");
}

/// Keeps so many records in flight, in batches of so many: what one turn of a shard appends.
fn append(directory: &PathBuf, in_flight: usize, batch_records: usize, time: Duration) {
    // What an earlier round left would be replayed.
    let _ = std::fs::remove_dir_all(directory);
    let (sender, events) = channel();
    let opened =
        log_disk::open(Config { checkpoint_every_bytes: u64::MAX, ..Config::new(directory, 1) });
    let ready = opened
        .and_then(|opened| opened.replay.run(&mut |_, _, _, _| Ok(())))
        .expect("an empty log opens");
    let log = ready.start(Arc::new(Mailbox { events: Mutex::new(sender) }));
    let mut positions = Vec::with_capacity(4 << 20);
    let (begin, cpu) = (Instant::now(), cpu_time());
    for _ in 0..in_flight / batch_records {
        log.append(ShardId(0), batch(batch_records));
    }
    let mut running = in_flight;
    while running > 0 {
        if let LogEvent::Committed(records) = events.recv().expect("the log answers") {
            positions.extend(records.iter().map(|record| record.position));
            running -= records.len();
            if begin.elapsed() < time {
                running += records.len();
                for _ in 0..records.len() / batch_records {
                    log.append(ShardId(0), batch(batch_records));
                }
            }
        }
    }
    let (elapsed, cpu) = (begin.elapsed(), cpu_time() - cpu);
    let count = positions.len() as f64;
    let stats = log.stats();
    println!(
        "append {in_flight:5} in flight by {batch_records:4}: {:8.0}/s  {:5.2} us CPU each  {:6.3} ms a sync  {:5.0} records a sync",
        count / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / count,
        elapsed.as_secs_f64() * 1e3 / stats.syncs_total as f64,
        count / stats.syncs_total as f64,
    );
    read(&*log, &positions, &events);
    log.shutdown();
    drop(log);
    replay(directory, positions.len());
}

fn read(log: &dyn Log, positions: &[Position], events: &std::sync::mpsc::Receiver<LogEvent>) {
    let (begin, cpu) = (Instant::now(), cpu_time());
    let mut read = 0;
    for (token, some) in (0..).zip(positions.chunks(4096)) {
        log.read(ShardId(0), token, some.to_vec());
    }
    while read < positions.len() {
        if let LogEvent::Read { records, .. } = events.recv().expect("the log answers") {
            assert!(records.iter().all(|body| body.as_deref() == Ok(&BODY)));
            read += records.len();
        }
    }
    let (elapsed, cpu) = (begin.elapsed(), cpu_time() - cpu);
    let (rate, each) = (read as f64 / elapsed.as_secs_f64(), cpu.as_secs_f64() * 1e6 / read as f64);
    println!("read back                     : {rate:8.0}/s  {each:5.2} us CPU each");
}

fn replay(directory: &PathBuf, expected: usize) {
    let begin = Instant::now();
    let opened = log_disk::open(Config::new(directory, 1)).expect("the log opens");
    let mut count = 0;
    let visited = opened.replay.run(&mut |_, _, _, body| {
        count += usize::from(body.len() == BODY.len());
        Ok(())
    });
    visited.expect("the log replays");
    assert_eq!(count, expected);
    let elapsed = begin.elapsed();
    println!(
        "replay                        : {:8.0}/s  {} in {elapsed:.2?}",
        count as f64 / elapsed.as_secs_f64(),
        count
    );
}

fn batch(records: usize) -> AppendBatch {
    let mut batch = AppendBatch::new();
    for token in 0..records as u64 {
        let notify = ShardSet::single(ShardId(0));
        batch.push(RecordKind::Publish, 0, 1, notify, token, |out| out.extend_from_slice(&BODY));
    }
    batch
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
