//! Messages that keep a segment of the log for little: their bodies are written anew at its end, so that the segment can go,
//! and what is on the disk stays below twice what is needed. The messages stay what they are, and where they are in their
//! queues, streams and inboxes.
//!
//! ```text
//! Resting ── segments seem to be needed for little ──▶ Tallying: how much of each is needed here
//!    ▲                                                     │ segments that nothing else needs, and are less than half full
//!    │                                                     ▼
//!    └──────── all are written ──────── Moving ◀──────── Collecting: the bodies in these
//! ```
//! A record says that a body is here from now on; a crash leaves it in the old place or in the new one.

mod bodies;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashSet;
use log_api::{FailedRecord, Position, ReadError, RecordKind, SegmentUse, ShardSet};
use mqtt_session::{Inbox, KeptPlace};
use mqtt_types::Message;

use super::Shard;
use crate::hosting::{RELOCATE_READ, RELOCATE_TOKEN};
use crate::ids::SessionNumber;
use crate::needed::{Needed, Tally};
use crate::record::{MoreTargets, PublishRecord, Relocated, Targets, encode_publish};
use crate::timers::Timer;
use bodies::{Body, Holder, Part};

/// So many times the usual rest is the longest one, after looks that found nothing to do.
const REST_MAX: u32 = 16;
/// What seems to be needed for little is looked at closely when it is one part of so many of the log.
const WASTE_IN: u64 = 4;
/// When to go on with what is not done in one go.
const SOON: Duration = Duration::from_millis(1);
/// Messages looked at in one go.
const STEP_MESSAGES: usize = 8_192;
/// Places for sessions that are looked at in one go.
const SESSIONS_MAX: usize = 1_024;
/// Segments that are emptied in one pass, the emptiest first.
const SEGMENTS_MAX: usize = 16;
/// Messages of one pass.
const FOUND_MAX: usize = 65_536;
/// Bodies read in one go, and their bytes.
const READ_MESSAGES_MAX: usize = 64;
const READ_BYTES_MAX: u64 = 256 * 1024;
/// Messages of which it is looked whether they are still there, in one go.
const READ_LOOKED_MAX: usize = 256;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Phase {
    #[default]
    Resting,
    Tallying,
    Collecting,
    Moving,
}

/// A pass over all messages, if one is under way.
#[derive(Default)]
pub(crate) struct Relocation {
    phase: Phase,
    /// How long the next rest is.
    rest: Duration,
    /// What inboxes have that were counted before the next look, and the place of the session to go on with.
    counted: (Needed, usize),
    /// Who is still to be looked at.
    holders: VecDeque<Holder>,
    tally: Tally,
    /// Segments that are to go, in order.
    segments: Vec<u32>,
    found: VecDeque<Body>,
    asked: Vec<Body>,
    /// Whether this pass has written something.
    has_written: bool,
    /// Messages of inboxes whose records are on their way, by where they were.
    on_the_way: HashSet<(SessionNumber, u64, u8)>,
}

impl Relocation {
    /// Begins a rest. What is on its way to the log or from there comes all the same.
    fn rest(&mut self, rest: Duration) -> Duration {
        let before = std::mem::take(self);
        (self.asked, self.on_the_way, self.rest) = (before.asked, before.on_the_way, rest);
        rest
    }

    /// Whether a message of an inbox is being written anew.
    pub(super) fn is_on_the_way(&self, number: SessionNumber, at: u64, copy: u8) -> bool {
        self.on_the_way.contains(&(number, at, copy))
    }

    fn arrived(&mut self, number: SessionNumber, place: &KeptPlace) {
        self.on_the_way.remove(&(number, place.at, place.copy));
    }
}

impl Shard {
    /// Does a step, and sets the timer for the next one.
    pub(super) fn relocation_due(&mut self) {
        let is_storing = self.storage_refusal().is_none() && !self.is_draining;
        let wait = match self.relocation.phase {
            Phase::Resting if is_storing => self.look_for_waste(),
            Phase::Tallying if is_storing => self.tally(),
            Phase::Collecting if is_storing => self.collect(),
            Phase::Moving if is_storing => self.read_to_relocate(),
            _ => self.rest_long(),
        };
        self.timers.set(self.turn.now + wait, Timer::Relocation);
    }

