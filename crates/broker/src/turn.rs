//! What gathers in one turn of a shard and leaves at its end: records for the log, letters, reads, releases.

use std::collections::VecDeque;

use log_api::{AppendBatch, Log, Position, ShardId};
use stdx::Instant;

use crate::mail::{Letter, Mail};
use crate::post::Post;
use crate::retained::Holds;

/// Bytes of records from which on they do not wait for the end of the turn.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Letters to one shard.
#[derive(Default)]
struct Letters {
    mail: Vec<Mail>,
    live_bytes: usize,
}

/// One turn's outgoing work, and the time it is.
pub(crate) struct Turn {
    /// The shard whose turn it is.
    pub(crate) shard: ShardId,
    pub(crate) now: Instant,
    pub(crate) unix_ms: u64,
    /// Records to append. They go to the log as one batch.
    pub(crate) batch: AppendBatch,
    local: VecDeque<Letter>,
    letters: Vec<Letters>,
    reads: Vec<(u64, Vec<Position>)>,
    head_reads: Vec<(u64, Vec<(Position, u32)>)>,
    released: Vec<(u32, u32)>,
    /// Retained messages that are held more, or fewer.
    pub(crate) holds: Holds,
}

impl Turn {
    pub(crate) fn new(shard: ShardId, shards: u16) -> Self {
        Self {
            shard,
            now: Instant::ZERO,
            unix_ms: 0,
            batch: AppendBatch::new(),
            local: VecDeque::new(),
            letters: (0..shards).map(|_| Letters::default()).collect(),
            reads: Vec::new(),
            head_reads: Vec::new(),
            released: Vec::new(),
            holds: Holds::new(),
        }
    }

    /// Sends a letter; one to the shard itself is read later in the same turn.
    pub(crate) fn mail(&mut self, to: ShardId, letter: Letter) {
        if to == self.shard {
            self.local.push_back(letter);
        } else if let Some(letters) = self.letters.get_mut(usize::from(to.0)) {
            letters.live_bytes += letter.live_bytes();
            letters.mail.push(Mail(letter));
        }
    }

    /// Bytes of live messages to a shard that have not left yet.
    pub(crate) fn live_bytes(&self, to: ShardId) -> usize {
        self.letters.get(usize::from(to.0)).map_or(0, |letters| letters.live_bytes)
    }

    /// Hands records over before the turn ends once they are many: a batch must fit a segment of the log.
    pub(crate) fn hand_over_long_batch(&mut self, log: &dyn Log) {
        if self.batch.bytes() > BATCH_BYTES_MAX {
            log.append(self.shard, std::mem::take(&mut self.batch));
        }
    }

    /// Hands over the records so far.
    pub(crate) fn hand_over_batch(&mut self, log: &dyn Log) {
        if !self.batch.is_empty() {
            log.append(self.shard, std::mem::take(&mut self.batch));
        }
    }

    /// The next letter of the shard to itself.
    pub(crate) fn next_local(&mut self) -> Option<Letter> {
        self.local.pop_front()
    }

    /// Asks the log for bodies; they come back under the token.
    pub(crate) fn read(&mut self, token: u64, positions: Vec<Position>) {
        self.reads.push((token, positions));
    }

    /// Asks the log for messages without the lists of those who take them, each with what it counts.
    pub(crate) fn read_heads(&mut self, token: u64, heads: Vec<(Position, u32)>) {
        self.head_reads.push((token, heads));
    }

    /// Tells the log that a queue needs the body at that position no more.
    pub(crate) fn release(&mut self, position: Position) {
        match self.released.last_mut() {
            Some((segment, count)) if *segment == position.segment() => *count += 1,
            _ => self.released.push((position.segment(), 1)),
        }
    }

    /// Tells the log of the releases so far.
    pub(crate) fn hand_over_releases(&mut self, log: &dyn Log) {
        if !self.released.is_empty() {
            log.release(self.shard, &self.released);
            self.released.clear();
        }
    }

    /// Hands everything over.
    pub(crate) fn finish(&mut self, log: &dyn Log, post: &Post) {
        self.hand_over_batch(log);
        self.hand_over_releases(log);
        if !self.holds.is_empty() {
            log.hold_bodies(&self.holds);
            self.holds.clear();
        }
        for (token, positions) in self.reads.drain(..) {
            log.read(self.shard, token, positions);
        }
        for (token, heads) in self.head_reads.drain(..) {
            log.read_heads(self.shard, token, heads);
        }
        for (shard, letters) in self.letters.iter_mut().enumerate() {
            if !letters.mail.is_empty() {
                let live_bytes = std::mem::take(&mut letters.live_bytes);
                post.send_all(ShardId(shard as u16), &mut letters.mail, live_bytes);
            }
        }
    }
}
