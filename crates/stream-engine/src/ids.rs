//! The names of things in a stream: readers and their members. They must not know what they stand for.

use std::fmt;
use std::sync::Arc;

/// Who has a position in a stream. The position outlives connections and restarts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReaderName {
    /// A client that reads on its own, by its client id.
    Client(Arc<str>),
    /// A group whose members share the messages.
    Group(Arc<str>),
}

impl ReaderName {
    /// A client's name.
    #[must_use]
    pub fn client(id: &str) -> Self {
        Self::Client(id.into())
    }

    /// A group's name.
    #[must_use]
    pub fn group(name: &str) -> Self {
        Self::Group(name.into())
    }

    /// Whether it is a group's.
    #[must_use]
    pub const fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }

    /// The client id, or the name of the group.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Client(text) | Self::Group(text) => text,
        }
    }
}

/// A reader by number, short for its name. It stands for that reader until the stream says that it is forgotten, and only
/// in this life of the stream: what is logged bears the name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReaderId(pub(crate) u32);

/// Where a reader was set, of all times that any reader of the stream was set somewhere in this life. It moves on from there by
/// itself, and the place stays the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Place(pub(crate) u64);

/// One subscription that reads, named by the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemberId(pub u64);

impl fmt::Display for ReaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client {id}"),
            Self::Group(name) => write!(f, "group {name}"),
        }
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
