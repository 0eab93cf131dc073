//! A reader of the twin.

use std::collections::{BTreeMap, BTreeSet};

use stdx::{Instant, UnixMillis};
use stream_engine::{
    Action, Key, MemberId, Offset, Outcome, Progress, ReaderName, Report, StreamConfig,
};

use super::Sight;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum State {
    InFlight(MemberId),
    Delayed(Instant),
    Ready,
    PassedOver,
}

#[derive(Clone, Debug)]
pub(crate) struct Unsettled {
    attempts: u32,
    key: Key,
    state: State,
    too_large_for: Vec<MemberId>,
    /// It was settled where the reader was put back to.
    is_left_over: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    window: u32,
    rests: Option<Instant>,
}

/// A reader.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) name: ReaderName,
    pub(crate) cursor: Offset,
    from: Offset,
    floor: Offset,
    /// Only what is below is delivered for the first time.
    pub(crate) permitted: Offset,
    pub(crate) unsettled: BTreeMap<Offset, Unsettled>,
    pub(crate) members: Vec<Member>,
    turn: usize,
    rejected: u64,
    skipped: u64,
    told: Option<Progress>,
    /// Settled, since the last news.
    settled: BTreeSet<Offset>,
    /// Settled before a restart.
    done: BTreeSet<Offset>,
    pub(crate) gone_since: Option<UnixMillis>,
    pub(crate) is_hungry: bool,
    /// What is next has no permit.
    pub(crate) is_withheld: bool,
}

