//! What durable sessions keep for shared groups, and other members deliver: the message stays in the inbox of its home, on
//! disk, until the client of whoever has borrowed it has it. If that one is lost, it is lent to the next.
//!
//! ```text
//! home's shard                                     borrower's shard
//!   inbox: Waiting ── Lend ──────────────────────▶ in flight, or waiting for the window
//!          Lent                                     │ PUBACK      │ lost, stalls   │ no room
//!          Gone    ◀── LoanOver Settled ────────────┘             │                │
//!          Waiting ◀── LoanOver Lost, lent again ─────────────────┘                │
//!          Waiting ◀── LoanOver NoRoom, lent again later ──────────────────────────┘
//! ```

use bytes::Bytes;
use log_api::{Position, ReadError, ShardId};
use mqtt_router::Member;
use mqtt_session::{Kept, Origin};
use mqtt_types::{Message, QoS, TopicName};

use super::Shard;
use super::live::{Delivered, Live};
use super::pick::member_match;
use crate::groups::{GroupMark, Presence, free};
use crate::ids::{SessionId, SessionNumber};
use crate::mail::{Letter, Loan, LoanOutcome};
use crate::outbox::Outbox;
use crate::record::PublishRecord;

/// Messages that a session reads at once to lend them.
const BATCH: usize = 64;
/// Messages that may wait with a borrower beyond its window. The others wait at home, on disk.
const WAITING_MAX: u32 = 256;
const SHARD_SHIFT: u32 = 48;

/// A message that was lent.
pub(crate) struct Lent {
    home: SessionId,
    sequence: u64,
}

/// Messages of one session that are read to be lent.
pub(crate) struct LendJob {
    /// Their numbers, and what lay there.
    asked: Vec<(u64, Kept)>,
    /// Only those of that group, though the session's client could have them.
    only: Option<u32>,
}

/// What came of a try to lend a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lending {
    Lent,
    /// It is the session's own to deliver.
    Own,
    NoMember,
    /// The group is no more.
    NoGroup,
}

impl Shard {
    /// Lends what a session keeps and its client cannot have now; bodies are read first.
    pub(super) fn lend_out(&mut self, id: SessionId, only: Option<u32>) {
        if let Some(number) = id.number()
            && !self.lend_jobs.contains_key(&number)
            && !self.is_draining
        {
            self.read_to_lend(id, number, 0, only);
        }
    }

    fn read_to_lend(&mut self, id: SessionId, number: SessionNumber, from: u64, only: Option<u32>) {
        if only.is_none() && !self.lends(id) {
            return;
        }
        let Some(inbox) = self.sessions.get(id).and_then(|entry| entry.session.inbox()) else {
            return;
        };
        let mut positions = Vec::new();
        let mut asked = Vec::new();
        let mut ask = |(sequence, kept): (u64, Kept)| {
            positions.push(Position::from_u64(kept.at));
            asked.push((sequence, kept));
        };
        match self.is_over(id) {
            true => inbox.passable(from).take(BATCH).for_each(&mut ask),
            false => inbox.lendable(from, self.stalls(id)).take(BATCH).for_each(&mut ask),
        }
        if !asked.is_empty() {
            self.lend_jobs.insert(number, LendJob { asked, only });
            self.turn.read(LEND_READ | number.0, positions);
        }
    }

    fn stalls(&self, id: SessionId) -> bool {
        let extras = self.sessions.get(id).and_then(|entry| entry.extras.as_ref());
        extras.and_then(|extras| extras.seat.as_ref()).is_some_and(|seat| seat.is_stalled)
    }

    /// Whether the session's own client cannot have its messages now.
    fn lends(&self, id: SessionId) -> bool {
        self.sessions
            .get(id)
            .is_some_and(|entry| entry.conn.is_none() || entry.session.inbox_window() == 0)
            || self.stalls(id)
    }

    /// Bodies that were read to be lent.
    pub(super) fn lend_read<O: Outbox>(
        &mut self,
        number: SessionNumber,
        records: Vec<Result<Bytes, ReadError>>,
        out: &mut O,
    ) {
        let id = self.sessions.durable_id(number);
        let Some(job) = self.lend_jobs.remove(&number) else { return };
        let last = job.asked.last().map_or(0, |(sequence, _)| *sequence);
        let mut lent = false;
        let mut moved = None;
        for ((sequence, kept), record) in job.asked.into_iter().zip(records) {
            let at = self.lendable_at(id, sequence);
            if at.is_some_and(|at| at != kept.at) {
                // It lies elsewhere by now, and may have been asked for too late.
                moved.get_or_insert(sequence);
                continue;
            }
            let Ok(body) = record else {
                // Whoever delivers it says so when it is damaged.
                continue;
            };
            let Some((message, mark)) = shared_message(number, kept.copy, body) else { continue };
            if job.only.is_some_and(|only| only != mark.group)
                || job.only.is_none() && !self.lends(id)
                || at.is_none()
            {
                continue;
            }
            if self.is_over(id) {
                lent |= self.pass_on_kept(id, (sequence, kept.qos), mark, &message, out);
            } else if self.lend(id, sequence, mark, &message, false, out) == Lending::Lent {
                lent = true;
                self.counts.shared_handed_over_total += 1;
            }
        }
        if let Some(moved) = moved {
            self.read_to_lend(id, number, moved, job.only);
        } else if lent || job.only.is_some() {
            self.read_to_lend(id, number, last + 1, job.only);
        }
        self.finish_ending(id);
    }

