//! Writing a snapshot.

use super::{Snapshot, VERSION};

impl Snapshot {
    /// Appends its bytes. All numbers are little-endian.
    ///
    /// ```text
    /// version u8 | next u64 | dispatched_to u64
    /// | settled u64 | dead_lettered u64 | dropped u64 | expired u64 | replaced u64 | purged u64 | redelivered u64
    /// | attempts: n u64 | n × { offset u64 | attempts u32 }, by offset
    /// | replaced: n u64 | n × offset u64, in order
    /// | ids:      n u64 | n × { id u128 | stored u64 }, in the order they came
    /// | chunks:   n u64 | n × { number u64 | len u16 | present: 8 × u64 | has_kept u8 | kept: has_kept × 8 × u64
    ///                         | 7 × { base u64 | width u8 } | bytes: len × the sum of widths }, by number
    /// ```
    /// Chunk `number` is of the messages from offset `512 × number`; bit `i` of `present` says that message `i` is still
    /// here, bit `i` of `kept` that it was settled and is kept. Its columns are the upper and the lower half of positions,
    /// sizes, times stored, keys, times to live plus 1 (0: for ever) and delays, both from when the message was stored;
    /// each message's number as the difference from the column's base.
    ///
    /// Version 1 has no `replaced`, no `ids`, no `has_kept` and `kept`, and the first four columns alone.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
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
        out.extend_from_slice(&(self.chunks.len() as u64).to_le_bytes());
        for chunk in &self.chunks {
            out.extend_from_slice(&chunk.number.to_le_bytes());
            out.extend_from_slice(&(chunk.chunk.len() as u16).to_le_bytes());
            for word in chunk.present.words() {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.push(u8::from(!chunk.kept.is_empty()));
            for word in chunk.kept.words().iter().filter(|_| !chunk.kept.is_empty()) {
                out.extend_from_slice(&word.to_le_bytes());
            }
            let (columns, packed) = chunk.chunk.parts();
            for (base, width) in columns {
                out.extend_from_slice(&base.to_le_bytes());
                out.push(width);
            }
            out.extend_from_slice(packed);
        }
    }
}
