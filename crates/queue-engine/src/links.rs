//! Doubly linked lists of small numbers, such as places in a slab. It must not know what the numbers stand for.
//!
//! Many lists can share one set of links, as long as a number is in one of them at a time.

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

/// What stands before and after each number.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: Vec<Link>,
}

/// One list: its two ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct List {
    first: u32,
    last: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

impl List {
    pub(crate) fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }
}

impl Links {
    /// Appends a number that is in no list of these links.
    pub(crate) fn push_back(&mut self, list: &mut List, number: u32) {
        let at = number as usize;
        if at >= self.links.len() {
            self.links.resize(at + 1, Link { before: NONE, after: NONE });
        }
        self.links[at] = Link { before: list.last, after: NONE };
        match list.last {
            NONE => list.first = number,
            last => self.links[last as usize].after = number,
        }
        list.last = number;
    }

    /// Takes out a number that is in this list.
    pub(crate) fn remove(&mut self, list: &mut List, number: u32) {
        let Link { before, after } = self.links[number as usize];
        match before {
            NONE => list.first = after,
            before => self.links[before as usize].after = after,
        }
        match after {
            NONE => list.last = before,
            after => self.links[after as usize].before = before,
        }
    }

    pub(crate) fn iter(&self, list: List) -> impl Iterator<Item = u32> {
        std::iter::successors(list.first(), |number| {
            let after = self.links[*number as usize].after;
            (after != NONE).then_some(after)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order() {
        let mut links = Links::default();
        let (mut odd, mut even) = (List::default(), List::default());
        for number in 0..10 {
            links.push_back(if number % 2 == 0 { &mut even } else { &mut odd }, number);
        }
        for number in [0, 4, 8, 1] {
            links.remove(if number % 2 == 0 { &mut even } else { &mut odd }, number);
        }
        links.push_back(&mut odd, 4);
        assert_eq!(links.iter(even).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(links.iter(odd).collect::<Vec<_>>(), [3, 5, 7, 9, 4]);
        assert_eq!(odd.first(), Some(3));
        for number in [3, 5, 7, 9, 4] {
            links.remove(&mut odd, number);
        }
        assert_eq!(odd, List::default());
    }
}
