//! Retained messages for a new subscription: as fast as the client takes them, however many there are.

use std::sync::Arc;

use mqtt_router::Cursor;
use mqtt_session::{Admission, Delivery, Origin, OutgoingFlags, SubscriptionRecord};
use mqtt_types::{Address, Message, TopicName};

use super::Shard;
use super::send::{Sent, put_delivery};
use super::state::Replay;
use crate::ids::SessionId;
use crate::outbox::Outbox;

/// Retained messages looked up at once, so that the index is not held for long.
const PAGE_MESSAGES: usize = 64;

impl Shard {
    /// Notes that the retained messages that match a new subscription are to be sent. `[MQTT-3.3.1-9]`
    pub(super) fn begin_replay(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
    ) {
        // A shared subscription brings none (MQTT 5.0 §4.8.2), nor does a queue.
        let Ok(Address::Live(_)) = Address::parse(address) else { return };
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let replays = &mut entry.extras.get_or_insert_default().replays;
        replays.retain(|replay| &*replay.address != address);
        replays.push_back(Replay::new(address, record));
    }

    /// Sends retained messages as far as the window and the output go. What waits in the session goes first.
    pub(super) fn replay<O: Outbox>(&mut self, id: SessionId, out: &mut O) {
        if !self
            .sessions
            .get(id)
            .is_some_and(|entry| entry.is_replaying() && entry.session.pending_len() == 0)
        {
            return;
        }
        self.refresh_replay(id);
        while let Some((message, record)) = self.next_retained(id) {
            if !self.send_retained(id, &message, record, out) {
                let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
                if let Some(replay) = extras.and_then(|extras| extras.replays.front_mut()) {
                    replay.page.push_front(message);
                }
                return;
            }
        }
        if let Some(entry) = self.sessions.get_mut(id) {
            entry.give_back_extras();
        }
    }

    /// What was looked up a while ago may have been replaced since.
    fn refresh_replay(&mut self, id: SessionId) {
        let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
        let Some(replay) = extras.and_then(|extras| extras.replays.front_mut()) else { return };
        let page = std::mem::take(&mut replay.page);
        replay.page = self.shared.retained.read(|index| {
            let now = |old: &Message| index.get(TopicName::new(old.topic()).ok()?).cloned();
            page.iter().filter_map(now).collect()
        });
    }

    /// The next message of the first replay; finished ones are forgotten.
    fn next_retained(&mut self, id: SessionId) -> Option<(Message, SubscriptionRecord)> {
        let extras = self.sessions.get_mut(id)?.extras.as_mut()?;
        loop {
            let replay = extras.replays.front_mut()?;
            if let Some(message) = replay.page.pop_front() {
                return Some((message, replay.record));
            }
            let Some(from) = replay.from.take() else {
                extras.replays.pop_front();
                continue;
            };
            if let Ok(Address::Live(filter)) = Address::parse(&replay.address) {
                let page = &mut replay.page;
                replay.from = self.shared.retained.read(|index| {
                    index.matching(filter, &from, PAGE_MESSAGES, |_, message| {
                        page.push_back(message.clone())
                    })
                });
            }
        }
    }

    /// False when the client takes no more for now: it will be asked again.
    fn send_retained<O: Outbox>(
        &mut self,
        id: SessionId,
        message: &Message,
        record: SubscriptionRecord,
        out: &mut O,
    ) -> bool {
        let flags = OutgoingFlags::retained(message.head().qos, &record);
        let Some(entry) = self.sessions.get_mut(id) else { return false };
        let Some(conn) = entry.conn else { return false };
        let Some(buffer) = out.buffer(conn) else { return false };
        let open = self.shared.takes_more(buffer.len());
        let Admission::Send(packet_id) = entry.session.admit(flags.qos, open) else {
            if !open {
                out.notify_drained(conn);
            }
            return false;
        };
        let delivery = Arc::new(Delivery {
            message: message.clone(),
            qos: flags.qos,
            retain: flags.retain,
            subscription_identifiers: record
                .subscription_identifier
                .iter()
                .map(|id| id.get())
                .collect(),
        });
        let Some(state) = self.conns.get_mut(conn) else { return false };
        let unix_ms = self.turn.unix_ms;
        if put_delivery(buffer, &mut state.connection, &delivery, packet_id, unix_ms) == Sent::Yes {
            self.counts.publishes_sent_total += 1;
            let kept = entry.session.outlives_connection().then_some(delivery);
            entry.session.sent(packet_id, flags.qos, Origin::Live, kept, 0);
        }
        true
    }
}

impl Replay {
    fn new(address: &str, record: SubscriptionRecord) -> Self {
        Self {
            address: address.into(),
            record,
            from: Some(Cursor::default()),
            page: Default::default(),
        }
    }
}