    fn rest_long(&mut self) -> Duration {
        let look = self.shared.config.relocation_look;
        let rest = (self.relocation.rest * 2).clamp(look, look * REST_MAX);
        self.relocation.rest(rest)
    }

    fn look_for_waste(&mut self) -> Duration {
        if !self.count_inboxes() {
            return SOON;
        }
        let (inboxes, _) = std::mem::take(&mut self.relocation.counted);
        let here = usize::from(self.id.0);
        let told = &self.shared.needed;
        told[here].lock().all = [self.live_beside_inboxes(), inboxes].into_iter().sum();
        let all: Needed = told.iter().map(|told| told.lock().all).sum();
        let mean = all.bytes / all.messages.max(1);
        let is_sparse = |of: &&SegmentUse| {
            of.references > 0 && of.references.saturating_mul(mean * 2) <= of.bytes
        };
        let segments = self.shared.log.segments();
        let there: u64 = segments.iter().map(|of| of.bytes).sum();
        let sparse: u64 = segments.iter().filter(is_sparse).map(|of| of.bytes).sum();
        if sparse == 0 || sparse * WASTE_IN < there {
            return self.rest_long();
        }
        self.begin_walk(Phase::Tallying)
    }

    /// Counts what the inboxes of some sessions have. Says whether those were the last.
    fn count_inboxes(&mut self) -> bool {
        if self.sessions.durable_len() == 0 {
            return true;
        }
        let (counted, from) = self.relocation.counted;
        let inboxes = self.sessions.slots(from, SESSIONS_MAX).filter_map(|(_, entry)| entry);
        let inboxes = inboxes.filter_map(|entry| entry.session.inbox());
        let of = |inbox: &Inbox| Needed { messages: inbox.messages() as u64, bytes: inbox.bytes() };
        let counted = inboxes.map(of).chain([counted]).sum();
        self.relocation.counted = (counted, from + SESSIONS_MAX);
        from + SESSIONS_MAX >= self.sessions.slot_count()
    }

    fn begin_walk(&mut self, phase: Phase) -> Duration {
        self.relocation.phase = phase;
        self.relocation.holders = self.holders().into();
        SOON
    }

    /// Visits a bounded part of all bodies here. Says whether that was the last.
    fn walk(&mut self, mut visit: impl FnMut(&mut Relocation, Body)) -> bool {
        let mut looked = 0;
        while looked < STEP_MESSAGES {
            let Some(holder) = self.relocation.holders.pop_front() else { return true };
            let Part { bodies, passed, rest } = self.bodies(holder);
            looked += bodies.len() + passed;
            bodies.into_iter().for_each(|body| visit(&mut self.relocation, body));
            if let Some(rest) = rest {
                self.relocation.holders.push_front(rest);
            }
        }
        false
    }

    fn tally(&mut self) -> Duration {
        let is_done = self.walk(|relocation, body| {
            let needed = relocation.tally.entry(body.at.segment()).or_default();
            needed.messages += 1;
            needed.bytes += u64::from(body.size);
        });
        if !is_done {
            return SOON;
        }
        let here = usize::from(self.id.0);
        self.shared.needed[here].lock().tally = std::mem::take(&mut self.relocation.tally);
        self.relocation.segments = self.sparse_segments();
        if self.relocation.segments.is_empty() {
            return self.rest_long();
        }
        self.begin_walk(Phase::Collecting)
    }

    /// The emptiest of the segments that are less than half full, and of which it is known who needs them.
    fn sparse_segments(&self) -> Vec<u32> {
        let mut needed = Tally::new();
        for told in &self.shared.needed {
            for (segment, of) in &told.lock().tally {
                let all = needed.entry(*segment).or_default();
                *all = [*all, *of].into_iter().sum();
            }
        }
        let is_sparse = |of: &SegmentUse| {
            let needed = needed.get(&of.segment).copied().unwrap_or_default();
            let is_sparse = needed.messages > 0
                && needed.messages == of.references
                && needed.bytes.saturating_mul(2) <= of.bytes;
            is_sparse.then_some((needed.bytes, of.segment))
        };
        let mut sparse: Vec<_> = self.shared.log.segments().iter().filter_map(is_sparse).collect();
        sparse.sort_unstable();
        let mut segments: Vec<u32> =
            sparse.into_iter().take(SEGMENTS_MAX).map(|(_, segment)| segment).collect();
        segments.sort_unstable();
        segments
    }

