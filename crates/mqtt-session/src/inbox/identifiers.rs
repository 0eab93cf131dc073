//! The Subscription Identifiers that go along with the messages of an inbox. Clients have few combinations of them and many
//! messages: each is kept once. It must not know storage.

use super::{Inbox, Kept};

/// Combinations of one inbox: what an entry has room to say.
const SETS_MAX: usize = 255 * 256;
/// Fewer are kept while there is no message.
const FEW: usize = 4;
/// What one takes in memory beside its numbers.
const SET_BYTES: usize = 40;

/// The combinations that messages of an inbox came with, by the numbers that its entries have for them.
#[derive(Debug, Default)]
pub(super) struct Identifiers {
    sets: Vec<Box<[u32]>>,
    /// Their numbers, in order of what they are.
    order: Vec<u16>,
    numbers: usize,
}

impl Identifiers {
    /// The number of a combination; `None` when there are as many as there may be.
    pub(super) fn number_of(&mut self, identifiers: &[u32]) -> Option<u16> {
        let compare = |number: &u16| self.get(*number).cmp(identifiers);
        match self.order.binary_search_by(compare) {
            Ok(place) => self.order.get(place).copied(),
            Err(place) => {
                let number = self.push(identifiers)?;
                self.order.insert(place, number);
                Some(number)
            }
        }
    }

    fn push(&mut self, identifiers: &[u32]) -> Option<u16> {
        if self.sets.len() >= SETS_MAX {
            return None;
        }
        let number = u16::try_from(self.sets.len()).ok()?;
        self.numbers += identifiers.len();
        self.sets.push(identifiers.into());
        Some(number)
    }

    /// The combination of that number; empty when there is none.
    pub(super) fn get(&self, number: u16) -> &[u32] {
        self.sets.get(usize::from(number)).map_or(&[], |set| set)
    }

    /// All of them, in order of their numbers.
    pub(super) fn all(&self) -> &[Box<[u32]>] {
        &self.sets
    }

    /// Those of an image, as far as there may be so many.
    pub(super) fn of(sets: &[Box<[u32]>]) -> Self {
        let mut identifiers = Self::default();
        sets.iter().map_while(|set| identifiers.push(set)).for_each(drop);
        let mut order: Vec<u16> = (0..).take(identifiers.sets.len()).collect();
        order.sort_by(|one, other| identifiers.get(*one).cmp(identifiers.get(*other)));
        identifiers.order = order;
        identifiers
    }

    /// Whether they are so few that they are worth being kept for messages to come.
    pub(super) const fn are_few(&self) -> bool {
        self.sets.len() <= FEW
    }

    /// What they take in memory, about.
    pub(super) const fn bytes(&self) -> usize {
        self.sets.len() * SET_BYTES + self.numbers * size_of::<u32>()
    }
}

impl Inbox {
    /// Adds a message as [`Self::push`] does, with identifiers, which the inbox remembers if it can.
    pub fn push_with(&mut self, kept: Kept, identifiers: &[u32]) -> u64 {
        let knows = !identifiers.is_empty() && !kept.is_shared;
        let set = match knows {
            true => self.sets.get_or_insert_default().number_of(identifiers),
            false => None,
        };
        self.push(Kept { has_identifiers: !identifiers.is_empty(), set, ..kept })
    }

    /// The Subscription Identifiers of that number, see [`Kept::set`].
    #[must_use]
    pub fn identifiers(&self, set: u16) -> &[u32] {
        self.sets.as_ref().map_or(&[], |sets| sets.get(set))
    }

    /// What the inbox takes in memory beside its entries, about.
    #[must_use]
    pub fn identifier_bytes(&self) -> usize {
        self.sets.as_ref().map_or(0, |sets| sets.bytes())
    }

    /// Without messages nothing needs the identifiers; a few are kept for those to come.
    pub(super) fn forget_sets(&mut self) {
        if self.messages == 0 {
            self.sets.take_if(|sets| !sets.are_few());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_has_one_number_as_long_as_there_are_some() {
        let mut identifiers = Identifiers::default();
        let sets: [&[u32]; 4] = [&[7], &[1, 7], &[268_435_455], &[1]];
        for (set, number) in sets.into_iter().zip(0..) {
            assert_eq!(identifiers.number_of(set), Some(number));
        }
        let again = Identifiers::of(identifiers.all());
        for mut identifiers in [identifiers, again] {
            for (set, number) in sets.into_iter().zip(0..) {
                assert_eq!(identifiers.number_of(set), Some(number));
                assert_eq!(identifiers.get(number), set);
            }
            assert_eq!(identifiers.get(4), [0; 0]);
            assert_eq!(identifiers.bytes(), 4 * SET_BYTES + 5 * 4);
            for n in 4..SETS_MAX as u32 {
                assert_eq!(identifiers.number_of(&[n * 10]), Some(n as u16));
            }
            assert_eq!(identifiers.number_of(&[8]), None);
            assert_eq!(identifiers.number_of(&[7]), Some(0));
        }
    }
}
