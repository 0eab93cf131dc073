//! What has happened in simulations, so that a search which meets nothing does not pass for one that finds nothing.
//! It must not know what it means.

use std::collections::BTreeMap;

/// How often things have happened.
#[derive(Clone, Default, Debug)]
pub struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    /// What a search over hundreds of seeds must have met, or it has looked at nothing.
    pub const MUST: [&'static str; 45] = [
        "acknowledged",
        "all comes out without a restart",
        "checkpoint",
        "clock set",
        "consumer accepts",
        "consumer refuses",
        "consumer answers an older delivery",
        "consumer has a message for too long",
        "damage met in reading",
        "dead letter comes",
        "dead letter is sent back",
        "delayed message comes",
        "delayed message is cancelled",
        "log failed",
        "log full",
        "member begins anew",
        "message comes by other keys",
        "message comes to a group of readers",
        "message comes to a reader",
        "message comes to a reader again",
        "message expires",
        "message for nobody",
        "message written anew",
        "message in memory is lost",
        "message in the stream",
        "message is replaced",
        "message refused",
        "message refused or held by a full log",
        "message resent",
        "message runs live while nothing is stored",
        "operator purges",
        "operator sets a reader",
        "operator sets back",
        "power cut",
        "power cut in the middle",
        "process killed",
        "queue goes by other keys",
        "queue is bound anew",
        "queue is changed",
        "queue is paused",
        "segment trimmed",
        "shared message comes",
        "shared message handed over",
        "start refused",
        "the oldest is dropped",
    ];

    pub(crate) fn note(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// Adds what another simulation has met.
    pub fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| self.note(what, *times));
    }

    /// What has never happened and should have.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let has = |what: &&'static str| self.0.get(what).is_some_and(|times| *times > 0);
        Self::MUST.into_iter().filter(|what| !has(what)).collect()
    }
}
