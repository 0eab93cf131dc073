//! Messages whose keys are to be made anew, because what keys follow from has changed. It must not know what keys are for.

use std::collections::BTreeSet;

use crate::{ChunkError, Index, Offset, StoredAt};

/// Messages with keys of other days: all of a range, and some that came later with a key that was made before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stale {
    /// All that are here from this one on ...
    next: Offset,
    /// ... up to this one.
    to: Offset,
    /// Some behind these.
    late: BTreeSet<Offset>,
    /// How often it was begun anew.
    round: u64,
}

/// Messages whose bodies are to be read for their keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StalePart {
    /// Offset, place and size, in order.
    pub bodies: Vec<(Offset, StoredAt, u32)>,
    /// Which round it is of: when that is over, their keys are of no use.
    pub round: u64,
}

impl Stale {
    /// Other properties hold: keys are wanted of that making, or none are, and it was the other before. True when all that is
    /// here is stale from now on.
    pub fn want(&mut self, making: Option<u8>, before: Option<u8>, index: &Index) -> bool {
        let is_new = making.is_some() && making != before;
        match making {
            None => self.end(),
            Some(_) if is_new => self.begin(index.next()),
            Some(_) => {}
        }
        self.is_through(index);
        is_new
    }

    /// Whether none that is here is stale: then nothing is any more.
    pub fn is_through(&mut self, index: &Index) -> bool {
        let is_through = !self.is_in(index);
        if is_through {
            self.end();
        }
        is_through
    }

    /// All messages below an offset are stale, and nothing else is known of any.
    fn begin(&mut self, to: Offset) {
        let round = self.round + 1;
        *self = Self { to, round, ..Self::default() };
    }

    /// No message is stale any more.
    fn end(&mut self) {
        self.begin(Offset(0));
    }

    /// One that has just come is stale.
    pub fn add(&mut self, offset: Offset) {
        self.late.insert(offset);
    }

    /// One has left.
    pub fn remove(&mut self, offset: Offset) {
        if !self.late.is_empty() {
            self.late.remove(&offset);
        }
    }

