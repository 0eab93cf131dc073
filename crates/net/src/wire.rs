//! One connection's socket and buffers. It must not know packets.

use std::io;

use mqtt_types::ProtocolVersion;
use stdx::Instant;

use crate::rate::Rate;
use crate::transport::{Input, Transport};

/// How a connection is doing.
///
/// ```text
/// Greeting ── CONNECT ──► Open ── close ──► Closing ── written out ──► Lingering ── end of input or time ──► gone
///     └───────────────────── close ────────────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// CONNECT has not come yet.
    Greeting,
    /// The broker knows it.
    Open,
    /// Nothing more is taken from it; what is in the buffer goes out.
    Closing,
    /// Our side is shut down; what the client still sends is thrown away, so that it can read our last words.
    Lingering,
}

/// A transport and its buffers. At rest it has no buffer.
pub(crate) struct Wire {
    pub(crate) transport: Transport,
    pub(crate) generation: u32,
    pub(crate) phase: Phase,
    pub(crate) version: ProtocolVersion,
    /// The shard does not want it read for now.
    pub(crate) is_paused: bool,
    /// It sent more than its listener allows, and is not read for a while.
    pub(crate) is_held: bool,
    /// What waits in `partial` begins with packets that nobody has looked at, since it was not read on; they come before
    /// what the socket has.
    pub(crate) is_behind: bool,
    /// More waits for its client than may, so that it is not read until some of that is written.
    pub(crate) is_stuffed: bool,
    /// What it may send, if there is a limit.
    pub(crate) rate: Option<Box<Rate>>,
    /// On the list of connections with output to write.
    pub(crate) is_dirty: bool,
    /// On the list of connections to read.
    pub(crate) is_ready: bool,
    /// The broker wants to hear when the output is written.
    pub(crate) notify_drained: bool,
    /// The socket took less than was there: the poll says when it takes more.
    pub(crate) is_blocked: bool,
    /// The client has ended its side: there is an end to read, and the poll has said so.
    pub(crate) is_half_closed: bool,
    /// What has been written, of `out` and in all.
    pub(crate) sent: usize,
    pub(crate) written: u64,
    pub(crate) out: Vec<u8>,
    /// Input that is no whole packet yet, or waits because the connection is not read on.
    pub(crate) partial: Vec<u8>,
    pub(crate) accepted: Instant,
    /// What of its buffers is counted.
    pub(crate) counted_output: u32,
    pub(crate) counted_input: u32,
    /// What was written when the deadline of a client that does not read was set.
    pub(crate) written_before: u64,
    /// When a greeting, closing or lingering connection is given up, or one whose client does not read.
    pub(crate) deadline: Option<Instant>,
}

/// What a write came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flushed {
    /// All is written.
    All,
    /// The socket takes no more for now.
    Blocked,
    /// The connection is gone.
    Gone,
}

impl Wire {
    pub(crate) fn new(
        transport: Transport,
        generation: u32,
        accepted: Instant,
        deadline: Instant,
    ) -> Self {
        Self {
            // Output of its own that came along from another thread waits for the poll's first word.
            is_blocked: transport.wants_write(),
            generation,
            phase: Phase::Greeting,
            version: ProtocolVersion::default(),
            is_paused: false,
            is_held: false,
            is_behind: false,
            is_stuffed: false,
            rate: Rate::of(transport.peer().gate()),
            is_dirty: false,
            is_ready: false,
            notify_drained: false,
            is_half_closed: false,
            sent: 0,
            written: 0,
            out: Vec::new(),
            partial: Vec::new(),
            accepted,
            counted_output: 0,
            counted_input: 0,
            written_before: 0,
            deadline: Some(deadline),
            transport,
        }
    }

    /// Whether packets are taken from it.
    #[inline]
    pub(crate) const fn is_read(&self) -> bool {
        !self.is_paused && !self.is_held && !self.is_stuffed
    }

    /// Keeps input that was not taken, where there is none yet.
    #[inline]
    pub(crate) fn keep_input(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(rest);
            self.is_behind = !self.is_read();
        }
    }

    /// Bytes in the output that the socket has not taken.
    pub(crate) const fn unwritten(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Bytes ever put into the output.
    pub(crate) fn mark(&self) -> u64 {
        self.written + self.unwritten() as u64
    }

    /// Writes what is there, with one call as a rule.
    pub(crate) fn flush(&mut self) -> Flushed {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.transport.write(rest) {
                Ok(0) => return Flushed::Gone,
                Ok(count) => {
                    self.sent += count;
                    self.written += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    // What is written goes, so that a slow reader's buffer holds what waits and no more.
                    // Not before it is the larger part: each byte is moved once then, however slow the reader.
                    if self.sent > 64 * 1024 && self.sent * 2 > self.out.len() {
                        self.out.drain(..self.sent);
                        self.out.shrink_to(2 * self.out.len());
                        self.sent = 0;
                    }
                    return Flushed::Blocked;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Gone,
            }
        }
        match self.transport.settle(self.phase == Phase::Closing) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_blocked = true;
                return Flushed::Blocked;
            }
            Err(_) => return Flushed::Gone,
        }
        self.is_blocked = false;
        self.sent = 0;
        self.out.clear();
        Flushed::All
    }

    /// Reads once.
    #[inline]
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Input {
        if self.transport.is_plain() {
            return self.transport.read(into);
        }
        if matches!(self.phase, Phase::Closing | Phase::Lingering) {
            return self.transport.discard(into);
        }
        let input = self.transport.read(into);
        self.is_blocked |= self.transport.wants_write();
        input
    }

    /// Whether there is more to read although the poll will not say so.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        // What a closing one still sends is thrown away as it comes from the socket: what its transport has does not count.
        let is_read = matches!(self.phase, Phase::Greeting | Phase::Open);
        self.is_half_closed || is_read && self.transport.has_more()
    }

    /// Ends our side and waits for the client's.
    pub(crate) fn linger(&mut self) {
        self.phase = Phase::Lingering;
        self.transport.socket_mut().shutdown_write();
    }
}

#[cfg(test)]
mod tests;
