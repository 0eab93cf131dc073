//! Writing a snapshot.

use message_index::SharedChunk;

use super::{
    CLIENT, GROUP, POSITIONS_ALONE, Snapshot, StoredReader, UNKNOWN, VERSION, VERSION_2, VERSION_3,
};

impl Snapshot {
    /// Appends its bytes. All numbers are little-endian.
    ///
    /// ```text
    /// version u8 = 4 | next u64 | dropped u64 | expired u64 | replaced u64 | purged u64 | redelivered u64
    /// | readers: n u64 | n × { kind u8 | name: len u32, UTF-8 | position u64 | delivered_to u64 | rejected u64
    ///                          | skipped u64 | gone_since u64 | runs: n u64 | n × { start u64 | end u64 } }, by kind and name
    /// | stale keys, see Stale::encode in message-index
    /// | chunks, see SharedChunk::encode_all in message-index
    /// ```
    /// `kind` is 1 for a client, 2 for a group. `gone_since` is in milliseconds since 1970, all ones where it is not known.
    /// The runs are of offsets that it has settled at its position or above. Only in version 4 `delivered_to` may be behind
    /// `next`; where none is, version 3 is written. Without stale keys it is version 2, which has nothing in their place.
    /// Version 1 has no runs; it is written as long as there are none either.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let is_ahead = |reader: &StoredReader| reader.progress.delivered_to > self.next;
        let is_ahead = self.readers.iter().any(is_ahead);
        let has_stale = is_ahead || !self.stale.is_empty();
        let has_runs = has_stale || self.readers.iter().any(|reader| !reader.settled.is_empty());
        out.push(match (is_ahead, has_stale, has_runs) {
            (true, ..) => VERSION,
            (_, true, _) => VERSION_3,
            (.., true) => VERSION_2,
            _ => POSITIONS_ALONE,
        });
        let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
        put(self.next.0);
        self.counts.departures().into_iter().for_each(&mut put);
        put(self.counts.redelivered);
        put(self.readers.len() as u64);
        for reader in &self.readers {
            let name = reader.name.text();
            out.push(if reader.name.is_group() { GROUP } else { CLIENT });
            out.extend_from_slice(&(name.len() as u32).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            let progress = &reader.progress;
            let gone_since = reader.gone_since.map_or(UNKNOWN, |since| since.0);
            let numbers = [
                progress.position.0,
                progress.delivered_to.0,
                progress.rejected,
                progress.skipped,
                gone_since,
            ];
            let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
            numbers.into_iter().for_each(&mut put);
            if has_runs {
                put(reader.settled.iter().count() as u64);
                for run in reader.settled.iter() {
                    put(run.start);
                    put(run.end);
                }
            }
        }
        if has_stale {
            self.stale.encode(out);
        }
        SharedChunk::encode_all(&self.chunks, out);
    }
}