    /// Where the message of that number lies, if it is to be lent. The session may have ended since its body was asked for, and
    /// one of that number have come to be anew.
    fn lendable_at(&self, id: SessionId, sequence: u64) -> Option<u64> {
        let inbox = self.sessions.get(id)?.session.inbox()?;
        let next = match self.is_over(id) {
            true => inbox.passable(sequence).next(),
            false => inbox.lendable(sequence, self.stalls(id)).next(),
        };
        next.filter(|(of, _)| *of == sequence).map(|(_, kept)| kept.at)
    }

    /// Lends a message to the member that the group's strategy chooses among those that are there; with `or_own` the home
    /// is one of those.
    pub(super) fn lend<O: Outbox>(
        &mut self,
        home: SessionId,
        sequence: u64,
        mark: GroupMark,
        message: &Message,
        or_own: bool,
        out: &mut O,
    ) -> Lending {
        let Ok(topic) = TopicName::new(message.topic()) else { return Lending::NoGroup };
        let route = self.routes.route(&self.shared.routes, topic);
        let Some(group) = route.group(mark.group) else { return Lending::NoGroup };
        let published = message.head().qos;
        // A message of a sticky group waits with its own member, however many do.
        let is_sticky = group.strategy.is_sticky();
        // One at QoS 2 could come twice, if this process dies: its home does not know what the borrower's client has.
        let may = |member: &Member| match SessionId::from(member.subscriber) == home {
            true => or_own,
            false => {
                (is_sticky && Presence::of(member).is_present() || has_room(member))
                    && published.min(member.options.qos) < QoS::ExactlyOnce
            }
        };
        let Some(member) = group.choose(mark.key, may) else { return Lending::NoMember };
        let session = SessionId::from(member.subscriber);
        if session == home {
            return Lending::Own;
        }
        let Some(entry) = self.sessions.get_mut(home) else { return Lending::NoMember };
        if !entry.session.inbox_mut().is_some_and(|inbox| inbox.lend(sequence)) {
            return Lending::Own;
        }
        entry.tell_others();
        // The original may lie in a buffer with all that was written with it.
        let message = if free(member) == 0 { message.detached() } else { message.clone() };
        member.state.add_load();
        let key = self.loans.insert(Lent { home, sequence }) as u64;
        let loan = u64::from(self.id.0) << SHARD_SHIFT | key;
        let loan = Loan { loan, session, options: member.options, group: mark.group, message };
        if session.shard() == self.id {
            self.borrow(&loan, out);
        } else {
            self.turn.mail(session.shard(), Letter::Lend(loan));
        }
        Lending::Lent
    }

    /// A message that another session keeps, for one here.
    pub(super) fn borrow<O: Outbox>(&mut self, loan: &Loan, out: &mut O) {
        let Loan { loan, session, options, group, ref message } = *loan;
        let Some(mut live) = Live::of(message, None, self.turn.unix_ms) else {
            self.counts.live_dropped_total += 1;
            return self.loan_ends(loan, LoanOutcome::Settled);
        };
        if self.sessions.get(session).is_none_or(|entry| entry.conn.is_none()) {
            return self.loan_ends(loan, LoanOutcome::Lost);
        }
        let origin = Origin::Lent { group, loan };
        match self.deliver(&member_match(session, options), origin, &mut live, false, out) {
            Delivered::OnItsWay => {}
            Delivered::Written | Delivered::Dropped => self.loan_ends(loan, LoanOutcome::Settled),
            Delivered::NotThere => self.loan_ends(loan, LoanOutcome::Lost),
        }
    }

    /// Tells the home of a message what became of it. Each loan ends once.
    pub(super) fn loan_ends(&mut self, loan: u64, outcome: LoanOutcome) {
        let shard = ShardId((loan >> SHARD_SHIFT) as u16);
        self.turn.mail(shard, Letter::LoanOver { loan, outcome });
    }

    /// A message that was lent from here is delivered, or comes back.
    pub(super) fn loan_over<O: Outbox>(&mut self, loan: u64, outcome: LoanOutcome, out: &mut O) {
        let key = loan & ((1 << SHARD_SHIFT) - 1);
        let lent = usize::try_from(key).ok().and_then(|key| self.loans.try_remove(key));
        let Some(Lent { home, sequence }) = lent else { return };
        let Some(entry) = self.sessions.get_mut(home) else { return };
        let Some(inbox) = entry.session.inbox_mut() else { return };
        if outcome == LoanOutcome::Settled {
            if let Some(gone) = inbox.settle_lent(sequence) {
                self.left_inbox(home, gone);
            }
        } else {
            inbox.take_back(sequence);
            if !self.lends(home) {
                self.pump(home, out);
            } else if outcome == LoanOutcome::Lost {
                self.lend_out(home, None);
            }
        }
        if let Some(entry) = self.sessions.get_mut(home) {
            entry.tell_others();
        }
        self.finish_ending(home);
    }
}

/// Tells reads to lend from others.
const LEND_READ: u64 = 3 << 60;

/// The session that reads to lend, if it was one.
pub(super) const fn lender_of(token: u64) -> Option<SessionNumber> {
    if token >> 60 == LEND_READ >> 60 { Some(SessionNumber(token & !LEND_READ)) } else { None }
}

fn has_room(member: &Member) -> bool {
    let presence = Presence::of(member);
    presence.is_present() && member.state.load() < presence.window().saturating_add(WAITING_MAX)
}

/// The message of a record, and the group by which it comes to the session.
fn shared_message(number: SessionNumber, copy: u8, body: Bytes) -> Option<(Message, GroupMark)> {
    let publish = PublishRecord::decode(body).ok()?;
    let more = publish.more().ok()??;
    let mark = more.session(number, copy)?.shared?.mark;
    Some((publish.message().ok()?, mark))
}
