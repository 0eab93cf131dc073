//! Clients that are not read for a while, because the log or another shard is behind with what they send.

use std::time::Duration;

use log_api::ShardId;

use super::Shard;
use crate::ids::ConnId;
use crate::outbox::Outbox;
use crate::timers::Timer;

/// How often throttled publishers are looked at, beside the moments when the log says something.
const LOOK: Duration = Duration::from_millis(5);

impl Shard {
    /// Stops reading a publisher of stored messages while the log is too far behind.
    #[inline]
    pub(super) fn throttle<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        let backlog = self.shared.log.backlog_bytes() + self.turn.batch.bytes() as u64;
        if backlog > self.shared.config.max_log_backlog_bytes {
            self.hold_back(conn, out);
        } else if self.conns.get(conn).is_some_and(|state| state.connection.must_hold()) {
            out.pause_reading(conn);
        }
    }

    /// Stops reading a client whose requests wait for the log faster than it answers.
    pub(super) fn throttle_requests<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        if self.waiting_answers() > self.shared.config.max_waiting_answers {
            self.hold_back(conn, out);
        } else {
            self.throttle(conn, out);
        }
    }

    fn waiting_answers(&self) -> usize {
        self.subscribes.len() + self.answers.len()
    }

    /// Stops reading a publisher whose live messages another shard does not keep up with.
    pub(super) fn throttle_live<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        let shards = self.shared.config.shards;
        let max = self.shared.config.max_mailbox_bytes;
        let is_behind =
            |shard| self.shared.post.live_bytes(shard) + self.turn.live_bytes(shard) > max;
        if (0..shards).map(ShardId).any(is_behind) {
            self.hold_back(conn, out);
        }
    }

    fn hold_back<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        out.pause_reading(conn);
        let Some(state) = self.conns.get_mut(conn).filter(|state| !state.is_throttled) else {
            return;
        };
        state.is_throttled = true;
        self.throttled.push(conn);
        self.look_later();
    }

    /// Commits of other shards are not told here, nor when a mailbox empties.
    fn look_later(&mut self) {
        if !self.throttle_timer {
            self.throttle_timer = true;
            self.timers.set(self.turn.now + LOOK, Timer::Throttled);
        }
    }

    /// Reads publishers again when the others have caught up by half.
    pub(super) fn resume_throttled<O: Outbox>(&mut self, out: &mut O) {
        if self.throttled.is_empty() {
            return;
        }
        let config = &self.shared.config;
        let mailboxes = (0..config.shards).map(|shard| self.shared.post.live_bytes(ShardId(shard)));
        let is_behind = self.shared.log.backlog_bytes() * 2 > config.max_log_backlog_bytes
            || mailboxes.max().unwrap_or(0) * 2 > config.max_mailbox_bytes
            || self.waiting_answers() * 2 > config.max_waiting_answers;
        if is_behind {
            self.look_later();
            return;
        }
        for conn in std::mem::take(&mut self.throttled) {
            let Some(state) = self.conns.get_mut(conn) else { continue };
            state.is_throttled = false;
            if state.is_read() {
                out.resume_reading(conn);
            }
        }
    }
}
