//! Members of shared groups: what they let others know, when they stall, and whom what they have goes to then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hashbrown::HashMap;
use mqtt_router::{Member, MemberState, SubscriptionOptions};
use mqtt_session::{Origin, Taken};
use mqtt_types::{Address, Message, TopicFilter, TopicName};
use stdx::Instant;

use super::Shard;
use super::live::Live;
use super::pick::{Pick, member_match};
use super::publish::pick_target;
use crate::groups::{GroupMark, Presence, RouteGroup, is_home, mark_of};
use crate::hosting::NO_TOKEN;
use crate::ids::{ConnId, SessionId};
use crate::mail::{Letter, LoanOutcome};
use crate::outbox::Outbox;
use crate::record::MoreTargets;
use crate::routes::Route;
use crate::timers::Timer;

/// How often members are looked at, at least; a stall shows within this and its own time.
const LOOK: Duration = Duration::from_millis(500);
/// Members that a message is offered to one after the other, all of which were gone when it came there.
const HOPS_MAX: u8 = 8;

/// How a group is at one moment.
struct Look {
    /// Members that are connected and answer.
    present: usize,
    /// How many more messages they take now.
    room: usize,
    is_sticky: bool,
}

/// Groups that were looked at, by mark.
type Looks = HashMap<u32, Look>;

impl Shard {
    /// Makes a session a member of a shared group; false if it was and has other options now.
    pub(super) fn join_group(
        &mut self,
        id: SessionId,
        name: &str,
        filter: TopicFilter<'_>,
        options: SubscriptionOptions,
    ) -> bool {
        let state = self.take_seat(id);
        let member = Member { subscriber: id.subscriber(), options, state };
        self.shared.routes.change(|router| router.join(name, filter, member))
    }

    /// Gives a session a place in shared groups: what it lets others know.
    pub(super) fn take_seat(&mut self, id: SessionId) -> Arc<MemberState> {
        self.members.insert(id);
        self.watch_members();
        let Some(entry) = self.sessions.get_mut(id) else { return Arc::default() };
        let seat = entry.extras.get_or_insert_default().seat.get_or_insert_default();
        let state = Arc::clone(&seat.state);
        entry.tell_others();
        self.shared.members_come.fetch_add(1, Ordering::Relaxed);
        state
    }

    fn watch_members(&mut self) {
        if !std::mem::replace(&mut self.members_timer, true) {
            let timeout = self.shared.config.shared_subscriptions.stall_timeout;
            let look = if timeout.is_zero() { LOOK } else { LOOK.min(timeout / 4) };
            self.timers.set(self.turn.now + look, Timer::Members);
        }
    }

    /// Looks who stalls, and who could take what waits elsewhere.
    pub(super) fn members_due(&mut self) {
        self.members_timer = false;
        let members: Vec<SessionId> = self.members.iter().copied().collect();
        for id in &members {
            self.note_progress(*id);
        }
        let mut looks = Looks::default();
        for id in members {
            self.look_at_member(id, &mut looks);
        }
        if !self.members.is_empty() {
            self.watch_members();
        }
    }

    fn note_progress(&mut self, id: SessionId) {
        let timeout = self.shared.config.shared_subscriptions.stall_timeout;
        let now = self.turn.now;
        let Some(entry) = self.sessions.get_mut(id).filter(|entry| entry.conn.is_some()) else {
            return;
        };
        let oldest = entry.session.oldest_shared();
        let waits = entry.session.pending_len() > 0;
        let Some(seat) = entry.seat_mut() else { return };
        let oldest = oldest.or_else(|| (seat.is_blocked && waits).then_some(u64::MAX));
        if oldest != seat.oldest {
            (seat.oldest, seat.since) = (oldest, now);
        } else if oldest.is_some()
            && !timeout.is_zero()
            && now >= seat.since + timeout
            && !seat.is_stalled
        {
            seat.is_stalled = true;
            entry.tell_others();
            let client_id = entry.session.client_id();
            tracing::info!(client_id, "member of a shared subscription stalls");
        }
    }

