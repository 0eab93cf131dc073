//! What a match costs. One iteration is one topic, in an order that no cache can guess.

use std::fmt::Write as _;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use mqtt_router::{Matches, Router, SubscriberId, SubscriptionOptions};
use mqtt_types::{TopicFilter, TopicName};

/// Shows that a warm match allocates nothing.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const FILTERS: usize = 100_000;

fn main() {
    divan::main();
}

/// The filter of a number in one of the shapes that brokers are compared with.
fn filter_of(shape: &str, number: usize) -> String {
    match (shape, number % 3) {
        ("exact", _) => format!("load/{number}/x"),
        ("plus_end", _) | ("mixed", 0) => format!("load/{number}/+"),
        ("hash", _) | ("mixed", 1) => format!("load/{number}/#"),
        ("plus_start", _) | ("mixed", _) => format!("+/{number}/x"),
        _ => format!("site/{}/line/+/{number}", number % 100),
    }
}

fn topic_of(shape: &str, number: usize) -> String {
    match shape {
        "five_levels" => format!("site/{}/line/7/{number}", number % 100),
        _ => format!("load/{number}/x"),
    }
}

fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut x = 88_172_645_463_325_252_u64;
    for at in (1..count).rev() {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        order.swap(at, (x % (at as u64 + 1)) as usize);
    }
    order
}

fn subscribe(router: &mut Router, filter: &str, subscriber: u64) {
    let filter = TopicFilter::new(filter).expect("legal filter");
    router.subscribe(filter, SubscriberId(subscriber), SubscriptionOptions::default());
}

#[divan::bench(args = ["exact", "plus_end", "hash", "plus_start", "mixed", "five_levels"], sample_count = 20, sample_size = 100_000)]
fn one_of_100_000_filters(bencher: Bencher<'_, '_>, shape: &str) {
    let mut router = Router::new([1, 2]);
    for number in 0..FILTERS {
        subscribe(&mut router, &filter_of(shape, number), number as u64);
    }
    // All topics in one text, so that reading them costs no jump in memory of its own.
    let (mut texts, mut ends) = (String::new(), vec![0]);
    for number in shuffled(FILTERS) {
        write!(texts, "{}", topic_of(shape, number)).expect("a string takes all");
        ends.push(texts.len());
    }
    let (mut out, mut at) = (Matches::default(), 0);
    bencher.bench_local(|| {
        let topic = TopicName::new(&texts[ends[at]..ends[at + 1]]).expect("legal topic");
        at = (at + 1) % FILTERS;
        router.matches(topic, &mut out);
        assert_eq!(black_box(&out).subscribers.len(), 1);
    });
}

#[divan::bench(args = [1, 10, 500, 10_000])]
fn fan_out(bencher: Bencher<'_, '_>, subscribers: usize) {
    let mut router = Router::new([1, 2]);
    for number in 0..subscribers {
        subscribe(&mut router, "load/+/x", number as u64);
    }
    match_all(bencher, &router, subscribers);
}

#[divan::bench(args = [500, 10_000])]
fn fan_out_over_two_filters(bencher: Bencher<'_, '_>, subscribers: usize) {
    let mut router = Router::new([1, 2]);
    for number in 0..subscribers {
        subscribe(&mut router, if number % 2 == 0 { "load/+/x" } else { "load/#" }, number as u64);
    }
    match_all(bencher, &router, subscribers);
}

#[divan::bench(args = [500, 10_000])]
fn fan_out_over_a_filter_each(bencher: Bencher<'_, '_>, subscribers: usize) {
    let mut router = Router::new([1, 2]);
    for number in 0..subscribers {
        let mut filter = String::from("load");
        for bit in 0..14 {
            filter.push_str(if number >> bit & 1 == 0 { "/a" } else { "/+" });
        }
        subscribe(&mut router, &(filter + "/#"), (number * 7919 % subscribers) as u64);
    }
    let topic = String::from("load") + &"/a".repeat(14);
    let mut out = Matches::default();
    bencher.counter(ItemsCount::new(subscribers)).bench_local(|| {
        router.matches(TopicName::new(&topic).expect("legal topic"), &mut out);
        black_box(&out).subscribers.len()
    });
}

fn match_all(bencher: Bencher<'_, '_>, router: &Router, subscribers: usize) {
    let topic = TopicName::new("load/1/x").expect("legal topic");
    let mut out = Matches::default();
    bencher.counter(ItemsCount::new(subscribers)).bench_local(|| {
        router.matches(topic, &mut out);
        assert_eq!(black_box(&out).subscribers.len(), subscribers);
    });
}
