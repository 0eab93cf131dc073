//! Makes ids, takes spans and never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::parent::{SpanId, TraceParent};
use super::span::Span;

/// What became of spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpanCounts {
    /// Taken by the collector.
    pub exported: u64,
    /// Not taken by it.
    pub failed: u64,
    /// Dropped before, for room.
    pub dropped: u64,
}

/// The same, as several threads count.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) exported: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) dropped: AtomicU64,
}

/// The near end of the way to the collector. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spans: SyncSender<Span>,
    counters: Arc<Counters>,
    random: AtomicU64,
    /// A random number below it samples.
    threshold: u64,
}

impl Tracer {
    /// A tracer, and where its spans come out; `room` of them wait there at most. `sample_ratio` is the share of messages
    /// without a context that begin a trace; ids follow from the seed.
    #[must_use]
    pub fn new(seed: u64, sample_ratio: f64, room: usize) -> (Self, Receiver<Span>) {
        let (spans, receiver) = sync_channel(room);
        let counters = Arc::default();
        let threshold = (sample_ratio.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
        (
            Self(Arc::new(Inner { spans, counters, random: AtomicU64::new(seed), threshold })),
            receiver,
        )
    }

    /// A new span's id.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        SpanId(self.random().max(1))
    }

    /// The beginning of a new trace, for as many messages as the ratio says.
    #[must_use]
    pub fn sample(&self) -> Option<TraceParent> {
        if self.0.threshold == 0 || self.random() > self.0.threshold {
            return None;
        }
        let trace = u128::from(self.random()) << 64 | u128::from(self.random());
        Some(TraceParent::begin(trace, self.random()))
    }

    /// Hands a span over. One that finds no room is dropped and counted.
    pub fn send(&self, span: Span) {
        if self.0.spans.try_send(span).is_err() {
            self.count_dropped();
        }
    }

    /// Counts a span that could not be made for want of room.
    pub fn count_dropped(&self) {
        self.0.counters.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// What became of spans so far.
    #[must_use]
    pub fn counts(&self) -> SpanCounts {
        let Counters { exported, failed, dropped } = &*self.0.counters;
        SpanCounts {
            exported: exported.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
            dropped: dropped.load(Ordering::Relaxed),
        }
    }

    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.0.counters)
    }

    /// SplitMix64: ids need to be different, not secret.
    fn random(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpanKind;

    #[test]
    fn the_seed_decides_and_the_ratio_is_kept() {
        let (one, _spans) = Tracer::new(7, 1.0, 1);
        let (two, _spans) = Tracer::new(7, 1.0, 1);
        assert_eq!(one.sample(), two.sample());
        assert_ne!(one.sample(), one.sample());
        let (none, _spans) = Tracer::new(7, 0.0, 1);
        assert_eq!(none.sample(), None);
        let (tenth, _spans) = Tracer::new(7, 0.1, 1);
        let sampled = (0..10_000).filter(|_| tenth.sample().is_some()).count();
        assert!((900..1100).contains(&sampled), "{sampled}");
    }

    #[test]
    fn a_span_without_room_is_dropped_and_counted() {
        let (tracer, spans) = Tracer::new(7, 1.0, 1);
        let span = Span {
            context: tracer.sample().expect("all are"),
            parent: None,
            name: "publish",
            kind: SpanKind::Server,
            start_ms: 1,
            end_ms: 2,
            attributes: Vec::new(),
            error: None,
        };
        tracer.send(span.clone());
        tracer.send(span.clone());
        assert_eq!(tracer.counts(), SpanCounts { dropped: 1, ..SpanCounts::default() });
        assert_eq!(spans.try_iter().collect::<Vec<_>>(), [span]);
    }
}
