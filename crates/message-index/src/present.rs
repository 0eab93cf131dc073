//! Which messages of a chunk are still here. It must not know where the chunk is.

use crate::chunk::CHUNK_MESSAGES;

const WORD_BITS: usize = u64::BITS as usize;

/// Words of the set: a bit for each message of a chunk.
pub(crate) const PRESENT_WORDS: usize = CHUNK_MESSAGES / WORD_BITS;

/// A set of places in a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Present {
    words: [u64; PRESENT_WORDS],
    len: u16,
}

impl Present {
    pub(crate) fn from_words(words: [u64; PRESENT_WORDS]) -> Self {
        let len = words.iter().map(|word| word.count_ones() as u16).sum();
        Self { words, len }
    }

    pub(crate) const fn words(&self) -> &[u64; PRESENT_WORDS] {
        &self.words
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) const fn contains(&self, at: usize) -> bool {
        self.words[at / WORD_BITS] & (1 << (at % WORD_BITS)) != 0
    }

    /// Adds a place that is not in it.
    pub(crate) const fn insert(&mut self, at: usize) {
        self.words[at / WORD_BITS] |= 1 << (at % WORD_BITS);
        self.len += 1;
    }

    /// Takes a place that is in it.
    pub(crate) const fn remove(&mut self, at: usize) {
        self.words[at / WORD_BITS] &= !(1 << (at % WORD_BITS));
        self.len -= 1;
    }

    /// All places in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        std::iter::successors(self.first_from(0), |at| self.first_from(at + 1))
    }

    /// The first place at or after `from` that is not in the other set.
    pub(crate) fn first_without(&self, other: &Self, from: usize) -> Option<usize> {
        let mut at = self.first_from(from)?;
        while other.contains(at) {
            at = self.first_from(at + 1)?;
        }
        Some(at)
    }

    /// The first place at or after `from`.
    pub(crate) fn first_from(&self, from: usize) -> Option<usize> {
        let mut word_at = from / WORD_BITS;
        let mut word = *self.words.get(word_at)? & (u64::MAX << (from % WORD_BITS));
        while word == 0 {
            word_at += 1;
            word = *self.words.get(word_at)?;
        }
        Some(word_at * WORD_BITS + word.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_order() {
        let mut present = Present::default();
        assert_eq!(present.first_from(0), None);
        let places = [0, 1, 63, 64, 200, 511];
        places.into_iter().for_each(|at| present.insert(at));
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = present.first_from(from) {
            found.push(at);
            from = at + 1;
        }
        assert_eq!(found, places);
        assert_eq!(present.first_from(CHUNK_MESSAGES), None);
        assert_eq!(Present::from_words(*present.words()), present);
        places.into_iter().for_each(|at| present.remove(at));
        assert!(present.is_empty());
        assert_eq!(present, Present::default());
    }
}