impl Reader {
    pub(crate) fn new(name: ReaderName, from: Offset) -> Self {
        Self {
            name,
            cursor: from,
            from,
            floor: from,
            permitted: Offset(u64::MAX),
            unsettled: BTreeMap::new(),
            members: Vec::new(),
            turn: 0,
            rejected: 0,
            skipped: 0,
            told: None,
            settled: BTreeSet::new(),
            done: BTreeSet::new(),
            gone_since: None,
            is_hungry: false,
            is_withheld: false,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        let unsettled = self.unsettled.keys().copied();
        let wanted = unsettled.filter(|offset| *offset >= self.from && self.is_unsettled(*offset));
        Progress {
            position: wanted.chain([self.cursor]).min().expect("there is the cursor"),
            delivered_to: self.cursor.max(self.floor),
            rejected: self.rejected,
            skipped: self.skipped,
        }
    }

    /// What is to be told: the progress, when more has changed than that more was delivered, and whether the reader begins;
    /// and what it has settled above its position.
    pub(crate) fn news(&mut self) -> (Option<(Progress, bool)>, Vec<Offset>) {
        let all = |progress: Progress| (progress.position, progress.rejected, progress.skipped);
        let progress = self.progress();
        self.from = progress.position;
        let is_new = self.told.map(all) != Some(all(progress));
        let news = is_new.then_some((progress, self.told.is_none()));
        if is_new {
            self.told = Some(progress);
        }
        let settled = std::mem::take(&mut self.settled);
        (news, settled.range(progress.position..).copied().collect())
    }

    /// Whether it had a message, or has it, and it is to be settled.
    pub(crate) fn is_unsettled(&self, offset: Offset) -> bool {
        self.unsettled.get(&offset).is_some_and(|message| !message.is_left_over)
    }

    /// Whether it settled a message that it is still to come by.
    pub(crate) fn is_done(&self, offset: Offset) -> bool {
        offset >= self.cursor && self.done.contains(&offset)
    }

    pub(crate) fn restart(&mut self) {
        let progress = self.progress();
        let passed = (progress.position.0..self.cursor.0).map(Offset);
        let mut done: BTreeSet<Offset> =
            passed.filter(|offset| !self.is_unsettled(*offset)).collect();
        done.extend(self.done.range(self.cursor..));
        *self = Self {
            floor: progress.delivered_to,
            rejected: self.rejected,
            skipped: self.skipped,
            told: Some(progress),
            done,
            gone_since: self.gone_since.filter(|_| self.members.is_empty()),
            ..Self::new(self.name.clone(), progress.position)
        };
    }

    pub(crate) fn in_flight(&self) -> Vec<(MemberId, Offset)> {
        let has = |(offset, message): (&Offset, &Unsettled)| match message.state {
            State::InFlight(member) => Some((member, *offset)),
            _ => None,
        };
        self.unsettled.iter().filter_map(has).collect()
    }

    pub(crate) fn attach(&mut self, id: MemberId, window: u32) {
        self.members.push(Member { id, window, rests: None });
        self.gone_since = None;
    }

    pub(crate) fn detach(&mut self, id: MemberId, written: &[Offset], wall: Option<UnixMillis>) {
        self.members.retain(|member| member.id != id);
        self.turn = 0;
        for message in self.unsettled.values_mut() {
            message.too_large_for.retain(|member| *member != id);
        }
        let had = self.in_flight().into_iter().filter(|(member, _)| *member == id);
        for (_, offset) in had {
            let message = self.unsettled.get_mut(&offset).expect("it is in flight");
            message.attempts += u32::from(written.contains(&offset));
            self.make_ready(offset);
        }
        let ready: Vec<Offset> = self.offsets_in(State::Ready);
        ready.into_iter().for_each(|offset| self.make_ready(offset));
        if self.members.is_empty() {
            self.gone_since = wall;
        }
    }

    fn offsets_in(&self, state: State) -> Vec<Offset> {
        let all = self.unsettled.iter().filter(|(_, message)| message.state == state);
        all.map(|(offset, _)| *offset).collect()
    }

    fn make_ready(&mut self, offset: Offset) {
        let message = self.unsettled.get_mut(&offset).expect("it is unsettled");
        if offset < self.from || offset >= self.cursor || message.is_left_over {
            return self.finish(offset);
        }
        let is_too_large = |member: &Member| message.too_large_for.contains(&member.id);
        if !self.members.is_empty() && self.members.iter().all(is_too_large) {
            self.skipped += 1;
            return self.finish(offset);
        }
        message.state = State::Ready;
    }

    /// A message is settled; the next of its key may go.
    fn finish(&mut self, offset: Offset) {
        let Unsettled { key, is_left_over, .. } =
            self.unsettled.remove(&offset).expect("it is unsettled");
        if offset >= self.from && offset < self.cursor && !is_left_over {
            self.settled.insert(offset);
        }
        if key != Key::NONE && !self.is_busy(key) {
            let next = self.unsettled.values_mut().find(|message| message.key == key);
            next.into_iter().for_each(|message| message.state = State::Ready);
        }
    }

    fn is_busy(&self, key: Key) -> bool {
        let busy = |message: &Unsettled| message.key == key && message.state != State::PassedOver;
        key != Key::NONE && self.unsettled.values().any(busy)
    }

    pub(crate) fn settle(
        &mut self,
        id: MemberId,
        offset: Offset,
        outcome: Outcome,
        sight: &Sight<'_>,
    ) -> bool {
        let message = self.unsettled.get_mut(&offset);
        let Some(message) = message.filter(|message| message.state == State::InFlight(id)) else {
            return false;
        };
        let (first, most) = (sight.config.retry_delay, sight.config.retry_delay_max);
        match outcome {
            Outcome::Accept => self.finish(offset),
            Outcome::Reject | Outcome::Gone => {
                self.rejected += u64::from(outcome == Outcome::Reject);
                self.skipped += u64::from(outcome == Outcome::Gone);
                self.finish(offset);
            }
            Outcome::Release => {
                message.attempts += 1;
                let delay = (first * (1 << (message.attempts - 1).min(20))).min(most);
                let is_wanted = offset >= self.from && offset < self.cursor;
                if delay.is_zero() || !is_wanted || message.is_left_over {
                    self.make_ready(offset);
                } else {
                    message.state = State::Delayed(sight.now + delay);
                }
            }
            Outcome::Busy => {
                if !first.is_zero() {
                    let member = self.members.iter_mut().find(|member| member.id == id);
                    member.expect("it is attached").rests = Some(sight.now + first);
                }
                self.make_ready(offset);
            }
            Outcome::TooLarge => {
                message.too_large_for.push(id);
                self.make_ready(offset);
            }
        }
        true
    }

    fn seek(&mut self, to: Offset) {
        self.unsettled.retain(|_, message| matches!(message.state, State::InFlight(_)));
        for message in self.unsettled.values_mut() {
            message.too_large_for.clear();
            message.is_left_over = false;
        }
        (self.cursor, self.from, self.floor) = (to, to, to);
        self.done.clear();
        self.settled.clear();
        self.told = None;
    }

    /// Goes on there, with what it has a permit for.
    pub(crate) fn begin(&mut self, to: Offset, asks: bool) {
        self.seek(to);
        if asks {
            self.withhold();
        }
    }

    pub(crate) fn withhold(&mut self) {
        self.permitted = self.progress().delivered_to;
    }

    pub(crate) fn put_back(&mut self, report: &Report, asks: bool) {
        self.seek(report.progress.position);
        self.floor = report.progress.delivered_to;
        self.done = report.settled.iter().flatten().map(Offset).collect();
        for (offset, message) in &mut self.unsettled {
            message.is_left_over = self.done.contains(offset);
        }
        self.rejected = self.rejected.max(report.progress.rejected);
        self.skipped = self.skipped.max(report.progress.skipped);
        if asks {
            self.withhold();
        }
    }

    pub(crate) fn goes_by_keys(&self, config: &StreamConfig) -> bool {
        self.name.is_group() && config.needs_keys()
    }

    pub(crate) fn rekey(&mut self, sight: &Sight<'_>) {
        let by_keys = self.goes_by_keys(sight.config);
        let mut waiting = Vec::new();
        for (offset, message) in &mut self.unsettled {
            let stored = &sight.messages[offset.0 as usize];
            let is_kept = by_keys && stored.is_here;
            message.key = if is_kept { stored.new.key } else { Key::NONE };
            let stays = match message.state {
                State::InFlight(_) => true,
                State::Delayed(_) => !by_keys,
                State::Ready | State::PassedOver => false,
            };
            if !stays {
                message.state = State::PassedOver;
                waiting.push(*offset);
            }
        }
        for offset in waiting {
            let is_busy = self.is_busy(self.unsettled[&offset].key);
            let message = self.unsettled.get_mut(&offset).expect("it is unsettled");
            message.state = if is_busy { State::PassedOver } else { State::Ready };
        }
    }

    /// Ends what is over. True if there was something.
    pub(crate) fn wake(&mut self, now: Instant) -> bool {
        let mut is_woken = false;
        for member in &mut self.members {
            is_woken |= member.rests.is_some_and(|until| until <= now);
            member.rests = member.rests.filter(|until| *until > now);
        }
        for message in self.unsettled.values_mut() {
            if matches!(message.state, State::Delayed(due) if due <= now) {
                message.state = State::Ready;
                is_woken = true;
            }
        }
        is_woken
    }

    fn credit(&self, member: &Member, sight: &Sight<'_>) -> usize {
        member.window.min(sight.config.max_inflight.max(1)) as usize
    }

    fn is_free(&self, member: &Member, sight: &Sight<'_>) -> bool {
        let has = self.in_flight().iter().filter(|(id, _)| *id == member.id).count();
        member.rests.is_none() && has < self.credit(member, sight)
    }

    fn pick(&self, offset: Option<Offset>, sight: &Sight<'_>) -> Option<usize> {
        let message = offset.and_then(|offset| self.unsettled.get(&offset));
        let may = |place: &usize| {
            let member = &self.members[*place];
            self.is_free(member, sight)
                && !message.is_some_and(|message| message.too_large_for.contains(&member.id))
        };
        let count = self.members.len();
        (0..count).map(|n| (self.turn + n) % count).find(may)
    }

    fn send(&mut self, offset: Offset, place: usize, sight: &Sight<'_>, out: &mut Vec<Action>) {
        let member = self.members[place].id;
        self.turn = place + 1;
        let message = self.unsettled.get_mut(&offset).expect("it is unsettled");
        message.state = State::InFlight(member);
        let at = sight.messages[offset.0 as usize].new.at;
        out.push(Action::Deliver { member, offset, at, attempt: message.attempts + 1 });
    }

    /// What it gives out now.
    pub(crate) fn deliver(&mut self, sight: &Sight<'_>) -> Vec<Action> {
        let mut out = Vec::new();
        if sight.config.paused || self.members.is_empty() {
            return out;
        }
        // Each that waits is looked at as long as there is somebody, until one can go or is gone.
        'again: while self.pick(None, sight).is_some() {
            for offset in self.offsets_in(State::Ready) {
                if !sight.messages[offset.0 as usize].is_here {
                    self.finish(offset);
                    continue 'again;
                }
                if let Some(place) = self.pick(Some(offset), sight) {
                    self.send(offset, place, sight, &mut out);
                    continue 'again;
                }
            }
            break;
        }
        while self.has_room(sight) {
            let Some(place) = self.pick(None, sight) else { return out };
            let mut rest = (self.cursor.0..sight.messages.len() as u64).map(Offset);
            let next = rest.find(|offset| sight.messages[offset.0 as usize].is_here);
            let Some(offset) = next else {
                self.is_hungry = true;
                return out;
            };
            if self.is_done(offset) || self.unsettled.contains_key(&offset) {
                self.cursor = offset.next();
                continue;
            }
            if offset >= self.permitted {
                self.is_withheld = true;
                return out;
            }
            self.cursor = offset.next();
            let by_keys = self.goes_by_keys(sight.config);
            let key = sight.messages[offset.0 as usize].new.key;
            let key = if by_keys { key } else { Key::NONE };
            let is_busy = self.is_busy(key);
            let attempts = u32::from(offset < self.floor);
            let message = Unsettled {
                attempts,
                key,
                state: State::PassedOver,
                too_large_for: Vec::new(),
                is_left_over: false,
            };
            self.unsettled.insert(offset, message);
            if !is_busy {
                self.send(offset, place, sight, &mut out);
            }
        }
        out
    }

    fn has_room(&self, sight: &Sight<'_>) -> bool {
        let ahead = self.cursor.0 - self.progress().position.0;
        let credit = self.members.first().map_or(0, |member| self.credit(member, sight));
        ahead < sight.config.look_ahead.max(1)
            && (self.name.is_group() || self.unsettled.len() < credit)
    }
}
