//! Random numbers that a printed seed brings back.

/// A small generator (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The seed in `WEIR_IT_SEED`, else one from the clock; it is printed, and shown when the test fails.
    #[must_use]
    pub fn seeded() -> Self {
        let given = std::env::var("WEIR_IT_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = given.unwrap_or_else(|| now().map_or(1, |since| since.subsec_nanos().into()));
        println!("WEIR_IT_SEED={seed}");
        Self(seed | 1)
    }

    /// Any number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Bytes that do not compress.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.flatten().take(count).collect()
    }
}
