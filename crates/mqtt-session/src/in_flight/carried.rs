//! Messages in flight that are older than the ring: from an earlier connection, or left behind by their successors.
//! It must not know the ring.

use std::collections::VecDeque;

use mqtt_types::PacketId;

use super::Resend;
use super::slot::{Awaiting, Slot};

/// Slots in the order they were sent; the first `resumed` of them are on the wire of this connection. They are no
/// more than the window of the connection they were sent on, and mostly answered in order, so a search is short.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) slots: VecDeque<(PacketId, Slot)>,
    pub(crate) resumed: usize,
}

impl Carried {
    pub(crate) fn find(&self, id: PacketId) -> Option<usize> {
        self.slots.iter().position(|(known, _)| *known == id)
    }

    pub(crate) fn get_mut(&mut self, id: PacketId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|(known, _)| *known == id).map(|(_, slot)| slot)
    }

    /// A slot whose message is on the wire: one that the ring gives up, or whose packet id was held. Those on the wire
    /// stay in front.
    pub(crate) fn push_on_the_wire(&mut self, id: PacketId, slot: Slot) {
        self.slots.insert(self.resumed, (id, slot));
        self.resumed += 1;
    }

    pub(crate) fn remove(&mut self, id: PacketId) {
        if let Some(at) = self.find(id) {
            self.slots.remove(at);
            self.resumed -= usize::from(at < self.resumed);
        }
    }

    /// Sends PUBREL packets again, and PUBLISH packets while places are `free`; each takes one.
    pub(crate) fn resume(&mut self, mut free: usize, out: &mut Vec<Resend>) {
        for (id, slot) in self.slots.iter().skip(self.resumed) {
            let packet_id = *id;
            out.push(match (&slot.delivery, slot.awaiting) {
                (Some(_), Awaiting::PubAck | Awaiting::PubRec) if free == 0 => break,
                (Some(delivery), Awaiting::PubAck | Awaiting::PubRec) => {
                    Resend::Publish { packet_id, delivery: delivery.clone() }
                }
                _ => Resend::PubRel { packet_id },
            });
            free = free.saturating_sub(1);
            self.resumed += 1;
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.resumed <= self.slots.len() && self.slots.iter().all(|(_, slot)| !slot.is_done())
    }
}
