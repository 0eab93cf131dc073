//! What a topic leads to: one entry per subscriber, the shared groups, the sinks.
//! It must not know how it was found, but for the room that finding it takes.

mod merge;

use std::num::NonZeroU32;
use std::sync::Arc;

use mqtt_types::QoS;
use smallvec::SmallVec;

use crate::trie::Walk;
use crate::{SharedGroup, SinkId, SubscriberId, Subscription};
use merge::Merge;

/// A subscriber that a topic leads to; its overlapping subscriptions are merged into one. `[MQTT-3.3.4-2]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Match {
    /// Who.
    pub subscriber: SubscriberId,
    /// The highest QoS of its matching subscriptions.
    pub qos: QoS,
    /// Whether all of them have No Local.
    pub no_local: bool,
    /// Whether any of them has Retain As Published.
    pub retain_as_published: bool,
    /// All their identifiers, in order; one is here twice if two subscriptions have it. `[MQTT-3.3.4-4]`
    pub identifiers: SmallVec<[NonZeroU32; 4]>,
    /// Where only some have No Local: the others merged, which is what its own messages take. `[MQTT-3.8.3-3]`
    pub own: Option<Box<Self>>,
}

impl From<Subscription> for Match {
    #[inline]
    fn from(one: Subscription) -> Self {
        let mut identifiers = SmallVec::new();
        if let Some(identifier) = one.options.identifier {
            identifiers.push(identifier);
        }
        Self {
            subscriber: one.subscriber,
            qos: one.options.qos,
            no_local: one.options.no_local,
            retain_as_published: one.options.retain_as_published,
            identifiers,
            own: None,
        }
    }
}

impl Match {
    fn add(&mut self, other: Subscription) {
        match &mut self.own {
            Some(own) if !other.options.no_local => own.add(other),
            None if self.no_local && !other.options.no_local => {
                self.own = Some(Box::new(other.into()));
            }
            None if !self.no_local && other.options.no_local => {
                self.own = Some(Box::new(self.clone()));
            }
            _ => {}
        }
        self.qos = self.qos.max(other.options.qos);
        self.no_local &= other.options.no_local;
        self.retain_as_published |= other.options.retain_as_published;
        if let Some(identifier) = other.options.identifier {
            let place = self.identifiers.partition_point(|&before| before <= identifier);
            self.identifiers.insert(place, identifier);
        }
    }
}

/// All that a topic leads to. Keep one and match into it again: it then allocates nothing, as long as no
/// subscriber has more than four identifiers in one match.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// One entry per subscriber, in their order.
    pub subscribers: Vec<Match>,
    /// The shared groups; each takes the message once.
    pub groups: Vec<Arc<SharedGroup>>,
    /// The sinks, in order, each once. No Local has no effect on them.
    pub sinks: Vec<SinkId>,
    merge: Merge,
    pub(crate) walk: Walk,
}

impl Matches {
    /// Whether the topic leads nowhere.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.groups.is_empty() && self.sinks.is_empty()
    }

    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.subscribers.clear();
        self.groups.clear();
        self.sinks.clear();
        self.merge.clear();
    }

    /// Adds a subscription, in the order of subscribers since the last [`end_run`](Self::end_run).
    #[inline]
    pub(crate) fn add(&mut self, one: Subscription) {
        self.merge.add(one);
    }

    /// Says that what comes next is in an order of its own.
    pub(crate) fn end_run(&mut self) {
        self.merge.end_run();
    }

    /// Turns what was added into one entry per subscriber, and orders the sinks.
    pub(crate) fn finish(&mut self) {
        let all = self.merge.finish();
        // Where nothing is to be merged, which is the rule, one pass of known length takes a quarter of the time.
        if all.is_sorted_by(|before, after| before.subscriber < after.subscriber) {
            self.subscribers.extend(all.iter().map(|&one| Match::from(one)));
        } else {
            self.subscribers.reserve(all.len());
            for &one in all {
                match self.subscribers.last_mut() {
                    Some(last) if last.subscriber == one.subscriber => last.add(one),
                    _ => self.subscribers.push(one.into()),
                }
            }
        }
        self.sinks.sort_unstable();
        self.sinks.dedup();
    }
}
