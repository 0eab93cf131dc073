//! The choice of a member. It must not change anything but whose turn it is.

use mqtt_router::Member;

use super::presence::{Presence, free};
use super::{RouteGroup, SharedStrategy};

/// Draws before a random choice looks at every member.
const DRAWS_MAX: usize = 8;

impl RouteGroup {
    /// The member that a message goes to, of those that `may` have it: who can take it now; if nobody can, who is connected
    /// and answers; then who is connected; then any. A sticky strategy does not look at who can take it now.
    ///
    /// Takes a look at one member, or at a few, where some can take it; `least_inflight`, the sticky strategies and a group
    /// where nobody can look at all.
    #[inline]
    pub(crate) fn choose(&self, key: u32, may: impl Fn(&Member) -> bool) -> Option<&Member> {
        match self.strategy {
            SharedStrategy::RoundRobin => self.next_in_turn(&may),
            SharedStrategy::Random => self.any(&may),
            SharedStrategy::LeastInflight => self.least_loaded(&may),
            SharedStrategy::HashTopic | SharedStrategy::HashClientid => self.by_key(key, &may),
            SharedStrategy::SingleActive => self.active(key, &may),
        }
    }

    /// How many more messages those can take together that `may` have them.
    pub(crate) fn room(&self, may: impl Fn(&Member) -> bool) -> usize {
        self.group.members().iter().filter(|one| may(one)).map(|one| free(one) as usize).sum()
    }

    #[inline]
    fn next_in_turn(&self, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let turn = self.group.next_turn();
        for passed in 0..self.group.members().len() {
            let member = self.group.pick(turn.wrapping_add(passed))?;
            if free(member) > 0 && may(member) {
                if passed > 0 {
                    // Or the one behind those that are passed over would have their turns too.
                    self.group.skip_turns(passed);
                }
                return Some(member);
            }
        }
        self.waiting(may)
    }

    fn any(&self, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let members = self.group.members();
        let can = |member: &Member| free(member) > 0 && may(member);
        for _ in 0..DRAWS_MAX {
            let drawn = mix(self.group.next_turn() as u64) as usize;
            let member = self.group.pick(drawn)?;
            if can(member) {
                return Some(member);
            }
        }
        let able = members.iter().filter(|member| can(member)).count();
        let drawn = (mix(self.group.next_turn() as u64) as usize).checked_rem(able);
        drawn
            .and_then(|nth| members.iter().filter(|member| can(member)).nth(nth))
            .or_else(|| self.waiting(may))
    }

    fn least_loaded(&self, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let able = |member: &Member| free(member) > 0 && may(member);
        self.least(&able).or_else(|| self.waiting(may))
    }

    /// Rendezvous: each member has a rank for each key, and the highest has the key. Who leaves or comes moves its own keys
    /// alone.
    fn by_key(&self, key: u32, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let best = |is_fit: fn(Presence) -> bool| {
            let members = self.group.members().iter();
            members
                .filter(|one| is_fit(Presence::of(one)) && may(one))
                .max_by_key(|member| rank(member, key))
        };
        best(Presence::is_present)
            .or_else(|| best(Presence::is_connected))
            .or_else(|| best(|_| true))
    }

    /// The active one while it is there, else the next, which is the active one from now on. What the active one may not have
    /// goes to the same other one each time, or it could come out of order.
    fn active(&self, key: u32, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let of = |id| self.group.members().iter().find(|member| member.subscriber == id);
        let known = self.group.active();
        let is_there = |member: &&Member| Presence::of(member).is_present();
        let active = of(known).filter(is_there);
        if let Some(active) = active {
            return if may(active) { Some(active) } else { self.by_key(key, may) };
        }
        let next = self.waiting(may)?;
        if is_there(&next) {
            let now = self.group.replace_active(known, next.subscriber);
            return of(now).filter(|other| may(other)).or(Some(next));
        }
        Some(next)
    }

    /// With whom a message waits that nobody can take now.
    fn waiting(&self, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        self.least(&|member: &Member| Presence::of(member).is_present() && may(member))
            .or_else(|| self.least(&|one: &Member| Presence::of(one).is_connected() && may(one)))
            .or_else(|| self.least(may))
    }

    /// The one with the least to do; among equals each in turn.
    fn least(&self, may: &impl Fn(&Member) -> bool) -> Option<&Member> {
        let members = self.group.members();
        let turn = self.group.next_turn().checked_rem(members.len())?;
        let (before, after) = members.split_at_checked(turn)?;
        let mut least: Option<(&Member, u32)> = None;
        for member in after.iter().chain(before).filter(|member| may(member)) {
            let load = member.state.load();
            if least.is_none_or(|(_, than)| load < than) {
                least = Some((member, load));
            }
            if load == 0 {
                break;
            }
        }
        least.map(|(member, _)| member)
    }
}

/// A member's rank for a key.
pub(super) fn rank(member: &Member, key: u32) -> u64 {
    mix(member.subscriber.0 ^ u64::from(key).rotate_left(32))
}

/// Spreads numbers: the finalizer of SplitMix64.
const fn mix(number: u64) -> u64 {
    let hash = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}
