//! The acknowledgements a client waits for, in the order of its PUBLISH packets. It must not know what decides them.

use std::collections::VecDeque;

use mqtt_types::{PacketId, QoS, ReasonCode};

/// The place of a PUBLISH among those that wait for their acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AckTicket(pub u64);

/// An acknowledgement to send: PUBACK at QoS 1, PUBREC at QoS 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadyAck {
    /// The packet id of the PUBLISH.
    pub packet_id: PacketId,
    /// The QoS of the PUBLISH.
    pub qos: QoS,
    /// The outcome.
    pub reason: ReasonCode,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    packet_id: PacketId,
    qos: QoS,
    outcome: Option<ReasonCode>,
}

impl Entry {
    fn is_undecided(&self, packet_id: PacketId) -> bool {
        self.packet_id == packet_id && self.qos == QoS::ExactlyOnce && self.outcome.is_none()
    }
}

/// Outcomes come in any order, acknowledgements leave in the order of the PUBLISH packets.
/// `[MQTT-4.6.0-2]`, `[MQTT-4.6.0-3]`
///
/// ```text
/// ticket:   first      first+1    first+2
/// queue:  | unknown  | 0x00     | unknown  |   nothing leaves until the front is known
/// ```
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    queue: VecDeque<Entry>,
    first: u64,
}

impl Acknowledgements {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn begin(&mut self, packet_id: PacketId, qos: QoS) -> AckTicket {
        let ticket = AckTicket(self.first + self.queue.len() as u64);
        self.queue.push_back(Entry { packet_id, qos, outcome: None });
        ticket
    }

    /// The outcome of a ticket; a second one, or one for a ticket that is gone, changes nothing.
    pub(crate) fn ready(&mut self, ticket: AckTicket, reason: ReasonCode) {
        let index = ticket.0.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.queue.get_mut(index)) {
            entry.outcome.get_or_insert(reason);
        }
    }

    /// Whether a PUBLISH at QoS 2 of that packet id waits for its outcome.
    pub(crate) fn is_undecided(&self, packet_id: PacketId) -> bool {
        self.queue.iter().any(|entry| entry.is_undecided(packet_id))
    }

    /// The outcome of the undecided PUBLISH at QoS 2 of that packet id.
    pub(crate) fn ready_for(&mut self, packet_id: PacketId, reason: ReasonCode) {
        if let Some(entry) = self.queue.iter_mut().find(|entry| entry.is_undecided(packet_id)) {
            entry.outcome = Some(reason);
        }
    }

    pub(crate) fn next(&mut self) -> Option<ReadyAck> {
        let Entry { packet_id, qos, outcome } = *self.queue.front()?;
        let reason = outcome?;
        self.queue.pop_front();
        self.first += 1;
        Some(ReadyAck { packet_id, qos, reason })
    }

    /// For an outcome known at once: the acknowledgement itself when none waits before it.
    pub(crate) fn now(&mut self, ack: ReadyAck) -> Option<ReadyAck> {
        if self.queue.is_empty() {
            return Some(ack);
        }
        self.queue.push_back(Entry {
            packet_id: ack.packet_id,
            qos: ack.qos,
            outcome: Some(ack.reason),
        });
        None
    }

    pub(crate) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).expect("not 0")
    }

    fn drain(acks: &mut Acknowledgements) -> Vec<(u16, u8)> {
        std::iter::from_fn(|| acks.next()).map(|ack| (ack.packet_id.get(), ack.reason.0)).collect()
    }

    #[test]
    fn acknowledgements_leave_in_the_order_of_the_publishes() {
        let mut acks = Acknowledgements::default();
        let first = acks.begin(id(7), QoS::AtLeastOnce);
        let second = acks.begin(id(3), QoS::ExactlyOnce);
        let third = acks.begin(id(9), QoS::AtLeastOnce);
        acks.ready(second, ReasonCode::SUCCESS);
        assert_eq!(drain(&mut acks), []);
        acks.ready(first, ReasonCode::QUOTA_EXCEEDED);
        assert_eq!(drain(&mut acks), [(7, 0x97), (3, 0x00)]);
        let ack = ReadyAck { packet_id: id(4), qos: QoS::AtLeastOnce, reason: ReasonCode::SUCCESS };
        assert_eq!(acks.now(ack), None, "one waits before it");
        acks.ready(third, ReasonCode::NO_MATCHING_SUBSCRIBERS);
        assert_eq!(drain(&mut acks), [(9, 0x10), (4, 0x00)]);
        assert_eq!(acks.now(ack), Some(ack));
        assert_eq!(acks.len(), 0);
    }

    #[test]
    fn late_and_second_outcomes_change_nothing() {
        let mut acks = Acknowledgements::default();
        let gone = acks.begin(id(1), QoS::AtLeastOnce);
        acks.ready(gone, ReasonCode::SUCCESS);
        acks.ready(gone, ReasonCode::UNSPECIFIED_ERROR);
        assert_eq!(drain(&mut acks), [(1, 0x00)]);
        let waiting = acks.begin(id(2), QoS::ExactlyOnce);
        acks.ready(gone, ReasonCode::UNSPECIFIED_ERROR);
        acks.ready(AckTicket(waiting.0 + 1), ReasonCode::UNSPECIFIED_ERROR);
        assert_eq!(drain(&mut acks), []);
        acks.ready_for(id(2), ReasonCode::SUCCESS);
        assert_eq!(drain(&mut acks), [(2, 0x00)]);
    }
}
