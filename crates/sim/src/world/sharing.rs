//! Clients that share a subscription: who joins, who leaves, and what must have come in the end. It must not know how a member is
//! chosen.

use super::World;
use super::hearing::STANDING;
use crate::client::{Role, Source};
use crate::groups::{ADDRESSES, ANCHOR, CASUAL, CREW, SHARERS};
use crate::plan::{SHARER, leads_to};
use crate::wire;

/// So often members look whether something has come, with half a second between.
const LOOKS_MAX: usize = 60;
/// Looks without anything, after which nothing comes any more.
const QUIET_LOOKS: usize = 3;

impl World {
    /// A member subscribes, if it is connected and has not.
    pub(super) fn join(&mut self, sharer: usize) {
        let n = SHARER + sharer;
        self.connect(n);
        let client = &mut self.clients[n];
        if client.is_greeted && !client.is_subscribed && !client.is_joining {
            client.is_joining = true;
            let of = SHARERS[sharer];
            self.send(n, wire::subscribe(STANDING, ADDRESSES[of.group], of.qos(self.seed)));
        }
    }

    /// A member leaves its group. It finishes what it has.
    pub(super) fn leave_group(&mut self, sharer: usize) {
        let n = SHARER + sharer;
        if sharer == ANCHOR || !self.clients[n].is_subscribed {
            return;
        }
        let id = self.clients[n].next_id();
        self.clients[n].is_subscribed = false;
        self.say(format!("{} leaves its group", SHARERS[sharer].name));
        self.send(n, wire::unsubscribe(id, ADDRESSES[SHARERS[sharer].group]));
        self.note_deserted();
    }

    /// A durable member comes with a new session.
    pub(super) fn begin_anew(&mut self, sharer: usize) {
        if sharer == ANCHOR || !SHARERS[sharer].is_durable {
            return;
        }
        let n = SHARER + sharer;
        self.lose(n);
        self.auditor.member_ended(sharer);
        self.clients[n].begin_anew();
        self.connect(n);
        self.say(format!("{} begins anew", SHARERS[sharer].name));
        self.seen.note("member begins anew", 1);
    }

    /// For which groups a message is that is published now.
    pub(super) fn share(&mut self, message: u32) {
        if leads_to(self.auditor.topic(message), "t/+") {
            let crew = self.clients[SHARER + ANCHOR].is_subscribed;
            self.auditor.shares(message, [self.is_there(CASUAL), crew]);
        }
    }

    /// Whether a member of the group is connected.
    fn is_there(&self, group: usize) -> bool {
        let sharers = SHARERS.iter().zip(&self.clients[SHARER..]);
        let mut members = sharers.filter(|(of, _)| of.group == group);
        members.any(|(_, client)| client.is_subscribed && client.at.is_some())
    }

    /// Looks whether a group has nobody.
    pub(super) fn note_deserted(&mut self) {
        if !self.is_there(CASUAL) {
            self.auditor.is_deserted(CASUAL);
        }
    }

    /// A message of a group has come to a member.
    pub(super) fn has_shared(
        &mut self,
        sharer: usize,
        qos: u8,
        message: u32,
        (is_retained, is_again): (bool, bool),
    ) -> Source {
        let name = SHARERS[sharer].name;
        assert!(!is_retained, "{name} gets {message} as retained, by a shared subscription");
        self.say(format!("{name} gets {message} at QoS {qos}, again: {is_again}"));
        if !is_again {
            self.auditor.shared(sharer, qos, message);
        }
        self.seen.note("shared message comes", 1);
        Source::Group(SHARERS[sharer].group)
    }

    /// No two members of a group have the same message, where none is taken for stalled.
    pub(super) fn check_sharers(&self) {
        if !crate::groups::have_patience(self.seed) || self.auditor.has_met_damage {
            return;
        }
        for group in [CASUAL, CREW] {
            let sharers = SHARERS.iter().zip(&self.clients[SHARER..]);
            let members = sharers.filter(|(of, _)| of.group == group);
            let all = members.flat_map(|(_, client)| client.leases.iter().map(|one| one.message));
            let mut all: Vec<u32> = all.filter(|one| !self.auditor.is_resent(*one)).collect();
            all.sort_unstable();
            let twice = all.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None, "two members of group {group} have a message");
        }
    }

    /// Clients from that one on answer all that comes, until nothing does.
    pub(super) fn answer_until_quiet(&mut self, from: usize) {
        let mut quiet = 0;
        for _ in 0..LOOKS_MAX {
            self.run();
            self.listen();
            quiet = if self.answer_all(from) { 0 } else { quiet + 1 };
            if quiet == QUIET_LOOKS {
                return;
            }
            self.machine.wait(500);
        }
    }

    /// Clients from that one on answer what they have. False when they have nothing.
    pub(super) fn answer_all(&mut self, from: usize) -> bool {
        let mut has_answered = false;
        for n in from..self.clients.len() {
            while !self.clients[n].leases.is_empty() {
                has_answered = true;
                self.answer(n, 0, 0);
            }
        }
        has_answered
    }
}

/// The member that a client is.
pub(super) const fn sharer_of(role: Role) -> Option<usize> {
    match role {
        Role::Sharer(sharer) => Some(sharer),
        _ => None,
    }
}
