//! The ends of connections and sessions: goodbye, loss, expiry, drain.

use mqtt_codec::Disconnect;
use mqtt_session::{Closing, Inbox, WillVerdict};
use mqtt_types::{Address, ReasonCode};
use queue_engine::ConsumerId;
use stdx::{Instant, UnixMillis};

use super::Shard;
use super::session_log::Waiting;
use crate::ids::{ConnId, SessionId};
use crate::outbox::{CloseReason, Outbox};
use crate::record::SessionEvent;
use crate::timers::Timer;

impl Shard {
    pub(super) fn on_disconnect<O: Outbox>(
        &mut self,
        conn: ConnId,
        disconnect: &Disconnect<'_>,
        out: &mut O,
    ) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        if let Some(interval) = disconnect.properties.session_expiry_interval() {
            let max = self.shared.config.limits.session_expiry_max;
            let changed =
                self.sessions.get_mut(id).map(|entry| entry.session.change_expiry(interval, max));
            if let Some(Err(reason)) = changed {
                let text = "session expiry interval given in DISCONNECT, but 0 in CONNECT";
                self.end_connection(conn, reason, Some(text), out);
                return;
            }
        }
        let normal = disconnect.reason_code == ReasonCode::SUCCESS; // `[MQTT-3.14.4-3]`
        let closing = if normal { Closing::Normal } else { Closing::WithWill };
        self.leave(conn, closing, out);
        out.close(conn, CloseReason::ClientDisconnect);
    }

    /// The network connection is gone.
    pub fn closed<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        self.leave(conn, Closing::WithWill, out);
    }

    /// Ends a connection from here, with a word where the version has one.
    pub(super) fn end_connection<O: Outbox>(
        &mut self,
        conn: ConnId,
        reason: ReasonCode,
        text: Option<&str>,
        out: &mut O,
    ) {
        if let Some(client_id) = self.client_id(conn) {
            tracing::debug!(client_id, %reason, text, "connection ended");
        }
        self.say_goodbye(conn, reason, text, out);
        self.leave(conn, Closing::WithWill, out);
    }

    /// Takes a connection from its session: consumers go, the will and the expiry take their course.
    pub(super) fn leave<O: Outbox>(&mut self, conn: ConnId, closing: Closing, out: &mut O) {
        self.entrants.remove(&conn);
        let Some(mut state) = self.conns.remove(conn) else { return };
        self.shared.budgets.memory.note(&mut state.accounted, 0);
        let id = state.session;
        let now = UnixMillis(self.turn.unix_ms);
        self.traces.lost(id, now.0);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        entry.conn = None;
        self.refusals.forget(conn);
        for (topic, version) in state.held.retained() {
            self.shared.retained.not_stored(topic, version, false);
        }
        let Some(entry) = self.sessions.get_mut(id) else { return };
        for held in state.held.packet_ids() {
            // It was not stored: the client may send it again.
            entry.session.refuse_qos2(held);
        }
        let taken = self.leave_seat(id);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let mut released = Vec::new();
        let memory = &self.shared.budgets.memory;
        let after = entry.session.disconnect(closing, now, out.written(conn), &mut released);
        entry.account(memory);
        self.hold_leases(id);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let consuming = entry.session.subscriptions().filter(|(_, record)| record.consumer != 0);
        let consumers: Vec<ConsumerId> =
            consuming.map(|(_, record)| ConsumerId(record.consumer)).collect();
        for consumer in consumers {
            self.detach_consumer(consumer, &released);
        }
        if let Some(extras) = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut()) {
            extras.shelf.clear();
        }
        if let WillVerdict::Publish(will) = after.will {
            self.publish_message(&will.into_message(now), Some(id), out);
        }
        if after.session_ends {
            self.end_session(id, out);
        } else {
            self.log_disconnected(id);
            self.watch_session(id);
            if self.members.contains(&id) {
                self.lend_out(id, None);
            }
        }
        self.pass_on(id, taken);
    }

    /// Sets a timer for what is due first of a session without a connection: its will or its end.
    fn watch_session(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get(id) else { return };
        let due =
            [entry.session.will_due_at(), entry.session.expires_at()].into_iter().flatten().min();
        let Some(at) = due.map(|due| self.instant_of(due)) else { return };
        if let Some(entry) =
            self.sessions.get_mut(id).filter(|entry| entry.timer.is_none_or(|timer| at < timer))
        {
            entry.timer = Some(at);
            self.timers.set(at, Timer::Session(id));
        }
    }

    /// The wall clock was set: what is due by it is due at another moment now.
    pub(super) fn watch_all_sessions(&mut self) {
        for id in self.sessions.ids() {
            if let Some(entry) = self.sessions.get_mut(id).filter(|entry| entry.conn.is_none()) {
                entry.timer = None;
                self.watch_session(id);
            }
        }
    }

    /// The moment on the monotonic clock that a moment on the wall clock is now expected to be.
    fn instant_of(&self, at: UnixMillis) -> Instant {
        self.turn.now + at.since(UnixMillis(self.turn.unix_ms))
    }

    /// A session without a connection has something due.
    pub(super) fn session_due<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        let now = UnixMillis(self.turn.unix_ms);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        entry.timer = entry.timer.filter(|timer| *timer > self.turn.now);
        if entry.conn.is_some() {
            return;
        }
        let will = entry.session.take_due_will(now);
        let expired = entry.session.is_expired(now);
        self.keep_inbox_limits(id);
        if let Some(will) = will {
            self.publish_message(&will.into_message(now), Some(id), out);
            self.log_disconnected(id);
        }
        if expired {
            self.end_session(id, out);
        } else {
            self.watch_session(id);
        }
    }

    /// Ends a session that has no connection: its subscriptions go at once, its will is published. `[MQTT-3.1.3-9]` What it
    /// keeps for shared groups it goes on keeping until other members have it.
    pub(super) fn end_session<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        self.end_session_for(id, Waiting::Nobody, out);
    }

    /// The same for who wants to know when that is stored.
    pub(super) fn end_session_for<O: Outbox>(
        &mut self,
        id: SessionId,
        waiting: Waiting,
        out: &mut O,
    ) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if entry.is_ending() {
            return self.look_at_ending(id);
        }
        let will = entry.session.take_will();
        let inbox = entry.session.inbox();
        let keeps =
            inbox.is_some_and(|inbox| inbox.passable(0).next().is_some() || inbox.lent() > 0);
        self.unroute_session(id);
        if keeps {
            self.drop_unpassable(id);
            self.begin_ending(id);
            self.log_disconnected(id);
            self.look_at_ending(id);
            if let Waiting::Ended(reply) = waiting {
                // The client has no session any more; what is left is stored when the others have it.
                reply(Ok(()));
            }
        } else {
            self.remove_session(id);
            self.log_session(id, SessionEvent::Ended(Some(self.heard_to)), waiting);
        }
        if let Some(will) = will {
            self.publish_message(&will.into_message(UnixMillis(self.turn.unix_ms)), Some(id), out);
        }
    }

    /// Forgets a session.
    pub(super) fn remove_session(&mut self, id: SessionId) {
        self.shared.budgets.subscriptions.release(self.subscriptions_bytes(id));
        let Some(mut entry) = self.sessions.remove(id) else { return };
        entry.release(&self.shared.budgets.memory);
        self.members.remove(&id);
        self.forget_overflow(id);
        for gone in entry.session.inbox().into_iter().flat_map(Inbox::stored) {
            self.release_body(gone);
        }
    }

    /// Takes all live subscriptions of a session out of the router.
    pub(super) fn unroute_session(&self, id: SessionId) {
        let Some(entry) = self.sessions.get(id) else { return };
        let live = entry.session.subscriptions().filter(|(_, record)| record.consumer == 0);
        let addresses: Vec<&str> = live.map(|(address, _)| address).collect();
        if addresses.is_empty() {
            return;
        }
        self.shared.routes.change(|router| {
            for address in addresses {
                match Address::parse(address) {
                    Ok(Address::Live(filter)) => router.unsubscribe(filter, id.subscriber()),
                    Ok(Address::Shared { group, filter }) => {
                        router.leave(group, filter, id.subscriber())
                    }
                    _ => false,
                };
            }
        });
    }

    /// Says goodbye to everyone, and writes what is left to write.
    pub(super) fn drain<O: Outbox>(&mut self, out: &mut O) {
        self.is_draining = true;
        let reason = self.shared.config.reason_to_leave();
        self.refuse_entrants(out);
        for conn in self.conns.ids() {
            self.say_goodbye(conn, reason, None, out);
            self.leave(conn, Closing::WithWill, out);
        }
        while let Some(letter) = self.turn.next_local() {
            self.letter(letter, out);
        }
        self.log_settlements();
    }
}
