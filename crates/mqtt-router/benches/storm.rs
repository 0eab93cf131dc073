//! What 100,000 subscriptions or retained topics cost to take in, to keep and to remove. The allocation figures are
//! the memory: "max alloc" of `keep` by its filters is what one filter takes.

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use mqtt_router::{
    Cursor, Matches, Member, RetainedIndex, Router, SubscriberId, SubscriptionOptions,
};
use mqtt_types::{TopicFilter, TopicName};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const COUNT: usize = 100_000;

fn main() {
    divan::main();
}

fn filter_of(shape: &str, number: usize) -> String {
    match (shape, number % 3) {
        ("one_filter", _) => "load/+/x".into(),
        ("exact", _) => format!("load/{number}/x"),
        ("plus_end", _) | ("mixed", 0) => format!("load/{number}/+"),
        ("hash", _) | ("mixed", 1) => format!("load/{number}/#"),
        _ => format!("+/{number}/x"),
    }
}

fn filled(filters: &[String]) -> Router {
    let mut router = Router::new([1, 2]);
    for (number, filter) in filters.iter().enumerate() {
        let filter = TopicFilter::new(filter).expect("legal filter");
        router.subscribe(
            filter,
            SubscriberId(number as u64 * 7919 % 1_000_003),
            SubscriptionOptions::default(),
        );
    }
    router
}

fn filters(shape: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| filter_of(shape, number)).collect()
}

#[divan::bench(args = ["exact", "plus_end", "hash", "plus_start", "mixed", "one_filter"], sample_count = 5, sample_size = 1)]
fn keep_100_000(bencher: Bencher<'_, '_>, shape: &str) {
    let filters = filters(shape, COUNT);
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| filled(&filters));
}

#[divan::bench(args = ["exact", "mixed", "one_filter"], sample_count = 3, sample_size = 1)]
fn keep_1_000_000(bencher: Bencher<'_, '_>, shape: &str) {
    let filters = filters(shape, 10 * COUNT);
    bencher.counter(ItemsCount::new(10 * COUNT)).bench_local(|| filled(&filters));
}

#[divan::bench(args = ["exact", "mixed", "one_filter"], sample_count = 5, sample_size = 1)]
fn remove_100_000(bencher: Bencher<'_, '_>, shape: &str) {
    let filters = filters(shape, COUNT);
    bencher.counter(ItemsCount::new(COUNT)).with_inputs(|| filled(&filters)).bench_local_values(
        |mut router| {
            for (number, filter) in filters.iter().enumerate() {
                let filter = TopicFilter::new(filter).expect("legal filter");
                assert!(router.unsubscribe(filter, SubscriberId(number as u64 * 7919 % 1_000_003)));
            }
            router
        },
    );
}

/// Joins to one group and leaves, and a route that holds the group is made anew after each 100.
#[divan::bench(args = [10_000, 100_000], sample_count = 5, sample_size = 1)]
fn join_and_leave_one_group(bencher: Bencher<'_, '_>, members: usize) {
    let filter = TopicFilter::new("load/+/x").expect("legal filter");
    let topic = TopicName::new("load/1/x").expect("legal topic");
    bencher.counter(ItemsCount::new(members)).bench_local(|| {
        let (mut router, mut route) = (Router::new([1, 2]), Matches::default());
        for number in 0..members {
            router.join(
                "group",
                filter,
                Member::new(SubscriberId(number as u64), SubscriptionOptions::default()),
            );
            if number % 100 == 0 {
                router.matches(topic, &mut route);
            }
        }
        for number in 0..members {
            router.leave("group", filter, SubscriberId(number as u64));
        }
        assert_eq!(router.counts().filters, 0);
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn join_100_000_groups_of_one_filter(bencher: Bencher<'_, '_>) {
    let filter = TopicFilter::new("load/+/x").expect("legal filter");
    let names: Vec<String> = (0..COUNT).map(|number| format!("group{number}")).collect();
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        let mut router = Router::new([1, 2]);
        for name in &names {
            router.join(name, filter, Member::new(SubscriberId(1), SubscriptionOptions::default()));
        }
        router
    });
}

fn retained() -> (Vec<String>, RetainedIndex<u64>) {
    let topics: Vec<String> =
        (0..COUNT).map(|number| format!("load/{}/{number}/x", number % 1000)).collect();
    let index = retained_of(&topics);
    (topics, index)
}

fn retained_of(topics: &[String]) -> RetainedIndex<u64> {
    let mut index = RetainedIndex::new();
    for topic in topics {
        index.insert(TopicName::new(topic).expect("legal topic"), 1);
    }
    index
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn retain_100_000(bencher: Bencher<'_, '_>) {
    let (topics, _) = retained();
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| retained_of(&topics));
}

#[divan::bench(args = ["#", "load/+/+/x", "load/7/#", "load/+/4711/x"], sample_count = 5, sample_size = 1)]
fn replay_of_100_000_in_pages_of_100(bencher: Bencher<'_, '_>, filter: &str) {
    let (_, index) = retained();
    let filter = TopicFilter::new(filter).expect("legal filter");
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        let (mut sum, mut cursor) = (0, Some(Cursor::default()));
        while let Some(from) = cursor {
            cursor = index.matching(filter, &from, 100, |topic, value| {
                sum += topic.as_str().len() as u64 + value
            });
        }
        black_box(sum)
    });
}