    /// Whether any may be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next >= self.to && self.late.is_empty()
    }

    /// Whether one that is here is stale.
    #[must_use]
    pub fn contains(&self, offset: Offset) -> bool {
        (self.next..self.to).contains(&offset) || self.late.contains(&offset)
    }

    /// Whether any is that is here, or kept.
    #[must_use]
    pub fn is_in(&self, index: &Index) -> bool {
        self.first(index).is_some()
    }

    fn first(&self, index: &Index) -> Option<Offset> {
        let first = [index.first_from(self.next), index.first_kept(self.next)];
        let first = first.into_iter().flatten().min().filter(|first| *first < self.to);
        first.or_else(|| self.late.first().copied())
    }

    /// How many are here.
    #[must_use]
    pub fn len(&self, index: &Index) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let of_range = if self.next < self.to {
            let tallies = index.tallies_from(&[self.next, self.to]);
            tallies.iter().map(|tally| tally.messages).reduce(|from, to| from - to).unwrap_or(0)
        } else {
            0
        };
        of_range + self.late.len() as u64
    }

    /// The next ones, of one chunk, as many as are of so many bytes together; one at least.
    #[must_use]
    pub fn part(&self, index: &Index, bytes_max: u64) -> Option<StalePart> {
        let (mut bodies, _) = index.bodies_from(self.first(index)?);
        bodies.retain(|(offset, ..)| self.contains(*offset));
        bodies.sort_unstable_by_key(|(offset, ..)| *offset);
        let mut bytes = 0;
        let fits = |(.., size): &&(Offset, StoredAt, u32)| {
            let fits = bytes < bytes_max;
            bytes += u64::from(*size);
            fits
        };
        let count = bodies.iter().take_while(fits).count();
        bodies.truncate(count.max(1));
        Some(StalePart { bodies, round: self.round })
    }

    /// Messages have got their keys: these, and all of the range before them. False when that was asked for in another round.
    pub fn is_done(&mut self, round: u64, offsets: impl Iterator<Item = Offset>) -> bool {
        if round != self.round {
            return false;
        }
        for offset in offsets {
            self.next = self.next.max(offset.next()).min(self.to);
            self.remove(offset);
        }
        true
    }

    /// What must hold; the first thing that does not.
    ///
    /// # Errors
    /// Something does not.
    pub fn check(&self, index: &Index) -> Result<(), String> {
        let is_here = |offset: &Offset| index.contains(*offset) || index.is_kept(*offset);
        if self.to > index.next() || !self.late.iter().all(is_here) {
            return Err("the key of what is not here is stale".to_owned());
        }
        Ok(())
    }

    /// As it is after a restart: of what is here, or kept.
    #[must_use]
    pub fn restore(mut self, index: &Index) -> Self {
        self.late.retain(|offset| index.contains(*offset) || index.is_kept(*offset));
        self
    }

    /// As a snapshot has it.
    #[must_use]
    pub fn share(&self) -> Self {
        if self.is_empty() { Self::default() } else { Self { round: 0, ..self.clone() } }
    }

    /// Appends its bytes: `next u64 | to u64 | late: n u64 | n × offset u64, in order`, little-endian.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.next.0, self.to.0, self.late.len() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for offset in &self.late {
            out.extend_from_slice(&offset.0.to_le_bytes());
        }
    }

    /// Takes those bytes, of an index in which `next` is the offset of the next message, and leaves what follows them in `rest`.
    ///
    /// # Errors
    /// They end early or contradict themselves.
    pub fn decode(rest: &mut &[u8], next: Offset) -> Result<Self, ChunkError> {
        let mut take = || {
            let (taken, behind) = rest.split_first_chunk().ok_or(ChunkError::EndsEarly)?;
            *rest = behind;
            Ok(Offset(u64::from_le_bytes(*taken)))
        };
        let mut stale = Self { next: take()?, to: take()?, ..Self::default() };
        let count = take()?;
        for _ in 0..count.0 {
            let offset = take()?;
            if offset < stale.to || stale.late.last().is_some_and(|last| *last >= offset) {
                return Err(ChunkError::Illegal("stale keys are not in order"));
            }
            stale.late.insert(offset);
        }
        if stale.next > stale.to || stale.to > next {
            return Err(ChunkError::Illegal("the key of what never came is stale"));
        }
        Ok(stale)
    }
}

#[cfg(test)]
mod tests {
    use stdx::UnixMillis;

    use super::*;
    use crate::{Entry, Key};

    fn index(messages: u64) -> Index {
        let mut index = Index::default();
        for n in 0..messages {
            index.push(Entry::plain(StoredAt(n), 10, UnixMillis(1)));
        }
        index
    }

    fn offsets(part: &StalePart) -> Vec<u64> {
        part.bodies.iter().map(|(offset, ..)| offset.0).collect()
    }

    /// All parts, with the keys of their messages made.
    fn walk(stale: &mut Stale, index: &mut Index) -> Vec<u64> {
        let mut walked = Vec::new();
        while let Some(part) = stale.part(index, 1_000) {
            let keys = part.bodies.iter().map(|(offset, ..)| (*offset, Key(offset.0 + 1)));
            index.rekey(&keys.collect::<Vec<_>>());
            walked.extend(offsets(&part));
            let done = part.bodies.into_iter().map(|(offset, ..)| offset);
            assert!(stale.is_done(part.round, done));
        }
        walked
    }

