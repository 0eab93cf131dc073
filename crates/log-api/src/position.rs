//! Where a record lies. It must not know how a segment is laid out.

use std::fmt;

/// Where a record lies: the number of its segment, and the byte offset of its frame in that segment.
///
/// ```text
/// segment (32) | offset (32)
/// ```
/// Positions sort in log order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(u64);

impl Position {
    /// Before every record.
    pub const START: Self = Self(0);

    /// The frame at that offset of that segment.
    #[must_use]
    pub const fn new(segment: u32, offset: u32) -> Self {
        Self((segment as u64) << 32 | offset as u64)
    }

    /// Number of the segment.
    #[must_use]
    pub const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Byte offset of the frame in the segment.
    #[must_use]
    pub const fn offset(self) -> u32 {
        (self.0 & 0xFFFF_FFFF) as u32
    }

    /// Behind the record that lies here, and before all that lie behind it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Both in one number, for records and checkpoints.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The reverse of [`Self::as_u64`].
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment(), self.offset())
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_their_parts_and_sort_in_log_order() {
        let all = [
            Position::START,
            Position::new(0, u32::MAX),
            Position::new(1, 0),
            Position::new(1, 64),
            Position::new(u32::MAX, 0),
            Position::new(u32::MAX, u32::MAX),
        ];
        assert!(all.is_sorted());
        for position in all {
            assert_eq!(Position::new(position.segment(), position.offset()), position);
            assert_eq!(Position::from_u64(position.as_u64()), position);
        }
        assert_eq!(Position::new(7, 64).to_string(), "7:64");
    }
}
