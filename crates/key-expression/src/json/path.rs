//! A way into a document.

use crate::limits::PATH_STEPS_MAX;

/// A path: at most [`PATH_STEPS_MAX`] steps. Without a step it leads to the document itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path(Box<[Step]>);

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// To the member of an object.
    Member(Box<str>),
    /// To the element of an array, counted from 0.
    Element(u32),
}

impl Path {
    /// The path of these steps; what is beyond the limit is left out.
    pub(crate) fn new(mut steps: Vec<Step>) -> Self {
        steps.truncate(PATH_STEPS_MAX);
        Self(steps.into())
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }
}
