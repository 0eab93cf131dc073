//! What is due, and what an emptied output buffer lets through.

use mqtt_types::ReasonCode;
use queue_engine::{ConsumerId, Offset, Outcome};

use super::{ROUTE_CACHE_LIFE, Shard};
use crate::ids::ConnId;
use crate::outbox::Outbox;
use crate::timers::Timer;

impl Shard {
    /// Does what is due.
    pub fn tick<O: Outbox>(&mut self, out: &mut O) {
        while let Some(timer) = self.timers.pop_due(self.turn.now) {
            match timer {
                Timer::KeepAlive(conn) => self.keep_alive_due(conn, out),
                Timer::Session(id) => self.session_due(id, out),
                Timer::Hold(conn) => self.end_hold(conn, out),
                Timer::Settlements => {
                    self.settle_timer = false;
                    self.hosting.log_settlements(&mut self.turn);
                }
                Timer::RouteCache => {
                    self.routes.clear();
                    self.timers.set(self.turn.now + ROUTE_CACHE_LIFE, Timer::RouteCache);
                }
            }
        }
        self.hosting.tick(&mut self.turn);
    }

    /// `[MQTT-3.1.2-22]`
    fn keep_alive_due<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        let Some(deadline) = self.conns.get(conn).and_then(|state| state.connection.keep_alive_deadline()) else {
            return;
        };
        if deadline > self.turn.now {
            self.timers.set(deadline, Timer::KeepAlive(conn));
            return;
        }
        // A client that is held cannot be heard.
        if self.conns.get(conn).is_some_and(|state| state.held.is_some()) || self.throttled.contains(&conn) {
            self.timers.set(self.turn.now + std::time::Duration::from_secs(1), Timer::KeepAlive(conn));
            return;
        }
        self.end_connection(conn, ReasonCode::KEEP_ALIVE_TIMEOUT, None, out);
    }

    /// A connection's output has been written out.
    pub fn drained<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if entry.session.has_unwritten() {
            let mut settled = Vec::new();
            entry.session.on_written(out.written(conn), &mut settled);
            for one in settled {
                self.settle_as(ConsumerId(one.consumer), Offset(one.offset), Outcome::Accept);
            }
        }
        self.pump(id, out);
    }
}
