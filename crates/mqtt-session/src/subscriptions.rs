//! The subscriptions of a session. It must not know which topics they match.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use mqtt_types::QoS;

/// Up to this many, a sorted vector is smaller than a tree and as fast.
const FEW_MAX: usize = 16;

/// What a client subscribed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubscriptionRecord {
    /// The granted QoS.
    pub qos: QoS,
    /// Whether its own messages stay away. `[MQTT-3.8.3-3]`
    pub no_local: bool,
    /// Whether RETAIN comes as it was published.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
    /// The Subscription Identifier.
    pub subscription_identifier: Option<NonZeroU32>,
    /// A number of the caller's, such as the consumer of a queue subscription.
    pub consumer: u64,
}

/// When a SUBSCRIBE brings retained messages. The number is the one on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// Each time. `[MQTT-3.3.1-9]`
    #[default]
    Send = 0,
    /// When the subscription is new. `[MQTT-3.3.1-10]`
    SendIfNew = 1,
    /// Never. `[MQTT-3.3.1-11]`
    DoNotSend = 2,
}

impl RetainHandling {
    /// The handling of that number, `None` for 3 and above.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Send),
            1 => Some(Self::SendIfNew),
            2 => Some(Self::DoNotSend),
            _ => None,
        }
    }

    /// Whether retained messages are sent now.
    #[must_use]
    pub const fn sends(self, is_new: bool) -> bool {
        match self {
            Self::Send => true,
            Self::SendIfNew => is_new,
            Self::DoNotSend => false,
        }
    }
}

impl SubscriptionRecord {
    /// A subscription as clients before 5.0 make it.
    #[must_use]
    pub const fn plain(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
            subscription_identifier: None,
            consumer: 0,
        }
    }
}

/// Filters with their records, sorted by filter.
#[derive(Debug)]
pub(crate) enum Subscriptions {
    Few(Vec<(Box<str>, SubscriptionRecord)>),
    Many(BTreeMap<Box<str>, SubscriptionRecord>),
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub(crate) fn get(&self, filter: &str) -> Option<&SubscriptionRecord> {
        match self {
            Self::Few(few) => few.get(find(few, filter).ok()?).map(|(_, record)| record),
            Self::Many(many) => many.get(filter),
        }
    }

    /// The record that this one replaces. `[MQTT-3.8.4-3]`
    pub(crate) fn insert(
        &mut self,
        filter: &str,
        record: SubscriptionRecord,
    ) -> Option<SubscriptionRecord> {
        match self {
            Self::Many(many) => many.insert(filter.into(), record),
            Self::Few(few) => match find(few, filter) {
                Ok(at) => few.get_mut(at).map(|(_, old)| std::mem::replace(old, record)),
                Err(at) if few.len() < FEW_MAX => {
                    few.reserve_exact(1);
                    few.insert(at, (filter.into(), record));
                    None
                }
                Err(_) => {
                    let mut many: BTreeMap<_, _> = few.drain(..).collect();
                    many.insert(filter.into(), record);
                    *self = Self::Many(many);
                    None
                }
            },
        }
    }

    pub(crate) fn remove(&mut self, filter: &str) -> Option<SubscriptionRecord> {
        match self {
            Self::Few(few) => find(few, filter).ok().map(|at| few.remove(at).1),
            Self::Many(many) => many.remove(filter),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &SubscriptionRecord)> {
        let (few, many) = match self {
            Self::Few(few) => (Some(few.iter()), None),
            Self::Many(many) => (None, Some(many.iter())),
        };
        let few = few.into_iter().flatten().map(|(filter, record)| (&**filter, record));
        few.chain(many.into_iter().flatten().map(|(filter, record)| (&**filter, record)))
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.iter().zip(self.iter().skip(1)).all(|((a, _), (b, _))| a < b)
    }
}

fn find(few: &[(Box<str>, SubscriptionRecord)], filter: &str) -> Result<usize, usize> {
    few.binary_search_by(|(known, _)| (**known).cmp(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_subscriptions_behave_the_same() {
        let mut subscriptions = Subscriptions::default();
        let filters: Vec<String> = (0..FEW_MAX * 2).rev().map(|n| format!("f/{n:03}")).collect();
        for filter in &filters {
            assert_eq!(
                subscriptions.insert(filter, SubscriptionRecord::plain(QoS::AtMostOnce)),
                None
            );
            let again = subscriptions.insert(filter, SubscriptionRecord::plain(QoS::AtLeastOnce));
            assert_eq!(again, Some(SubscriptionRecord::plain(QoS::AtMostOnce)), "{filter}");
            assert_eq!(subscriptions.get(filter).map(|record| record.qos), Some(QoS::AtLeastOnce));
            assert!(subscriptions.is_sound());
        }
        assert_eq!(subscriptions.len(), filters.len());
        assert!(
            subscriptions
                .iter()
                .map(|(filter, _)| filter)
                .eq(filters.iter().rev().map(String::as_str))
        );
        for filter in &filters {
            assert!(subscriptions.remove(filter).is_some());
            assert_eq!(subscriptions.remove(filter), None);
        }
        assert_eq!(subscriptions.len(), 0);
    }

    #[test]
    fn retain_handling_decides_by_whether_the_subscription_is_new() {
        for (number, new, again) in [(0, true, true), (1, true, false), (2, false, false)] {
            let handling = RetainHandling::from_u8(number).expect("defined");
            assert_eq!((handling.sends(true), handling.sends(false)), (new, again));
        }
        assert_eq!(RetainHandling::from_u8(3), None);
    }
}
