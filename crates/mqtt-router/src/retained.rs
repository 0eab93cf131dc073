//! Retained values by topic, in an order in which a filter's topics can be paged through.
//! It must not know what a message is, nor who asks.
//!
//! One ordered map from the topic with `/` written as U+0000 (which no topic has `[MQTT-4.7.3-2]`) to the value. So
//! the map's order is by level: all topics under `a/b` follow `a/b` without a gap, and a filter skips what cannot
//! match by seeking.

mod pattern;

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

use mqtt_types::{TopicError, TopicFilter, TopicName};

use pattern::{Pattern, Verdict};

/// How many topics a page looks at, at most, for each one it may find: so a filter that matches few topics of very
/// many does not hold others up either.
const LOOKS_PER_MATCH_MAX: usize = 8;
/// How many topics a page may look at in any case.
const LOOKS_MIN: usize = 64;

/// Values by topic name.
#[derive(Clone, Debug)]
pub struct RetainedIndex<V> {
    values: BTreeMap<Box<str>, V>,
}

/// How far paging has come: the last topic looked at. The default is the start.
///
/// It stays good whatever is inserted or removed in between: topics up to it are not visited again, those after it
/// are visited as they are then.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cursor(Option<Box<str>>);

impl Cursor {
    /// How far paging has come that has looked at that topic last.
    #[must_use]
    pub fn after(topic: TopicName<'_>) -> Self {
        Self(Some(key_of(topic).into_boxed_str()))
    }

    /// The topic that was looked at last; `None` at the start.
    #[must_use]
    pub fn topic(&self) -> Option<String> {
        let key = self.0.as_deref()?;
        let mut topic = String::new();
        write_topic(key, &mut topic);
        Some(topic)
    }
}

impl<V> Default for RetainedIndex<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> RetainedIndex<V> {
    /// No values.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: BTreeMap::new() }
    }

    /// Takes in topics with their values; fastest when they come in the order in which an index pages through them. Of a
    /// topic that comes twice, the later value counts.
    ///
    /// # Errors
    /// One that comes, or that a topic is no topic name.
    pub fn from_topics<E: From<TopicError>>(
        topics: impl IntoIterator<Item = Result<(String, V), E>>,
    ) -> Result<Self, E> {
        let key_and_value = |topic: Result<(String, V), E>| {
            let (text, value) = topic?;
            Ok((key_of(TopicName::new(&text)?).into_boxed_str(), value))
        };
        let values = topics.into_iter().map(key_and_value).collect::<Result<_, E>>()?;
        Ok(Self { values })
    }

    /// Sets the value of a topic; returns the one before.
    pub fn insert(&mut self, topic: TopicName<'_>, value: V) -> Option<V> {
        self.values.insert(key_of(topic).into_boxed_str(), value)
    }

    /// Removes the value of a topic.
    pub fn remove(&mut self, topic: TopicName<'_>) -> Option<V> {
        self.values.remove(key_of(topic).as_str())
    }

    /// The value of a topic.
    #[must_use]
    pub fn get(&self, topic: TopicName<'_>) -> Option<&V> {
        self.values.get(key_of(topic).as_str())
    }

    /// The value of a topic, to be changed.
    pub fn get_mut(&mut self, topic: TopicName<'_>) -> Option<&mut V> {
        self.values.get_mut(key_of(topic).as_str())
    }

    /// The value of a topic, to be changed; the default one is put there if there is none.
    pub fn get_or_default(&mut self, topic: TopicName<'_>) -> &mut V
    where
        V: Default,
    {
        self.values.entry(key_of(topic).into_boxed_str()).or_default()
    }

    /// Removes the values that `keep` says no to.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.values.retain(|_, value| keep(value));
    }

    /// How many topics have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no topic has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Visits topics that match the filter, at most `limit`, and returns where to go on; `None` when through.
    ///
    /// A page may have fewer than `limit`, even none, and not be the last: the topics it looks at are limited too.
    /// A filter that starts with a wildcard does not match topics that start with `$`. `[MQTT-4.7.2-1]`
    pub fn matching(
        &self,
        filter: TopicFilter<'_>,
        from: &Cursor,
        limit: usize,
        mut visit: impl FnMut(TopicName<'_>, &V),
    ) -> Option<Cursor> {
        let pattern = Pattern::new(filter);
        let mut topic = String::new();
        let mut looks = limit.saturating_mul(LOOKS_PER_MATCH_MAX).max(LOOKS_MIN);
        let mut left = limit;
        let mut last = from.0.as_deref();
        let mut values = match last {
            Some(last) => self.range(Bound::Excluded(last)),
            None => self.range(Bound::Included(&pattern.first())),
        };
        while let Some((key, value)) = values.next() {
            if left == 0 || looks == 0 {
                return Some(Cursor(last.map(Box::from)));
            }
            looks -= 1;
            last = Some(key);
            match pattern.verdict(key) {
                Verdict::Match => {
                    write_topic(key, &mut topic);
                    visit(TopicName::new(&topic).expect("only topic names were inserted"), value);
                    left -= 1;
                }
                Verdict::Next => {}
                Verdict::Seek(to) => values = self.range(Bound::Included(&to)),
                Verdict::End => return None,
            }
        }
        None
    }

    /// Visits all topics, at most `limit`, and returns where to go on; `None` when through. One that `wants` says no to
    /// is not given to `visit`.
    pub fn page(
        &self,
        from: &Cursor,
        limit: usize,
        mut wants: impl FnMut(&V) -> bool,
        mut visit: impl FnMut(TopicName<'_>, &V),
    ) -> Option<Cursor> {
        let from = from.0.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut topic = String::new();
        let mut last = None;
        for (key, value) in self.range(from).take(limit) {
            if wants(value) {
                write_topic(key, &mut topic);
                visit(TopicName::new(&topic).expect("only topic names were inserted"), value);
            }
            last = Some(key);
        }
        last.map(|last| Cursor(Some(last.clone())))
    }

    /// The values of all topics.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(|key| &**key)
    }

    fn range(&self, from: Bound<&str>) -> Range<'_, Box<str>, V> {
        self.values.range::<str, _>((from, Bound::Unbounded))
    }
}

fn key_of(topic: TopicName<'_>) -> String {
    topic.as_str().replace('/', "\0")
}

fn write_topic(key: &str, topic: &mut String) {
    topic.clear();
    for (at, level) in key.split('\0').enumerate() {
        if at > 0 {
            topic.push('/');
        }
        topic.push_str(level);
    }
}
