//! What is due, and what an emptied output buffer lets through.

use std::time::Duration;

use mqtt_types::ReasonCode;
use queue_engine::{ConsumerId, Offset, Outcome};
use stdx::Instant;

use super::{ROUTE_CACHE_LIFE, Shard};
use crate::ids::ConnId;
use crate::outbox::Outbox;
use crate::timers::Timer;

/// How long a timer for a keep alive may be set.
const KEEP_ALIVE_LOOK: Duration = Duration::from_secs(120);

impl Shard {
    /// Does what is due.
    pub fn tick<O: Outbox>(&mut self, out: &mut O) {
        while let Some(timer) = self.timers.pop_due(self.turn.now) {
            match timer {
                Timer::KeepAlive(conn) => self.keep_alive_due(conn, out),
                Timer::SignIn(conn) => self.sign_in_due(conn, out),
                Timer::Session(id) => self.session_due(id, out),
                Timer::Replay(id) => self.replay_due(id, out),
                Timer::Hold(conn) => self.end_hold(conn, out),
                Timer::LeasesAgain => self.store_kept_back(),
                Timer::Settlements => {
                    self.settle_timer = false;
                    self.log_settlements();
                }
                Timer::Throttled => {
                    self.throttle_timer = false;
                    self.resume_throttled(out);
                }
                Timer::Moves(sink) => self.moves_due(sink),
                Timer::Delayed => self.delayed_due(),
                Timer::Members => self.members_due(),
                Timer::Retained => self.retained_due(),
                Timer::Relocation => self.relocation_due(),
                Timer::Overflow => self.overflow_due(),
                Timer::Status => self.status_due(out),
                Timer::Watch => self.watch_due(),
                Timer::RouteCache => {
                    self.routes.clear();
                    self.timers.set(self.turn.now + ROUTE_CACHE_LIFE, Timer::RouteCache);
                }
            }
        }
        self.hosting.tick(&mut self.turn);
    }

    /// Gives back what a busy spell took: who sends PINGREQ has been silent for a while.
    pub(super) fn shrink(&mut self, conn: ConnId) {
        let Some(state) = self.conns.get_mut(conn) else { return };
        state.connection.shrink();
        let session = state.session;
        let Some(entry) = self.sessions.get_mut(session) else { return };
        entry.session.shrink();
        entry.give_back_extras();
    }

    /// Sets the timer for a silent client. It is not far, because it outlives the connection.
    pub(super) fn watch_keep_alive(&mut self, conn: ConnId, deadline: Instant) {
        let at = deadline.min(self.turn.now + KEEP_ALIVE_LOOK);
        self.timers.set(at, Timer::KeepAlive(conn));
    }

    /// Lets timers go whose connection or session is no more.
    pub(super) fn prune_timers(&mut self) {
        let (conns, entrants, sessions) = (&self.conns, &self.entrants, &self.sessions);
        self.timers.prune(|timer| match timer {
            Timer::KeepAlive(conn) | Timer::Hold(conn) => conns.get(conn).is_some(),
            Timer::SignIn(conn) => entrants.contains_key(&conn),
            Timer::Session(id) | Timer::Replay(id) => sessions.get(id).is_some(),
            _ => true,
        });
    }

    /// `[MQTT-3.1.2-22]`
    fn keep_alive_due<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        let Some(deadline) =
            self.conns.get(conn).and_then(|state| state.connection.keep_alive_deadline())
        else {
            return;
        };
        if deadline > self.turn.now {
            self.watch_keep_alive(conn, deadline);
            return;
        }
        if let Some(until) = self.clocks.grace(self.turn.now) {
            self.timers.set(until, Timer::KeepAlive(conn));
            return;
        }
        // A client that is not read cannot be heard.
        if self.conns.get(conn).is_some_and(|state| !state.is_read()) {
            self.timers.set(self.turn.now + Duration::from_secs(1), Timer::KeepAlive(conn));
            return;
        }
        self.end_connection(conn, ReasonCode::KEEP_ALIVE_TIMEOUT, None, out);
    }

    /// A connection's output has been written out.
    pub fn drained<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        self.unblocked(conn);
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if entry.session.has_unwritten() {
            let mut settled = Vec::new();
            entry.session.on_written(out.written(conn), &mut settled);
            for one in settled {
                let (consumer, offset) = (ConsumerId(one.consumer), Offset(one.offset));
                self.settle_as(consumer, offset, one.attempt, Outcome::Accept);
            }
        }
        self.pump(id, out);
    }
}
