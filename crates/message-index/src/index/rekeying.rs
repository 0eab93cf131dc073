//! Messages that get other keys. It must not know why.

use std::sync::Arc;

use super::{Index, chunk_of, split};
use crate::chunk::{Chunk, Entry};
use crate::{Key, Offset};

impl Index {
    /// Messages that are still here, or kept, have these keys from now on. Those of a chunk one after the other are cheap.
    pub fn rekey(&mut self, keys: &[(Offset, Key)]) {
        for keys in keys.chunk_by(|(one, _), (next, _)| chunk_of(*one) == chunk_of(*next)) {
            self.rekey_chunk(keys);
        }
    }

    fn rekey_chunk(&mut self, keys: &[(Offset, Key)]) {
        let Some((first, _)) = keys.first() else { return };
        let (open_number, _) = split(self.next);
        let number = chunk_of(*first);
        if number == open_number {
            return set_keys(&mut self.open, keys);
        }
        let Some(slot) = self.slot_mut(number) else { return };
        let Some(packed) = slot.packed.as_ref() else { return };
        let mut entries: Vec<Entry> = packed.entries().collect();
        set_keys(&mut entries, keys);
        slot.packed = Some(Arc::new(Chunk::pack(&entries)));
    }
}

fn set_keys(entries: &mut [Entry], keys: &[(Offset, Key)]) {
    for (offset, key) in keys {
        let (_, at) = split(*offset);
        if let Some(entry) = entries.get_mut(at) {
            entry.key = *key;
        }
    }
}
