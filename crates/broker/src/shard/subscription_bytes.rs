//! The subscriptions of sessions, counted against what all may take. It must not know what a subscription leads to.

use mqtt_session::SubscriptionRecord;

use super::Shard;
use crate::ids::SessionId;

/// A subscription whose filter has few short levels, in its session and in the router.
const LEAST_BYTES: usize = 128;
/// A level more may be a node of the router's tree more.
const LEVEL_BYTES: usize = 32;

/// Bytes of memory that a subscription is reckoned to take: its text is kept twice.
pub(super) fn subscription_bytes(address: &str) -> usize {
    LEAST_BYTES + 2 * address.len() + LEVEL_BYTES * address.split('/').count()
}

impl Shard {
    /// Whether one more subscription has room.
    pub(super) fn has_room_for(&self, address: &str) -> bool {
        let budget = &self.shared.budgets.subscriptions;
        budget.used().saturating_add(subscription_bytes(address)) <= budget.max()
    }

    /// Adds a subscription to its session, or replaces it there.
    pub(super) fn add_subscription(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
    ) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if entry.session.subscribe(address, record).is_none() {
            self.shared.budgets.subscriptions.charge(subscription_bytes(address));
        }
    }

    /// Takes a subscription out of its session, if it is there.
    pub(super) fn remove_subscription(
        &mut self,
        id: SessionId,
        address: &str,
    ) -> Option<SubscriptionRecord> {
        let record = self.sessions.get_mut(id)?.session.unsubscribe(address)?;
        self.shared.budgets.subscriptions.release(subscription_bytes(address));
        Some(record)
    }

    /// What all subscriptions of a session are reckoned to take.
    pub(super) fn subscriptions_bytes(&self, id: SessionId) -> usize {
        let entry = self.sessions.get(id);
        let all = entry.into_iter().flat_map(|entry| entry.session.subscriptions());
        all.map(|(address, _)| subscription_bytes(address)).sum()
    }
}
