//! What the retained index finds, page by page, by tables and against a naive twin.

use std::collections::BTreeMap;

use mqtt_router::{Cursor, RetainedIndex, invariants};
use mqtt_types::{TopicFilter, TopicName};
use proptest::prelude::*;
use proptest::sample::select;

fn topic(text: &str) -> TopicName<'_> {
    TopicName::new(text).expect("legal topic")
}

/// All pages; at most `limit` topics in each.
fn all(index: &RetainedIndex<u32>, filter: &str, limit: usize) -> Vec<(String, u32)> {
    let filter = TopicFilter::new(filter).expect("legal filter");
    let (mut found, mut cursor) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = cursor {
        let before = found.len();
        cursor = index
            .matching(filter, &from, limit, |topic, &value| found.push((topic.to_string(), value)));
        assert!(found.len() - before <= limit);
        assert_ne!(cursor.as_ref(), Some(&from), "a page goes on");
    }
    found
}

#[test]
fn a_filter_finds_its_topics() {
    let mut index = RetainedIndex::new();
    let topics = [
        "a", "a/b", "a/b/c", "a/bc", "a/", "ab", "b", "b/b", "/", "/b", "$SYS/x", "$", "a/b/c/d",
        "a\u{1}/b",
    ];
    for (value, text) in topics.iter().enumerate() {
        assert_eq!(index.insert(topic(text), value as u32), None);
    }
    invariants::check_retained(&index).expect("invariants hold");
    for (filter, expected) in [
        ("a/b", &["a/b"][..]),
        ("a/x", &[]),
        ("a/#", &["a", "a/", "a/b", "a/b/c", "a/b/c/d", "a/bc"]),
        ("a/+", &["a/", "a/b", "a/bc"]),
        ("a/+/c", &["a/b/c"]),
        ("+", &["a", "ab", "b"]),
        ("+/b", &["/b", "a/b", "a\u{1}/b", "b/b"]),
        ("+/b/#", &["/b", "a/b", "a/b/c", "a/b/c/d", "a\u{1}/b", "b/b"]),
        ("+/+/+", &["a/b/c"]),
        ("+/+", &["/", "/b", "a/", "a/b", "a/bc", "a\u{1}/b", "b/b"]),
        ("$SYS/#", &["$SYS/x"]),
        ("$/#", &["$"]),
        ("$SYS/+", &["$SYS/x"]),
        ("/#", &["/", "/b"]),
        ("/+", &["/", "/b"]),
    ] {
        for limit in [1, 3, 100] {
            let found: Vec<_> =
                all(&index, filter, limit).into_iter().map(|(text, _)| text).collect();
            assert_eq!(found, expected, "{filter}, {limit} a page");
        }
    }
    let everything = all(&index, "#", 2);
    assert_eq!(everything.len(), topics.len() - 2, "all but those that start with '$'");
    assert!(everything.iter().all(|(text, value)| topics[*value as usize] == text));
}

#[test]
fn values_are_replaced_and_removed() {
    let mut index = RetainedIndex::default();
    assert!(index.is_empty());
    assert_eq!(index.insert(topic("a/b"), 1), None);
    assert_eq!(index.insert(topic("a/b"), 2), Some(1));
    assert_eq!((index.len(), index.get(topic("a/b")), index.get(topic("a"))), (1, Some(&2), None));
    assert_eq!(
        (index.remove(topic("a")), index.remove(topic("a/b")), index.remove(topic("a/b"))),
        (None, Some(2), None)
    );
    assert!(index.is_empty());
}

#[test]
fn a_page_looks_at_a_limited_number_of_topics() {
    let mut index = RetainedIndex::new();
    for number in 0..10_000 {
        index.insert(topic(&format!("{number}/x")), number);
    }
    index.insert(topic("zzz/y"), 1);
    let filter = TopicFilter::new("+/y").expect("legal filter");
    let mut found = 0;
    let mut cursor = index.matching(filter, &Cursor::default(), 10, |_, _| found += 1);
    assert!(cursor.is_some() && found == 0, "10,000 topics are too many for one page");
    let mut pages = 1;
    while let Some(from) = cursor {
        cursor = index.matching(filter, &from, 10, |_, _| found += 1);
        pages += 1;
    }
    assert_eq!(found, 1);
    assert!(pages < 10_000 / 10, "{pages} pages");
}

#[derive(Clone, Debug)]
enum Command {
    Insert(String, u32),
    Remove(String),
}

fn text(levels: Vec<&str>) -> String {
    let text = levels.join("/");
    if text.is_empty() { "/".into() } else { text }
}

fn name() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "ab", "", "$x", "\u{1}", "%"][..])
}

fn topics() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..5).prop_map(text)
}

