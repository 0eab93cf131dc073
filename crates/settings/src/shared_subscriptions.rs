//! Settings of shared subscriptions, and how their strategies are written.
//! It must not know keys or sources.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::suggestion::nearest;
use crate::value::BadValue;

/// Shared subscriptions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SharedSubscriptionSettings {
    /// The strategy of groups that have none of their own.
    pub strategy: SharedStrategy,
    /// The strategies of others, by share name.
    pub groups: BTreeMap<String, SharedStrategy>,
    /// How long a member may leave its oldest message unacknowledged; zero for ever.
    pub stall_timeout: Duration,
}

/// Which member of a group gets a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SharedStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The one with the fewest messages on their way to it.
    LeastInflight,
    /// The one of the topic.
    HashTopic,
    /// The one of the publisher's client id.
    HashClientid,
    /// One, until it is gone.
    SingleActive,
}

impl SharedStrategy {
    pub(crate) const WORDS: &[&str] = &[
        "round_robin",
        "random",
        "least_inflight",
        "hash_topic",
        "hash_clientid",
        "single_active",
    ];

    pub(crate) const ALL: &[Self] = &[
        Self::RoundRobin,
        Self::Random,
        Self::LeastInflight,
        Self::HashTopic,
        Self::HashClientid,
        Self::SingleActive,
    ];
}

/// `<share name>=<strategy>`, several divided by commas; `none` for no group.
pub(crate) fn group_strategies(text: &str) -> Result<BTreeMap<String, SharedStrategy>, BadValue> {
    let mut groups = BTreeMap::new();
    if text == "none" {
        return Ok(groups);
    }
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let Some((name, strategy)) = entry.rsplit_once('=') else {
            return Err(format!("'{entry}' is not of the form <share name>=<strategy>").into());
        };
        let (name, strategy) = (name.trim(), strategy.trim());
        if name.is_empty() || name.contains(['/', '+', '#']) {
            return Err(format!("'{name}' is no share name").into());
        }
        let words = SharedStrategy::WORDS;
        let at = words.iter().position(|word| *word == strategy);
        let Some(strategy) = at.and_then(|at| SharedStrategy::ALL.get(at)) else {
            let near = nearest(strategy, words.iter().copied());
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let message = format!("'{strategy}' is no strategy; they are {}", words.join(", "));
            return Err(BadValue { message, help });
        };
        if groups.insert(name.to_owned(), *strategy).is_some() {
            return Err(format!("share name '{name}' is here twice").into());
        }
    }
    Ok(groups)
}
