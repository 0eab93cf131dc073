//! Durable sessions from before the restart. All this happens before a listener is open.

use std::sync::Arc;

use mqtt_router::{Member, SubscriptionOptions};
use mqtt_session::{Inbox, Session, SubscriptionRecord};
use mqtt_types::Address;
use stdx::{Instant, UnixMillis};

use super::Shard;
use super::leases::Leases;
use super::session_log::Waiting;
use crate::ids::SessionId;
use crate::record::{SessionEvent, StoredSession};
use crate::timers::Timer;

impl Shard {
    /// Takes in a session. A client that was connected counts as gone since `now`.
    pub(crate) fn restore_session(&mut self, stored: StoredSession, now: UnixMillis) {
        let StoredSession { number, image, owner, with_metadata, replays, leases, groups, .. } =
            stored;
        let mut session = Session::from_image(&image, now);
        leases.iter().for_each(|lease| session.keep(lease.packet_id));
        let was_connected = image.disconnected_at.is_none();
        if let Some(earlier) = self.sessions.find(&image.client_id) {
            // Its client began anew, and what it keeps for others was not all delivered.
            self.unroute_session(earlier);
            self.begin_ending(earlier);
        }
        let id = self.sessions.restore(number, session);
        self.shared.budgets.subscriptions.charge(self.subscriptions_bytes(id));
        if image.expiry_interval == 0 {
            // It was over already, and keeps messages for others.
            return self.begin_ending(id);
        }
        self.route_session(id);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        entry.owner = owner.map(Arc::from);
        if !with_metadata.is_empty() {
            entry.extras.get_or_insert_default().with_metadata = with_metadata;
        }
        if !groups.is_empty() {
            entry.extras.get_or_insert_default().groups = groups;
        }
        if !leases.is_empty() {
            entry.extras.get_or_insert_default().leases = Leases::restored(&leases);
        }
        self.restore_replays(id, replays);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        // Its will, its expiry and its limits are looked at in the first turn.
        entry.timer = Some(Instant::ZERO);
        self.timers.set(Instant::ZERO, Timer::Session(id));
        if was_connected {
            // Or the next restart would begin to count anew.
            self.log_disconnected(id);
        }
    }

    /// Puts all live subscriptions of a session into the router.
    fn route_session(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get(id) else { return };
        let is_shared =
            |(address, _)| matches!(Address::parse(address), Ok(Address::Shared { .. }));
        let is_member = entry.session.subscriptions().any(is_shared);
        let state = if is_member { self.take_seat(id) } else { Arc::default() };
        let Some(entry) = self.sessions.get(id) else { return };
        self.shared.routes.change(|router| {
            for (address, record) in entry.session.subscriptions() {
                let options = options_of(record);
                match Address::parse(address) {
                    Ok(Address::Live(filter)) => router.subscribe(filter, id.subscriber(), options),
                    Ok(Address::Shared { group, filter }) => {
                        let state = Arc::clone(&state);
                        let subscriber = id.subscriber();
                        router.join(group, filter, Member { subscriber, options, state })
                    }
                    _ => continue,
                };
            }
        });
    }

    /// Tells the log that a durable session has no client, and what is left of its will.
    pub(super) fn log_disconnected(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get(id) else { return };
        let inbox = entry.session.inbox();
        let event = SessionEvent::Disconnected {
            sent_to: inbox.map_or(0, Inbox::sent_to),
            unsure_to: inbox.map_or(0, Inbox::unsure_to),
            at: entry.session.disconnected_at(),
            expiry_interval: entry.session.expiry_interval(),
            keeps_will: entry.session.will().is_some(),
        };
        self.log_session(id, event, Waiting::Nobody);
    }
}

/// What the router must know of a subscription.
pub(super) const fn options_of(record: &SubscriptionRecord) -> SubscriptionOptions {
    SubscriptionOptions {
        qos: record.qos,
        no_local: record.no_local,
        retain_as_published: record.retain_as_published,
        identifier: record.subscription_identifier,
    }
}
