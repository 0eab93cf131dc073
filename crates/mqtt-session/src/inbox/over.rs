//! What is left of an inbox whose session is over: messages of shared subscriptions that other sessions could have. Such an inbox
//! is told of by places in storage, for it may count otherwise than storage does. It must not know who gets them.

use std::collections::BTreeSet;

use super::entry::{Entry, State};
use super::{Gone, Inbox, Kept};

impl Inbox {
    /// The messages of shared subscriptions from `from` on that another session could have when this one is over: those at
    /// QoS 2 were surely never sent, for one that may have been sent is nobody else's. `[MQTT-4.8.2-5]`
    pub fn passable(&self, from: u64) -> impl Iterator<Item = (u64, Kept)> + '_ {
        let all = self.line.iter_from(from).filter(|(sequence, entry)| {
            entry.state == State::Waiting && self.may_pass(*sequence, entry)
        });
        all.map(|(sequence, entry)| (sequence, self.kept(sequence, entry)))
    }

    /// The session is over, with nobody connected: what is [passable](Self::passable) stays, and what others have on loan, if
    /// storage has it at that place or behind it. Gives what left and had a body.
    pub fn keep_passable(&mut self, place: u64) -> Vec<Gone> {
        let stays = |(sequence, entry): &(u64, &Entry)| {
            let is_free = matches!(entry.state, State::Waiting | State::Lent);
            is_free && entry.at >= place && self.may_pass(*sequence, entry)
        };
        let leaving = self.line.iter().filter(|one| !stays(one));
        let leaving: Vec<_> = leaving.map(|(sequence, entry)| (sequence, *entry)).collect();
        self.leave_all(&leaving)
    }

    fn may_pass(&self, sequence: u64, entry: &Entry) -> bool {
        entry.is_shared() && !self.may_be_held(sequence, entry)
    }

    /// The number of the message that lies there, see [`Kept::at`] and [`Kept::copy`].
    #[must_use]
    pub fn find(&self, at: u64, copy: u8) -> Option<u64> {
        let is_it = |entry: &Entry| entry.has_body() && entry.place() == Some((at, copy));
        self.line.iter().find(|(_, entry)| is_it(entry)).map(|(sequence, _)| sequence)
    }

    /// Messages left, as storage says: where it has them, and which copies they were. Gives those that had not left before.
    pub fn replay_left_from(&mut self, places: &BTreeSet<(u64, u8)>) -> Vec<Gone> {
        let is_named = |entry: &Entry| entry.place().is_some_and(|place| places.contains(&place));
        let is_there = |entry: &Entry| entry.has_body() && is_named(entry);
        let leaving = self.line.iter().filter(|(_, entry)| is_there(entry));
        let leaving: Vec<_> = leaving.map(|(sequence, entry)| (sequence, *entry)).collect();
        self.leave_all(&leaving)
    }

    /// Gives those that had a body.
    fn leave_all(&mut self, leaving: &[(u64, Entry)]) -> Vec<Gone> {
        leaving.iter().for_each(|(sequence, _)| self.leave(*sequence));
        let with_body = leaving.iter().filter(|(_, entry)| entry.has_body());
        with_body.map(|(sequence, entry)| Gone::of(*sequence, entry)).collect()
    }
}
