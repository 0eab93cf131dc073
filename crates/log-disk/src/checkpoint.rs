//! Checkpoints: their file, their keeping, their making. It must not know what the shards' parts mean.

mod file;
mod maker;
mod store;

pub(crate) use file::{Checkpoint, NEWER_VERSION};
pub(crate) use maker::{Maker, MakerCommand, Standing};
pub(crate) use store::{CheckpointStore, Lying};