    /// The client has answered, or read: it does not stall.
    #[inline]
    pub(super) fn answered(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if let Some(seat) = entry.seat_mut()
            && seat.is_stalled
        {
            seat.is_stalled = false;
            seat.oldest = None;
        }
        entry.tell_others();
    }

    /// The output of a connection has been written out.
    pub(super) fn unblocked(&mut self, conn: ConnId) {
        let Some(id) = self.conns.get(conn).map(|state| state.session) else { return };
        let seat = self.sessions.get_mut(id).and_then(|entry| entry.seat_mut());
        if seat.is_some_and(|seat| std::mem::take(&mut seat.is_blocked)) {
            self.answered(id);
        }
    }

    fn look_at_member(&mut self, id: SessionId, looks: &mut Looks) {
        let Some(entry) = self.sessions.get(id) else {
            self.members.remove(&id);
            return;
        };
        if entry.is_ending() {
            return self.look_at_ending(id);
        }
        let extras = entry.extras.as_ref();
        let stalls = extras.and_then(|e| e.seat.as_ref()).is_some_and(|seat| seat.is_stalled);
        let waits = entry.session.pending_len() > 0;
        let keeps =
            entry.session.inbox().is_some_and(|inbox| inbox.lendable(0, stalls).next().is_some());
        if !(stalls || waits || keeps) {
            return;
        }
        let marks = self.look_at_groups(id, looks);
        let (is_away, is_full) = (entry.conn.is_none(), entry.session.inbox_window() == 0);
        let mut room = |mark: u32| match looks.get_mut(&mark).filter(|_| marks.contains(&mark)) {
            Some(look) if stalls => look.present > 0,
            Some(look) if !look.is_sticky && look.room > 0 => {
                look.room -= 1;
                true
            }
            _ => false,
        };
        let mut taken = Vec::new();
        let Some(entry) = self.sessions.get_mut(id) else { return };
        entry.session.take_shared(stalls, &mut room, &mut taken);
        entry.account(&self.shared.budgets.memory);
        entry.tell_others();
        self.pass_on(id, taken);
        let may_lend = |mark: &u32| {
            looks.get(mark).is_some_and(|look| match stalls || is_away {
                true => look.present > 0,
                false => is_full && !look.is_sticky && look.room > 0,
            })
        };
        if keeps && marks.iter().any(may_lend) {
            self.lend_out(id, None);
        }
    }

    /// Looks at the groups of a session, once for all of their members here, and gives their marks.
    fn look_at_groups(&self, id: SessionId, looks: &mut Looks) -> Vec<u32> {
        let Some(entry) = self.sessions.get(id) else { return Vec::new() };
        let config = &self.shared.config.shared_subscriptions;
        let mut marks = Vec::new();
        for (address, _) in entry.session.subscriptions() {
            let Ok(Address::Shared { group: name, filter }) = Address::parse(address) else {
                continue;
            };
            let mark = mark_of(name, filter.as_str());
            marks.push(mark);
            if looks.contains_key(&mark) {
                continue;
            }
            let group = self.shared.routes.read(|router| router.group(name, filter).cloned());
            let Some(group) = group else { continue };
            let members = group.members().iter();
            let present = members.filter(|one| Presence::of(one).is_present()).count();
            let group = RouteGroup::new(&group, config);
            let is_sticky = group.strategy.is_sticky();
            looks.insert(mark, Look { present, room: group.room(|_| true), is_sticky });
        }
        marks
    }

