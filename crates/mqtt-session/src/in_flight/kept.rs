//! Packet ids of messages at QoS 2 that storage knows, so that they outlive the connection and the broker. It must not
//! know storage.

use mqtt_types::PacketId;

use super::slot::{Awaiting, Slot};
use super::{InFlight, Origin};

impl InFlight {
    /// Storage knows the packet id, or will before its PUBLISH goes out.
    pub(crate) fn keep(&mut self, id: PacketId) {
        self.kept.get_or_insert_default().insert(id);
    }

    pub(super) fn is_kept(&self, id: PacketId) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.contains(&id))
    }

    pub(super) fn unkeep(&mut self, id: PacketId) {
        if let Some(kept) = &mut self.kept {
            kept.remove(&id);
            if kept.is_empty() {
                self.kept = None;
            }
        }
    }

    /// Whether the client may hold the packet id from an earlier connection, and nothing was sent for it on this one.
    pub(crate) fn is_held(&self, id: PacketId) -> bool {
        self.is_kept(id) && self.iter().all(|(other, _)| other != id)
    }

    /// The message of a held packet id comes again: its PUBLISH goes out.
    pub(crate) fn send_held(&mut self, id: PacketId, slot: Slot) {
        if self.is_held(id) {
            self.carried.get_or_insert_default().push_on_the_wire(id, slot);
        }
    }

    /// The message of a held packet id will not come again: its PUBREL goes out. False when it is not held.
    pub(crate) fn end_held(&mut self, id: PacketId) -> bool {
        let is_held = self.is_held(id);
        if is_held {
            let mut slot = Slot { awaiting: Awaiting::PubRec, ..Slot::done() };
            slot.received(self.pubrecs);
            self.pubrecs += 1;
            self.carried.get_or_insert_default().push_on_the_wire(id, slot);
        }
        is_held
    }

    /// The PUBLISH has gone out, its last byte at `mark`.
    pub(crate) fn sent_at(&mut self, id: PacketId, mark: u64) {
        if let Ok(slot) = self.find(id) {
            slot.mark = mark;
        }
    }

    /// The queue's delivery whose PUBREC is awaited; from now on the outcome is the caller's to tell.
    pub(crate) fn take_origin(&mut self, id: PacketId) -> Option<Origin> {
        let slot = self.find(id).ok().filter(|slot| slot.awaiting == Awaiting::PubRec)?;
        match std::mem::replace(&mut slot.origin, Origin::Live) {
            origin @ Origin::Queue { .. } => Some(origin),
            _ => None,
        }
    }

    /// The PUBLISH does not go out: its packet id is free.
    pub(crate) fn unsend(&mut self, id: PacketId) {
        if self.find(id).is_ok() {
            self.finish(id);
        }
    }
}
