//! The entries of an inbox by their numbers. It must not know what they are in the inbox for.

use std::collections::VecDeque;
use std::iter;

use super::entry::{Entry, State};

/// Gone entries that may lie between others, beside as many as there are others.
const GONE_MAX: usize = 1024;

/// ```text
/// aside: 17, 20 | gone | entries: 90017 | 90018 gone | 90019 | ...
///                                 ▲ first                      ▲ end
/// ```
/// Most entries leave in order. Of a client that does not answer for an old message while newer ones come and go, that
/// one is put aside: what is gone takes no room.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// In order of their numbers, all below `first`; none is gone.
    aside: VecDeque<(u64, Entry)>,
    entries: VecDeque<Entry>,
    /// The number of the front of `entries`, which is not gone.
    first: u64,
    /// Gone ones among `entries`.
    gone: usize,
}

impl Line {
    /// An empty line whose next entry has that number.
    pub(super) fn starting_at(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// The number that the next entry gets.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// The number of the oldest entry, or of the next when there is none.
    pub(super) fn oldest(&self) -> u64 {
        self.aside.front().map_or(self.first, |(number, _)| *number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.aside.is_empty() && self.entries.is_empty()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
    }

    /// Passes over numbers whose entries are gone.
    pub(super) fn skip(&mut self, count: u64) {
        let few = usize::try_from(count).ok().filter(|count| self.gone + count <= GONE_MAX);
        match few {
            _ if self.entries.is_empty() => self.first = self.first.saturating_add(count),
            Some(few) => {
                self.entries.extend(iter::repeat_n(Entry::GONE, few));
                self.gone += few;
            }
            None => {
                while self.put_front_aside() {}
                self.first = self.first.saturating_add(count);
            }
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        match number.checked_sub(self.first) {
            Some(place) => self.entries.get(usize::try_from(place).ok()?),
            None => self.aside.get(self.place_aside(number)?).map(|(_, entry)| entry),
        }
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        match number.checked_sub(self.first) {
            Some(place) => self.entries.get_mut(usize::try_from(place).ok()?),
            None => {
                let place = self.place_aside(number)?;
                self.aside.get_mut(place).map(|(_, entry)| entry)
            }
        }
    }

    fn place_aside(&self, number: u64) -> Option<usize> {
        self.aside.binary_search_by_key(&number, |(number, _)| *number).ok()
    }

    /// The entry is gone.
    pub(super) fn remove(&mut self, number: u64) {
        if number < self.first {
            if let Some(place) = self.place_aside(number) {
                self.aside.remove(place);
            }
            return;
        }
        let Some(entry) = self.get_mut(number).filter(|entry| entry.state != State::Gone) else {
            return;
        };
        *entry = Entry::GONE;
        self.gone += 1;
        self.pop_gone();
        if self.gone > self.others() + GONE_MAX {
            while self.gone > self.others() && self.put_front_aside() {}
        }
    }

    /// Entries that are not gone.
    pub(super) fn len(&self) -> usize {
        self.aside.len() + self.others()
    }

    fn others(&self) -> usize {
        self.entries.len() - self.gone
    }

    fn pop_gone(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.state == State::Gone) {
            self.entries.pop_front();
            self.first += 1;
            self.gone -= 1;
        }
    }

    /// False when there is none.
    fn put_front_aside(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        self.aside.push_back((self.first, entry));
        self.first += 1;
        self.pop_gone();
        true
    }

    /// All that are not gone, with their numbers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.iter_from(0)
    }

    /// Those from that number on.
    pub(super) fn iter_from(&self, number: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let aside = self.aside.partition_point(|(of, _)| *of < number);
        let aside = self.aside.iter().skip(aside).map(|(number, entry)| (*number, entry));
        let from = number.max(self.first);
        let place = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let entries = (from..).zip(self.entries.iter().skip(place));
        aside.chain(entries).filter(|(_, entry)| entry.state != State::Gone)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Entry)> {
        let aside = self.aside.iter_mut().map(|(number, entry)| (*number, entry));
        let entries = (self.first..).zip(&mut self.entries);
        aside.chain(entries).filter(|(_, entry)| entry.state != State::Gone)
    }

    /// The entries in order with how many are gone before each, and at the end how many are gone behind the last.
    pub(super) fn with_gaps(&self) -> impl Iterator<Item = (u64, Option<&Entry>)> {
        let mut next = self.oldest();
        let end = self.end();
        let all = self.iter().map(|(number, entry)| (number, Some(entry)));
        all.chain(iter::once((end, None))).map(move |(number, entry)| {
            let gap = number.saturating_sub(next);
            next = number.saturating_add(1);
            (gap, entry)
        })
    }

    /// Gives back memory that a busy spell took.
    pub(super) fn shrink(&mut self) {
        if self.entries.capacity() > 4 * self.entries.len() {
            self.entries.shrink_to_fit();
        }
        if self.aside.capacity() > 4 * self.aside.len() {
            self.aside.shrink_to_fit();
        }
    }

    /// How many places it takes.
    pub(super) fn places(&self) -> usize {
        self.aside.len() + self.entries.len()
    }

    pub(super) fn is_sound(&self) -> bool {
        let numbers: Vec<u64> = self.aside.iter().map(|(number, _)| *number).collect();
        self.gone == self.entries.iter().filter(|entry| entry.state == State::Gone).count()
            && self.entries.front().is_none_or(|entry| entry.state != State::Gone)
            && self
                .aside
                .iter()
                .all(|(number, entry)| *number < self.first && entry.state != State::Gone)
            && numbers.is_sorted_by(|a, b| a < b)
            && self.gone <= self.others() + GONE_MAX
    }
}