    #[test]
    fn all_that_is_here_or_kept_gets_a_key_and_keeps_the_rest() {
        let mut index = index(1_400);
        index.remove(Offset(0));
        (512..1_024).for_each(|offset| _ = index.remove(Offset(offset)));
        index.keep(Offset(3));
        let mut stale = Stale::default();
        stale.begin(Offset(1_300));
        stale.add(Offset(1_350));
        stale.add(Offset(1_360));
        index.remove(Offset(1_360));
        stale.remove(Offset(1_360));
        let mut expected: Vec<u64> = (1..512).chain(1_024..1_300).collect();
        expected.push(1_350);
        assert_eq!(stale.len(&index), expected.len() as u64 - 1, "but for the one that is kept");
        assert_eq!(stale.check(&index), Ok(()));
        assert_eq!(walk(&mut stale, &mut index), expected);
        assert!(stale.is_empty() && !stale.is_in(&index));
        for offset in (0..1_400).map(Offset) {
            let entry = index.get(offset).or_else(|| index.get_kept(offset));
            let Some(entry) = entry else { continue };
            let key = if expected.contains(&offset.0) { Key(offset.0 + 1) } else { Key::NONE };
            let plain = Entry::plain(StoredAt(offset.0), 10, UnixMillis(1));
            assert_eq!(entry, Entry { key, ..plain }, "{offset:?}");
        }
        assert_eq!(index.check(), Ok(()));
    }

    #[test]
    fn parts_are_bounded_and_those_of_another_round_are_of_no_use() {
        let index = index(1_000);
        let mut stale = Stale::default();
        stale.begin(index.next());
        let part = stale.part(&index, 25).expect("some are stale");
        assert_eq!(offsets(&part), [0, 1, 2]);
        assert_eq!(stale.part(&index, 0).map(|part| part.bodies.len()), Some(1));
        stale.begin(index.next());
        assert!(!stale.is_done(part.round, [Offset(2)].into_iter()));
        assert_eq!(stale.part(&index, 25).map(|part| offsets(&part)), Some(vec![0, 1, 2]));
        stale.end();
        assert!(stale.is_empty() && stale.part(&index, 25).is_none());
    }

    #[test]
    fn other_properties_make_all_stale_or_none() {
        for (before, making, is_new, left) in [
            (None, None, false, 0),
            (None, Some(0), true, 3),
            (Some(0), None, false, 0),
            // What is under way goes on.
            (Some(0), Some(0), false, 1),
            (Some(0), Some(1), true, 3),
        ] {
            let mut index = index(3);
            let mut stale = Stale::default();
            stale.begin(index.next());
            assert!(stale.is_done(stale.round, [Offset(1)].into_iter()));
            assert_eq!(stale.want(making, before, &index), is_new, "{before:?}, {making:?}");
            assert_eq!(stale.len(&index), left, "{before:?}, {making:?}");
            assert_eq!(stale.is_through(&index), left == 0);
            (0..3).for_each(|offset| _ = index.remove(Offset(offset)));
            stale.want(making, before, &index);
            assert!(stale.is_empty(), "nothing is here: {before:?}, {making:?}");
        }
    }

    #[test]
    fn its_bytes_stay_and_must_make_sense() {
        let mut stale = Stale::default();
        stale.begin(Offset(9));
        let round = stale.round;
        assert!(stale.is_done(round, [Offset(3)].into_iter()));
        [11, 10].into_iter().for_each(|offset| stale.add(Offset(offset)));
        let mut bytes = Vec::new();
        stale.encode(&mut bytes);
        assert_eq!(bytes, [4_u64, 9, 2, 10, 11].map(u64::to_le_bytes).concat());
        let decode = |bytes: &[u8]| Stale::decode(&mut &*bytes, Offset(12));
        assert_eq!(decode(&bytes), Ok(stale.share()));
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), Err(ChunkError::EndsEarly), "cut at {cut}");
        }
        for (at, byte) in [(0, 10), (8, 13), (24, 8), (32, 10)] {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            assert!(matches!(decode(&bytes), Err(ChunkError::Illegal(_))), "{byte} at {at}");
        }
        let index = index(11);
        assert_eq!(stale.restore(&index).late.into_iter().collect::<Vec<_>>(), [Offset(10)]);
    }
}
