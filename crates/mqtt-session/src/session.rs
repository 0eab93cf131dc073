//! What survives the network connection: subscriptions, messages on their way, packet ids, the will.
//! It must not know the connection's socket, the router or the queues behind an origin.

mod kept_ids;
mod life;
mod verdicts;

use std::sync::Arc;

use mqtt_types::{PacketId, QoS, ReasonCode};
use stdx::UnixMillis;

use crate::delivery::{Delivery, Origin, Released, Taken};
use crate::image::SessionImage;
use crate::in_flight::{InFlight, Resend, Slot, awaiting};
use crate::inbox::{INBOX_IDS, Inbox, KeptPubRec};
use crate::incoming::{Incoming2, IncomingQos2};
use crate::limits::Room;
use crate::pending::{Overflow, Pending, PendingDelivery};
use crate::subscriptions::{SubscriptionRecord, Subscriptions};
use crate::unwritten::Unwritten;
use crate::will::Will;
pub use verdicts::{
    Admission, AfterDisconnect, Closing, Completed, DropReason, PendingSend, PubRecVerdict,
    WillVerdict,
};

/// The state that MQTT calls the session, with or without a client connected. What is rare is boxed, so that a quiet
/// session is small.
#[derive(Debug)]
pub struct Session {
    client_id: Box<str>,
    subscriptions: Subscriptions,
    in_flight: InFlight,
    /// Only of a session that outlives its connections.
    inbox: Option<Box<Inbox>>,
    pending: Option<Box<Pending>>,
    incoming: Option<Box<IncomingQos2>>,
    unwritten: Option<Box<Unwritten>>,
    will: Option<Box<Will>>,
    /// When the connection ended; means nothing while one is there.
    disconnected_at: UnixMillis,
    expiry_interval: u32,
    /// Messages at QoS 1 and 2 that may be in flight; 0 while no client is connected.
    window: u16,
    queue_qos0_offline: bool,
}

