//! Where a topic goes: the shared router behind a lock, and each shard's memory of what it answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use log_api::{ShardId, ShardSet};
use mqtt_router::{Match, Matches, Router, SinkId};
use mqtt_types::TopicName;
use parking_lot::RwLock;
use smallvec::SmallVec;

use crate::groups::{RouteGroup, SharedSubscriptions};
use crate::ids::SessionId;
use crate::record::PublishRecord;
use crate::terms::{Room, Terms};

/// Subscribers that a shard remembers, for each topic that it may remember.
const WEIGHT_PER_TOPIC: usize = 8;

/// Bytes of a topic that weigh as much as a subscriber.
const BYTES_PER_WEIGHT: usize = 64;

/// The one router of a node. Every change raises the epoch, which makes remembered routes stale.
pub(crate) struct Routes {
    epoch: AtomicU64,
    router: RwLock<Router>,
    /// What bound queues ask of publishers.
    terms: RwLock<HashMap<SinkId, Arc<Terms>>>,
    /// One for each queue, whoever asks for it first.
    rooms: RwLock<HashMap<SinkId, Arc<Room>>>,
}

/// Everyone who takes a topic's messages. Immutable, shared by reference.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// Sessions, one entry each, in order of shard.
    pub(crate) subscribers: Box<[Match]>,
    pub(crate) groups: SmallVec<[RouteGroup; 1]>,
    pub(crate) sinks: SmallVec<[SinkId; 2]>,
    /// Whether all of them are content with a message that is written and not synced.
    pub(crate) is_relaxed: bool,
    /// What they ask of publishers, in the same order.
    pub(crate) terms: SmallVec<[Arc<Terms>; 2]>,
    /// The shards that have sessions in `subscribers`.
    pub(crate) shards: ShardSet,
    /// Whether durable sessions are in `subscribers`.
    pub(crate) has_durable: bool,
    /// The router's epoch that it is of.
    epoch: u64,
}

impl Route {
    /// The part of the subscribers that lives on a shard.
    pub(crate) fn subscribers_of(&self, shard: ShardId) -> &[Match] {
        let shard_of = |entry: &Match| SessionId::from(entry.subscriber).shard();
        let from = self.subscribers.partition_point(|entry| shard_of(entry) < shard);
        let rest = self.subscribers.get(from..).unwrap_or_default();
        let len = rest.partition_point(|entry| shard_of(entry) == shard);
        rest.get(..len).unwrap_or_default()
    }

    /// What it takes of a memory of routes.
    fn weight(&self) -> usize {
        self.subscribers.len() + self.groups.len() + self.sinks.len()
    }

    /// Whether live messages go to another shard, or may.
    pub(crate) fn leaves(&self, shard: ShardId) -> bool {
        !self.groups.is_empty()
            || (!self.shards.is_empty() && self.shards != ShardSet::single(shard))
    }

    /// The shared group of that mark.
    pub(crate) fn group(&self, mark: u32) -> Option<&RouteGroup> {
        self.groups.iter().find(|group| group.mark == mark)
    }

    /// Whether anybody takes the message.
    pub(crate) fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.groups.is_empty() && self.sinks.is_empty()
    }
}

impl Routes {
    pub(crate) fn new(router: Router) -> Self {
        Self {
            epoch: AtomicU64::new(1),
            router: RwLock::new(router),
            terms: RwLock::default(),
            rooms: RwLock::default(),
        }
    }

    /// The room of a queue.
    pub(crate) fn room(&self, sink: SinkId) -> Arc<Room> {
        if let Some(room) = self.rooms.read().get(&sink) {
            return Arc::clone(room);
        }
        Arc::clone(self.rooms.write().entry(sink).or_default())
    }

    /// The terms of a queue or a stream as it is defined now. To be set before it is bound.
    pub(crate) fn set_terms(&self, terms: Terms) {
        self.terms.write().insert(terms.sink, Arc::new(terms));
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Forgets a queue that is bound no more.
    pub(crate) fn remove_terms(&self, sink: SinkId) {
        self.terms.write().remove(&sink);
        self.rooms.write().remove(&sink);
    }

    /// The terms of a queue.
    pub(crate) fn terms(&self, sink: SinkId) -> Option<Arc<Terms>> {
        self.terms.read().get(&sink).cloned()
    }

    /// Gives back the room of a message that was not stored.
    pub(crate) fn not_stored(&self, record: &PublishRecord) {
        let more = record.more().ok().flatten();
        let rooms = self.rooms.read();
        for sink in record.sinks() {
            if let Some(room) = rooms.get(&sink) {
                let key = more.as_ref().and_then(|more| more.key_of(sink));
                room.does_not_come(key, record.counted_bytes());
            }
        }
    }

    /// The terms of queues; what is not there any more takes no message.
    fn terms_of(&self, sinks: &[SinkId]) -> SmallVec<[Arc<Terms>; 2]> {
        if sinks.is_empty() {
            return SmallVec::new();
        }
        let terms = self.terms.read();
        sinks.iter().filter_map(|sink| terms.get(sink).cloned()).collect()
    }

    /// Changes the router. What was remembered before is stale when this returns.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Router) -> T) -> T {
        let mut router = self.router.write();
        let result = change(&mut router);
        self.epoch.fetch_add(1, Ordering::Release);
        result
    }

