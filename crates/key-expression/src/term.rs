//! A compiled expression.

use std::num::{NonZeroI32, NonZeroU32};

use crate::json::Path;

/// One node; functions stand no deeper than [`crate::NESTING_MAX`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Term {
    Topic,
    /// Counted from 1 at the front, from -1 at the back.
    Level(NonZeroI32),
    ClientId,
    Username,
    UserProperty(Box<str>),
    Payload(Path),
    Literal(Box<str>),
    Concat(Vec<Term>),
    Coalesce(Vec<Term>),
    Lower(Box<Term>),
    Hash(Box<Term>, NonZeroU32),
}
