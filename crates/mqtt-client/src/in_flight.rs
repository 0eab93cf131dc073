//! What was sent and waits for an answer: packet identifiers, the server's Receive Maximum, who is to be told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use mqtt_types::{PacketId, QoS, ReasonCode};
use parking_lot::{Condvar, Mutex};

use crate::outcome::{FilterOutcomes, PublishOutcome, Ticket};
use crate::{CloseReason, Error};

/// Requests under way. Shared by callers, who add, and the reader, which completes.
pub struct InFlight {
    state: Mutex<State>,
    changed: Condvar,
    receive_maximum: usize,
}

struct State {
    next: PacketId,
    publishes: HashMap<PacketId, Publishing>,
    filters: HashMap<PacketId, Sender<Result<FilterOutcomes, CloseReason>>>,
    closed: Option<CloseReason>,
    is_interrupted: bool,
}

/// A PUBLISH of ours.
///
/// ```text
/// QoS 1: sent ──PUBACK──▶ done
/// QoS 2: sent ──PUBREC < 0x80──▶ received ──PUBCOMP──▶ done
///             ──PUBREC ≥ 0x80──▶ done
/// ```
struct Publishing {
    qos: QoS,
    /// What PUBREC said; the QoS 2 exchange goes on with PUBREL.
    received: Option<PublishOutcome>,
    tell: Sender<Result<PublishOutcome, CloseReason>>,
}

impl InFlight {
    pub fn new(receive_maximum: u16) -> Self {
        let state = State {
            next: PacketId::MIN,
            publishes: HashMap::new(),
            filters: HashMap::new(),
            closed: None,
            is_interrupted: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            receive_maximum: receive_maximum.into(),
        }
    }

    /// Takes a packet identifier for a PUBLISH once the server's Receive Maximum leaves room. `[MQTT-3.3.4-7]`
    pub fn add_publish(
        &self,
        qos: QoS,
        timeout: Duration,
    ) -> Result<(PacketId, Ticket<PublishOutcome>), Error> {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock();
        while state.closed.is_none() && state.publishes.len() >= self.receive_maximum {
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                return Err(Error::Timeout { packet: "PUBACK or PUBCOMP", waited: timeout });
            }
        }
        let packet_id = state.free_packet_id()?;
        let (tell, outcome) = bounded(1);
        state.publishes.insert(packet_id, Publishing { qos, received: None, tell });
        let packet = if qos == QoS::ExactlyOnce { "PUBCOMP" } else { "PUBACK" };
        Ok((packet_id, Ticket { outcome, packet }))
    }

    /// Takes a packet identifier for a SUBSCRIBE or UNSUBSCRIBE; `packet` is the answer that is waited for.
    pub fn add_filters(
        &self,
        packet: &'static str,
    ) -> Result<(PacketId, Ticket<FilterOutcomes>), Error> {
        let mut state = self.state.lock();
        if state.is_interrupted {
            return Err(Error::Interrupted);
        }
        let packet_id = state.free_packet_id()?;
        let (tell, outcome) = bounded(1);
        state.filters.insert(packet_id, tell);
        Ok((packet_id, Ticket { outcome, packet }))
    }

    /// Takes back what was not sent.
    pub fn forget(&self, packet_id: PacketId) {
        let mut state = self.state.lock();
        state.publishes.remove(&packet_id);
        state.filters.remove(&packet_id);
        drop(state);
        self.changed.notify_all();
    }

    /// PUBACK came. `false` when it answers nothing of ours.
    pub fn on_puback(&self, packet_id: PacketId, outcome: PublishOutcome) -> bool {
        self.finish(packet_id, QoS::AtLeastOnce, |_| outcome)
    }

    /// PUBREC came. `Some(true)` when PUBREL is to follow, `None` when it answers nothing of ours.
    pub fn on_pubrec(&self, packet_id: PacketId, outcome: PublishOutcome) -> Option<bool> {
        if outcome.reason_code.is_error() {
            return self.finish(packet_id, QoS::ExactlyOnce, |_| outcome).then_some(false);
        }
        let mut state = self.state.lock();
        let publishing =
            state.publishes.get_mut(&packet_id).filter(|found| found.qos == QoS::ExactlyOnce)?;
        publishing.received = Some(outcome);
        Some(true)
    }

    /// PUBCOMP came. PUBREC has said whether someone took the message, so its word stays unless PUBCOMP failed.
    pub fn on_pubcomp(&self, packet_id: PacketId, outcome: PublishOutcome) -> bool {
        self.finish(packet_id, QoS::ExactlyOnce, |received| match received {
            Some(received) if !outcome.reason_code.is_error() => received,
            _ => outcome,
        })
    }

    /// SUBACK or UNSUBACK came. `false` when it answers nothing of ours.
    pub fn on_filters(&self, packet_id: PacketId, outcomes: FilterOutcomes) -> bool {
        let tell = self.state.lock().filters.remove(&packet_id);
        tell.map(|tell| tell.send(Ok(outcomes))).is_some()
    }

    /// The connection has ended: everyone who waits is told. The first reason stays, and comes back.
    pub fn close(&self, reason: CloseReason) -> CloseReason {
        let mut state = self.state.lock();
        let reason = state.closed.get_or_insert(reason).clone();
        // Nobody may be waiting any more; that is fine.
        state
            .publishes
            .drain()
            .for_each(|(_, publishing)| drop(publishing.tell.send(Err(reason.clone()))));
        state.filters.drain().for_each(|(_, tell)| drop(tell.send(Err(reason.clone()))));
        drop(state);
        self.changed.notify_all();
        reason
    }

    /// Nobody waits for SUBACK or UNSUBACK any longer, and nobody will.
    pub fn interrupt(&self) {
        let mut state = self.state.lock();
        state.is_interrupted = true;
        // An answer that still comes would answer nothing of ours, so the identifiers stay taken.
        state.filters.values_mut().for_each(|tell| *tell = bounded(1).0);
    }

    /// Why the connection has ended, if it has.
    pub fn closed(&self) -> Option<CloseReason> {
        self.state.lock().closed.clone()
    }

    /// How many publishes wait for an answer.
    pub fn publishes(&self) -> usize {
        self.state.lock().publishes.len()
    }

    fn finish(
        &self,
        packet_id: PacketId,
        qos: QoS,
        outcome: impl FnOnce(Option<PublishOutcome>) -> PublishOutcome,
    ) -> bool {
        let mut state = self.state.lock();
        if state.publishes.get(&packet_id).is_none_or(|found| found.qos != qos) {
            return false;
        }
        let publishing = state.publishes.remove(&packet_id);
        drop(state);
        self.changed.notify_all();
        publishing
            .map(|Publishing { received, tell, .. }| tell.send(Ok(outcome(received))))
            .is_some()
    }
}

impl State {
    fn free_packet_id(&mut self) -> Result<PacketId, Error> {
        if let Some(reason) = &self.closed {
            return Err(reason.clone().into());
        }
        for _ in 0..=u16::MAX {
            let packet_id = self.next;
            self.next = packet_id.next();
            if !self.publishes.contains_key(&packet_id) && !self.filters.contains_key(&packet_id) {
                return Ok(packet_id);
            }
        }
        Err(Error::NoPacketId)
    }
}

impl PublishOutcome {
    /// Success without words.
    #[must_use]
    pub const fn success() -> Self {
        Self { reason_code: ReasonCode::SUCCESS, reason_string: None }
    }
}
