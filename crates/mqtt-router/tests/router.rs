//! What a router finds, by tables.

use std::num::NonZeroU32;
use std::sync::Arc;

use mqtt_router::{
    Counts, Match, Matches, Member, Router, SinkId, SubscriberId, SubscriptionOptions, invariants,
};
use mqtt_types::{QoS, TopicFilter, TopicName};

const SEED: [u64; 2] = [7, 9];

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::new(text).expect("legal filter")
}

fn topic(text: &str) -> TopicName<'_> {
    TopicName::new(text).expect("legal topic")
}

fn matches(router: &Router, text: &str) -> Matches {
    invariants::check(router).expect("invariants hold");
    let mut out = Matches::default();
    router.matches(topic(text), &mut out);
    out
}

fn options(qos: QoS, identifier: u32) -> SubscriptionOptions {
    SubscriptionOptions {
        qos,
        identifier: NonZeroU32::new(identifier),
        ..SubscriptionOptions::default()
    }
}

#[test]
fn a_topic_finds_the_filters_that_match_it() {
    let filters = [
        "a/b", "a/+", "a/#", "#", "+", "+/+", "+/b", "/", "/+", "+/", "a//b", "a/+/b", "$SYS/#",
        "$SYS/+/x", "+/#", "a", "$SYS", "/#", "a/+/#", "+/+/#",
    ];
    let mut router = Router::new(SEED);
    for (at, text) in filters.iter().enumerate() {
        assert!(router.subscribe(
            filter(text),
            SubscriberId(at as u64),
            SubscriptionOptions::default()
        ));
    }
    for (text, expected) in [
        ("a", &["#", "+", "+/#", "a", "a/#"][..]),
        ("a/b", &["#", "+/#", "+/+", "+/+/#", "+/b", "a/#", "a/+", "a/+/#", "a/b"]),
        ("a/", &["#", "+/", "+/#", "+/+", "+/+/#", "a/#", "a/+", "a/+/#"]),
        ("/", &["#", "+/", "+/#", "+/+", "+/+/#", "/", "/#", "/+"]),
        ("//", &["#", "+/#", "+/+/#", "/#"]),
        ("a//b", &["#", "+/#", "+/+/#", "a/#", "a/+/#", "a/+/b", "a//b"]),
        ("c", &["#", "+", "+/#"]),
        ("A", &["#", "+", "+/#"]),
        ("$SYS", &["$SYS", "$SYS/#"]),
        ("$SYS/y/x", &["$SYS/#", "$SYS/+/x"]),
        ("$other/b", &[]),
        ("a/$SYS", &["#", "+/#", "+/+", "+/+/#", "a/#", "a/+", "a/+/#"]),
    ] {
        let found = matches(&router, text);
        let mut names: Vec<&str> =
            found.subscribers.iter().map(|one| filters[one.subscriber.0 as usize]).collect();
        names.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(names, expected, "{text}");
    }
}

#[test]
fn overlapping_subscriptions_of_one_subscriber_are_merged() {
    let mut router = Router::new(SEED);
    let me = SubscriberId(5);
    let local = SubscriptionOptions { no_local: true, ..options(QoS::AtMostOnce, 9) };
    let kept = SubscriptionOptions {
        retain_as_published: true,
        no_local: true,
        ..options(QoS::ExactlyOnce, 3)
    };
    router.subscribe(filter("a/b"), me, local);
    router.subscribe(filter("a/+"), me, kept);
    router.subscribe(
        filter("a/#"),
        me,
        SubscriptionOptions { no_local: true, ..options(QoS::AtLeastOnce, 9) },
    );
    let found = |router: &Router| matches(router, "a/b").subscribers;
    let identifiers =
        |numbers: &[u32]| numbers.iter().filter_map(|&number| NonZeroU32::new(number)).collect();
    let mut merged = Match {
        subscriber: me,
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        identifiers: identifiers(&[3, 9, 9]),
        own: None,
    };
    assert_eq!(found(&router), [merged.clone()]);

    // One without No Local: the subscriber's own messages reach it, by that one alone.
    router.subscribe(filter("#"), me, options(QoS::AtMostOnce, 0));
    merged.no_local = false;
    let mut own = Match {
        subscriber: me,
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        identifiers: identifiers(&[]),
        own: None,
    };
    merged.own = Some(Box::new(own.clone()));
    assert_eq!(found(&router), [merged.clone()]);

    // Subscribing again replaces. [MQTT-3.8.4-3]
    assert!(!router.subscribe(filter("a/+"), me, options(QoS::AtMostOnce, 4)));
    merged.qos = QoS::AtLeastOnce;
    merged.retain_as_published = false;
    merged.identifiers = identifiers(&[4, 9, 9]);
    own.identifiers = identifiers(&[4]);
    merged.own = Some(Box::new(own));
    assert_eq!(found(&router), [merged]);
}

