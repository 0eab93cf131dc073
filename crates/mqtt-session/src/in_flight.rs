//! Outgoing messages at QoS 1 and 2 between PUBLISH and the end of their handshake, and the packet ids they hold.
//! It must not know what waits behind the window.

mod carried;
mod kept;
mod slot;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use mqtt_types::{PacketId, QoS, ReasonCode};

use crate::delivery::{Delivery, Origin, Released, Taken};
use carried::Carried;
pub(crate) use slot::{Awaiting, Slot};

/// How far the ring may stretch beyond the window before its oldest message moves aside.
const SPAN_PER_WINDOW: usize = 4;
const SPAN_MIN: usize = 64;
const SPAN_MAX: usize = 8_192;
/// Packet ids that are never all in use at once, so that there is always a next one.
const SPARE_IDS: usize = 64;

/// A packet to send again on a new connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resend {
    /// The PUBLISH, with its packet id and DUP set. `[MQTT-3.3.1-1]`, `[MQTT-4.4.0-1]`
    Publish {
        /// Its packet id.
        packet_id: PacketId,
        /// The message.
        delivery: Arc<Delivery>,
    },
    /// The PUBREL of a message that the client has.
    PubRel {
        /// Its packet id.
        packet_id: PacketId,
    },
}

/// Slots by packet id. Ids are given in sequence, so a slot's place is its id's distance from the head.
///
/// ```text
/// carried:  17, 18          from an earlier connection, or older than the ring may stretch
/// ring:   | 21 | done | 23 | 24 |      done slots leave when they are at the front
///           head                 ▲ next
/// ```
#[derive(Debug)]
pub(crate) struct InFlight {
    ring: VecDeque<Slot>,
    carried: Option<Box<Carried>>,
    head: PacketId,
    /// The first packet id; they go on to 65,535, and from the start again.
    lowest: PacketId,
    /// Slots in the ring that are not done.
    live: u16,
    /// How many PUBREC packets have come: the next one's place.
    pubrecs: u64,
    /// Packet ids of messages at QoS 2 that storage knows. One of these that is in no slot is *held*: the connection is
    /// gone, the client may have its message, and the id waits for the message to come again, or for its end.
    #[expect(clippy::box_collection, reason = "most sessions have none: 8 bytes instead of 24")]
    kept: Option<Box<BTreeSet<PacketId>>>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self::above(0)
    }
}

impl InFlight {
    /// With packet ids above that one only, which must be less than 65,535.
    pub(crate) fn above(id: u16) -> Self {
        let lowest = PacketId::new(id + 1).expect("one more than an id is not 0");
        Self {
            ring: VecDeque::new(),
            carried: None,
            head: lowest,
            lowest,
            live: 0,
            pubrecs: 0,
            kept: None,
        }
    }

    /// Begins at another packet id than the first, so many after it.
    pub(crate) fn starting_after(mut self, count: u64) -> Self {
        let count = count % self.ids() as u64;
        self.head = self.plus(self.lowest, usize::try_from(count).unwrap_or_default());
        self
    }

    /// How many packet ids there are.
    #[inline]
    fn ids(&self) -> usize {
        usize::from(u16::MAX - self.lowest.get()) + 1
    }

    /// The packet id so many after another one.
    #[inline]
    fn plus(&self, id: PacketId, count: usize) -> PacketId {
        let number = usize::from(id.get()) + count;
        let end = usize::from(u16::MAX);
        let number = if number > end { number - self.ids() } else { number };
        u16::try_from(number)
            .ok()
            .and_then(PacketId::new)
            .expect("the ring is shorter than the packet ids")
    }

    #[inline]
    fn next(&self, id: PacketId) -> PacketId {
        self.plus(id, 1)
    }

    /// How many ids the one lies after the head; the ring has no place for ids that are not its.
    #[inline]
    fn place_of(&self, id: PacketId) -> usize {
        let (from, to) = (usize::from(self.head.get()), usize::from(id.get()));
        match to.checked_sub(from) {
            Some(place) => place,
            None if id < self.lowest => usize::MAX,
            None => to + self.ids() - from,
        }
    }

