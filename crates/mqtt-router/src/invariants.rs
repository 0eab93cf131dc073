//! What must hold in a router and in a retained index whatever was done to them. For tests and the simulator: it
//! looks at everything, so it is slow. It must not change anything.

use std::fmt;

use mqtt_types::{TopicFilter, TopicName};

use crate::entries::Entries;
use crate::{Counts, RetainedIndex, Router};

/// Something that must hold and does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// Checks a router.
///
/// # Errors
/// Something does not hold: the router has a bug.
pub fn check(router: &Router) -> Result<(), Violation> {
    let mut counts = Counts { nodes: router.trie().node_count(), ..Counts::default() };
    router.trie().check().map_err(Violation)?;
    for (filter, entries) in router.exact().iter() {
        let legal = TopicFilter::new(filter).is_ok_and(|filter| !filter.has_wildcard());
        ensure(legal, || format!("'{filter}' is kept as a filter without wildcards"))?;
        ensure(!entries.is_empty(), || format!("'{filter}' is kept and leads nowhere"))?;
        check_entries(filter, entries, &mut counts)?;
    }
    for (filter, entries) in router.trie().filters() {
        let legal = TopicFilter::new(&filter).is_ok_and(TopicFilter::has_wildcard);
        ensure(legal, || format!("'{filter}' is kept as a filter with wildcards"))?;
        check_entries(&filter, entries, &mut counts)?;
    }
    ensure(counts == router.counts(), || {
        format!("there are {counts:?}, counted were {:?}", router.counts())
    })
}

/// Checks a retained index.
///
/// # Errors
/// Something does not hold: the index has a bug.
pub fn check_retained<V>(index: &RetainedIndex<V>) -> Result<(), Violation> {
    for key in index.keys() {
        let topic = key.replace('\0', "/");
        let legal = !key.contains('/') && TopicName::new(&topic).is_ok();
        ensure(legal, || format!("'{topic}' is kept and is no topic name"))?;
    }
    Ok(())
}

fn check_entries(filter: &str, entries: &Entries, counts: &mut Counts) -> Result<(), Violation> {
    counts.filters += 1;
    entries.each_subscription(|_| counts.subscriptions += 1);
    counts.bindings += entries.sinks().len();
    let ordered = entries.sinks().is_sorted_by(|before, after| before < after);
    ensure(ordered, || format!("the sinks of '{filter}' are not in order"))?;
    let Entries::Many(many) = entries else { return Ok(()) };
    let needed = many.subscribers.len() > 1 || !many.groups.is_empty() || !many.sinks.is_empty();
    ensure(needed, || format!("'{filter}' takes more memory than it needs"))?;
    for (name, group) in &many.groups {
        let shared = group.shared();
        counts.groups += 1;
        counts.members += shared.members().len();
        let named = **name == *shared.name() && shared.filter() == filter;
        ensure(named, || format!("group '{name}' of '{filter}' has another name"))?;
        ensure(!shared.members().is_empty(), || {
            format!("group '{name}' of '{filter}' has no members")
        })?;
        ensure(group.is_consistent(), || {
            format!("group '{name}' of '{filter}' has lost a member")
        })?;
    }
    Ok(())
}

fn ensure(holds: bool, violation: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(violation())) }
}