    /// Gives others what was taken from a member, later in this turn.
    pub(super) fn pass_on(&mut self, from: SessionId, taken: Vec<Taken>) {
        for Taken { origin, delivery } in taken {
            match (origin, delivery) {
                (Origin::Shared { group, key }, Some(delivery)) => {
                    let mark = GroupMark { group, key };
                    let message = delivery.message.clone();
                    let letter = Letter::HandOver { mark, message, except: from, hops: 0 };
                    self.turn.mail(self.id, letter);
                }
                (Origin::Lent { loan, .. }, _) => self.loan_ends(loan, LoanOutcome::Lost),
                _ => {}
            }
        }
    }

    /// A message for a member that is at this shard, or was.
    pub(super) fn member_letter<O: Outbox>(
        &mut self,
        pick: &Pick,
        message: Message,
        hops: u8,
        out: &mut O,
    ) {
        let Pick { session, options, mark, .. } = *pick;
        if self.sessions.get(session).is_none_or(|entry| entry.conn.is_none()) {
            return self.hand_over(mark, &message, session, hops + 1, out);
        }
        if let Some(mut live) = Live::of(&message, None, self.turn.unix_ms) {
            let origin = Origin::Shared { group: mark.group, key: mark.key };
            self.deliver(&member_match(session, options), origin, &mut live, false, out);
        }
    }

    /// Gives a message of a shared subscription to another member than that one, if there is another.
    pub(super) fn hand_over<O: Outbox>(
        &mut self,
        mark: GroupMark,
        message: &Message,
        except: SessionId,
        hops: u8,
        out: &mut O,
    ) {
        let Ok(topic) = TopicName::new(message.topic()) else { return };
        let Some(mut live) = Live::of(message, None, self.turn.unix_ms) else {
            self.counts.live_dropped_total += 1;
            return;
        };
        let route = self.routes.route(&self.shared.routes, topic);
        let group = route.group(mark.group).filter(|_| hops <= HOPS_MAX);
        let (qos, key) = (live.head.qos, mark.key);
        let is_full = self.storage_refusal().is_some();
        let pick = group.and_then(|group| match is_full {
            false => self
                .pick_member(group, qos, key, Some(except))
                .or_else(|| self.pick_member(group, qos, key, None)),
            true => {
                let member = group.choose(key, |member| !is_home(member))?;
                let session = SessionId::from(member.subscriber);
                Some(Pick { session, options: member.options, mark, for_any: false })
            }
        });
        let Some(pick) = pick else {
            self.counts.shared_dropped_total += 1;
            return;
        };
        self.counts.shared_handed_over_total += 1;
        match pick_target(&pick, live.head) {
            Some(target) => {
                let more = MoreTargets { sessions: vec![target], ..MoreTargets::default() };
                self.store(&Route::default(), &live, Some(more), NO_TOKEN);
            }
            None => self.deliver_pick(&pick, &mut live, hops, out),
        }
    }

    /// A connection of the session ends: nobody counts on it any more.
    pub(super) fn leave_seat(&mut self, id: SessionId) -> Vec<Taken> {
        let mut taken = Vec::new();
        let Some(entry) = self.sessions.get_mut(id) else { return taken };
        let Some(seat) = entry.seat_mut() else { return taken };
        (seat.is_blocked, seat.is_stalled, seat.oldest) = (false, false, None);
        seat.since = Instant::ZERO;
        entry.session.take_shared(true, |_| true, &mut taken);
        entry.account(&self.shared.budgets.memory);
        entry.tell_others();
        taken
    }

    /// A member leaves one of its groups: others get what waits for it. What is in flight is finished with it
    /// `[MQTT-3.10.4-3]`, or goes to others when its connection breaks before that.
    pub(super) fn leave_group(&mut self, id: SessionId, name: &str, filter: &str) {
        let mark = mark_of(name, filter);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let mut taken = Vec::new();
        entry.session.take_shared(false, |group| group == mark, &mut taken);
        entry.account(&self.shared.budgets.memory);
        entry.tell_others();
        self.pass_on(id, taken);
        if id.is_durable() {
            self.lend_out(id, Some(mark));
        }
    }
}