    /// Does something while the route is what the router says; `None` when the router has changed since.
    pub(crate) fn unless_changed<T>(&self, route: &Route, act: impl FnOnce() -> T) -> Option<T> {
        let _router = self.router.read();
        (self.epoch.load(Ordering::Acquire) == route.epoch).then(act)
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Router) -> T) -> T {
        read(&self.router.read())
    }
}

/// What one shard remembers of the router's answers, by topic.
pub(crate) struct RouteCache {
    shared_subscriptions: SharedSubscriptions,
    capacity: usize,
    /// Subscribers of all remembered routes.
    weight: usize,
    entries: HashMap<Box<str>, Arc<Route>, RandomState>,
    matches: Matches,
    /// The newest route that leads to queues only. Thousands of topics may have it in common, and few cache lines with it.
    of_queues: Option<Arc<Route>>,
}

impl RouteCache {
    pub(crate) fn new(capacity: usize, shared_subscriptions: SharedSubscriptions) -> Self {
        Self {
            shared_subscriptions,
            capacity,
            weight: 0,
            entries: HashMap::default(),
            matches: Matches::default(),
            of_queues: None,
        }
    }

    /// Where the topic goes now.
    pub(crate) fn route(&mut self, routes: &Routes, topic: TopicName<'_>) -> Arc<Route> {
        if let Some(route) = self.entries.get(topic.as_str())
            && route.epoch == routes.epoch.load(Ordering::Acquire)
        {
            return Arc::clone(route);
        }
        let route = self.ask(routes, topic);
        self.remember(topic.as_str(), &route);
        route
    }

    fn ask(&mut self, routes: &Routes, topic: TopicName<'_>) -> Arc<Route> {
        // While the router is read, it does not change: subscriptions that came before the epoch are in the route, and no
        // others. Terms may be newer.
        let epoch = routes.read(|router| {
            router.matches(topic, &mut self.matches);
            routes.epoch.load(Ordering::Acquire)
        });
        let Matches { subscribers, groups, sinks, .. } = &self.matches;
        let is_for_queues = subscribers.is_empty() && groups.is_empty() && !sinks.is_empty();
        if !is_for_queues {
            return Arc::new(self.build(routes, epoch));
        }
        if let Some(route) = &self.of_queues
            && route.epoch == epoch
            && route.sinks.as_slice() == sinks.as_slice()
        {
            return Arc::clone(route);
        }
        let route = Arc::new(self.build(routes, epoch));
        self.of_queues = Some(Arc::clone(&route));
        route
    }

    /// The route of what matched.
    fn build(&self, routes: &Routes, epoch: u64) -> Route {
        let mut shards = ShardSet::EMPTY;
        let mut has_durable = false;
        for entry in &self.matches.subscribers {
            let session = SessionId::from(entry.subscriber);
            shards = shards.with(session.shard());
            has_durable |= session.is_durable();
        }
        let group = |group| RouteGroup::new(group, &self.shared_subscriptions);
        let terms = routes.terms_of(&self.matches.sinks);
        Route {
            subscribers: self.matches.subscribers.as_slice().into(),
            groups: self.matches.groups.iter().map(group).collect(),
            is_relaxed: !terms.is_empty() && terms.iter().all(|terms| terms.relaxed),
            sinks: terms.iter().map(|terms| terms.sink).collect(),
            terms,
            shards,
            has_durable,
            epoch,
        }
    }

    fn remember(&mut self, topic: &str, route: &Arc<Route>) {
        // A route to very many is worth more than its topic, and found anew at a fraction of the cost of using it.
        let weight = route.weight() + topic.len() / BYTES_PER_WEIGHT;
        if self.weight + weight > self.capacity.saturating_mul(WEIGHT_PER_TOPIC) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(topic) {
            self.weight = self.weight + route.weight() - entry.weight();
            *entry = Arc::clone(route);
        } else if self.entries.len() < self.capacity {
            self.weight += weight;
            self.entries.insert(topic.into(), Arc::clone(route));
        }
    }

    /// Forgets all, so that topics of today take the place of yesterday's.
    pub(crate) fn clear(&mut self) {
        self.entries = HashMap::default();
        self.weight = 0;
        self.of_queues = None;
    }
}
