//! Looks after queues and streams: accounts that do not balance, and messages that do not move though they could. It must not know who
//! is told.

use std::sync::Arc;
use std::time::Duration;

use mqtt_router::SinkId;
use queue_engine::{Ledger, Offset, Stall};
use stdx::Instant;

use super::{HostedQueue, HostedStream, Hosting};
use crate::control::SinkKind;

/// Queues and streams that are looked at in one turn.
const QUEUES_MAX: usize = 512;

/// What was seen of a queue that does not move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    /// How much had left, and been delivered for the first time, and had no key.
    moved: (u64, Offset, u64),
    /// Since when that is so.
    since: Instant,
}

/// A look after the queues and streams of a shard, which takes several turns if they are many.
#[derive(Default)]
pub(crate) struct Round {
    open: Vec<SinkId>,
}

/// What was found out about a queue or a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    pub(crate) what: SinkKind,
    /// What alarms are about.
    pub(crate) resource: Arc<str>,
    /// Why it has not moved for too long, if so.
    pub(crate) stalled: Option<String>,
    /// What is wrong with its account, if anything.
    pub(crate) imbalance: Option<String>,
}

impl Round {
    /// Whether the round is not over.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }
}

impl Hosting {
    /// Looks at the next ones of the round, or begins one.
    pub(crate) fn watch_over(
        &mut self,
        round: &mut Round,
        now: Instant,
        stalled_after: Duration,
    ) -> Vec<Finding> {
        if round.open.is_empty() {
            round.open.extend(self.queues.keys().chain(self.streams.keys()));
        }
        let at = round.open.len().saturating_sub(QUEUES_MAX);
        let some = round.open.split_off(at);
        let (queues, streams) = (&mut self.queues, &self.streams);
        let finding = |sink| {
            let Some(queue) = queues.get_mut(&sink) else {
                return streams.get(&sink).map(HostedStream::finding);
            };
            Some(Finding {
                what: SinkKind::Queue,
                resource: Arc::clone(&queue.definition.name),
                stalled: queue.stalled(now, stalled_after),
                imbalance: imbalance(&queue.engine.ledger()),
            })
        };
        some.into_iter().filter_map(finding).collect()
    }
}

impl HostedStream {
    fn finding(&self) -> Finding {
        let ledger = self.engine.ledger();
        let stalled = (self.damaged && ledger.kept > 0).then(|| {
            let reason = "a stored message cannot be read: see the broker's messages for the file; the stream delivers \
                          nothing until it is deleted, or the broker is started over a sound log";
            reason.to_owned()
        });
        let imbalance = (!ledger.balances()).then(|| {
            let (appended, kept) = (ledger.appended, ledger.kept);
            not_balanced(&format!("{appended} messages came and {kept} are here"), &ledger)
        });
        Finding { what: SinkKind::Stream, resource: self.alarm_resource(), stalled, imbalance }
    }
}

impl HostedQueue {
    /// Why nothing has moved for so long, if nothing has though it could.
    fn stalled(&mut self, now: Instant, after: Duration) -> Option<String> {
        let Some(reason) = self.why_no_progress() else {
            self.seen = None;
            return None;
        };
        let ledger = self.engine.ledger();
        let moved = (ledger.left(), self.engine.dispatched_to(), self.engine.rekeying());
        let seen = self.seen.filter(|seen| seen.moved == moved);
        let since = seen.map_or(now, |seen| seen.since);
        self.seen = Some(Seen { moved, since });
        (!after.is_zero() && now.since(since) >= after).then_some(reason)
    }

    /// Why messages wait at this moment though there are consumers, credit, and nobody who wants it so.
    fn why_no_progress(&self) -> Option<String> {
        if self.consumers.is_empty() || self.definition.properties.config.paused || self.is_seeking
        {
            return None;
        }
        if self.damaged {
            let waits = self.engine.ledger().waiting() > 0;
            let reason = "a stored message cannot be read: see the broker's messages for the file; the queue delivers \
                          nothing until it is deleted, or the broker is started over a sound log";
            return waits.then(|| reason.to_owned());
        }
        if let Some(offset) = self.awaited() {
            return Some(format!("the log does not give the message at offset {offset}"));
        }
        let stall = self.engine.why_no_progress()?;
        let is_odd = match stall {
            Stall::Paused | Stall::NoConsumers | Stall::Delayed { .. } | Stall::NoCredit { .. } => {
                false
            }
            Stall::Rekeying { .. }
            | Stall::Resting { .. }
            | Stall::KeysBlocked { .. }
            | Stall::AwaitingRetry { .. }
            | Stall::AwaitingLog
            | Stall::HandingOver { .. }
            | Stall::Barred { .. } => true,
        };
        is_odd.then(|| stall.to_string())
    }
}

/// What does not add up in an account.
fn imbalance(ledger: &Ledger) -> Option<String> {
    (!ledger.balances()).then(|| {
        let (enqueued, waiting, left) = (ledger.enqueued, ledger.waiting(), ledger.left());
        not_balanced(
            &format!("{enqueued} messages came, {waiting} are here and {left} have left"),
            ledger,
        )
    })
}

fn not_balanced(terms: &str, ledger: &impl std::fmt::Debug) -> String {
    format!(
        "{terms}: the account does not balance; this is a fault of the broker, please report it with this text: {ledger:?}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_balances_or_says_what_does_not() {
        let sound = Ledger {
            enqueued: 5,
            settled: 2,
            ready: 1,
            delayed: 1,
            purged: 1,
            ..Ledger::default()
        };
        assert_eq!(imbalance(&sound), None);
        let lost = Ledger { ready: 0, ..sound };
        let said = imbalance(&lost).expect("one is missing");
        assert!(said.starts_with("5 messages came, 1 are here and 3 have left"), "{said}");
    }
}
