//! Shared groups as routes have them: which member a message goes to, by the group's strategy and by what members let
//! others know of themselves. It must not know sessions or messages.

mod choice;
mod presence;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mqtt_router::{Member, SharedGroup};
use mqtt_types::QoS;

use crate::ids::SessionId;
use choice::rank;
pub(crate) use journal::ids::{GroupMark, key_of, mark_of};
pub(crate) use presence::{Presence, free};

/// How a shared subscription chooses the member that gets a message. Names are those of the queues' strategies where the
/// thing is the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SharedStrategy {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The one with the fewest messages on their way to it.
    LeastInflight,
    /// All messages of a topic to the same one.
    HashTopic,
    /// All messages of a publisher to the same one.
    HashClientid,
    /// All to one, until that is gone.
    SingleActive,
}

impl SharedStrategy {
    /// Whether it matters which member gets a message, so that none goes to another while its member is there.
    pub(crate) const fn is_sticky(self) -> bool {
        matches!(self, Self::HashTopic | Self::HashClientid | Self::SingleActive)
    }
}

/// How shared subscriptions work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedSubscriptions {
    /// The strategy of groups that are not named below.
    pub strategy: SharedStrategy,
    /// The strategies of others, by share name.
    pub groups: BTreeMap<String, SharedStrategy>,
    /// How long a member may leave its oldest message unanswered before others get what it has; zero for ever.
    pub stall_timeout: Duration,
}

impl Default for SharedSubscriptions {
    fn default() -> Self {
        Self {
            strategy: SharedStrategy::default(),
            groups: BTreeMap::new(),
            stall_timeout: Duration::from_secs(10),
        }
    }
}

impl SharedSubscriptions {
    fn strategy_of(&self, name: &str) -> SharedStrategy {
        self.groups.get(name).copied().unwrap_or(self.strategy)
    }
}

/// A shared group of a route.
#[derive(Debug)]
pub(crate) struct RouteGroup {
    pub(crate) group: Arc<SharedGroup>,
    pub(crate) strategy: SharedStrategy,
    pub(crate) mark: u32,
    /// How many members are durable sessions that messages are stored for.
    pub(crate) homes: usize,
    home_turn: AtomicU32,
}

impl RouteGroup {
    pub(crate) fn new(group: &Arc<SharedGroup>, config: &SharedSubscriptions) -> Self {
        Self {
            group: Arc::clone(group),
            strategy: config.strategy_of(group.name()),
            mark: mark_of(group.name(), group.filter()),
            homes: group.members().iter().filter(|member| is_home(member)).count(),
            home_turn: AtomicU32::new(0),
        }
    }

    /// The durable session that keeps a message until whoever gets it has it: each in turn, but for a sticky strategy the same
    /// one for the same key, or messages could overtake each other on their ways from two.
    pub(crate) fn next_home(&self, key: u32, except: Option<SessionId>) -> Option<&Member> {
        let is_other =
            |member: &Member| is_home(member) && Some(SessionId::from(member.subscriber)) != except;
        let homes = || self.group.members().iter().filter(|member| is_other(member));
        if self.strategy.is_sticky() {
            return homes().max_by_key(|member| rank(member, key));
        }
        let turn = self.home_turn.fetch_add(1, Ordering::Relaxed) as usize;
        let nth = turn.checked_rem(self.homes)?;
        homes().nth(nth).or_else(|| homes().next())
    }

    /// Whether the strategy decides among durable sessions alone where a message is stored: the others could not finish
    /// one at QoS 2, or there are none.
    pub(crate) fn stores_only(&self, qos: QoS) -> bool {
        qos == QoS::ExactlyOnce || self.homes == self.group.members().len()
    }
}

/// Whether messages for the member are stored.
pub(crate) fn is_home(member: &Member) -> bool {
    SessionId::from(member.subscriber).is_durable() && member.options.qos > QoS::AtMostOnce
}

#[cfg(test)]
mod tests;
