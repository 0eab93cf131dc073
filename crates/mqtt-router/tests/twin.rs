//! Random commands to a router and to a naive twin: both must find the same.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use mqtt_router::{
    Counts, Match, Matches, Member, Router, SinkId, SubscriberId, SubscriptionOptions, invariants,
};
use mqtt_types::{QoS, TopicFilter, TopicName};
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Debug)]
enum Command {
    Subscribe(String, u64, SubscriptionOptions),
    Unsubscribe(String, u64),
    Join(&'static str, String, u64, SubscriptionOptions),
    Leave(&'static str, String, u64),
    Bind(String, u32),
    Unbind(String, u32),
}

/// The same as the router, as lists.
#[derive(Default)]
struct Twin {
    subscriptions: BTreeMap<(String, u64), SubscriptionOptions>,
    members: BTreeMap<(&'static str, String), BTreeMap<u64, SubscriptionOptions>>,
    bindings: BTreeSet<(String, u32)>,
}

type Found = (Vec<Match>, Vec<(String, String, BTreeMap<u64, SubscriptionOptions>)>, Vec<SinkId>);

impl Twin {
    fn apply(&mut self, command: Command) -> bool {
        match command {
            Command::Subscribe(filter, who, options) => {
                self.subscriptions.insert((filter, who), options).is_none()
            }
            Command::Unsubscribe(filter, who) => {
                self.subscriptions.remove(&(filter, who)).is_some()
            }
            Command::Join(group, filter, who, options) => {
                self.members.entry((group, filter)).or_default().insert(who, options).is_none()
            }
            Command::Leave(group, filter, who) => {
                let key = (group, filter);
                let left = self
                    .members
                    .get_mut(&key)
                    .is_some_and(|members| members.remove(&who).is_some());
                self.members.retain(|_, members| !members.is_empty());
                left
            }
            Command::Bind(filter, sink) => self.bindings.insert((filter, sink)),
            Command::Unbind(filter, sink) => self.bindings.remove(&(filter, sink)),
        }
    }

    fn matches(&self, topic: TopicName<'_>) -> Found {
        let hit = |filter: &str| legal(filter).matches(topic);
        let mut subscribers: BTreeMap<u64, Vec<SubscriptionOptions>> = BTreeMap::new();
        for ((_, who), options) in self.subscriptions.iter().filter(|((filter, _), _)| hit(filter))
        {
            subscribers.entry(*who).or_default().push(*options);
        }
        let merged = subscribers.into_iter().map(|(who, all)| {
            let not_local: Vec<_> = all.iter().filter(|one| !one.no_local).copied().collect();
            let mixed = !not_local.is_empty() && not_local.len() < all.len();
            let own = mixed.then(|| Box::new(merge(who, &not_local)));
            Match { own, ..merge(who, &all) }
        });
        let groups = self.members.iter().filter(|((_, filter), _)| hit(filter));
        let groups = groups
            .map(|((name, filter), members)| ((*name).into(), filter.clone(), members.clone()));
        let sinks: BTreeSet<u32> =
            self.bindings.iter().filter(|(filter, _)| hit(filter)).map(|(_, sink)| *sink).collect();
        (merged.collect(), groups.collect(), sinks.into_iter().map(SinkId).collect())
    }

    fn counts(&self, nodes: usize) -> Counts {
        let mut filters: BTreeSet<&str> =
            self.subscriptions.keys().map(|(filter, _)| filter.as_str()).collect();
        filters.extend(self.members.keys().map(|(_, filter)| filter.as_str()));
        filters.extend(self.bindings.iter().map(|(filter, _)| filter.as_str()));
        Counts {
            filters: filters.len(),
            subscriptions: self.subscriptions.len(),
            groups: self.members.len(),
            members: self.members.values().map(BTreeMap::len).sum(),
            bindings: self.bindings.len(),
            nodes,
        }
    }
}

fn merge(who: u64, all: &[SubscriptionOptions]) -> Match {
    let mut identifiers: Vec<NonZeroU32> = all.iter().filter_map(|one| one.identifier).collect();
    identifiers.sort_unstable();
    Match {
        subscriber: SubscriberId(who),
        qos: all.iter().map(|one| one.qos).max().unwrap_or_default(),
        no_local: all.iter().all(|one| one.no_local),
        retain_as_published: all.iter().any(|one| one.retain_as_published),
        identifiers: identifiers.into(),
        own: None,
    }
}

fn legal(filter: &str) -> TopicFilter<'_> {
    TopicFilter::new(filter).expect("legal filter")
}

fn apply(router: &mut Router, command: &Command) -> bool {
    match command {
        Command::Subscribe(filter, who, options) => {
            router.subscribe(legal(filter), SubscriberId(*who), *options)
        }
        Command::Unsubscribe(filter, who) => router.unsubscribe(legal(filter), SubscriberId(*who)),
        Command::Join(group, filter, who, options) => {
            router.join(group, legal(filter), Member::new(SubscriberId(*who), *options))
        }
        Command::Leave(group, filter, who) => {
            router.leave(group, legal(filter), SubscriberId(*who))
        }
        Command::Bind(filter, sink) => router.bind(legal(filter), SinkId(*sink)),
        Command::Unbind(filter, sink) => router.unbind(legal(filter), SinkId(*sink)),
    }
}

fn found(router: &Router, topic: TopicName<'_>, out: &mut Matches) -> Found {
    router.matches(topic, out);
    let mut groups: Vec<_> = out
        .groups
        .iter()
        .map(|group| {
            let members =
                group.members().iter().map(|member| (member.subscriber.0, member.options));
            (group.name().into(), group.filter().into(), members.collect())
        })
        .collect();
    groups
        .sort_by(|left: &(String, String, _), right| (&left.0, &left.1).cmp(&(&right.0, &right.1)));
    (out.subscribers.clone(), groups, out.sinks.clone())
}

fn name() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "", "$x", "a level of more than sixteen bytes"][..])
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => name(), 2 => Just("+")];
    (prop::collection::vec(level, 0..4), any::<bool>()).prop_map(|(mut levels, rest)| {
        if rest || levels.is_empty() {
            levels.push("#");
        }
        let text = levels.join("/");
        if text.is_empty() { "/".into() } else { text }
    })
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..5).prop_map(|levels| {
        let text = levels.join("/");
        if text.is_empty() { "/".into() } else { text }
    })
}

