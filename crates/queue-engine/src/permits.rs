//! What may be delivered for the first time, as far as the log knows of it. It must not know who delivers.

use std::collections::BTreeSet;

use stdx::UnixMillis;

use crate::Offset;

/// Up to where deliveries are permitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Permitted {
    /// Nothing is delivered: the log says of all that is here how often it was tried.
    Nothing,
    /// Nothing is delivered yet, and the log may say already that what is ready was.
    Soon,
    /// First deliveries are below; what has a place of its own may go again as it is.
    To(Offset),
}

/// What a crash must not make a first delivery of.
///
/// A delivery is a fact at once, and in the log later. So that after a crash attempt 1 means that there was none before, the
/// log says *beforehand* of a range of messages that they may have been delivered.
#[derive(Debug)]
pub(crate) struct Permits {
    pub(crate) permitted: Permitted,
    /// Messages whose time has come and of which the log says still that they were not tried.
    pub(crate) announced: BTreeSet<(UnixMillis, Offset)>,
    /// Whether a replayed log says more than was ever made use of.
    pub(crate) is_overstated: bool,
}

impl Default for Permits {
    fn default() -> Self {
        Self {
            permitted: Permitted::To(Offset(u64::MAX)),
            announced: BTreeSet::new(),
            is_overstated: false,
        }
    }
}

impl Permits {
    /// Whether a message may be delivered that was never dispatched.
    pub(crate) fn is_permitted(&self, fresh: Offset) -> bool {
        matches!(self.permitted, Permitted::To(to) if fresh < to)
    }

    pub(crate) const fn is_withheld(&self) -> bool {
        matches!(self.permitted, Permitted::Nothing | Permitted::Soon)
    }

    /// Whether somebody logs deliveries before they are made.
    pub(crate) const fn are_asked_for(&self) -> bool {
        !matches!(self.permitted, Permitted::To(Offset(u64::MAX)))
    }
}
