//! Keys as numbers.

use std::num::{NonZeroU32, NonZeroU64};

use siphasher::sip::SipHasher24;

/// What makes the hashes of one broker's keys unforeseeable: whoever could choose two keys of one hash could make a
/// last-value queue replace another's message. It belongs to the data and must not change as long as a hash is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeySeed(pub [u8; 16]);

/// SipHash-2-4 of a key's UTF-8 bytes under a [`KeySeed`], and 1 if that is 0, which stands for "no key" elsewhere. It lies
/// on disk, so the function is fixed for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyHash(NonZeroU64);

impl KeyHash {
    /// The hash of a key.
    #[must_use]
    pub fn of(seed: &KeySeed, key: &str) -> Self {
        Self(NonZeroU64::new(sip_hash(seed, key)).unwrap_or(NonZeroU64::MIN))
    }

    /// The number, never 0.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

fn sip_hash(seed: &KeySeed, text: &str) -> u64 {
    SipHasher24::new_with_key(&seed.0).hash(text.as_bytes())
}

/// The number of the bucket that a text falls into, from 0 to below `buckets`. The seed is all zeros, so that others
/// can compute it too.
pub(crate) fn bucket(text: &str, buckets: NonZeroU32) -> u32 {
    let hash = sip_hash(&KeySeed::default(), text);
    u32::try_from(hash % u64::from(buckets.get())).expect("a remainder is below its divisor")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of the paper on SipHash and of its reference implementation: the message is 00 01 02 …
    #[test]
    fn the_function_is_the_one_of_the_paper() {
        let seed = KeySeed(std::array::from_fn(|at| at as u8));
        for (len, hash) in [
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0x74f8_39c5_93dc_67fd),
            (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
        ] {
            let message: String = (0..len).map(|byte: u8| char::from(byte)).collect();
            assert_eq!(KeyHash::of(&seed, &message).get(), hash, "{len}");
        }
    }

    #[test]
    fn the_hash_goes_over_utf_8_and_the_seed_matters() {
        let zero = KeySeed::default();
        assert_eq!(KeyHash::of(&zero, "fleet/17"), KeyHash::of(&zero, "fleet/17"));
        assert_ne!(KeyHash::of(&zero, "ä"), KeyHash::of(&zero, "\u{e4}\0"));
        assert_ne!(KeyHash::of(&zero, "fleet/17"), KeyHash::of(&KeySeed([1; 16]), "fleet/17"));
    }
}
