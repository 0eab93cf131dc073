//! How much one connection may send. It must not know sockets.

use stdx::Instant;

use crate::gate::Gate;
use crate::token_bucket::TokenBucket;

/// The most that is read at once from a connection with a limit, so that little waits here while it is held.
const READ_BYTES_MAX: u64 = 8 * 1024;
/// The least, so that a low limit does not make a system call for each byte.
const READ_BYTES_MIN: u64 = 256;

/// What a connection may send: messages and bytes.
#[derive(Debug)]
pub(crate) struct Rate {
    messages: Option<TokenBucket>,
    bytes: Option<TokenBucket>,
    read_bytes_max: usize,
}

impl Rate {
    /// What the listener allows each of its connections; none when that is everything.
    pub(crate) fn of(gate: &Gate) -> Option<Box<Self>> {
        if gate.message_rate.is_none() && gate.byte_rate.is_none() {
            return None;
        }
        // An eighth of a second's bytes: it is never held for long at once, and a PINGREQ comes through.
        let piece = gate.byte_rate.map_or(READ_BYTES_MAX, |rate| rate.get() / 8);
        Some(Box::new(Self {
            messages: gate.message_rate.map(TokenBucket::new),
            bytes: gate.byte_rate.map(TokenBucket::new),
            read_bytes_max: piece.clamp(READ_BYTES_MIN, READ_BYTES_MAX) as usize,
        }))
    }

    /// The most that is to be read at once.
    pub(crate) const fn read_bytes_max(&self) -> usize {
        self.read_bytes_max
    }

    /// Counts bytes that came; says until when no more are wanted.
    pub(crate) fn on_bytes(&mut self, now: Instant, count: usize) -> Option<Instant> {
        self.bytes.as_mut()?.charge(now, count as u64)
    }

    /// Counts a PUBLISH that came; says until when no more are wanted.
    pub(crate) fn on_message(&mut self, now: Instant) -> Option<Instant> {
        self.messages.as_mut()?.charge(now, 1)
    }
}
