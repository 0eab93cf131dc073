//! What a CONNECT may ask of a node that has much to do already, and what came of those that asked for more. It must not
//! know who the client is.

use mqtt_session::{ConnectRequest, Negotiated, WillRequest};
use mqtt_types::ReasonCode;

use super::Shard;

/// Why a client is refused, and in words.
type TooMuch = (ReasonCode, String);

impl Shard {
    /// # Errors
    /// A limit is reached.
    pub(super) fn check_limits(
        &mut self,
        request: &ConnectRequest<'_>,
        negotiated: &Negotiated,
    ) -> Result<(), TooMuch> {
        if self.shared.budgets.memory.is_over() {
            self.counts.connects_memory_total += 1;
            let words = "too much waits for other clients; try again later";
            return Err((ReasonCode::SERVER_BUSY, words.to_owned()));
        }
        if let Some(words) = request.will.as_ref().and_then(|will| self.will_too_large(will)) {
            self.counts.connects_will_total += 1;
            return Err((ReasonCode::QUOTA_EXCEEDED, words));
        }
        let max = self.shared.config.max_sessions;
        let is_new = self.sessions.find(&negotiated.client_id).is_none();
        if is_new && self.sessions.len() + self.shared.sessions_elsewhere(self.id) >= max {
            self.counts.connects_sessions_total += 1;
            let words = format!("there are {max} sessions, as many as there may be");
            return Err((ReasonCode::QUOTA_EXCEEDED, words));
        }
        Ok(())
    }

    fn will_too_large(&self, will: &WillRequest<'_>) -> Option<String> {
        let bytes = will.topic.len() + will.properties.len() + will.payload.len();
        let max = self.shared.config.max_will_bytes;
        if bytes > max {
            return Some(format!("the will has {bytes} bytes, more than {max}"));
        }
        let no_room = bytes > self.shared.budgets.wills.share();
        no_room.then(|| "all wills together take as much memory as they may".to_owned())
    }

    /// Counts a CONNECT that was refused for what it asks, if its limit did not.
    pub(super) const fn count_refused_connect(&mut self, reason: ReasonCode, is_counted: bool) {
        match reason {
            _ if is_counted => {}
            ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => self.counts.connects_client_id_total += 1,
            _ => self.counts.connects_other_total += 1,
        }
    }

    /// Counts a connection that the broker ends.
    pub(super) const fn count_ended(&mut self, reason: ReasonCode) {
        let counts = &mut self.counts;
        let count = match reason {
            ReasonCode::KEEP_ALIVE_TIMEOUT => &mut counts.ended_keep_alive_total,
            ReasonCode::SESSION_TAKEN_OVER => &mut counts.ended_taken_over_total,
            ReasonCode::QUOTA_EXCEEDED => &mut counts.ended_quota_total,
            _ => &mut counts.ended_other_total,
        };
        *count += 1;
    }

    /// Counts connections whose clients did not read what waited for them.
    pub const fn count_slow(&mut self, connections: u64) {
        self.counts.ended_slow_total += connections;
    }

    /// Ends a connection whose next packet there is no room for.
    pub fn no_room<O: crate::Outbox>(&mut self, conn: crate::ConnId, out: &mut O) {
        let text = "no room for a packet of this size now";
        self.end_connection(conn, ReasonCode::QUOTA_EXCEEDED, Some(text), out);
    }
}