fn options() -> impl Strategy<Value = SubscriptionOptions> {
    (0..3_u8, any::<bool>(), any::<bool>(), 0..4_u32).prop_map(
        |(qos, no_local, retain_as_published, identifier)| SubscriptionOptions {
            qos: QoS::from_u8(qos).unwrap_or_default(),
            no_local,
            retain_as_published,
            identifier: NonZeroU32::new(identifier),
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let group = || select(&["g", "h"][..]);
    prop_oneof![
        4 => (filter(), 0..6_u64, options()).prop_map(|(f, w, o)| Command::Subscribe(f, w, o)),
        4 => (filter(), 0..6_u64).prop_map(|(f, w)| Command::Unsubscribe(f, w)),
        2 => (group(), filter(), 0..6_u64, options()).prop_map(|(g, f, w, o)| Command::Join(g, f, w, o)),
        2 => (group(), filter(), 0..6_u64).prop_map(|(g, f, w)| Command::Leave(g, f, w)),
        1 => (filter(), 0..4_u32).prop_map(|(f, s)| Command::Bind(f, s)),
        1 => (filter(), 0..4_u32).prop_map(|(f, s)| Command::Unbind(f, s)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_router_finds_what_its_twin_finds(
        // A few filters only, so that commands meet.
        filters in prop::collection::vec(filter(), 1..12),
        commands in prop::collection::vec((command(), any::<prop::sample::Index>()), 1..120),
        topics in prop::collection::vec(topic(), 8),
        seed in any::<[u64; 2]>(),
    ) {
        let (mut router, mut twin) = (Router::new(seed), Twin::default());
        let mut out = Matches::default();
        for (at, (mut command, which)) in commands.into_iter().enumerate() {
            let (Command::Subscribe(filter, ..) | Command::Unsubscribe(filter, _) | Command::Join(_, filter, ..)
                | Command::Leave(_, filter, _) | Command::Bind(filter, _) | Command::Unbind(filter, _)) = &mut command;
            filter.clone_from(which.get(&filters));
            prop_assert_eq!(apply(&mut router, &command), twin.apply(command.clone()), "{:?}", command);
            let checked = invariants::check(&router);
            prop_assert!(checked.is_ok(), "{:?}", checked);
            prop_assert_eq!(router.counts(), twin.counts(router.counts().nodes));
            let topic = TopicName::new(&topics[at % topics.len()]).expect("legal topic");
            prop_assert_eq!(found(&router, topic, &mut out), twin.matches(topic), "{}", topic);
        }
        for topic in &topics {
            let topic = TopicName::new(topic).expect("legal topic");
            prop_assert_eq!(found(&router, topic, &mut out), twin.matches(topic), "{}", topic);
        }
    }
}
