//! Writing a snapshot.

use message_index::SharedChunk;

use super::{Snapshot, VERSION, VERSION_3, VERSION_4};

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
    /// | delayed:  n u64 | n × { offset u64 | until u64 }, by offset
    /// | chunks, see [`SharedChunk::encode_all`]
    /// ```
    /// When nothing is delayed version 4 is written, which has nothing in that place; without stale keys too version 3, which has
    /// nothing in either. Up to version 2 `dispatched_to` is not above `next`.
    /// Version 1 has no `replaced`, no `ids`, and chunks of the first layout.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let version = match (self.delayed.is_empty(), self.stale.is_empty()) {
            (false, _) => VERSION,
            (true, false) => VERSION_4,
            (true, true) => VERSION_3,
        };
        out.push(version);
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
        if version >= VERSION_4 {
            self.stale.encode(out);
        }
        if version >= VERSION {
            out.extend_from_slice(&(self.delayed.len() as u64).to_le_bytes());
            for (offset, until) in &self.delayed {
                out.extend_from_slice(&offset.0.to_le_bytes());
                out.extend_from_slice(&until.0.to_le_bytes());
            }
        }
        SharedChunk::encode_all(&self.chunks, out);
    }
}