#[test]
fn subscribers_come_in_order_from_few_and_from_many_filters() {
    // Two filters merge as runs, fifty are sorted.
    for filters in [1_u64, 2, 3, 8, 9, 50] {
        let mut router = Router::new(SEED);
        for number in 0..1000_u64 {
            // Spread so that no filter's subscribers are all before another's.
            let subscriber = SubscriberId(number * 7919 % 1000);
            let levels = "+/".repeat((number % filters) as usize) + "#";
            router.subscribe(filter(&levels), subscriber, SubscriptionOptions::default());
        }
        let found = matches(&router, "x/".repeat(60).as_str()).subscribers;
        let ids: Vec<u64> = found.iter().map(|one| one.subscriber.0).collect();
        assert_eq!(ids, (0..1000).collect::<Vec<_>>(), "{filters} filters");
    }
}

#[test]
fn a_group_is_a_snapshot_and_its_turn_goes_on() {
    let mut router = Router::new(SEED);
    for number in 0..3 {
        assert!(router.join(
            "g",
            filter("a/+"),
            Member::new(SubscriberId(number), SubscriptionOptions::default())
        ));
    }
    assert!(router.join(
        "h",
        filter("a/+"),
        Member::new(SubscriberId(0), SubscriptionOptions::default())
    ));
    assert!(!router.join(
        "g",
        filter("a/+"),
        Member::new(SubscriberId(1), options(QoS::AtLeastOnce, 1))
    ));

    let found = router.group("h", filter("a/+")).expect("it is there");
    assert_eq!((found.name(), found.members().len()), ("h", 1));
    assert!(
        router.group("g", filter("a/b")).is_none() && router.group("i", filter("a/+")).is_none()
    );

    let held = matches(&router, "a/b").groups;
    assert_eq!(held.iter().map(|group| group.name()).collect::<Vec<_>>(), ["g", "h"]);
    let turns = |group: &mqtt_router::SharedGroup, count: usize| -> Vec<u64> {
        (0..count)
            .filter_map(|_| group.pick(group.next_turn()))
            .map(|member| member.subscriber.0)
            .collect()
    };
    assert_eq!(turns(&held[0], 5), [0, 1, 2, 0, 1]);
    assert_eq!((held[0].filter(), held[0].members()[1].options.qos), ("a/+", QoS::AtLeastOnce));

    assert!(router.leave("g", filter("a/+"), SubscriberId(0)));
    assert!(!router.leave("g", filter("a/+"), SubscriberId(0)));
    assert!(!router.leave("x", filter("a/+"), SubscriberId(1)));
    let now = matches(&router, "a/b").groups;
    assert_eq!(held[0].members().len(), 3, "who holds a snapshot keeps it");
    assert_eq!(now[0].members().len(), 2);
    assert_eq!(turns(&now[0], 2), [1, 2], "turn 5 is the second of two");

    // Nobody holds the group: it changes in place.
    let before = Arc::as_ptr(&now[0]);
    drop((held, now));
    router.join("g", filter("a/+"), Member::new(SubscriberId(9), SubscriptionOptions::default()));
    assert_eq!(Arc::as_ptr(&matches(&router, "a/b").groups[0]), before);
}

#[test]
fn a_member_that_subscribes_too_is_in_both_lists() {
    let mut router = Router::new(SEED);
    router.join("g", filter("a"), Member::new(SubscriberId(1), SubscriptionOptions::default()));
    router.subscribe(filter("a"), SubscriberId(1), SubscriptionOptions::default());
    let found = matches(&router, "a");
    assert_eq!((found.subscribers.len(), found.groups.len()), (1, 1));
}

