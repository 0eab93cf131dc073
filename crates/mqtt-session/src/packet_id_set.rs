//! A set of packet ids. It must not know what they stand for.

use mqtt_types::PacketId;

const PAGES: usize = 64;
const WORDS: usize = 16;

/// Ids of one stretch of 1,024.
#[derive(Debug, Default)]
struct Page {
    count: u16,
    words: [u64; WORDS],
}

/// A set of packet ids as a bitmap in pages, so that each step takes the same short time and ids come out in order.
///
/// ```text
/// packet id:   page (6 bits) | word (4 bits) | bit (6 bits)
/// ```
///
/// One emptied page is kept: ids that come and go one by one cost no allocation.
#[derive(Debug)]
pub(crate) struct PacketIdSet {
    pages: Box<[Option<Box<Page>>; PAGES]>,
    spare: Option<Box<Page>>,
    len: u16,
}

impl Default for PacketIdSet {
    fn default() -> Self {
        Self { pages: Box::new([const { None }; PAGES]), spare: None, len: 0 }
    }
}

impl PacketIdSet {
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn contains(&self, id: PacketId) -> bool {
        let (page, word, bit) = place(id);
        self.pages
            .get(page)
            .and_then(Option::as_ref)
            .and_then(|page| page.words.get(word))
            .is_some_and(|w| w & bit != 0)
    }

    /// Whether it was not there before.
    pub(crate) fn insert(&mut self, id: PacketId) -> bool {
        let (page, word, bit) = place(id);
        let slot = self.pages.get_mut(page).expect("six bits number 64 pages");
        let spare = &mut self.spare;
        let page = slot.get_or_insert_with(|| spare.take().unwrap_or_default());
        let word = page.words.get_mut(word).expect("four bits number 16 words");
        let is_new = *word & bit == 0;
        *word |= bit;
        page.count += u16::from(is_new);
        self.len += u16::from(is_new);
        is_new
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, id: PacketId) -> bool {
        let (page, word, bit) = place(id);
        let slot = self.pages.get_mut(page).expect("six bits number 64 pages");
        let Some(page) = slot else { return false };
        let word = page.words.get_mut(word).expect("four bits number 16 words");
        if *word & bit == 0 {
            return false;
        }
        *word &= !bit;
        page.count -= 1;
        self.len -= 1;
        if page.count == 0 {
            self.spare = slot.take();
        }
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = PacketId> {
        let pages =
            self.pages.iter().zip(0u16..).filter_map(|(page, at)| Some((page.as_ref()?, at << 10)));
        let words = pages.flat_map(|(page, at)| {
            page.words.iter().zip(0u16..).map(move |(word, n)| (*word, at | n << 6))
        });
        words.filter(|(word, _)| *word != 0).flat_map(|(word, at)| {
            (0u16..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .filter_map(move |bit| PacketId::new(at | bit))
        })
    }

    /// Whether the counts are what the bits say.
    pub(crate) fn is_sound(&self) -> bool {
        let ones = |page: &Page| page.words.iter().map(|word| word.count_ones()).sum::<u32>();
        let mut pages = self.pages.iter().flatten();
        pages.all(|page| page.count > 0 && ones(page) == u32::from(page.count))
            && self.iter().count() == usize::from(self.len)
    }
}

fn place(id: PacketId) -> (usize, usize, u64) {
    let id = id.get();
    (usize::from(id >> 10), usize::from(id >> 6 & 15), 1 << (id & 63))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), prop_oneof![1u16..80, 1u16..=u16::MAX]), 0..200)) {
            let mut set = PacketIdSet::default();
            let mut twin = BTreeSet::new();
            for (insert, number) in steps {
                let id = PacketId::new(number).expect("not 0");
                if insert {
                    prop_assert_eq!(set.insert(id), twin.insert(id));
                } else {
                    prop_assert_eq!(set.remove(id), twin.remove(&id));
                }
                prop_assert_eq!(set.contains(id), twin.contains(&id));
                prop_assert_eq!(set.is_empty(), twin.is_empty());
                prop_assert!(set.is_sound());
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), twin.into_iter().collect::<Vec<_>>());
        }
    }
}
