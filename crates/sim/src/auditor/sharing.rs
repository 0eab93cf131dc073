//! What is known of shared subscriptions: which messages a group must get, who has them. It must not know how a member is chosen.

use std::collections::BTreeMap;

use super::{Answer, Auditor};
use crate::groups::{CASUAL, CREW, SHARERS, have_patience, is_once};

/// A message as one group has it.
#[derive(Clone, Default, Debug)]
struct Shared {
    /// Some member must get it.
    is_due: bool,
    /// The member that has it at QoS 2, or has had it.
    holder: Option<usize>,
    has_come: bool,
    /// A member has answered it.
    was_accepted: bool,
    /// And that is known, since this moment.
    accepted: Option<u64>,
    /// A crash came after it was published: who was connected may have been sent it.
    is_unsure: bool,
    /// It was with a session that is over: gone, at QoS 2.
    may_be_gone: bool,
    /// It was with a session whose end may be undone.
    may_return: bool,
}

/// All groups.
#[derive(Debug)]
pub(super) struct Sharing {
    groups: [BTreeMap<u32, Shared>; 2],
    /// By member, whether something that it had been sent was not heard.
    has_missed: [bool; SHARERS.len()],
    /// No member gets what another has.
    have_patience: bool,
    /// Messages at QoS 2 come to the crew once.
    is_once: bool,
    recorded_to: u64,
}

impl Sharing {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            groups: Default::default(),
            has_missed: [false; SHARERS.len()],
            have_patience: have_patience(seed),
            is_once: is_once(seed),
            recorded_to: 0,
        }
    }
}

impl Auditor {
    /// A message is published to groups, of which some must get it.
    pub(crate) fn shares(&mut self, number: u32, are_due: [bool; 2]) {
        for (group, is_due) in self.sharing.groups.iter_mut().zip(are_due) {
            group.insert(number, Shared { is_due, ..Shared::default() });
        }
    }

    /// A message has come to a member, for the first time under its packet id.
    pub(crate) fn shared(&mut self, sharer: usize, qos: u8, number: u32) {
        let (name, group) = (SHARERS[sharer].name, SHARERS[sharer].group);
        let message = &self.messages[number as usize];
        let is_sent_once = !message.is_resent || message.qos == 2 && !message.has_lost_session;
        // What a client of 3.1.1 sent to a full log ran live, is not stored, and runs live when it is sent again.
        let may_run_twice = message.is_resent && !message.publisher_is_v5();
        let Sharing { groups, have_patience, is_once, .. } = &mut self.sharing;
        let known = groups[group].entry(number).or_default();
        assert!(
            message.answer != Answer::Refused || !known.is_due || group == CASUAL,
            "message {number} was refused, and comes to {name}"
        );
        let is_sure = is_sent_once && !self.has_met_damage;
        if qos == 2 && *is_once && known.is_due {
            assert!(
                !known.has_come || known.may_return || !is_sure,
                "message {number} comes to {name} at QoS 2, and came before"
            );
            known.holder = Some(sharer);
        } else if qos == 1 && *have_patience {
            assert!(
                known.accepted.is_none() || !is_sure || may_run_twice,
                "message {number} comes to {name}, and a member has answered it"
            );
        }
        known.has_come = true;
    }

    /// A member has answered a message, and the broker knows.
    pub(crate) fn has_taken(&mut self, group: usize, number: u32) {
        self.moment += 1;
        let known = self.sharing.groups[group].entry(number).or_default();
        (known.was_accepted, known.accepted) = (true, Some(self.moment));
    }

    /// Or nobody knows whether it does.
    pub(crate) fn may_have_taken(&mut self, group: usize, number: u32) {
        self.sharing.groups[group].entry(number).or_default().was_accepted = true;
    }

    /// What members did until that moment is recorded.
    pub(crate) const fn sharing_recorded(&mut self, moment: u64) {
        self.sharing.recorded_to = moment;
    }

    /// A member's connection has ended before it had heard all.
    pub(crate) const fn has_missed(&mut self, sharer: usize) {
        self.sharing.has_missed[sharer] = true;
    }

    /// A member's session is over. What it was sent at QoS 2 is gone with it. `[MQTT-4.8.2-5]`
    pub(crate) fn member_ended(&mut self, sharer: usize) {
        let has_missed = std::mem::take(&mut self.sharing.has_missed[sharer]);
        for (number, known) in &mut self.sharing.groups[SHARERS[sharer].group] {
            if self.messages[*number as usize].qos == 2 {
                known.may_be_gone |= has_missed || known.is_unsure;
                let was_with_it = known.holder == Some(sharer);
                known.may_be_gone |= was_with_it;
                known.may_return |= was_with_it || has_missed || known.is_unsure;
            }
        }
    }

    /// No member of a group is there: what was for it is nobody's.
    pub(crate) fn is_deserted(&mut self, group: usize) {
        self.sharing.groups[group].values_mut().for_each(|known| known.is_due = false);
    }

    /// The process has ended.
    pub(super) fn sharers_crashed(&mut self) {
        let recorded_to = self.sharing.recorded_to;
        for known in self.sharing.groups.iter_mut().flat_map(BTreeMap::values_mut) {
            known.is_unsure = true;
            known.accepted = known.accepted.filter(|moment| *moment <= recorded_to);
        }
        self.is_deserted(CASUAL);
    }

    /// Everybody has been there and has answered: what a group must get has come, and was answered.
    pub(crate) fn check_shared(&self, group: usize) {
        // A session goes on behind a damaged message, which it says in the log.
        if group == CREW && self.has_met_damage {
            return;
        }
        for (number, known) in &self.sharing.groups[group] {
            let message = &self.messages[*number as usize];
            let is_due = known.is_due && message.answer == Answer::Taken && message.qos > 0;
            assert!(
                !is_due || known.was_accepted || known.may_be_gone && group == CREW,
                "message {number} was acknowledged, and no member of group {group} got it: {known:?}"
            );
        }
    }
}
