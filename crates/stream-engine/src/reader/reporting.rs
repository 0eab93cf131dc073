//! What the caller is told of a reader to log it, and what a log says of one.

use std::ops::Range;

use message_index::{Index, Offset};

use super::Reader;
use crate::{Progress, ReaderName, Report, Runs};

/// How far a reader has come, since the caller was told last.
pub(crate) struct News {
    pub(crate) progress: Progress,
    /// Whether what was said before does not hold any more.
    pub(crate) begins: bool,
}

impl Reader {
    /// A reader of which no more is known than its name.
    pub(crate) fn restored(name: ReaderName) -> Self {
        Self { told: Some(Progress::default()), ..Self::new(name, Offset(0)) }
    }

    /// A reader as a snapshot has it.
    pub(crate) fn restore(name: ReaderName, progress: Progress, settled: Runs) -> Self {
        let mut reader = Self::restored(name);
        reader.replay(&Report { progress, settled, begins: false }, Offset(u64::MAX));
        reader
    }

    /// What the log says of a reader without members, in a stream that ends there. What never came is not settled.
    pub(crate) fn replay(&mut self, report: &Report, end: Offset) {
        if report.begins {
            *self = Self::new(self.name.clone(), Offset(0));
        }
        let Progress { position, delivered_to, rejected, skipped } = report.progress;
        self.cursor = self.cursor.max(position.min(end));
        self.from = self.cursor;
        // It may have been taken back.
        self.floor = delivered_to.max(self.cursor).max(self.done.end().unwrap_or_default());
        self.rejected = self.rejected.max(rejected);
        self.skipped = self.skipped.max(skipped);
        self.take_in_settled(&report.settled, end);
        self.told = Some(self.progress());
    }

    fn take_in_settled(&mut self, settled: &Runs, end: Offset) {
        settled.iter().for_each(|run| self.done.add(run.start..run.end.min(end.0)));
        if let Some(done_to) = self.done.end() {
            self.done.forget_before(self.cursor);
            self.floor = self.floor.max(done_to);
        }
    }

    /// What the log says a reader has settled, though it does not say so of its position yet.
    pub(crate) fn replay_settled(&mut self, settled: &Runs, index: &Index) {
        self.take_in_settled(settled, index.next());
        while let Some(next) = index.first_from(self.cursor).filter(|next| self.is_done(*next)) {
            self.cursor = next.next();
        }
        self.from = self.cursor;
        self.done.forget_before(self.cursor);
        self.told = Some(self.progress());
    }

    /// Whether it settled a message that it is still to come by.
    pub(crate) fn is_done(&self, offset: Offset) -> bool {
        !self.done.is_empty() && self.done.contains(offset)
    }

    /// Offsets that it is still to come by and has settled, as runs.
    pub(crate) fn done_ahead(&self) -> impl Iterator<Item = Range<u64>> {
        let ahead = self.done.iter().map(|run| run.start.max(self.cursor.0)..run.end);
        ahead.filter(|run| !run.is_empty())
    }

    /// Whether a message is still to be settled.
    pub(crate) fn wants(&self, offset: Offset) -> bool {
        match offset < self.cursor {
            true => self.comes_again(offset),
            false => !self.is_done(offset),
        }
    }

    /// All that is settled at its position or above, and what lies between and has left.
    pub(crate) fn settled(&self) -> Runs {
        let mut runs = Runs::default();
        let mut from = self.position();
        for offset in self.unsettled().take_while(|offset| *offset < self.cursor) {
            runs.add(from.0..offset.0);
            from = offset.next();
        }
        runs.add(from.0..self.cursor.0);
        self.done_ahead().for_each(|run| runs.add(run));
        runs
    }

    /// What the caller is to be told, if anything has changed that is to be logged.
    pub(crate) fn news(&mut self) -> Option<News> {
        let progress = self.progress();
        self.from = progress.position;
        // More deliveries alone are logged with what comes after them.
        let delivered_to = progress.delivered_to;
        let is_known = self.told.is_some_and(|told| Progress { delivered_to, ..told } == progress);
        if is_known {
            return None;
        }
        let begins = self.told.replace(progress).is_none();
        Some(News { progress, begins })
    }

    /// What was settled behind something that is unsettled, since that was asked last.
    pub(crate) fn take_settled(&mut self) -> impl Iterator<Item = Offset> {
        let position = self.from;
        self.settled.drain(..).filter(move |offset| *offset >= position)
    }
}
