//! The router: filters with what they lead to, and what a topic leads to.
//! It must not know who is connected, nor what a message is.

use std::sync::Arc;

use mqtt_types::{TopicFilter, TopicName};

use crate::entries::{Entries, Joined, Left};
use crate::exact::ExactFilters;
use crate::keyed_hash::KeyedHash;
use crate::matches::Matches;
use crate::trie::Trie;
use crate::{Member, SharedGroup, SinkId, SubscriberId, Subscription, SubscriptionOptions};

/// Which subscriptions, shared groups and sinks a topic leads to.
///
/// Topics that start with `$` are ordinary here, but that no filter that starts with a wildcard matches them.
/// `[MQTT-4.7.2-1]`
#[derive(Debug)]
pub struct Router {
    exact: ExactFilters,
    trie: Trie,
    counts: Counts,
}

/// How much a router holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Distinct topic filters, whatever they lead to.
    pub filters: usize,
    /// Subscriptions that are not shared.
    pub subscriptions: usize,
    /// Shared groups: distinct pairs of share name and filter.
    pub groups: usize,
    /// Members of all shared groups.
    pub members: usize,
    /// Bindings of sinks.
    pub bindings: usize,
    /// Trie nodes.
    pub nodes: usize,
}

impl Router {
    /// An empty router. The seed keys its hash tables: whoever can name filters or topics must not know it, or they
    /// could make lookups slow. It has no influence on results.
    #[must_use]
    pub fn new(seed: [u64; 2]) -> Self {
        let hash = KeyedHash::new(seed);
        let (exact, trie) = (ExactFilters::new(hash.clone()), Trie::new(hash));
        Self { exact, trie, counts: Counts::default() }
    }

    /// Adds a subscription; false if it replaced one of that subscriber and filter. `[MQTT-3.8.4-3]`
    pub fn subscribe(
        &mut self,
        filter: TopicFilter<'_>,
        subscriber: SubscriberId,
        options: SubscriptionOptions,
    ) -> bool {
        let new =
            self.add(filter, |entries| entries.subscribe(Subscription { subscriber, options }));
        self.counts.subscriptions += usize::from(new);
        new
    }

    /// Removes a subscription; false if there was none. `[MQTT-3.10.4-1]`
    pub fn unsubscribe(&mut self, filter: TopicFilter<'_>, subscriber: SubscriberId) -> bool {
        let removed =
            self.remove(filter, |entries| entries.unsubscribe(subscriber)).unwrap_or(false);
        self.counts.subscriptions -= usize::from(removed);
        removed
    }

    /// Adds a member to the shared group of that name and filter, which is made if need be; false if it replaced the
    /// options of a member.
    pub fn join(&mut self, group: &str, filter: TopicFilter<'_>, member: Member) -> bool {
        let joined = self.add(filter, |entries| entries.join(group, filter.as_str(), member));
        self.counts.groups += usize::from(joined == Joined::First);
        self.counts.members += usize::from(joined != Joined::Replaced);
        joined != Joined::Replaced
    }

    /// Removes a member from a shared group, and with the last member the group; false if there was no such member.
    pub fn leave(
        &mut self,
        group: &str,
        filter: TopicFilter<'_>,
        subscriber: SubscriberId,
    ) -> bool {
        let left = self
            .remove(filter, |entries| entries.leave(group, subscriber))
            .unwrap_or(Left::NotThere);
        self.counts.groups -= usize::from(left == Left::Last);
        self.counts.members -= usize::from(left != Left::NotThere);
        left != Left::NotThere
    }

    /// The shared group of that name and filter.
    #[must_use]
    pub fn group(&self, name: &str, filter: TopicFilter<'_>) -> Option<&Arc<SharedGroup>> {
        let entries = if filter.has_wildcard() {
            self.trie.entries(self.trie.find(filter)?)
        } else {
            self.exact.get(filter.as_str())?
        };
        entries.group(name)
    }

    /// Binds a sink to a filter; false if it was.
    pub fn bind(&mut self, filter: TopicFilter<'_>, sink: SinkId) -> bool {
        let new = self.add(filter, |entries| entries.bind(sink));
        self.counts.bindings += usize::from(new);
        new
    }

    /// Unbinds a sink from a filter; false if it was not bound.
    pub fn unbind(&mut self, filter: TopicFilter<'_>, sink: SinkId) -> bool {
        let removed = self.remove(filter, |entries| entries.unbind(sink)).unwrap_or(false);
        self.counts.bindings -= usize::from(removed);
        removed
    }

    /// Finds all that a topic leads to. What was in `out` before is forgotten, its memory used again.
    ///
    /// Takes a lookup for the whole topic, and one per level and trie node that filters share with the topic.
    pub fn matches(&self, topic: TopicName<'_>, out: &mut Matches) {
        out.clear();
        if let Some(entries) = self.exact.get(topic.as_str()) {
            collect(entries, out);
        }
        let mut walk = std::mem::take(&mut out.walk);
        self.trie.walk(topic, &mut walk);
        for &place in walk.found() {
            collect(self.trie.entries(place), out);
        }
        out.walk = walk;
        out.finish();
    }

    /// How much there is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { nodes: self.trie.node_count(), ..self.counts }
    }

    pub(crate) const fn exact(&self) -> &ExactFilters {
        &self.exact
    }

    pub(crate) const fn trie(&self) -> &Trie {
        &self.trie
    }

    /// Adds something to what a filter leads to.
    fn add<R>(&mut self, filter: TopicFilter<'_>, add: impl FnOnce(&mut Entries) -> R) -> R {
        let entries = if filter.has_wildcard() {
            let place = self.trie.find_or_create(filter);
            self.trie.entries_mut(place)
        } else {
            self.exact.get_or_create(filter.as_str())
        };
        self.counts.filters += usize::from(entries.is_empty());
        add(entries)
    }

    /// Removes something from what a filter leads to, and the filter if nothing is left; `None` if it is unknown.
    fn remove<R>(
        &mut self,
        filter: TopicFilter<'_>,
        remove: impl FnOnce(&mut Entries) -> R,
    ) -> Option<R> {
        if filter.has_wildcard() {
            let place = self.trie.find(filter)?;
            let entries = self.trie.entries_mut(place);
            if entries.is_empty() {
                return None;
            }
            let removed = remove(entries);
            if entries.is_empty() {
                self.counts.filters -= 1;
                self.trie.prune(place);
            }
            Some(removed)
        } else {
            let entries = self.exact.get_mut(filter.as_str())?;
            let removed = remove(entries);
            if entries.is_empty() {
                self.counts.filters -= 1;
                self.exact.remove(filter.as_str());
            }
            Some(removed)
        }
    }
}

fn collect(entries: &Entries, out: &mut Matches) {
    entries.each_subscription(|one| out.add(one));
    out.end_run();
    out.groups.extend(entries.groups().map(Arc::clone));
    out.sinks.extend_from_slice(entries.sinks());
}
