//! That the trie gives back what it took.

use mqtt_types::{QoS, TopicFilter, TopicName};

use super::*;
use crate::{SubscriberId, Subscription, SubscriptionOptions};

fn subscribe(trie: &mut Trie, text: &str, subscriber: u64) {
    let place = trie.find_or_create(TopicFilter::new(text).expect("legal filter"));
    let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() };
    trie.entries_mut(place)
        .subscribe(Subscription { subscriber: SubscriberId(subscriber), options });
}

fn unsubscribe(trie: &mut Trie, text: &str, subscriber: u64) {
    let place = trie.find(TopicFilter::new(text).expect("legal filter")).expect("it is there");
    assert!(trie.entries_mut(place).unsubscribe(SubscriberId(subscriber)));
    trie.prune(place);
}

#[test]
fn coming_and_going_leaves_memory_where_it_was() {
    let mut trie = Trie::new(KeyedHash::new([3, 4]));
    subscribe(&mut trie, "stays/+", 0);
    for number in 0..100_000 {
        let text = format!("a/{number}/+/b");
        subscribe(&mut trie, &text, number);
        unsubscribe(&mut trie, &text, number);
    }
    assert_eq!(trie.node_count(), 2);
    assert!(trie.nodes.capacity() <= 24, "{} slots", trie.nodes.capacity());
    assert!(trie.named.capacity() <= 28, "room for {}", trie.named.capacity());
    assert_eq!(trie.check(), Ok(()));
}

#[test]
fn what_stays_is_moved_together() {
    let mut trie = Trie::new(KeyedHash::new([3, 4]));
    let text =
        |number: u64| format!("+/{number}/a level of more than sixteen bytes/+/{}/#", number % 7);
    for number in 0..10_000 {
        subscribe(&mut trie, &text(number), number);
    }
    for number in (0..10_000).filter(|number| number % 1000 != 321) {
        unsubscribe(&mut trie, &text(number), number);
    }
    assert_eq!(trie.check(), Ok(()));
    assert!(trie.nodes.capacity() <= 256, "{} slots", trie.nodes.capacity());
    let mut walk = Walk::default();
    for number in 0..10_000 {
        let topic = format!("x/{number}/a level of more than sixteen bytes/y/{}", number % 7);
        trie.walk(TopicName::new(&topic).expect("legal topic"), &mut walk);
        let mut found = Vec::new();
        for &place in walk.found() {
            trie.entries(place).each_subscription(|one| found.push(one.subscriber.0));
        }
        let expected: &[u64] = if number % 1000 == 321 { &[number] } else { &[] };
        assert_eq!(found, expected);
    }
    for number in (0..10_000).filter(|number| number % 1000 == 321) {
        unsubscribe(&mut trie, &text(number), number);
    }
    assert_eq!((trie.node_count(), trie.named.len()), (0, 0));
    assert_eq!(trie.check(), Ok(()));
}
