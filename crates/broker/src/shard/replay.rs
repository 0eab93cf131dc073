//! Retained messages for a new subscription.

use mqtt_router::Cursor;
use mqtt_session::{Admission, Delivery, Origin, OutgoingFlags, SubscriptionRecord};
use mqtt_types::{Address, Message};
use std::sync::Arc;

use super::Shard;
use super::send::{Sent, put_delivery};
use crate::ids::SessionId;
use crate::outbox::Outbox;

/// Retained messages looked up at once, so that the index is not held for long.
const PAGE_MESSAGES: usize = 256;

impl Shard {
    /// Sends the retained messages that match a new subscription. `[MQTT-3.3.1-9]`
    pub(super) fn replay_retained<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        out: &mut O,
    ) {
        // A shared subscription brings none (MQTT 5.0 §4.8.2), nor does a queue.
        let Ok(Address::Live(filter)) = Address::parse(address) else { return };
        let mut from = Some(Cursor::default());
        let mut page: Vec<Message> = Vec::new();
        while let Some(cursor) = from {
            from = self.shared.retained.read(|index| {
                index.matching(filter, &cursor, PAGE_MESSAGES, |_, message| page.push(message.clone()))
            });
            for message in page.drain(..) {
                self.send_retained(id, message, record, out);
            }
        }
    }

    fn send_retained<O: Outbox>(&mut self, id: SessionId, message: Message, record: SubscriptionRecord, out: &mut O) {
        let flags = OutgoingFlags::retained(message.head().qos, &record);
        let identifiers = record.subscription_identifier.iter().map(|id| id.get()).collect();
        let delivery = Arc::new(Delivery {
            message,
            qos: flags.qos,
            retain: flags.retain,
            subscription_identifiers: identifiers,
        });
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let Some(conn) = entry.conn else { return };
        let Some(buffer) = out.buffer(conn) else { return };
        let open = buffer.len() < self.shared.config.max_output_buffer_bytes;
        match entry.session.admit(flags.qos, open) {
            Admission::Send(packet_id) => {
                let Some(state) = self.conns.get_mut(conn) else { return };
                let unix_ms = self.turn.unix_ms;
                let sent = put_delivery(buffer, &mut state.connection, &delivery, packet_id, false, unix_ms);
                if sent == Sent::Yes {
                    self.counts.publishes_sent_total += 1;
                    let kept = entry.session.outlives_connection().then_some(delivery);
                    entry.session.sent(packet_id, flags.qos, Origin::Live, kept, 0);
                }
            }
            // Retained messages are not lost to a slow reader, whatever their QoS.
            Admission::Queue | Admission::Drop(_) => {
                let overflow = entry.session.queue(delivery, Origin::Live, &self.shared.config.limits);
                out.notify_drained(conn);
                self.give_back(id, overflow);
            }
        }
    }
}
