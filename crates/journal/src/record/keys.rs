//! The key of a message for one queue or stream, as a record has it. It must not know how keys are made.

use mqtt_router::SinkId;

use super::codec::{Reader, RecordError};

/// In place of a key: there is none, and the queue wants one. No key is of that number.
pub const UNKEYED: u64 = 0;

/// The hash of a message's key.
///
/// ```text
/// sink u32 | key u64 | publish records of versions 6 and 7: generation u8
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SinkKey {
    /// For which queue or stream.
    pub sink: SinkId,
    /// The hash, or [`UNKEYED`].
    pub key: u64,
    /// Of which making it is: that of the properties of whoever made it.
    pub generation: u8,
}

impl SinkKey {
    pub(super) fn encode(&self, says_generation: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sink.0.to_le_bytes());
        out.extend_from_slice(&self.key.to_le_bytes());
        if says_generation {
            out.push(self.generation);
        }
    }

    pub(super) fn decode(
        reader: &mut Reader<'_>,
        says_generation: bool,
    ) -> Result<Self, RecordError> {
        let (sink, key) = (SinkId(reader.u32()?), reader.u64()?);
        let generation = if says_generation { reader.u8()? } else { 0 };
        Ok(Self { sink, key, generation })
    }
}
