//! What of a reader is unsettled, by offset. It must not know what becomes of it.
//!
//! A sorted ring: messages come in at the end and mostly leave near the front. One that leaves in the middle leaves a gap;
//! gaps go when they reach the front, or when they are more than half.

use std::collections::VecDeque;

use message_index::Offset;

/// Gaps that are never worth a look.
const GAPS_FREE: usize = 32;

/// Unsettled messages. The first place is never a gap.
#[derive(Debug)]
pub(crate) struct Window<T> {
    places: VecDeque<(Offset, Option<T>)>,
    len: usize,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { places: VecDeque::new(), len: 0 }
    }
}

impl<T> Window<T> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    fn find(&self, offset: Offset) -> Result<usize, usize> {
        match self.places.front() {
            Some((first, _)) if *first == offset => Ok(0),
            Some((first, _)) if *first > offset => Err(0),
            _ => self.places.binary_search_by_key(&offset, |(at, _)| *at),
        }
    }

    pub(crate) fn get(&self, offset: Offset) -> Option<&T> {
        let place = self.find(offset).ok()?;
        self.places.get(place)?.1.as_ref()
    }

    pub(crate) fn get_mut(&mut self, offset: Offset) -> Option<&mut T> {
        let place = self.find(offset).ok()?;
        self.places.get_mut(place)?.1.as_mut()
    }

    pub(crate) fn contains(&self, offset: Offset) -> bool {
        self.places.back().is_some_and(|(last, _)| *last >= offset) && self.get(offset).is_some()
    }

    /// Puts in a message that is not in it.
    pub(crate) fn insert(&mut self, offset: Offset, message: T) {
        self.len += 1;
        if self.places.back().is_none_or(|(last, _)| *last < offset) {
            return self.places.push_back((offset, Some(message)));
        }
        match self.find(offset) {
            Err(place) => self.places.insert(place, (offset, Some(message))),
            Ok(place) => {
                if let Some(gap) = self.places.get_mut(place) {
                    gap.1 = Some(message);
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, offset: Offset) -> Option<T> {
        let place = self.find(offset).ok()?;
        let removed = self.places.get_mut(place)?.1.take()?;
        self.len -= 1;
        if place == 0 {
            while self.places.front().is_some_and(|(_, message)| message.is_none()) {
                self.places.pop_front();
            }
        } else if self.places.len() > 2 * self.len + GAPS_FREE {
            self.places.retain(|(_, message)| message.is_some());
        }
        Some(removed)
    }

    /// The first message at or after an offset.
    pub(crate) fn first_from(&self, from: Offset) -> Option<Offset> {
        let (first, _) = self.places.front()?;
        if *first >= from {
            return Some(*first);
        }
        self.iter_from(from).next().map(|(offset, _)| offset)
    }

    /// All messages at or after an offset, in order.
    pub(crate) fn iter_from(&self, from: Offset) -> impl Iterator<Item = (Offset, &T)> {
        let (Ok(place) | Err(place)) = self.find(from);
        let places = self.places.range(place..);
        places.filter_map(|(offset, message)| Some((*offset, message.as_ref()?)))
    }

    /// All messages, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Offset, &T)> {
        self.iter_from(Offset(0))
    }

    /// All messages, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Offset, &mut T)> {
        let places = self.places.iter_mut();
        places.filter_map(|(offset, message)| Some((*offset, message.as_mut()?)))
    }

    /// Takes out those for which it does not hold.
    pub(crate) fn retain(&mut self, holds: impl Fn(&T) -> bool) {
        self.places.retain(|(_, message)| message.as_ref().is_some_and(&holds));
        self.len = self.places.len();
    }

    /// What must hold.
    pub(crate) fn is_sound(&self) -> bool {
        let count = self.places.iter().filter(|(_, message)| message.is_some()).count();
        let front = self.places.front();
        count == self.len
            && front.is_none_or(|(_, message)| message.is_some())
            && self.places.iter().map(|(offset, _)| offset).is_sorted_by(|a, b| a < b)
            && self.places.len() <= 2 * self.len + GAPS_FREE + 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn window_of(offsets: impl IntoIterator<Item = u64>) -> Window<u64> {
        let mut window = Window::default();
        offsets.into_iter().for_each(|offset| window.insert(Offset(offset), offset));
        window
    }

    #[test]
    fn gaps_go_when_they_are_many() {
        let mut window = window_of(0..10_000);
        for offset in 1..10_000 {
            assert_eq!(window.remove(Offset(offset)), Some(offset));
            assert!(window.is_sound());
        }
        assert!(window.places.len() <= GAPS_FREE + 3, "{}", window.places.len());
        assert_eq!(window.first_from(Offset(0)), Some(Offset(0)));
        assert_eq!(window.first_from(Offset(1)), None);
    }

    proptest! {
        #[test]
        fn it_does_what_a_map_does(commands in prop::collection::vec((0_u8..4, 0_u64..50), 0..200)) {
            let (mut window, mut map) = (Window::default(), BTreeMap::new());
            for (command, n) in commands {
                let offset = Offset(n);
                match command {
                    0 | 1 if !window.contains(offset) => {
                        window.insert(offset, n);
                        map.insert(offset, n);
                    }
                    2 => prop_assert_eq!(window.remove(offset), map.remove(&offset)),
                    3 if n % 10 == 0 => {
                        window.retain(|kept| kept % 3 != 0);
                        map.retain(|_, kept| *kept % 3 != 0);
                    }
                    _ => {}
                }
                prop_assert!(window.is_sound());
                prop_assert_eq!(window.len(), map.len());
                prop_assert_eq!(window.get(offset), map.get(&offset));
                let first = map.range(offset..).next().map(|(offset, _)| *offset);
                prop_assert_eq!(window.first_from(offset), first);
                prop_assert!(window.iter().eq(map.iter().map(|(offset, kept)| (*offset, kept))));
            }
        }
    }
}
