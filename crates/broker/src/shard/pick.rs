//! Whom shared subscriptions give a message that is published: a member, or the durable session that keeps it for one.

use mqtt_router::{Match, Member, SubscriptionOptions};
use mqtt_session::Origin;
use mqtt_types::QoS;
use smallvec::SmallVec;

use super::Shard;
use super::live::{Live, is_stored_for};
use crate::groups::{GroupMark, RouteGroup, SharedStrategy, is_home, key_of};
use crate::ids::SessionId;
use crate::mail::Letter;
use crate::outbox::Outbox;
use crate::routes::Route;

/// The member of a shared group that takes a message.
#[derive(Clone, Copy)]
pub(super) struct Pick {
    pub(super) session: SessionId,
    pub(super) options: SubscriptionOptions,
    pub(super) mark: GroupMark,
    /// Whether it only keeps the message, for whichever member is chosen when it is stored.
    pub(super) for_any: bool,
}

/// One for each shared group.
pub(super) type Picks = SmallVec<[Pick; 1]>;

impl Shard {
    /// For each shared group the member that takes the message.
    #[inline]
    pub(super) fn pick_members(&self, route: &Route, live: &Live<'_>) -> Picks {
        let pick = |group| {
            let key = self.key_for(group, live);
            self.pick_member(group, live.head.qos, key, None)
        };
        route.groups.iter().filter_map(pick).collect()
    }

    /// What a sticky strategy goes by.
    #[inline]
    fn key_for(&self, group: &RouteGroup, live: &Live<'_>) -> u32 {
        match group.strategy {
            SharedStrategy::HashTopic => key_of(live.topic.as_str()),
            SharedStrategy::HashClientid => {
                let entry = live.publisher.and_then(|id| self.sessions.get(id));
                entry.map_or(0, |entry| key_of(entry.session.client_id()))
            }
            _ => 0,
        }
    }

    /// The member of one group that takes a message. Where a durable session is a member, messages at QoS 1 and 2 are
    /// stored; at QoS 2 for one that finishes them whatever happens.
    #[inline]
    pub(super) fn pick_member(
        &self,
        group: &RouteGroup,
        qos: QoS,
        key: u32,
        except: Option<SessionId>,
    ) -> Option<Pick> {
        let is_other = |member: &Member| Some(SessionId::from(member.subscriber)) != except;
        let mut for_any = false;
        let member = if qos == QoS::AtMostOnce || group.homes == 0 {
            group.choose(key, is_other)
        } else if group.stores_only(qos) {
            group.choose(key, |member| is_home(member) && is_other(member))
        } else {
            for_any = true;
            group.next_home(key, except)
        };
        // No durable session but the one that shall not have it.
        let member = member.or_else(|| {
            for_any = false;
            group.choose(key, is_other)
        })?;
        let session = SessionId::from(member.subscriber);
        if session.shard() != self.id || session.is_durable() {
            // Until it is there nobody else tells others of it.
            member.state.add_load();
        }
        let mark = GroupMark { group: group.mark, key };
        Some(Pick { session, options: member.options, mark, for_any })
    }

    /// Sends a message to the member that was picked, unless it comes to it by the log.
    #[inline]
    pub(super) fn deliver_pick<O: Outbox>(
        &mut self,
        pick: &Pick,
        live: &mut Live<'_>,
        hops: u8,
        out: &mut O,
    ) {
        let Pick { session, options, mark, .. } = *pick;
        if is_stored_for(session, live.head.qos.min(options.qos)) {
            return;
        }
        if session.shard() == self.id {
            let origin = Origin::Shared { group: mark.group, key: mark.key };
            self.deliver(&member_match(session, options), origin, live, false, out);
        } else if let Some(message) = live.message().cloned() {
            let letter = Letter::Member { session, options, mark, message, hops };
            self.turn.mail(session.shard(), letter);
        }
    }
}

/// A member of a shared subscription as a route entry.
pub(super) fn member_match(session: SessionId, options: SubscriptionOptions) -> Match {
    Match {
        subscriber: session.subscriber(),
        qos: options.qos,
        no_local: false,
        retain_as_published: options.retain_as_published,
        identifiers: options.identifier.into_iter().collect(),
        own: None,
    }
}
