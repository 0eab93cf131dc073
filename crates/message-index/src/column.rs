//! Columns of numbers, each packed into as few bytes as the spread of its numbers needs.
//! It must not know what the numbers mean.

/// Zeros behind the last column, so that eight bytes can be read at every number.
pub(crate) const PADDING: usize = 8;

/// Where one column's numbers are among the bytes of its chunk, and how they read.
///
/// ```text
/// number i = base + the `width` bytes, little-endian, at start + i × width
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Column {
    pub(crate) base: u64,
    /// 0 to 8. A column of equal numbers needs no bytes.
    pub(crate) width: u8,
    pub(crate) start: u32,
}

impl Column {
    /// Packs numbers behind what is there.
    pub(crate) fn pack(numbers: impl Iterator<Item = u64> + Clone, bytes: &mut Vec<u8>) -> Self {
        let (mut base, mut most) = (u64::MAX, 0);
        for number in numbers.clone() {
            (base, most) = (base.min(number), most.max(number));
        }
        // No number at all: the least is above the most.
        let (base, spread) = (base.min(most), most.saturating_sub(base));
        let width = (u64::BITS - spread.leading_zeros()).div_ceil(8) as u8;
        let start = bytes.len() as u32;
        if width == 0 {
            return Self { base, width, start };
        }
        for number in numbers {
            bytes.extend_from_slice(&(number - base).to_le_bytes()[..usize::from(width)]);
        }
        Self { base, width, start }
    }

    /// Number `at`. The bytes must be those it was packed into, with padding behind.
    pub(crate) fn get(&self, at: usize, bytes: &[u8]) -> u64 {
        if self.width == 0 {
            return self.base;
        }
        let start = self.start as usize + at * usize::from(self.width);
        let word = bytes[start..start + 8].first_chunk().expect("the slice is of eight bytes");
        let mask = u64::MAX >> (u64::BITS - 8 * u32::from(self.width));
        // Wraps only on bytes that were never packed here; then the number is wrong, and nothing worse.
        self.base.wrapping_add(u64::from_le_bytes(*word) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_as_they_went_in() {
        for (numbers, width) in [
            (vec![], 0),
            (vec![7, 7, 7], 0),
            (vec![7, 262, 9], 1),
            (vec![7, 263, 9], 2),
            (vec![0, 0xFF_FFFF], 3),
            (vec![1 << 40, (1 << 40) + 0xFFFF_FFFF], 4),
            (vec![0, 1 << 32], 5),
            (vec![u64::MAX, 0, 1], 8),
            (vec![u64::MAX, u64::MAX - 1], 1),
        ] {
            let mut bytes = vec![0xAA; 3];
            let column = Column::pack(numbers.iter().copied(), &mut bytes);
            assert_eq!(column.width, width, "{numbers:?}");
            assert_eq!(bytes.len(), 3 + numbers.len() * usize::from(width), "{numbers:?}");
            bytes.extend([0xFF; PADDING]);
            let read: Vec<u64> = (0..numbers.len()).map(|at| column.get(at, &bytes)).collect();
            assert_eq!(read, numbers);
        }
    }
}
