//! What a log gives back at start. It must not know what the parts mean.

use crate::{Position, RecordKind, VisitError};

/// A checkpoint: what the shards answered, and where replay goes on from it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CheckpointParts {
    /// The parts hold what the records before this position made.
    pub position: Position,
    /// One part for each shard there was then, which may not be as many as there are now.
    pub parts: Vec<Vec<u8>>,
}

/// Takes in a replayed record: its kind, its position, its partition and its body. An error ends the replay.
pub type Visit<'a> = dyn FnMut(RecordKind, Position, u16, &[u8]) -> Result<(), VisitError> + 'a;