    /// Whether a packet id is free.
    #[inline]
    pub(crate) fn has_ids(&self) -> bool {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.len());
        self.len() + kept + SPARE_IDS < self.ids()
    }

    /// How many messages count against the client's Receive Maximum on this connection.
    #[inline]
    pub(crate) fn outstanding(&self) -> usize {
        usize::from(self.live) + self.carried.as_ref().map_or(0, |carried| carried.resumed)
    }

    /// How many messages are held, also those that are not yet sent again.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.live) + self.carried.as_ref().map_or(0, |carried| carried.slots.len())
    }

    #[inline]
    pub(crate) fn is_resuming(&self) -> bool {
        self.carried.as_ref().is_some_and(|carried| carried.resumed < carried.slots.len())
    }

    /// The packet id that the next message gets: in sequence, past those still in use. `[MQTT-2.2.1-4]`
    #[inline]
    pub(crate) fn next_id(&self) -> PacketId {
        let mut id = self.after_ring();
        if self.carried.is_some() || self.kept.is_some() {
            while self.is_taken(id) {
                id = self.next(id);
            }
        }
        id
    }

    fn is_taken(&self, id: PacketId) -> bool {
        self.carried.as_ref().is_some_and(|carried| carried.find(id).is_some()) || self.is_kept(id)
    }

    #[inline]
    fn after_ring(&self) -> PacketId {
        self.plus(self.head, self.ring.len())
    }

    /// A PUBLISH with the id of [`Self::next_id`] goes out.
    #[inline]
    pub(crate) fn push(&mut self, id: PacketId, slot: Slot, window: u16) {
        if self.ring.len() >= span_max(window) {
            self.move_oldest_aside(span_max(window));
        }
        if self.carried.is_some() || self.kept.is_some() {
            self.skip_to(id);
        }
        debug_assert_eq!(id, self.after_ring(), "packet ids are given in sequence");
        self.ring.push_back(slot);
        self.live += 1;
    }

    /// Passes ids that carried messages hold. The front of the ring stays a message in flight.
    fn skip_to(&mut self, id: PacketId) {
        if self.ring.is_empty() {
            self.head = id;
        }
        while self.after_ring() != id {
            self.ring.push_back(Slot::done());
        }
    }

    /// A client that answers all but one message would stretch the ring without end.
    fn move_oldest_aside(&mut self, span_max: usize) {
        while self.ring.len() >= span_max
            && let Some(slot) = self.ring.pop_front()
        {
            if !slot.is_done() {
                self.carried.get_or_insert_default().push_on_the_wire(self.head, slot);
                self.live -= 1;
            }
            self.head = self.next(self.head);
        }
        self.pop_done();
    }

    /// PUBACK: the message is delivered, whatever the reason code. `[MQTT-4.3.2-3]`
    #[inline]
    pub(crate) fn puback(&mut self, id: PacketId) -> Result<Origin, ReasonCode> {
        let at = self.place_of(id);
        match self.ring.get_mut(at) {
            Some(slot) if slot.awaiting == Awaiting::PubAck => {
                let origin = slot.origin;
                self.finish_at(at);
                Ok(origin)
            }
            _ => self.puback_carried(id),
        }
    }

    fn puback_carried(&mut self, id: PacketId) -> Result<Origin, ReasonCode> {
        let slot = self.find(id)?;
        match slot.awaiting {
            Awaiting::PubAck => {
                let origin = slot.origin;
                self.finish(id);
                Ok(origin)
            }
            Awaiting::PubRec | Awaiting::PubComp | Awaiting::Nothing => {
                Err(ReasonCode::PROTOCOL_ERROR)
            }
        }
    }

    /// PUBREC: where the message came from, `None` when an earlier one said the same.
    pub(crate) fn pubrec(
        &mut self,
        id: PacketId,
        reason: ReasonCode,
    ) -> Result<Option<Origin>, ReasonCode> {
        let place = self.pubrecs;
        let slot = self.find(id)?;
        match slot.awaiting {
            Awaiting::PubRec => {
                let origin = slot.origin;
                if reason.is_error() {
                    self.finish(id); // `[MQTT-4.4.0-2]`: no PUBREL, the id is free
                } else {
                    slot.received(place);
                    self.pubrecs += 1;
                }
                Ok(Some(origin))
            }
            Awaiting::PubComp => Ok(None),
            Awaiting::PubAck | Awaiting::Nothing => Err(ReasonCode::PROTOCOL_ERROR),
        }
    }

    /// PUBCOMP: the handshake is over.
    pub(crate) fn pubcomp(&mut self, id: PacketId) -> Result<(), ReasonCode> {
        match self.find(id)?.awaiting {
            Awaiting::PubComp => {
                self.finish(id);
                Ok(())
            }
            Awaiting::PubRec | Awaiting::PubAck | Awaiting::Nothing => {
                Err(ReasonCode::PROTOCOL_ERROR)
            }
        }
    }

    #[inline]
    fn find(&mut self, id: PacketId) -> Result<&mut Slot, ReasonCode> {
        let unknown = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        match self.ring.get_mut(self.place_of(id)).filter(|slot| !slot.is_done()) {
            Some(slot) => Ok(slot),
            None => self.carried.as_mut().and_then(|carried| carried.get_mut(id)).ok_or(unknown),
        }
    }

    /// Frees the id of a slot that was found.
    fn finish(&mut self, id: PacketId) {
        self.unkeep(id);
        let at = self.place_of(id);
        match self.ring.get(at).filter(|slot| !slot.is_done()) {
            Some(_) => self.finish_at(at),
            None => self.finish_carried(id),
        }
    }

    /// Frees the id at that place of the ring.
    #[inline]
    fn finish_at(&mut self, at: usize) {
        self.live -= 1;
        if at == 0 {
            self.ring.pop_front();
            self.head = self.next(self.head);
            self.pop_done();
        } else if let Some(slot) = self.ring.get_mut(at) {
            *slot = Slot::done();
        }
    }

    fn finish_carried(&mut self, id: PacketId) {
        if let Some(carried) = &mut self.carried {
            carried.remove(id);
            if carried.slots.is_empty() {
                self.carried = None;
            }
        }
    }

    #[inline]
    fn pop_done(&mut self) {
        while self.ring.front().is_some_and(Slot::is_done) {
            self.ring.pop_front();
            self.head = self.next(self.head);
        }
    }

    /// The connection ended. Deliveries of queues go back, in the order they were sent; of the rest, what can be sent
    /// again stays when the session `survives`. A message at QoS 2 that went back but may have reached the client stays
    /// as a PUBREL, so that the client forgets its packet id before another message bears it; or its id is held, when
    /// storage knows it.
    pub(crate) fn carry_over(
        &mut self,
        survives: bool,
        written: u64,
        released: &mut Vec<Released>,
    ) {
        let next = self.next_id();
        let carried = self.carried.take().map(|carried| carried.slots).unwrap_or_default();
        let slots = std::mem::take(&mut self.ring).into_iter().enumerate();
        let ring: Vec<_> = slots.map(|(n, slot)| (self.plus(self.head, n), slot, false)).collect();
        let carried = carried.into_iter().map(|(id, slot)| (id, slot, true));
        let mut kept = VecDeque::new();
        for (id, mut slot, is_again) in carried.chain(ring) {
            released.extend(slot.release(written));
            if slot.awaiting == Awaiting::PubRec && self.is_kept(id) {
                // What was sent again the client may have from an earlier connection, written or not.
                if !survives || slot.mark > written && !is_again {
                    self.unkeep(id);
                }
            } else if survives && slot.survives(written) {
                kept.push_back((id, slot));
            }
        }
        // PUBREL packets need no place in the window, so none of them waits for one `[MQTT-4.9.0-3]`; they go out in the
        // order of the PUBREC packets `[MQTT-4.6.0-4]`.
        kept.make_contiguous().sort_by_key(|(_, slot): &(_, Slot)| match slot.awaiting {
            Awaiting::PubComp => (false, slot.mark),
            _ => (true, 0),
        });
        kept.shrink_to_fit();
        self.carried = (!kept.is_empty()).then(|| Box::new(Carried { slots: kept, resumed: 0 }));
        self.head = next;
        self.live = 0;
    }

    /// Sends again, in the original order, PUBLISH packets as far as the window goes. `[MQTT-4.4.0-1]`, `[MQTT-4.6.0-1]`
    pub(crate) fn resume(&mut self, window: u16, out: &mut Vec<Resend>) {
        let free = usize::from(window).saturating_sub(self.outstanding());
        if let Some(carried) = &mut self.carried {
            carried.resume(free, out);
        }
    }

    /// The consumer is gone: its deliveries are no longer its own, but their handshakes go on.
    pub(crate) fn release_consumer(
        &mut self,
        consumer: u64,
        written: u64,
        released: &mut Vec<Released>,
    ) {
        let carried = self
            .carried
            .as_mut()
            .into_iter()
            .flat_map(|carried| &mut carried.slots)
            .map(|(_, slot)| slot);
        for slot in carried.chain(&mut self.ring) {
            if matches!(slot.origin, Origin::Queue { consumer: of, .. } if of == consumer) {
                released.extend(slot.release(written));
            }
        }
    }

    /// Takes the messages at QoS 1 of shared subscriptions; their handshakes go on.
    pub(crate) fn take_shared(
        &mut self,
        takes: &mut impl FnMut(u32) -> bool,
        taken: &mut Vec<Taken>,
    ) {
        let carried = self.carried.iter_mut().flat_map(|carried| &mut carried.slots);
        for slot in carried.map(|(_, slot)| slot).chain(&mut self.ring) {
            let group = slot.origin.group().filter(|_| slot.awaiting == Awaiting::PubAck);
            if group.is_some_and(&mut *takes) {
                let origin = std::mem::replace(&mut slot.origin, Origin::Live);
                taken.push(Taken { origin, delivery: slot.delivery.take() });
            }
        }
    }

    /// The packet id of the oldest message of a shared subscription that is not answered.
    pub(crate) fn oldest_shared(&self) -> Option<PacketId> {
        self.iter().find(|(_, slot)| slot.origin.group().is_some()).map(|(id, _)| id)
    }

    /// All slots that are not done, in the order they were sent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PacketId, &Slot)> {
        let carried =
            self.carried.iter().flat_map(|carried| &carried.slots).map(|(id, slot)| (*id, slot));
        let ring = self.ring.iter().enumerate().map(|(n, slot)| (self.plus(self.head, n), slot));
        carried.chain(ring).filter(|(_, slot)| !slot.is_done())
    }

    /// How many PUBLISH packets of this connection are unacknowledged, at least.
    pub(crate) fn published(&self) -> usize {
        let carried =
            self.carried.iter().flat_map(|carried| carried.slots.iter().take(carried.resumed));
        usize::from(self.live)
            + carried.filter(|(_, slot)| slot.awaiting != Awaiting::PubComp).count()
    }

    pub(crate) fn shrink(&mut self) {
        self.ring.shrink_to_fit();
    }

    /// Whether counts are right, no packet id is held twice, and the ring starts at a message in flight.
    pub(crate) fn is_sound(&self) -> bool {
        let mut ids: Vec<PacketId> = self.iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        let unique = ids.windows(2).all(|pair| pair.first() != pair.last());
        let live = self.ring.iter().filter(|slot| !slot.is_done()).count();
        let carried = self.carried.as_ref().is_none_or(|carried| carried.is_sound());
        unique
            && carried
            && live == usize::from(self.live)
            && self.ring.front().is_none_or(|slot| !slot.is_done())
    }
}

#[inline]
fn span_max(window: u16) -> usize {
    (usize::from(window) * SPAN_PER_WINDOW).clamp(SPAN_MIN, SPAN_MAX)
}

/// What a PUBLISH of that QoS waits for.
pub(crate) const fn awaiting(qos: QoS) -> Awaiting {
    match qos {
        QoS::AtMostOnce => Awaiting::Nothing,
        QoS::AtLeastOnce => Awaiting::PubAck,
        QoS::ExactlyOnce => Awaiting::PubRec,
    }
}

#[cfg(test)]
mod tests;
