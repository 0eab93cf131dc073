//! What waits in queues when all is at rest, and what consumers have had for too long. It must not know what must come of it.

use std::collections::BTreeSet;

use queue_engine::MessageState;

use super::World;
use crate::client::Source;
use crate::queues::{BRIEF, HASTE_MS, HASTY, LATEST, QUEUES, VAT, VAT_BYTES};

impl World {
    /// When a consumer had what it hears of now, at the earliest. 0 when nobody knows.
    pub(super) fn granted_ms(&self, n: usize) -> u64 {
        if self.clients[n].was_blocked {
            return 0;
        }
        self.unrested_ms.unwrap_or(self.machine.now_ms())
    }

    /// Something begins that may lead to deliveries.
    pub(super) fn note_unrest(&mut self) {
        self.unrested_ms.get_or_insert(self.machine.now_ms());
    }

    /// A consumer accepts a message, in time or not.
    pub(super) fn note_deadline(&mut self, n: usize, offset: u64, granted_ms: u64) {
        let deadline = self.deadlines.entry((n, offset)).or_insert(u64::MAX);
        *deadline = (granted_ms + HASTE_MS).min(*deadline);
    }

    /// Whether the broker may have read too late that a client accepts a message of the hasty queue.
    pub(super) fn is_late(&self, n: usize, offset: u64) -> bool {
        let deadline = self.deadlines.get(&(n, offset));
        let is_over = deadline.is_some_and(|deadline| self.machine.now_ms() >= *deadline);
        is_over || self.is_unsure.contains(&(n, offset))
    }

    /// The queue that has so many bytes has no more, at any moment.
    pub(super) fn check_vat(&self) {
        let bytes = self.node.ledger(QUEUES[VAT].name).map_or(0, |ledger| ledger.bytes);
        assert!(bytes <= VAT_BYTES, "queue {} has {bytes} bytes", QUEUES[VAT].name);
    }

    /// All is at rest, and nothing is on its way but to who does not read.
    pub(super) fn note_rest(&mut self) {
        if self.is_slow || self.is_reading_slowly {
            return;
        }
        self.unrested_ms = None;
        let (waiting, ledger) =
            (self.node.waiting(QUEUES[VAT].name), self.node.ledger(QUEUES[VAT].name));
        self.auditor.vat_rests(&waiting, &ledger.unwrap_or_default(), &self.sizes);
        let waiting = self.node.waiting(QUEUES[LATEST].name);
        let is_here = |state| state != MessageState::Settled;
        let waiting: Vec<_> = waiting.into_iter().filter(|one| is_here(one.state)).collect();
        self.auditor.newest_rest(&waiting);
        self.note_others();
        self.check_haste();
        self.check_expired();
    }

    /// What has expired was too old.
    fn check_expired(&mut self) {
        let expired = self.node.ledger(QUEUES[BRIEF].name).map_or(0, |ledger| ledger.expired);
        if expired != std::mem::replace(&mut self.expired, expired) {
            let most = self.auditor.too_old_at_most(self.wall());
            assert!(expired <= most, "{expired} messages have expired, and {most} were too old");
        }
    }

    /// What consumers have had for too long is not with them any more.
    fn check_haste(&mut self) {
        let now_ms = self.machine.now_ms();
        let mut attached = BTreeSet::new();
        // What cannot be read is with a consumer, and does not come.
        let is_whole = log_api::Log::stats(&*self.node.log).damaged_reads_total == 0;
        let (mut in_time, mut is_known) = (0, is_whole);
        for (n, client) in self.clients.iter().enumerate() {
            if client.consumes.contains(&HASTY) {
                is_known &= !client.was_blocked;
                attached.insert((n, client.connection));
            }
            for lease in &client.leases {
                let Source::Queue(HASTY, offset) = lease.source else { continue };
                if now_ms < lease.heard_ms + HASTE_MS {
                    in_time += 1;
                } else if self.auditor.runs_out((n, client.connection), (offset, lease.heard_ms)) {
                    self.seen.note("consumer has a message for too long", 1);
                }
            }
        }
        let ledger = self.node.ledger(QUEUES[HASTY].name).unwrap_or_default();
        assert!(
            !is_known || ledger.in_flight <= in_time,
            "{} messages are with consumers, and {in_time} have not been there for too long",
            ledger.in_flight
        );
        let are_all = ledger.consumers as usize == attached.len();
        self.auditor.consumers_rest(if are_all { attached } else { BTreeSet::new() });
    }
}