    fn collect(&mut self) -> Duration {
        let is_done = self.walk(|relocation, body| {
            let is_meant = relocation.segments.binary_search(&body.at.segment()).is_ok();
            if is_meant && relocation.found.len() < FOUND_MAX {
                relocation.found.push_back(body);
            }
        });
        if is_done {
            let relocation = &mut self.relocation;
            relocation.phase = Phase::Moving;
            // A message for many is read for many at once.
            relocation.found.make_contiguous().sort_by_key(|body| body.at);
        }
        SOON
    }

    fn read_to_relocate(&mut self) -> Duration {
        let backlog = self.shared.log.backlog_bytes();
        let is_behind = backlog > self.shared.config.max_log_backlog_bytes / 4;
        if !self.relocation.asked.is_empty() || is_behind {
            return SOON; // Publishers go first.
        }
        let mut bytes = 0;
        for _ in 0..READ_LOOKED_MAX {
            if self.relocation.asked.len() >= READ_MESSAGES_MAX || bytes >= READ_BYTES_MAX {
                break;
            }
            let Some(body) = self.relocation.found.pop_front() else { break };
            if self.is_at(&body) {
                bytes += u64::from(body.size);
                self.relocation.asked.push(body);
            }
        }
        if self.relocation.asked.is_empty() {
            if !self.relocation.found.is_empty() {
                return SOON;
            }
            if !self.relocation.has_written {
                return self.rest_long();
            }
            // There may be more to do.
            return self.relocation.rest(self.shared.config.relocation_look);
        }
        let mut positions: Vec<Position> =
            self.relocation.asked.iter().map(|body| body.at).collect();
        positions.dedup();
        self.turn.read(RELOCATE_READ, positions);
        SOON
    }

    /// Bodies that are to be written anew.
    pub(super) fn relocation_read(&mut self, records: Vec<Result<Bytes, ReadError>>) {
        let mut asked = std::mem::take(&mut self.relocation.asked).into_iter().peekable();
        if self.storage_refusal().is_some() {
            return;
        }
        for record in records {
            let Some(at) = asked.peek().map(|body| body.at) else { return };
            let here: Vec<Body> =
                std::iter::from_fn(|| asked.next_if(|body| body.at == at)).collect();
            // One that cannot be read stays where it is; who asks for it hears of the damage.
            let Ok(Ok(publish)) = record.map(PublishRecord::decode) else { continue };
            let (Ok(message), Ok(before)) = (publish.message(), publish.more()) else { continue };
            for body in here.into_iter().filter(|body| self.is_at(body)).collect::<Vec<_>>() {
                if let Some(more) = self.what_moves(&body, (&publish, before.as_ref())) {
                    self.write_elsewhere(body.of, &more, &message);
                }
            }
        }
    }

    fn write_elsewhere(&mut self, of: Relocated, more: &MoreTargets, message: &Message) {
        let targets = Targets { sinks: &[], more: Some(more) };
        let notify = ShardSet::single(self.id);
        self.turn.batch.push(RecordKind::Publish, 0, 1, notify, RELOCATE_TOKEN, |out| {
            let (topic, properties) = (message.topic(), message.properties());
            encode_publish(out, message.head(), targets, topic, properties, message.payload());
        });
        self.turn.hand_over_long_batch(&*self.shared.log);
        if let Relocated::Kept(number, place) = of {
            self.relocation.on_the_way.insert((number, place.at, place.copy));
        }
        self.counts.relocated_total += 1;
        self.relocation.has_written = true;
    }

    /// A record could not be stored: the body stays where it is.
    pub(super) fn not_relocated(&mut self, record: &FailedRecord) {
        let more = PublishRecord::decode(record.body.clone()).and_then(|publish| publish.more());
        if let Ok(Some(more)) = more
            && let Some(Relocated::Kept(number, place)) = more.relocated
        {
            self.relocation.arrived(number, &place);
        }
    }
}
