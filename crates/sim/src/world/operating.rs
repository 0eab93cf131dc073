//! What an operator does to one queue, and what must come of it. It must not know how it is done.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};

use broker::{OperateError, SeekTo};

use super::World;
use crate::client::{Lease, Source};
use crate::queues::{OPERATED, QUEUES, keeps_settled_ms};

/// What was asked for and is not answered.
pub(crate) struct Asked {
    /// Its answer: how many messages were purged, and how many set back.
    answer: Receiver<Result<(u64, u64), OperateError>>,
    /// The queue's offsets when it was asked.
    end: u64,
    /// From there on messages that were settled are wanted again; those that are known to be.
    back_to: Option<(u64, BTreeSet<u64>)>,
    /// Whether all that waited then must be gone.
    is_sweep: bool,
}

impl World {
    /// Removes what waits.
    pub(super) fn purge(&mut self) {
        let ledger = self.node.ledger(QUEUES[OPERATED].name).unwrap_or_default();
        let is_alone = ledger.consumers == 0 && ledger.in_flight == 0;
        let (tell, answer) = channel();
        let reply = move |done: Result<u64, _>| drop(tell.send(done.map(|purged| (purged, 0))));
        self.node.handle.purge_queue(QUEUES[OPERATED].name, (None, None), Box::new(reply));
        self.auditor.may_be_purged();
        self.say("an operator purges");
        let end = ledger.enqueued;
        self.asked.push(Asked { answer, end, back_to: None, is_sweep: is_alone });
    }

    /// Lets the queue go on elsewhere: so many hundredths of the way from its first message to its last.
    pub(super) fn seek(&mut self, hundredths: u64, is_at_rest: bool) {
        if is_at_rest {
            self.accept_all_of(OPERATED);
            self.run();
            self.listen();
        }
        let end = self.node.ledger(QUEUES[OPERATED].name).unwrap_or_default().enqueued;
        let to = end * hundredths / 100;
        let (tell, answer) = channel();
        let reply = move |done: Result<broker::Sought, _>| {
            drop(tell.send(done.map(|sought| (sought.purged, sought.restored))));
        };
        self.node.handle.seek_queue(QUEUES[OPERATED].name, SeekTo::Offset(to), Box::new(reply));
        self.auditor.may_be_purged();
        let settled = match keeps_settled_ms(self.seed) {
            0 => BTreeSet::new(),
            _ => self.auditor.may_be_set_back(to, is_at_rest && !self.machine.is_off()),
        };
        self.say(format!("an operator seeks {to}, at rest: {is_at_rest}"));
        self.asked.push(Asked { answer, end, back_to: Some((to, settled)), is_sweep: false });
    }

    /// Who has messages of a queue accepts them, so that they are settled and not recorded yet.
    fn accept_all_of(&mut self, queue: usize) {
        for n in 0..self.clients.len() {
            let is_of = |lease: &Lease| matches!(lease.source, Source::Queue(of, _) if of == queue);
            while let Some(nth) = self.clients[n].leases.iter().position(is_of) {
                self.answer(n, nth, 0);
            }
        }
    }

    /// Hears what has been answered.
    pub(super) fn hear_operator(&mut self) {
        for asked in std::mem::take(&mut self.asked) {
            let Ok(answer) = asked.answer.try_recv() else {
                self.asked.push(asked);
                continue;
            };
            self.say(format!("the operator hears {answer:?}"));
            let Ok((purged, restored)) = answer else { continue };
            self.seen.note("operator purges", purged);
            self.seen.note("operator sets back", restored);
            // Consumers that came meanwhile may have got some.
            let is_alone = !self.clients.iter().any(|one| one.consumes.contains(&OPERATED));
            self.auditor.purged(purged, (asked.is_sweep && is_alone).then_some(asked.end));
            // What else was asked for may have come in between.
            self.auditor.may_be_purged();
            if let Some((to, settled)) = asked.back_to
                && self.asked.is_empty()
            {
                let keep_ms = keeps_settled_ms(self.seed);
                let settled = self.auditor.still_kept(settled, self.wall(), keep_ms);
                self.seen.note("operator sets back what is kept", settled.len() as u64);
                self.auditor.set_back(to, settled, restored);
            }
        }
    }
}
