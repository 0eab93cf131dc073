//! Streams over crashes of the broker: what is kept, where readers go on, checkpoints.
