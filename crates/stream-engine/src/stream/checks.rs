//! What must hold between the parts of a stream.

use message_index::{Key, NEVER, Offset, chunk_of};

use super::Stream;
use crate::reader::Around;
use crate::{ReaderStanding, ReaderWaits};

impl Stream {
    /// The first thing that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.index.check()?;
        let ledger = self.ledger();
        ensure(ledger.balances(), || format!("the ledger does not balance: {ledger:?}"))?;
        ensure(self.counts.sum() + self.index.len() == self.index.next().0, || {
            "a departure is not counted".to_owned()
        })?;
        self.check_messages()?;
        self.stale.check(&self.index)?;
        let is_known = self.is_rekeying || self.stale.is_empty();
        ensure(is_known, || "stale keys are not made".to_owned())?;
        if self.rules_are_stale {
            return Ok(());
        }
        self.readers.check()?;
        let around = Around { index: &self.index, config: &self.config, now: self.now };
        for (_, reader) in self.readers.iter() {
            let awaits_keys = self.is_rekeying && reader.goes_by_keys(&self.config);
            let checked = reader.check(&around, awaits_keys);
            checked.map_err(|what| format!("{}: {what}", reader.name))?;
            for (offset, _) in self.index.iter_from(reader.position()) {
                let standing = reader.standing(offset, &around);
                let is_known =
                    awaits_keys || standing != ReaderStanding::Waits(ReaderWaits::Nothing);
                ensure(is_known, || format!("{}: nobody knows why {offset} waits", reader.name))?;
            }
        }
        let is_over = self.config.max_messages.is_some_and(|max| ledger.kept > max)
            || self.config.max_bytes.is_some_and(|max| ledger.bytes > max);
        ensure(self.has_more || !is_over, || format!("more is kept than may be: {ledger:?}"))
    }

    fn check_messages(&self) -> Result<(), String> {
        let is_done = !self.rules_are_stale && !self.has_more;
        let now = self.clock.at(self.now).filter(|_| is_done);
        let mut keyed = 0;
        for (offset, entry) in self.index.iter_from(Offset(0)) {
            let deadline = self.deadline(&entry);
            let noted = self.expiry.of(chunk_of(offset)).unwrap_or(NEVER);
            ensure(noted <= deadline, || format!("offset {offset} is not looked at in time"))?;
            ensure(now.is_none_or(|now| deadline > now), || format!("offset {offset} is overdue"))?;
            if self.is_last_value() && entry.key != Key::NONE {
                let newest = self.newest.get(&entry.key).copied();
                let is_newest = newest == Some(offset);
                keyed += usize::from(is_newest);
                ensure(self.rules_are_stale || is_newest, || {
                    format!("offset {offset} is here beside {newest:?} of its key")
                })?;
            }
        }
        // The open chunk is kept when nothing is left of it.
        ensure(self.expiry.len() <= self.index.chunks().count() + 1, || {
            "deadlines of what has left are kept".to_owned()
        })?;
        ensure(keyed == self.newest.len(), || "what has left is the newest of a key".to_owned())
    }
}

pub(super) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
