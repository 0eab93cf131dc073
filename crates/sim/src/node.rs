//! One life of the broker's process: the production shards and log, driven step by step. It must not know what is promised.

use std::path::Path;
use std::sync::Arc;

use broker::testing::{Moment, Sockets, work};
use broker::{Handle, Post, Recovery, Shard};
use log_api::{EventSink, Log, LogEvent, ShardId};
use log_disk::{DiskLog, LogSteps, Worker};
use mqtt_codec::Limits;
use stdx::{Instant, UnixMillis};

use crate::disk::Machine;

/// A broker over a simulated machine.
pub(crate) struct Node {
    pub(crate) log: Arc<DiskLog>,
    pub(crate) handle: Handle,
    pub(crate) shards: Vec<Shard>,
    pub(crate) sockets: Vec<Sockets>,
    steps: LogSteps,
    post: Post,
    machine: Machine,
}

/// The way of the log's events to the shards, which ends when the power goes.
struct Line {
    post: Post,
    machine: Machine,
}

impl EventSink for Line {
    fn deliver(&self, shard: ShardId, event: LogEvent) {
        if !self.machine.is_off() {
            self.post.deliver(shard, event);
        }
    }
}

/// Small files, so that there are many.
fn log_config(shards: u16) -> log_disk::Config {
    log_disk::Config {
        segment_bytes: 8 << 10,
        group_bytes_max: 4 << 10,
        reserve_bytes: 4 << 10,
        checkpoint_every_bytes: 24 << 10,
        ..log_disk::Config::new(Path::new("/data"), shards)
    }
}

impl Node {
    /// Starts the process, as the server does it.
    pub(crate) fn boot(machine: &Machine, config: &broker::Config) -> Result<Self, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let host = Arc::new(machine.clone());
        let opened = log_disk::open_on(log_config(config.shards), host).map_err(|e| said(&e))?;
        let mut recovery = Recovery::new(opened.checkpoint.as_ref()).map_err(|e| said(&e))?;
        let replayed =
            opened.replay.run(&mut |kind, position, _, body| recovery.visit(kind, position, body));
        let mut ready = replayed.map_err(|e| said(&e))?;
        let recovered = recovery.finish();
        ready.release(&recovered.released);
        ready.hold(&recovered.held);
        let post = Post::new(config.shards);
        let (log, steps) =
            ready.start_stepped(Arc::new(Line { post: post.clone(), machine: machine.clone() }));
        let of_broker: Arc<dyn Log> = Arc::clone(&log) as _;
        let now = UnixMillis(machine.unix_ms());
        let broker = broker::open(config.clone(), post.clone(), of_broker, recovered, [1, 2], now);
        let sockets = broker.shards.iter().map(|_| Sockets::default()).collect();
        let (handle, shards) = (broker.handle, broker.shards);
        Ok(Self { log, handle, shards, sockets, steps, post, machine: machine.clone() })
    }

    pub(crate) fn moment(&self) -> Moment {
        let now_ms = self.machine.now_ms();
        Moment { now: Instant::from_millis(now_ms), unix_ms: self.machine.unix_ms() }
    }

    /// One turn of a shard. Says whether there was something to do.
    pub(crate) fn turn(&mut self, shard: usize, limits: &Limits) -> bool {
        let at = self.moment();
        let (engine, sockets) = (&mut self.shards[shard], &mut self.sockets[shard]);
        let mut busy = work(engine, sockets, &self.post, at, limits);
        engine.end(sockets);
        busy |= sockets.open.values().any(|socket| !socket.is_blocked && !socket.out.is_empty());
        busy
    }

    /// One step of the log.
    pub(crate) fn step(&mut self, worker: Worker) -> bool {
        self.steps.step(worker)
    }

    /// A queue's account.
    pub(crate) fn ledger(&self, name: &str) -> Option<queue_engine::Ledger> {
        let definition = self.handle.queue(name)?;
        self.shards.get(usize::from(definition.owner.0))?.ledger(definition.sink)
    }

    /// What waits in a queue.
    pub(crate) fn waiting(&self, name: &str) -> Vec<queue_engine::Peeked> {
        let Some(definition) = self.handle.queue(name) else { return Vec::new() };
        let owner = self.shards.get(usize::from(definition.owner.0));
        owner.map_or_else(Vec::new, |shard| shard.peek(definition.sink))
    }

    /// A stream's account.
    pub(crate) fn stream_ledger(&self, name: &str) -> Option<stream_engine::Ledger> {
        let definition = self.handle.stream(name)?;
        self.shards.get(usize::from(definition.owner.0))?.stream_ledger(definition.sink)
    }

    /// What must hold at every moment.
    pub(crate) fn check(&self) {
        for shard in &self.shards {
            shard.check_all().unwrap_or_else(|broken| panic!("{broken}"));
        }
    }

    /// Answers that somebody waits for.
    pub(crate) fn open_ends(&self) -> usize {
        self.shards.iter().map(Shard::open_ends).sum()
    }

    /// Bodies that queues, sessions and retained messages need, and references that the log counts.
    pub(crate) fn references(&self) -> (u64, u64) {
        let held: usize = self.shards.iter().map(|shard| shard.references() + shard.held()).sum();
        (held as u64 + self.retained(), self.log.stats().live_references)
    }

    /// Bodies that retained messages need.
    pub(crate) fn retained(&self) -> u64 {
        self.shards.first().map_or(0, Shard::retained_held)
    }

    pub(crate) fn shard_of(&self, client: &str) -> usize {
        usize::from(broker::owner_of(client, self.handle.shards()).0)
    }
}
