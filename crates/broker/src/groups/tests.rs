//! The strategies, over members that say this and that of themselves.

use mqtt_router::{Matches, Member, Router, SubscriberId, SubscriptionOptions};
use mqtt_types::{QoS, TopicFilter, TopicName};

use super::*;

/// A group of members 0 to `count`, all connected with a window of 10.
fn group(strategy: SharedStrategy, count: u64) -> RouteGroup {
    let mut router = Router::new([1, 2]);
    let filter = TopicFilter::new("t").expect("legal");
    for number in 0..count {
        let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..Default::default() };
        router.join("g", filter, Member::new(SubscriberId(number), options));
    }
    let mut matches = Matches::default();
    router.matches(TopicName::new("t").expect("legal"), &mut matches);
    let config = SharedSubscriptions { strategy, ..Default::default() };
    let group = RouteGroup::new(&matches.groups[0], &config);
    (0..count).for_each(|number| say(&group, number, Presence::connected(10, false, false), 0));
    group
}

fn say(group: &RouteGroup, number: u64, presence: Presence, load: u32) {
    let state = &group.group.members()[number as usize].state;
    state.set_room(presence.as_u32());
    state.set_load(load);
}

fn choose(group: &RouteGroup, key: u32) -> Option<u64> {
    group.choose(key, |_| true).map(|member| member.subscriber.0)
}

fn choices(group: &RouteGroup, count: usize) -> Vec<u64> {
    (0..count).filter_map(|_| choose(group, 7)).collect()
}

const ALL: [SharedStrategy; 6] = [
    SharedStrategy::RoundRobin,
    SharedStrategy::Random,
    SharedStrategy::LeastInflight,
    SharedStrategy::HashTopic,
    SharedStrategy::HashClientid,
    SharedStrategy::SingleActive,
];

#[test]
fn who_is_away_or_stalled_is_chosen_last() {
    for strategy in ALL {
        let group = group(strategy, 4);
        say(&group, 0, Presence::AWAY, 0);
        say(&group, 1, Presence::connected(10, false, true), 0);
        say(&group, 3, Presence::AWAY, 0);
        assert_eq!(choices(&group, 20), [2; 20], "{strategy:?}");
        say(&group, 2, Presence::AWAY, 0);
        assert_eq!(choices(&group, 20), [1; 20], "{strategy:?}");
        say(&group, 1, Presence::AWAY, 0);
        assert!(choose(&group, 7).is_some(), "{strategy:?}");
        assert_eq!(group.choose(7, |_| false).map(|_| ()), None, "{strategy:?}");
        let third = group.choose(7, |member| member.subscriber.0 == 3);
        assert_eq!(third.map(|member| member.subscriber.0), Some(3), "{strategy:?}");
    }
}

#[test]
fn who_is_full_is_passed_over_while_another_can_take() {
    for strategy in ALL.into_iter().filter(|strategy| !strategy.is_sticky()) {
        let group = group(strategy, 3);
        say(&group, 0, Presence::connected(10, false, false), 10);
        say(&group, 1, Presence::connected(10, true, false), 0);
        assert_eq!(choices(&group, 20), [2; 20], "{strategy:?}");
        // Then the message waits where the least does.
        say(&group, 2, Presence::connected(10, false, false), 12);
        say(&group, 1, Presence::connected(10, true, false), 40);
        assert_eq!(choices(&group, 20), [0; 20], "{strategy:?}");
    }
}

#[test]
fn turns_go_round_and_are_not_inherited() {
    let group = group(SharedStrategy::RoundRobin, 3);
    assert_eq!(choices(&group, 6), [0, 1, 2, 0, 1, 2]);
    say(&group, 1, Presence::AWAY, 0);
    assert_eq!(choices(&group, 6), [0, 2, 0, 2, 0, 2]);
}

#[test]
fn random_is_even_among_those_that_can_take() {
    let group = group(SharedStrategy::Random, 40);
    (0..30).for_each(|number| say(&group, number, Presence::AWAY, 0));
    let mut hits = [0_u32; 40];
    choices(&group, 20_000).into_iter().for_each(|number| hits[number as usize] += 1);
    assert!(hits[..30].iter().all(|hits| *hits == 0));
    assert!(hits[30..].iter().all(|hits| (1700..2300).contains(hits)), "{hits:?}");
}

#[test]
fn least_inflight_takes_the_fewest_and_goes_round_among_equals() {
    let group = group(SharedStrategy::LeastInflight, 4);
    for (number, load) in [3, 2, 5, 2].into_iter().enumerate() {
        say(&group, number as u64, Presence::connected(10, false, false), load);
    }
    let all = choices(&group, 40);
    assert!(all.iter().all(|number| [1, 3].contains(number)), "{all:?}");
    assert!(all.contains(&1) && all.contains(&3));
}

#[test]
fn a_key_stays_with_its_member_and_moves_only_with_it() {
    let group = group(SharedStrategy::HashTopic, 8);
    let before: Vec<u64> = (0..800).filter_map(|key| choose(&group, key)).collect();
    for number in 0..8 {
        let keys = before.iter().filter(|of| **of == number).count();
        assert!((60..140).contains(&keys), "{number} has {keys}");
        say(&group, number, Presence::connected(10, true, false), 99);
    }
    let full: Vec<u64> = (0..800).filter_map(|key| choose(&group, key)).collect();
    assert_eq!(full, before, "a key waits for its member");
    say(&group, 3, Presence::AWAY, 0);
    for (key, was) in before.iter().enumerate() {
        let now = choose(&group, key as u32).expect("others are there");
        assert!(if *was == 3 { now != 3 } else { now == *was }, "key {key}: {was}, then {now}");
    }
}

#[test]
fn one_is_active_until_it_is_gone() {
    let group = group(SharedStrategy::SingleActive, 3);
    let first = choose(&group, 0).expect("one of them");
    assert_eq!(choices(&group, 9), [first; 9]);
    say(&group, first, Presence::connected(10, true, false), 99);
    assert_eq!(choices(&group, 9), [first; 9], "however much it has to do");
    say(&group, first, Presence::AWAY, 0);
    let second = choose(&group, 0).expect("one of them");
    assert_ne!(second, first);
    say(&group, first, Presence::connected(10, false, false), 0);
    assert_eq!(choices(&group, 9), [second; 9], "who comes back waits");
    // One that is the message's home alone does not become the active one.
    let home = group.choose(0, |member| member.subscriber.0 == first);
    assert_eq!(home.map(|member| member.subscriber.0), Some(first));
    assert_eq!(choices(&group, 9), [second; 9]);
}
