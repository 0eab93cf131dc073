//! What all retained messages come to, and how much of them lies in each segment of the log.
//! It must not know topics.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use log_api::{SegmentUse, frame_bytes};

use super::entry::Weight;

/// What a record has around topic, properties and payload, at least.
const RECORD_BYTES: usize = 36;

/// Bodies that are held more, or fewer, by segment.
pub type Holds = Vec<(u32, i32)>;

/// Sums over all topics.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) messages: u64,
    /// Those that the limit is about.
    pub(super) limited: u64,
    /// Bytes of topics, properties and payloads that subscribers see.
    pub(super) bytes: u64,
    /// Memory that cannot be given back.
    pub(super) memory: u64,
    /// Memory of bodies that the log has too.
    pub(super) bodies: u64,
    /// Bodies in each segment, and bytes of their frames.
    segments: BTreeMap<u32, (u32, u64)>,
}

impl Totals {
    /// A topic has changed.
    pub(super) fn change(&mut self, before: &Weight, after: &Weight, holds: &mut Holds) {
        let by = |total: &mut u64, before: u64, after: u64| *total = *total + after - before;
        by(&mut self.messages, before.messages, after.messages);
        by(&mut self.limited, before.limited, after.limited);
        by(&mut self.bytes, before.bytes, after.bytes);
        by(&mut self.memory, before.memory, after.memory);
        by(&mut self.bodies, before.body, after.body);
        if before.stored == after.stored {
            return;
        }
        if let Some((at, size)) = before.stored {
            if let Entry::Occupied(mut of) = self.segments.entry(at.segment()) {
                let (count, bytes) = *of.get();
                match count {
                    1 => drop(of.remove()),
                    _ => *of.get_mut() = (count - 1, bytes - on_disk(size)),
                }
            }
            note(holds, at.segment(), -1);
        }
        if let Some((at, size)) = after.stored {
            let of = self.segments.entry(at.segment()).or_default();
            *of = (of.0 + 1, of.1 + on_disk(size));
            note(holds, at.segment(), 1);
        }
    }

    /// Bodies in the log, by segment.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn held(&self) -> u64 {
        self.segments.values().map(|(count, _)| u64::from(*count)).sum()
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn segments(&self) -> Vec<u32> {
        self.segments.keys().copied().collect()
    }

    /// Bytes that the bodies take in the log.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.values().map(|(_, bytes)| bytes).sum()
    }

    /// Segments that hold nothing live but retained messages, and those are less than half of them.
    pub(super) fn sparse(&self, segments: &[SegmentUse]) -> Vec<u32> {
        let is_sparse = |of: &&SegmentUse| {
            let bytes = self.segments.get(&of.segment).map(|(_, bytes)| *bytes);
            of.references == 0 && bytes.is_some_and(|bytes| bytes * 2 <= of.bytes)
        };
        segments.iter().filter(is_sparse).map(|of| of.segment).collect()
    }
}

/// Bytes that a body of that size takes in the log, at least.
fn on_disk(size: u32) -> u64 {
    frame_bytes(RECORD_BYTES + size as usize) as u64
}

/// Notes that so many bodies more of a segment are held, or fewer.
pub fn note(holds: &mut Holds, segment: u32, by: i32) {
    match holds.last_mut() {
        Some((last, more)) if *last == segment => *more += by,
        _ => holds.push((segment, by)),
    }
}
