//! The bytes of chunks in a snapshot: whatever the bytes, legal chunks or an error.

use std::sync::Arc;

use super::SharedChunk;
use crate::Offset;
use crate::chunk::{CHUNK_MESSAGES, COLUMNS, COLUMNS_V1, Chunk};
use crate::present::{PRESENT_WORDS, Present};

/// How chunks are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChunkLayout {
    /// Without kept messages, and the first four columns alone. It is read, and not written any more.
    V1,
    /// What [`SharedChunk::encode_all`] writes.
    V2,
}

/// Why bytes are no chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChunkError {
    /// They end before the chunks do.
    #[error("chunks of an index end early")]
    EndsEarly,
    /// They contradict themselves.
    #[error("chunks of an index are not legal: {0}")]
    Illegal(&'static str),
}

/// Takes the first bytes off.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ChunkError> {
    let (taken, behind) = rest.split_first_chunk().ok_or(ChunkError::EndsEarly)?;
    *rest = behind;
    Ok(*taken)
}

fn take_u64(rest: &mut &[u8]) -> Result<u64, ChunkError> {
    take(rest).map(u64::from_le_bytes)
}

fn take_set(rest: &mut &[u8]) -> Result<Present, ChunkError> {
    let mut words = [0; PRESENT_WORDS];
    for word in &mut words {
        *word = take_u64(rest)?;
    }
    Ok(Present::from_words(words))
}

impl SharedChunk {
    /// Appends chunks. All numbers are little-endian.
    ///
    /// ```text
    /// n u64 | n × { number u64 | len u16 | present: 8 × u64 | has_kept u8 | kept: has_kept × 8 × u64
    ///               | 7 × { base u64 | width u8 } | bytes: len × the sum of widths }, by number
    /// ```
    /// Chunk `number` is of the messages from offset `512 × number`; bit `i` of `present` says that message `i` is still
    /// here, bit `i` of `kept` that it was settled and is kept. Its columns are the upper and the lower half of positions,
    /// sizes, times stored, keys, times to live plus 1 (0: for ever) and delays, both from when the message was stored;
    /// each message's number as the difference from the column's base.
    ///
    /// [`ChunkLayout::V1`] has no `has_kept` and `kept`, and the first four columns alone.
    pub fn encode_all(chunks: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(&(chunks.len() as u64).to_le_bytes());
        for chunk in chunks {
            chunk.encode(out);
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&(self.chunk.len() as u16).to_le_bytes());
        for word in self.present.words() {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.push(u8::from(!self.kept.is_empty()));
        for word in self.kept.words().iter().filter(|_| !self.kept.is_empty()) {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let (columns, packed) = self.chunk.parts();
        for (base, width) in columns {
            out.extend_from_slice(&base.to_le_bytes());
            out.push(width);
        }
        out.extend_from_slice(packed);
    }

    /// Reads chunks of an index in which `next` is the offset of the next message, and leaves what follows them in `rest`.
    ///
    /// # Errors
    /// They end early or contradict themselves.
    pub fn decode_all(
        rest: &mut &[u8],
        layout: ChunkLayout,
        next: Offset,
    ) -> Result<Vec<Self>, ChunkError> {
        let count = take_u64(rest)?;
        let mut chunks: Vec<Self> = Vec::new();
        for _ in 0..count {
            let chunk = Self::decode(rest, layout, next)?;
            if chunks.last().is_some_and(|last| last.number >= chunk.number) {
                return Err(ChunkError::Illegal("chunks are not in order"));
            }
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    fn decode(rest: &mut &[u8], layout: ChunkLayout, next: Offset) -> Result<Self, ChunkError> {
        let is_v1 = layout == ChunkLayout::V1;
        let number = take_u64(rest)?;
        let len = usize::from(u16::from_le_bytes(take(rest)?));
        let present = take_set(rest)?;
        let has_kept = !is_v1 && take(rest)? != [0];
        let kept = if has_kept { take_set(rest)? } else { Present::default() };
        let mut columns = [(0, 0); COLUMNS];
        for column in columns.iter_mut().take(if is_v1 { COLUMNS_V1 } else { COLUMNS }) {
            let base = take_u64(rest)?;
            let [width] = take(rest)?;
            *column = (base, width);
        }
        let messages = CHUNK_MESSAGES as u64;
        let came = number.checked_mul(messages).and_then(|first| next.0.checked_sub(first));
        if came.map(|came| came.min(messages)) != Some(len as u64)
            || [present, kept].iter().any(|set| set.first_from(len).is_some())
            || present.is_empty() && kept.is_empty()
            || present.iter().any(|at| kept.contains(at))
        {
            return Err(ChunkError::Illegal("a chunk holds what never came, or nothing"));
        }
        let bytes = Chunk::packed_bytes(len, &columns);
        let (packed, behind) = rest.split_at_checked(bytes).ok_or(ChunkError::EndsEarly)?;
        *rest = behind;
        let chunk = Chunk::from_parts(len, columns, packed)
            .ok_or(ChunkError::Illegal("a chunk does not fit together"))?;
        Ok(Self { number, present, kept, chunk: Arc::new(chunk) })
    }
}