#[test]
fn sinks_come_in_order_and_once() {
    let mut router = Router::new(SEED);
    for (text, sink) in [("a/#", 9), ("a/b", 3), ("a/+", 9), ("#", 1), ("a/b", 7), ("b", 5)] {
        assert!(router.bind(filter(text), SinkId(sink)));
    }
    assert!(!router.bind(filter("a/#"), SinkId(9)));
    assert_eq!(matches(&router, "a/b").sinks, [SinkId(1), SinkId(3), SinkId(7), SinkId(9)]);
    assert!(router.unbind(filter("a/#"), SinkId(9)));
    assert!(!router.unbind(filter("a/#"), SinkId(9)));
    assert!(!router.unbind(filter("a/b"), SinkId(1)));
    assert_eq!(matches(&router, "a/b/c").sinks, [SinkId(1)]);
}

#[test]
fn removing_all_leaves_nothing() {
    let mut router = Router::new(SEED);
    let texts = ["a/b/c", "a/+/c", "a/b/#", "+/b", "#", "$q/+", "a/long level with many bytes/+/c"];
    for text in texts {
        for number in 0..3 {
            router.subscribe(filter(text), SubscriberId(number), SubscriptionOptions::default());
            router.join(
                "g",
                filter(text),
                Member::new(SubscriberId(number), SubscriptionOptions::default()),
            );
        }
        router.bind(filter(text), SinkId(1));
    }
    let counts =
        Counts { filters: 7, subscriptions: 21, groups: 7, members: 21, bindings: 7, nodes: 11 };
    assert_eq!(router.counts(), counts);
    for text in texts {
        for number in 0..3 {
            assert!(router.unsubscribe(filter(text), SubscriberId(number)));
            assert!(!router.unsubscribe(filter(text), SubscriberId(number)));
            assert!(router.leave("g", filter(text), SubscriberId(number)));
        }
        assert!(router.unbind(filter(text), SinkId(1)));
        invariants::check(&router).expect("invariants hold");
    }
    assert_eq!(router.counts(), Counts::default());
    assert!(matches(&router, "a/b/c").is_empty());
}

#[test]
fn unknown_filters_are_not_made_by_removing() {
    let mut router = Router::new(SEED);
    router.subscribe(filter("a/+/c"), SubscriberId(1), SubscriptionOptions::default());
    let before = router.counts();
    // Some have a node, or part of the way; none leads anywhere.
    for text in ["a/+", "a/#", "a/+/c/#", "a/+/d", "b/+", "#", "+", "a", "a/x/c"] {
        assert!(!router.unsubscribe(filter(text), SubscriberId(1)), "{text}");
        assert!(!router.leave("g", filter(text), SubscriberId(1)), "{text}");
        assert!(!router.unbind(filter(text), SinkId(1)), "{text}");
    }
    assert!(!router.unsubscribe(filter("a/+/c"), SubscriberId(2)));
    assert_eq!(router.counts(), before);
}

#[test]
fn the_deepest_filters_and_topics_do_no_harm() {
    let mut router = Router::new(SEED);
    let plus = "+/".repeat(32_767) + "+";
    let names = "a/".repeat(32_766) + "+";
    let deep_topic = "a/".repeat(32_767) + "a";
    for (number, text) in
        [plus.as_str(), names.as_str(), &("/".repeat(65_534) + "#")].into_iter().enumerate()
    {
        router.subscribe(filter(text), SubscriberId(number as u64), SubscriptionOptions::default());
    }
    let ids = |text: &str| -> Vec<u64> {
        matches(&router, text).subscribers.iter().map(|one| one.subscriber.0).collect()
    };
    assert_eq!(ids(&deep_topic), [0]);
    assert_eq!(ids(&("a/".repeat(32_766) + "b")), [1]);
    assert_eq!(ids(&"/".repeat(65_535)), [2]);
    assert_eq!(ids(&"/".repeat(65_534)), [2]);
    assert!(router.unsubscribe(filter(&plus), SubscriberId(0)));
    assert!(router.unsubscribe(filter(&names), SubscriberId(1)));
    assert!(router.unsubscribe(filter(&("/".repeat(65_534) + "#")), SubscriberId(2)));
    assert_eq!(router.counts(), Counts::default());
}
