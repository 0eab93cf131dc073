//! Messages that keep a segment of the log for little: their bodies are written anew at its end, so that the segment can go,
//! and what is on the disk stays below twice what is needed. The messages stay what they are, and where they are in their
//! queues and streams.
//!
//! ```text
//! Resting ── segments seem to be needed for little ──▶ Tallying: how much of each is needed here
//!    ▲                                                     │ segments that nothing else needs, and are less than half full
//!    │                                                     ▼
//!    └──────── all are written ──────── Moving ◀──────── Collecting: the bodies in these
//! ```
//! A record says that a body is here from now on; a crash leaves it in the old place or in the new one.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use log_api::{ReadError, RecordKind, SegmentUse, ShardSet};
use mqtt_router::SinkId;
use queue_engine::Offset;

use super::Shard;
use crate::hosting::relocate::Body;
use crate::hosting::{RELOCATE_READ, RELOCATE_TOKEN};
use crate::needed::{Needed, Tally};
use crate::record::{MoreTargets, Moved, PublishRecord, Targets, encode_publish};
use crate::timers::Timer;

/// So many times the usual rest is the longest one, after looks that found nothing to do.
const REST_MAX: u32 = 16;
/// What seems to be needed for little is looked at closely when it is one part of so many of the log.
const WASTE_IN: u64 = 4;
/// When to go on with what is not done in one go.
const SOON: Duration = Duration::from_millis(1);
/// Messages looked at in one go.
const STEP_MESSAGES: usize = 8_192;
/// Segments that are emptied in one pass, the emptiest first.
const SEGMENTS_MAX: usize = 16;
/// Messages of one pass.
const FOUND_MAX: usize = 65_536;
/// Bodies read in one go, and their bytes.
const READ_MESSAGES_MAX: usize = 64;
const READ_BYTES_MAX: u64 = 256 * 1024;

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
    /// Queues and streams still to be looked at, and where in the first of them.
    sinks: VecDeque<SinkId>,
    from: Offset,
    tally: Tally,
    /// Segments that are to go, in order.
    segments: Vec<u32>,
    found: VecDeque<Body>,
    asked: Vec<Body>,
    /// Whether this pass has written something.
    has_written: bool,
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
        let asked = std::mem::take(&mut self.relocation.asked);
        self.relocation = Relocation { rest, asked, ..Relocation::default() };
        rest
    }

    fn look_for_waste(&mut self) -> Duration {
        let here = usize::from(self.id.0);
        let told = &self.shared.needed;
        let (messages, bytes) = self.hosting.live();
        told[here].lock().all = Needed { messages, bytes };
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

    fn begin_walk(&mut self, phase: Phase) -> Duration {
        let relocation = &mut self.relocation;
        relocation.phase = phase;
        relocation.sinks = self.hosting.sinks().into();
        relocation.from = Offset(0);
        SOON
    }

    /// Visits a bounded part of all bodies here. Says whether that was the last.
    fn walk(&mut self, mut visit: impl FnMut(&mut Relocation, Body)) -> bool {
        let relocation = &mut self.relocation;
        let mut looked = 0;
        while looked < STEP_MESSAGES {
            let Some(sink) = relocation.sinks.front().copied() else { return true };
            let (bodies, next) = self.hosting.bodies(sink, relocation.from);
            looked += bodies.len() + 1;
            bodies.into_iter().for_each(|body| visit(relocation, body));
            relocation.from = next.unwrap_or_default();
            if next.is_none() {
                relocation.sinks.pop_front();
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

    /// The emptiest of the segments that are less than half full, and that nothing but queues and streams needs.
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
            self.relocation.phase = Phase::Moving;
        }
        SOON
    }

    fn read_to_relocate(&mut self) -> Duration {
        let backlog = self.shared.log.backlog_bytes();
        let relocation = &mut self.relocation;
        if !relocation.asked.is_empty() || backlog > self.shared.config.max_log_backlog_bytes / 4 {
            return SOON; // Publishers go first.
        }
        let mut bytes = 0;
        while relocation.asked.len() < READ_MESSAGES_MAX && bytes < READ_BYTES_MAX {
            let Some(body) = relocation.found.pop_front() else { break };
            if self.hosting.is_at(&body) {
                bytes += u64::from(body.size);
                relocation.asked.push(body);
            }
        }
        if relocation.asked.is_empty() {
            if !relocation.has_written {
                return self.rest_long();
            }
            // There may be more to do.
            let rest = self.shared.config.relocation_look;
            self.relocation = Relocation { rest, ..Relocation::default() };
            return rest;
        }
        let positions = relocation.asked.iter().map(|body| body.at).collect();
        self.turn.read(RELOCATE_READ, positions);
        SOON
    }

    /// Bodies that are to be written anew.
    pub(super) fn relocation_read(&mut self, records: Vec<Result<Bytes, ReadError>>) {
        let asked = std::mem::take(&mut self.relocation.asked);
        if self.storage_refusal().is_some() {
            return;
        }
        for (body, record) in asked.into_iter().zip(records) {
            // One that cannot be read stays where it is; who asks for it hears of the damage.
            let Ok(publish) = record.map(PublishRecord::decode) else { continue };
            if self.hosting.is_at(&body)
                && let Ok(publish) = publish
            {
                self.relocate(&body, &publish);
            }
        }
    }

    fn relocate(&mut self, body: &Body, publish: &PublishRecord) {
        let Ok(message) = publish.message() else { return };
        let mut more = MoreTargets {
            moved: Some(Moved { from: body.sink, offset: body.offset, how: None }),
            ..MoreTargets::default()
        };
        // Its key goes along, for when it becomes a dead letter.
        if let Ok(Some(before)) = publish.more() {
            more.keys = before.keys.into_iter().filter(|(sink, _)| *sink == body.sink).collect();
        }
        let targets = Targets { sinks: &[], more: Some(&more) };
        let notify = ShardSet::single(self.id);
        self.turn.batch.push(RecordKind::Publish, 0, 1, notify, RELOCATE_TOKEN, |out| {
            let (topic, properties) = (message.topic(), message.properties());
            encode_publish(out, message.head(), targets, topic, properties, message.payload());
        });
        self.turn.hand_over_long_batch(&*self.shared.log);
        self.counts.relocated_total += 1;
        self.relocation.has_written = true;
    }
}
