//! Writing a snapshot.

use message_index::SharedChunk;

use super::{Snapshot, VERSION, VERSION_3};

impl Snapshot {
    /// Appends its bytes. All numbers are little-endian.
    ///
    /// ```text
    /// version u8 | next u64 | dispatched_to u64
    /// | settled u64 | dead_lettered u64 | dropped u64 | expired u64 | replaced u64 | purged u64 | redelivered u64
    /// | attempts: n u64 | n × { offset u64 | attempts u32 }, by offset
    /// | replaced: n u64 | n × offset u64, in order
    /// | ids:      n u64 | n × { id u128 | stored u64 }, in the order they came
    /// | stale keys, see [`Stale::encode`](message_index::Stale::encode)
    /// | chunks, see [`SharedChunk::encode_all`]
    /// ```
    /// Without stale keys version 3 is written, which has nothing in that place. Up to version 2 `dispatched_to` is not above `next`.
    /// Version 1 has no `replaced`, no `ids`, and chunks of the first layout.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let is_rekeying = !self.stale.is_empty();
        out.push(if is_rekeying { VERSION } else { VERSION_3 });
        let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
        put(self.next.0);
        put(self.dispatched_to.0);
        self.counts.departures().into_iter().for_each(&mut put);
        put(self.counts.redelivered);
        put(self.attempts.len() as u64);
        for (offset, attempts) in &self.attempts {
            out.extend_from_slice(&offset.0.to_le_bytes());
            out.extend_from_slice(&attempts.to_le_bytes());
        }
        out.extend_from_slice(&(self.replaced.len() as u64).to_le_bytes());
        for offset in &self.replaced {
            out.extend_from_slice(&offset.0.to_le_bytes());
        }
        out.extend_from_slice(&(self.ids.len() as u64).to_le_bytes());
        for (id, stored) in &self.ids {
            out.extend_from_slice(&id.hash().to_le_bytes());
            out.extend_from_slice(&stored.0.to_le_bytes());
        }
        if is_rekeying {
            self.stale.encode(out);
        }
        SharedChunk::encode_all(&self.chunks, out);
    }
}
