//! What came out of an evaluation.

use crate::hash::{KeyHash, KeySeed};
use crate::problem::Problem;

/// Room for keys that have to be put together; it grows to at most [`crate::KEY_BYTES_MAX`] and is used again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(crate) text: String,
}

/// The key of a message, which always has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evaluation<'a> {
    pub(crate) key: &'a str,
    pub(crate) problem: Option<Problem>,
}

impl<'a> Evaluation<'a> {
    /// The key: what the expression says, or the topic name if it had no value.
    #[must_use]
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// Why the topic name stands in, if it does.
    #[must_use]
    pub const fn problem(&self) -> Option<Problem> {
        self.problem
    }

    /// The key as a number.
    #[must_use]
    pub fn hash(&self, seed: &KeySeed) -> KeyHash {
        KeyHash::of(seed, self.key)
    }
}