impl Session {
    /// The client id.
    #[must_use]
    pub const fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether a client is connected.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.window > 0
    }

    // Outgoing.

    /// What to do with a message at that QoS. `output_open` says whether the connection's output takes more.
    ///
    /// After `Send(Some(id))`, [`Self::sent`] must follow before the next `admit`. QoS 0 may overtake what waits:
    /// order is promised per topic *and* QoS. `[MQTT-4.6.0-5]`
    #[inline]
    #[must_use]
    pub fn admit(&self, qos: QoS, output_open: bool) -> Admission {
        if qos == QoS::AtMostOnce {
            return self.admit_qos0(output_open);
        }
        if output_open && self.has_room() && self.pending_len() == 0 {
            Admission::Send(Some(self.in_flight.next_id()))
        } else {
            Admission::Queue
        }
    }

    fn admit_qos0(&self, output_open: bool) -> Admission {
        match (self.is_connected(), output_open) {
            (true, true) => Admission::Send(None),
            (true, false) => Admission::Drop(DropReason::SlowConsumer),
            (false, _) if self.queue_qos0_offline => Admission::Queue,
            (false, _) => Admission::Drop(DropReason::Offline),
        }
    }

    /// The message goes out, its last byte at `mark` of the connection's output. `delivery` is kept to send a live
    /// message again; give it only when the session outlives the connection, or the message is of a shared subscription.
    /// Deliveries of queues are never kept.
    #[inline]
    pub fn sent(
        &mut self,
        packet_id: Option<PacketId>,
        qos: QoS,
        origin: Origin,
        delivery: Option<Arc<Delivery>>,
        mark: u64,
    ) {
        match (packet_id, origin) {
            (Some(id), origin) => {
                let delivery = delivery.filter(|_| origin.keeps_message());
                let slot = Slot { origin, mark, delivery, awaiting: awaiting(qos) };
                self.in_flight.push(id, slot, self.window);
            }
            (None, Origin::Queue { consumer, offset, attempt }) => {
                let released = Released { consumer, offset, attempt, written: true };
                self.unwritten.get_or_insert_default().push(mark, released);
            }
            (None, _) => {}
        }
    }

    /// The connection's output up to `written` is in the socket: gives the deliveries of queues at QoS 0 that are
    /// settled by that.
    pub fn on_written(&mut self, written: u64, settled: &mut Vec<Released>) {
        if let Some(unwritten) = &mut self.unwritten {
            unwritten.settle(written, settled);
        }
    }

    /// Whether deliveries of queues at QoS 0 wait for [`Self::on_written`].
    #[must_use]
    pub fn has_unwritten(&self) -> bool {
        self.unwritten.as_ref().is_some_and(|unwritten| !unwritten.is_empty())
    }

    /// Keeps a message until the window opens or the client is back. What comes back had to go for it: the oldest.
    pub fn queue(&mut self, delivery: Arc<Delivery>, origin: Origin, room: Room) -> Overflow {
        let pending = self.pending.get_or_insert_default();
        let waiting = PendingDelivery { delivery, origin };
        pending.push(waiting, room.messages, room.bytes)
    }

    /// The next waiting message, if it may go out now. [`Self::sent`] must follow before the next one, unless the
    /// message is dropped because it expired or is too large.
    pub fn next_pending(&mut self) -> Option<PendingSend> {
        let has_room = self.has_room();
        let pending = self.pending.as_mut()?;
        let is_qos0 = pending.front()?.delivery.qos == QoS::AtMostOnce;
        if !(has_room || is_qos0 && self.window > 0) {
            return None;
        }
        let PendingDelivery { delivery, origin } = pending.pop()?;
        let packet_id = (!is_qos0).then(|| self.in_flight.next_id());
        Some(PendingSend { packet_id, delivery, origin })
    }

    /// PUBACK from the client.
    ///
    /// # Errors
    /// 0x92 when the packet id is not in flight, which is harmless after a lost session; 0x82 when its message is at
    /// QoS 2.
    #[inline]
    pub fn on_puback(
        &mut self,
        packet_id: PacketId,
        reason: ReasonCode,
    ) -> Result<Completed, ReasonCode> {
        let origin = match self.inbox_of(packet_id) {
            Some(inbox) => Origin::Inbox(inbox.puback(packet_id)?),
            None => self.in_flight.puback(packet_id)?,
        };
        Ok(Completed { origin, reason })
    }

    /// The inbox, when the packet id is one of its.
    #[inline]
    fn inbox_of(&mut self, packet_id: PacketId) -> Option<&mut Inbox> {
        self.inbox.as_deref_mut().filter(|_| packet_id.get() <= INBOX_IDS)
    }

    /// What storage keeps for the client; `None` for a session that ends with its connection.
    #[must_use]
    pub fn inbox(&self) -> Option<&Inbox> {
        self.inbox.as_deref()
    }

    /// See [`Self::inbox`].
    pub fn inbox_mut(&mut self) -> Option<&mut Inbox> {
        self.inbox.as_deref_mut()
    }

    /// How many messages of the inbox could go out now.
    #[must_use]
    pub fn inbox_window(&self) -> usize {
        if self.is_resuming() {
            return 0;
        }
        usize::from(self.window).saturating_sub(self.outstanding())
    }

    /// PUBREC from the client.
    ///
    /// # Errors
    /// 0x92 when the packet id is not in flight: answer PUBREL with that reason code (before 5.0: a plain PUBREL);
    /// 0x82 when its message is at QoS 1.
    pub fn on_pubrec(
        &mut self,
        packet_id: PacketId,
        reason: ReasonCode,
    ) -> Result<PubRecVerdict, ReasonCode> {
        if let Some(inbox) = self.inbox_of(packet_id) {
            return Ok(match inbox.pubrec(packet_id, reason)? {
                KeptPubRec::Received(gone) => PubRecVerdict::Store(gone),
                KeptPubRec::BeingStored => PubRecVerdict::BeingStored,
                KeptPubRec::StoreAgain(sequence) => PubRecVerdict::StoreAgain(sequence),
                KeptPubRec::Stored => PubRecVerdict::SendPubRel { settled: None },
                KeptPubRec::Refused(gone) => {
                    PubRecVerdict::Completed(Completed { origin: Origin::Inbox(gone), reason })
                }
            });
        }
        Ok(match self.in_flight.pubrec(packet_id, reason)? {
            None => PubRecVerdict::SendPubRel { settled: None },
            Some(origin) if reason.is_error() => {
                PubRecVerdict::Completed(Completed { origin, reason })
            }
            Some(origin) => {
                PubRecVerdict::SendPubRel { settled: Some(Completed { origin, reason }) }
            }
        })
    }

    /// PUBCOMP from the client; its packet id is free again. Gives the number of a message of the inbox.
    ///
    /// # Errors
    /// 0x92 when the packet id is not in flight, which is harmless; 0x82 when PUBREC has not come before.
    pub fn on_pubcomp(&mut self, packet_id: PacketId) -> Result<Option<u64>, ReasonCode> {
        match self.inbox_of(packet_id) {
            Some(inbox) => inbox.pubcomp(packet_id).map(Some),
            None => self.in_flight.pubcomp(packet_id).map(|()| None),
        }
    }

    /// After `attach`, and after each acknowledgement while [`Self::is_resuming`]: what must be sent again now, in
    /// the original order, as far as the window goes. Nothing new goes out before all of it did.
    pub fn resume(&mut self, out: &mut Vec<Resend>) {
        if self.is_connected() {
            self.in_flight.resume(self.window, out);
        }
    }

    /// Whether messages of an earlier connection are still to be sent again.
    #[must_use]
    pub fn is_resuming(&self) -> bool {
        self.in_flight.is_resuming()
    }

    /// How many more messages at QoS 1 and 2 could go out now: the credit to take from queues.
    #[must_use]
    pub fn window_free(&self) -> usize {
        if self.is_resuming() {
            return 0;
        }
        usize::from(self.window).saturating_sub(self.outstanding() + self.pending_len())
    }

    /// Messages on the wire that count against the client's Receive Maximum.
    #[inline]
    fn outstanding(&self) -> usize {
        self.in_flight.outstanding() + self.inbox.as_ref().map_or(0, |inbox| inbox.outstanding())
    }

    /// How many messages at QoS 1 and 2 are in flight.
    #[must_use]
    pub fn in_flight_len(&self) -> usize {
        self.in_flight.len()
    }

    /// The packet ids of deliveries that the inbox does not keep.
    pub fn in_flight_ids(&self) -> impl Iterator<Item = PacketId> {
        self.in_flight.iter().map(|(id, _)| id)
    }

    /// How many messages wait.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.len())
    }

    /// How many bytes wait.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.bytes())
    }

    /// The consumer of a queue subscription ends: its unsettled deliveries, in order, for the caller to give back.
    /// `written` is how far the connection's output got into the socket.
    pub fn release_consumer(&mut self, consumer: u64, written: u64, released: &mut Vec<Released>) {
        self.in_flight.release_consumer(consumer, written, released);
        if let Some(unwritten) = &mut self.unwritten {
            unwritten.release(written, released, |of| of == consumer);
        }
        self.release_pending(released, |of| of == consumer);
    }

    /// Takes from the session what came by shared subscriptions of which `takes` says yes to the group: what waits, and
    /// what is `in_flight` at QoS 1. Of the latter the handshakes go on, for nobody. In the order it was sent.
    ///
    /// A message at QoS 2 that is in flight stays: it is finished with this client or not at all. `[MQTT-4.8.2-5]`
    pub fn take_shared(
        &mut self,
        in_flight: bool,
        mut takes: impl FnMut(u32) -> bool,
        taken: &mut Vec<Taken>,
    ) {
        if in_flight {
            self.in_flight.take_shared(&mut takes, taken);
        }
        if let Some(pending) = &mut self.pending {
            pending.remove_where(|waiting| {
                let leaves = waiting.origin.group().is_some_and(&mut takes);
                if leaves {
                    let PendingDelivery { delivery, origin } = waiting.clone();
                    taken.push(Taken { origin, delivery: Some(delivery) });
                }
                leaves
            });
        }
    }

    /// What stands for the oldest message of a shared subscription that the client has not answered on this connection:
    /// it changes when that one is answered. `None` when there is none.
    #[must_use]
    pub fn oldest_shared(&self) -> Option<u64> {
        let in_flight = self.in_flight.oldest_shared().map(|id| u64::from(id.get()));
        let kept = self.inbox.as_ref().and_then(|inbox| inbox.oldest_shared());
        match (in_flight, kept) {
            (None, None) => None,
            (in_flight, kept) => {
                let kept = kept.map_or(0, |sequence| sequence + 1);
                Some(in_flight.unwrap_or(0) | kept << 16)
            }
        }
    }

    /// How many messages are on their way to the client and count as its own.
    #[must_use]
    pub fn load(&self) -> usize {
        let kept = self.inbox.as_ref().map_or(0, |inbox| inbox.messages() - inbox.lent());
        self.in_flight.len() + self.pending_len() + kept
    }

    // Incoming, QoS 2.

    /// PUBLISH at QoS 2 from the client.
    pub fn receive_qos2(&mut self, packet_id: PacketId) -> Incoming2 {
        self.incoming.get_or_insert_default().receive(packet_id)
    }

    /// The message of that packet id is stored: its PUBREC may go out.
    pub fn stored_qos2(&mut self, packet_id: PacketId) {
        if let Some(incoming) = &mut self.incoming {
            incoming.stored(packet_id);
        }
    }

    /// The message of that packet id is refused: its PUBREC of 0x80 or more frees the id. `[MQTT-4.3.3-9]`
    pub fn refuse_qos2(&mut self, packet_id: PacketId) {
        if let Some(incoming) = &mut self.incoming {
            incoming.refuse(packet_id);
        }
    }

    /// PUBREL from the client: the reason code for PUBCOMP, 0x00 or 0x92. 0x82 says that no PUBREC was sent yet: a
    /// protocol error, to disconnect for.
    pub fn on_pubrel(&mut self, packet_id: PacketId) -> ReasonCode {
        let unknown = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        self.incoming.as_mut().map_or(unknown, |incoming| incoming.pubrel(packet_id))
    }

    /// Whether a crash would not make the packet id of an incoming message at QoS 2 forgotten, so that its end must be
    /// stored too.
    #[must_use]
    pub fn keeps_qos2(&self, packet_id: PacketId) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| incoming.is_kept(packet_id))
    }

    /// Storage has the packet id with its message.
    pub fn kept_qos2(&mut self, packet_id: PacketId) {
        self.incoming.get_or_insert_default().keep(packet_id);
    }

    /// Storage says that a PUBREL freed the packet id.
    pub fn replay_pubrel(&mut self, packet_id: PacketId) {
        if let Some(incoming) = &mut self.incoming {
            incoming.pubrel(packet_id);
        }
    }

    // Subscriptions.

    /// Adds or replaces a subscription; gives the one replaced. `[MQTT-3.8.4-3]`
    pub fn subscribe(
        &mut self,
        filter: &str,
        record: SubscriptionRecord,
    ) -> Option<SubscriptionRecord> {
        self.subscriptions.insert(filter, record)
    }

    /// Removes a subscription; `None` when there was none.
    pub fn unsubscribe(&mut self, filter: &str) -> Option<SubscriptionRecord> {
        self.subscriptions.remove(filter)
    }

    /// The subscription of exactly that filter.
    #[must_use]
    pub fn subscription(&self, filter: &str) -> Option<&SubscriptionRecord> {
        self.subscriptions.get(filter)
    }

    /// All subscriptions, sorted by filter.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&str, &SubscriptionRecord)> {
        self.subscriptions.iter()
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }

    /// Gives back memory that a busy spell took.
    pub fn shrink(&mut self) {
        self.in_flight.shrink();
        if let Some(inbox) = &mut self.inbox {
            inbox.shrink();
        }
        self.pending = self.pending.take().filter(|pending| pending.len() > 0);
        self.incoming = self.incoming.take().filter(|incoming| !incoming.is_empty());
        self.unwritten = self.unwritten.take().filter(|unwritten| !unwritten.is_empty());
    }

    /// `[MQTT-3.3.4-9]`, `[MQTT-4.9.0-2]`
    #[inline]
    fn has_room(&self) -> bool {
        usize::from(self.window) > self.outstanding()
            && !self.in_flight.is_resuming()
            && self.in_flight.has_ids()
    }

    fn release_pending(&mut self, released: &mut Vec<Released>, is_released: impl Fn(u64) -> bool) {
        if let Some(pending) = &mut self.pending {
            pending.remove_where(|waiting| match waiting.origin {
                Origin::Queue { consumer, offset, attempt } if is_released(consumer) => {
                    released.push(Released { consumer, offset, attempt, written: false });
                    true
                }
                _ => false,
            });
        }
    }
}

#[cfg(test)]
mod tests;
