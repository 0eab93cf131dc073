//! A small random generator whose numbers follow from its seed. It must not know what they decide.

/// SplitMix64: one word of state, every seed is good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Prng {
    state: u64,
}

impl Prng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`, each as likely as the other; 0 when the bound is 0.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_from_the_seed_and_spread_evenly() {
        // The first numbers of the published generator from seed 0.
        let mut prng = Prng::new(0);
        assert_eq!([prng.next(), prng.next()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
        let mut hits = [0_u32; 5];
        (0..10_000).for_each(|_| hits[prng.below(5) as usize] += 1);
        assert!(hits.iter().all(|hits| (1850..2150).contains(hits)), "{hits:?}");
        assert_eq!(prng.below(0), 0);
    }
}
