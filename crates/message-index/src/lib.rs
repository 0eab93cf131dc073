//! The index of a queue or stream: for each message that is still here, where its body is, its size, when it was stored,
//! its key and its times, in a few bytes of memory each. It must not know readers, consumers, or what state a message is in.
//!
//! Messages come with dense offsets from 0 and leave in any order. 512 of them make a chunk, packed when it is full, shared
//! with snapshots, and freed when nothing of it is left.

mod chunk;
mod column;
mod deadlines;
mod ids;
mod index;
mod present;
mod stale;

pub use chunk::{CHUNK_MESSAGES, Entry, NEVER};
pub use deadlines::Deadlines;
pub use ids::{Key, Offset, StoredAt};
pub use index::{ChunkError, ChunkLayout, Index, Removed, SharedChunk, Tally, chunk_of, first_of};
pub use stale::{Stale, StalePart};
