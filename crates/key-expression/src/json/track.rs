//! Whether the place in a document lies on the path, and what was found at its end. It must not know how JSON is written.

use super::lexer::JsonString;
use super::{Found, Step, unescape};
use crate::limits::PATH_STEPS_MAX;

/// Follows a path while a document is walked over.
///
/// ```text
/// path .a[1].b      {"x": {…}, "a": [7, {"b": 5}]}
/// open              0  1             2  3             containers around the place
/// on_path           0  1             2  3             the outermost of them that lie on the path: all or fewer
/// ```
pub(super) struct Track<'a, 'p> {
    steps: &'p [Step],
    found: Found<'a>,
    /// How many containers are open.
    open: usize,
    /// How many of them, from the outside, lie on the path.
    on_path: usize,
    /// Whether the next value lies on the path.
    next_on_path: bool,
    /// For each array on the path, the number of the element that is read.
    elements: [u32; PATH_STEPS_MAX],
}

impl<'a, 'p> Track<'a, 'p> {
    pub(super) const fn new(steps: &'p [Step]) -> Self {
        Self {
            steps,
            found: Found::Missing,
            open: 0,
            on_path: 0,
            next_on_path: true,
            elements: [0; PATH_STEPS_MAX],
        }
    }

    /// What the document has at the path, once it was walked over.
    pub(super) const fn found(&self) -> Found<'a> {
        self.found
    }

    /// A scalar was read.
    #[inline]
    pub(super) fn scalar(&mut self, found: Found<'a>) {
        if self.next_on_path {
            // Also where the path goes on: an earlier member of the same name does not count any more.
            self.found = if self.open == self.steps.len() { found } else { Found::Missing };
        }
        self.next_on_path = false;
    }

    /// An object or an array begins.
    #[inline]
    pub(super) fn open(&mut self) {
        if self.next_on_path {
            if self.open == self.steps.len() {
                self.found = Found::NotScalar;
            } else {
                self.found = Found::Missing;
                self.on_path = self.open + 1;
                if let Some(element) = self.elements.get_mut(self.open) {
                    // One before the first, where `element` goes on.
                    *element = u32::MAX;
                }
            }
        }
        self.next_on_path = false;
        self.open += 1;
    }

    /// An object or an array ends.
    #[inline]
    pub(super) fn close(&mut self) {
        self.open -= 1;
        self.on_path = self.on_path.min(self.open);
        self.next_on_path = false;
    }

    /// The step that leads into the innermost container, if that one is on the path.
    #[inline]
    fn step(&self) -> Option<&'p Step> {
        if self.on_path == self.open { self.steps.get(self.open.checked_sub(1)?) } else { None }
    }

    /// The value of a member follows.
    #[inline]
    pub(super) fn member(&mut self, name: JsonString<'a>) {
        self.next_on_path = match self.step() {
            Some(Step::Member(wanted)) if name.escaped => is_unescaped(name.raw, wanted),
            Some(Step::Member(wanted)) => name.raw == &**wanted,
            _ => false,
        };
    }

    /// The next element of an array follows.
    #[inline]
    pub(super) fn element(&mut self) {
        self.next_on_path = false;
        if let Some(step) = self.step()
            && let Some(element) = self.elements.get_mut(self.open - 1)
        {
            *element = element.wrapping_add(1);
            self.next_on_path = *step == Step::Element(*element);
        }
    }
}

fn is_unescaped(raw: &str, wanted: &str) -> bool {
    let mut left = wanted;
    for chunk in unescape(raw) {
        match left.strip_prefix(chunk.as_str()) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    left.is_empty()
}
