//! The groups of a simulation that share a subscription, and who is in them. It must not know what happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use broker::{SharedStrategy, SharedSubscriptions};

/// Members without a session: as long as one of them is there, a message goes to one of them.
pub(crate) const CASUAL: usize = 0;
/// Members of which two have durable sessions, and the first of these never leaves: nothing is lost.
pub(crate) const CREW: usize = 1;

/// What each group subscribes to.
pub(crate) const ADDRESSES: [&str; 2] = ["$share/casual/t/+", "$share/crew/t/+"];

/// A member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharerOf {
    pub(crate) name: &'static str,
    pub(crate) group: usize,
    pub(crate) is_durable: bool,
}

/// All members.
pub(crate) const SHARERS: [SharerOf; 5] = [
    SharerOf { name: "m0", group: CASUAL, is_durable: false },
    SharerOf { name: "m1", group: CASUAL, is_durable: false },
    SharerOf { name: "d0", group: CREW, is_durable: true },
    SharerOf { name: "d1", group: CREW, is_durable: true },
    SharerOf { name: "d2", group: CREW, is_durable: false },
];
/// The one that never leaves.
pub(crate) const ANCHOR: usize = 2;

const STRATEGIES: [SharedStrategy; 6] = [
    SharedStrategy::RoundRobin,
    SharedStrategy::Random,
    SharedStrategy::LeastInflight,
    SharedStrategy::HashTopic,
    SharedStrategy::HashClientid,
    SharedStrategy::SingleActive,
];

/// Whether a member is passed over, in a simulation of that seed, that answers too late: then others may get the same.
pub(crate) const fn have_patience(seed: u64) -> bool {
    (seed / 2).is_multiple_of(2)
}

/// Whether all of the crew have QoS 2, so that each message at QoS 2 comes once.
pub(crate) const fn is_once(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

/// How they work in a simulation of that seed.
pub(crate) fn config(seed: u64) -> SharedSubscriptions {
    let strategy = STRATEGIES[(seed / 4 % STRATEGIES.len() as u64) as usize];
    let stall_timeout = Duration::from_secs(if have_patience(seed) { 0 } else { 2 });
    SharedSubscriptions { strategy, groups: BTreeMap::new(), stall_timeout }
}

impl SharerOf {
    /// The QoS that it subscribes with.
    pub(crate) fn qos(self, seed: u64) -> u8 {
        let is_mixed = seed % 3 == 2 && self.name == SHARERS[ANCHOR].name;
        if self.group == CREW && (is_once(seed) || is_mixed) { 2 } else { 1 }
    }
}
