//! What a stream can be told about its behaviour. It must not know how it behaves.

use std::time::Duration;

/// A stream's properties, as far as the engine acts on them. The defaults are those of a new stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamConfig {
    /// Messages in flight at a member, whatever it asks for. 0 counts as 1.
    pub max_inflight: u32,
    /// How long a released message waits, the first time. Also how long a member rests that was too busy.
    pub retry_delay: Duration,
    /// How long a released message waits at most.
    pub retry_delay_max: Duration,
    /// Stores, does not deliver.
    pub paused: bool,
    /// Whether messages keep their keys, and groups go by them. It costs 8 bytes of memory a message.
    pub keyed: bool,
    /// Keep only the newest message of each key. Messages keep their keys then.
    pub last_value: bool,
    /// Of which making the keys of messages are. Another number: those that are here need new ones, see
    /// [`Stream::to_rekey`](crate::Stream::to_rekey).
    pub key_generation: u8,
    /// The age at which a message expires. Zero: never.
    pub retention: Duration,
    /// Messages at most: the oldest go first.
    pub max_messages: Option<u64>,
    /// Their bytes at most: the oldest go first.
    pub max_bytes: Option<u64>,
    /// Offsets that a reader is at most ahead of its oldest unsettled message. 0 counts as 1.
    ///
    /// It bounds what a crash brings again, and the memory of a group that passes messages over because their keys are
    /// unsettled.
    pub look_ahead: u64,
    /// Readers at most whose positions are kept.
    pub readers_max: usize,
    /// How long the position of a reader without members is kept. Zero: for ever.
    pub keep_positions: Duration,
}

impl StreamConfig {
    /// Whether it keeps the keys of messages.
    #[must_use]
    pub const fn needs_keys(&self) -> bool {
        self.keyed || self.last_value
    }

    /// Of which making it keeps them, if it does.
    pub(crate) fn key_making(&self) -> Option<u8> {
        self.needs_keys().then_some(self.key_generation)
    }
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            max_inflight: 32,
            retry_delay: Duration::from_secs(1),
            retry_delay_max: Duration::from_secs(60),
            paused: false,
            keyed: false,
            last_value: false,
            key_generation: 0,
            retention: Duration::from_secs(7 * 24 * 3600),
            max_messages: None,
            max_bytes: None,
            look_ahead: 65_536,
            readers_max: 10_000,
            keep_positions: Duration::from_secs(7 * 24 * 3600),
        }
    }
}
