//! Messages that are held back, or expire, on their way through one queue. It must not know who consumes.
//!
//! Where the clock was set between, nothing is known of how long it took.

use std::collections::BTreeMap;

use super::{Answer, Auditor};
use crate::plan::{TOPICS, Timing, leads_to};
use crate::queues::{BRIEF, QUEUES, brief_ms};

/// When something happens by the wall clock, and how often that had been set by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall {
    pub(crate) unix_ms: u64,
    pub(crate) was_set: u64,
}

#[derive(Debug)]
struct Timed {
    timing: Timing,
    sent: Wall,
    /// When the publisher heard that it was stored.
    answered: Option<Wall>,
}

/// All of them, by number.
#[derive(Debug)]
pub(super) struct Timings {
    /// How old a message of the brief queue gets.
    brief_ms: u64,
    messages: BTreeMap<u32, Timed>,
    /// When each message was sent, and when that was answered.
    walls: Vec<(Wall, Option<Wall>)>,
}

impl Timings {
    pub(super) const fn new(seed: u64) -> Self {
        Self { brief_ms: brief_ms(seed), messages: BTreeMap::new(), walls: Vec::new() }
    }
}

impl Auditor {
    /// The next message is sent.
    pub(crate) fn is_sent(&mut self, at: Wall) {
        self.timings.walls.push((at, None));
    }

    /// A message is sent that is held back or expires.
    pub(crate) fn is_timed(&mut self, number: u32, timing: Timing, sent: Wall) {
        let timed = Timed { timing, sent, answered: None };
        self.timings.messages.insert(number, timed);
    }

    /// What its publisher asked for, to be said again.
    pub(crate) fn timing_of(&self, number: u32) -> Timing {
        self.timings.messages.get(&number).map_or_else(Timing::default, |timed| timed.timing)
    }

    /// When it was sent first.
    pub(super) fn sent_at(&self, number: u32) -> Wall {
        self.timings.walls[number as usize].0
    }

    /// A message was answered.
    pub(crate) fn timed_answered(&mut self, number: u32, at: Wall) {
        self.timings.walls[number as usize].1 = Some(at);
        if let Some(timed) = self.timings.messages.get_mut(&number) {
            timed.answered = Some(at);
        }
    }

    /// A message comes from its queue, which was written at that time at the earliest, if that is known.
    pub(crate) fn timed_comes(&self, number: u32, now: Wall, written: Option<u64>) {
        let Some(Timed { timing, sent, answered }) = self.timings.messages.get(&number) else {
            return;
        };
        if sent.was_set != now.was_set {
            return;
        }
        if let Some(delay) = timing.delay.or(timing.later) {
            let due = sent.unix_ms + u64::from(delay) * 1000;
            assert!(now.unix_ms >= due, "message {number} comes {} ms early", due - now.unix_ms);
        }
        // What is sent again lives anew.
        let is_sent_once = !self.messages[number as usize].is_resent;
        if let (Some(expires), Some(answered)) = (timing.expires, answered)
            && let Some(written) = written
            && is_sent_once
        {
            let over = answered.unix_ms + u64::from(expires) * 1000;
            assert!(
                written < over,
                "message {number} comes {} ms after it expired",
                written - over
            );
        }
    }

    /// A message comes from the queue that keeps none for long, to a consumer that has had it since then at the earliest.
    pub(crate) fn brief_comes(&self, number: u32, now: Wall, since: u64) {
        let (sent, answered) = self.timings.walls[number as usize];
        let is_sure = sent.was_set == now.was_set && !self.messages[number as usize].is_resent;
        if let Some(answered) = answered.filter(|_| is_sure) {
            let over = answered.unix_ms + self.timings.brief_ms;
            assert!(
                since < over,
                "message {number} comes {} ms after it was too old",
                since - over
            );
        }
    }

    /// So many messages may have been too old for that queue by then, and were not accepted, each as often as it was sent.
    pub(crate) fn too_old_at_most(&self, now: Wall) -> u64 {
        let known = &self.queues[BRIEF];
        let is_accepted = |offset: &u64| known.accepted.contains_key(offset);
        let may = (0..).zip(&self.messages).filter(|(number, message)| {
            let sent = self.sent_at(*number);
            let is_old =
                sent.was_set != now.was_set || sent.unix_ms + self.timings.brief_ms <= now.unix_ms;
            let offsets = known.offsets.get(number);
            let is_settled = offsets.is_some_and(|offsets| offsets.iter().any(is_accepted));
            let is_of_queue = leads_to(TOPICS[message.topic], QUEUES[BRIEF].filter);
            is_of_queue && is_old && !(is_settled && message.sent_times == 1)
        });
        may.map(|(_, message)| message.sent_times).sum()
    }

    /// All has been taken: what never came was too old, and is counted.
    pub(crate) fn check_brief(&self, expired: u64) {
        let missing = self.messages.iter().enumerate().filter(|(number, message)| {
            let is_due = message.answer == Answer::Taken && message.qos > 0;
            let came = &self.queues[BRIEF].offsets;
            is_due
                && leads_to(TOPICS[message.topic], QUEUES[BRIEF].filter)
                && !came.contains_key(&(*number as u32))
        });
        let missing = missing.count() as u64;
        assert!(missing <= expired, "{missing} never came, and {expired} have expired");
    }

    /// Whether a message may be gone because its time was over.
    pub(super) fn may_expire(&self, number: u32) -> bool {
        self.timing_of(number).expires.is_some()
    }

    /// Messages that may have expired, each as often as it was sent.
    pub(crate) fn expired_at_most(&self) -> u64 {
        let may = self.messages.iter().enumerate().filter(|(n, _)| self.may_expire(*n as u32));
        let stored = may.filter(|(_, message)| message.answer != Answer::Refused);
        stored.map(|(_, message)| message.sent_times).sum()
    }
}
