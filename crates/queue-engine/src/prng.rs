//! Random numbers from a seed, the same on every machine. It must not know where the seed is from.

/// `SplitMix64`: small, fast, and good enough to spread work.
#[derive(Clone, Debug)]
pub(crate) struct Prng(u64);

impl Prng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, each as likely as the other; 0 when `bound` is 0.
    pub(crate) const fn below(&mut self, bound: u32) -> u32 {
        // The product's upper half; the bias is below 2^-32.
        (((self.next() as u128) * (bound as u128)) >> 64) as u32
    }
}
