//! Why an expression had no value.

/// Why a message got its topic as key. The numbers are fixed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Problem {
    /// The message lacks what was asked for; JSON's `null` counts as lacking.
    Missing = 0,
    /// The payload is not JSON, or is nested too deep.
    NotJson = 1,
    /// The path leads to an object or an array.
    NotScalar = 2,
    /// The key would be longer than [`crate::KEY_BYTES_MAX`].
    TooLong = 3,
}

impl Problem {
    /// All of them, at the places of their numbers.
    pub const ALL: [Self; 4] = [Self::Missing, Self::NotJson, Self::NotScalar, Self::TooLong];

    /// The name that metrics and REST use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotJson => "not_json",
            Self::NotScalar => "not_scalar",
            Self::TooLong => "too_long",
        }
    }
}