fn filters() -> impl Strategy<Value = String> {
    let level = prop_oneof![2 => name(), 2 => Just("+")];
    (prop::collection::vec(level, 0..5), any::<bool>()).prop_map(|(mut levels, rest)| {
        if rest || levels.is_empty() {
            levels.push("#");
        }
        text(levels)
    })
}

fn commands(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        3 => (topics(), any::<u32>()).prop_map(|(topic, value)| Command::Insert(topic, value)),
        2 => topics().prop_map(Command::Remove),
    ];
    prop::collection::vec(command, count)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_find_what_stays_in_the_index(
        filter in filters(),
        first in commands(0..80),
        between in prop::collection::vec(commands(0..6), 0..20),
        limit in 1..5_usize,
    ) {
        let mut index = RetainedIndex::new();
        let mut twin: BTreeMap<String, u32> = BTreeMap::new();
        let apply = |index: &mut RetainedIndex<u32>, twin: &mut BTreeMap<String, u32>, command| match command {
            Command::Insert(text, value) => assert_eq!(index.insert(topic(&text), value), twin.insert(text.clone(), value)),
            Command::Remove(text) => assert_eq!(index.remove(topic(&text)), twin.remove(&text)),
        };
        for command in first {
            apply(&mut index, &mut twin, command);
        }
        let filter = TopicFilter::new(&filter).expect("legal filter");
        let matching = |twin: &BTreeMap<String, u32>| -> BTreeMap<String, u32> {
            let matching = twin.iter().filter(|(text, _)| filter.matches(topic(text)));
            matching.map(|(text, value)| (text.clone(), *value)).collect()
        };
        // What was there from the first page to the last is visited, once; what never was is not.
        let (mut always, mut ever) = (matching(&twin), matching(&twin));
        let mut visited: Vec<String> = Vec::new();
        let mut cursor = Some(Cursor::default());
        let mut changes = between.into_iter();
        while let Some(from) = cursor {
            let now = matching(&twin);
            let mut wrong = None;
            cursor = index.matching(filter, &from, limit, |topic, value| {
                if now.get(topic.as_str()) != Some(value) {
                    wrong = Some(topic.to_string());
                }
                visited.push(topic.to_string());
            });
            prop_assert_eq!(wrong, None);
            prop_assert_ne!(cursor.as_ref(), Some(&from), "a page goes on");
            for command in changes.next().unwrap_or_default() {
                if cursor.is_some() && let Command::Remove(text) = &command {
                    always.remove(text);
                }
                apply(&mut index, &mut twin, command);
                ever.append(&mut matching(&twin));
            }
            prop_assert!(invariants::check_retained(&index).is_ok());
            prop_assert_eq!(index.len(), twin.len());
        }
        let mut once = visited.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), visited.len(), "a topic was visited twice");
        prop_assert!(visited.iter().all(|text| ever.contains_key(text)));
        for text in always.keys() {
            prop_assert!(visited.contains(text), "{} was not visited", text);
        }
    }
}

#[test]
fn an_index_is_paged_through_and_built_again_as_it_was() {
    let mut index = RetainedIndex::new();
    for (value, text) in ["b", "a/b", "a", "a/b/c", "$SYS/x", "a b"].into_iter().enumerate() {
        index.insert(topic(text), value as u32);
    }
    *index.get_or_default(topic("new")) += 40;
    *index.get_or_default(topic("b")) += 40;
    *index.get_mut(topic("a/b")).expect("there") += 40;
    assert_eq!(index.get_mut(topic("nowhere")), None);
    for limit in 1..9 {
        let (mut all, mut cursor) = (Vec::new(), Some(Cursor::default()));
        while let Some(from) = cursor {
            let visit = |topic: TopicName<'_>, value: &u32| all.push((topic.to_string(), *value));
            cursor = index.page(&from, limit, |value| *value != 4, visit);
        }
        let expected = [("a", 2), ("a/b", 41), ("a/b/c", 3), ("a b", 5), ("b", 40), ("new", 40)];
        assert!(all.iter().map(|(text, value)| (text.as_str(), *value)).eq(expected), "{all:?}");
        let again = all.iter().cloned().map(Ok::<_, mqtt_types::TopicError>);
        let mut again = RetainedIndex::from_topics(again).expect("legal");
        assert!(again.values().eq([2, 41, 3, 5, 40, 40].iter()));
        again.retain(|value| *value == 40);
        assert_eq!((again.len(), again.get(topic("new"))), (2, Some(&40)));
    }
    let illegal = [Ok::<_, mqtt_types::TopicError>(("a/#".to_owned(), 1))];
    assert!(RetainedIndex::from_topics(illegal).is_err());
}
