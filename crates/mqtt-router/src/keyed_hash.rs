//! A keyed hash for texts that clients choose: who does not know the key cannot make them collide.
//! It must not know what is hashed.

/// SipHash-1-3 in one go, and a mix of such a hash with a number.
///
/// Our own because the one in std cannot be given a key, and a hash that is fast but not keyed well (or keyed with
/// public constants) lets one client make every lookup of everyone slow.
#[derive(Clone, Debug)]
pub struct KeyedHash {
    key: [u64; 2],
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }

    #[inline]
    fn word(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }
}

impl KeyedHash {
    /// A hash with that key.
    pub const fn new(key: [u64; 2]) -> Self {
        Self { key }
    }

    /// The hash of some bytes.
    #[inline]
    pub fn bytes(&self, bytes: &[u8]) -> u64 {
        let [k0, k1] = self.key;
        let mut state = State {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        };
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            state.word(u64::from_le_bytes(*word));
        }
        let mut last = (bytes.len() as u64) << 56;
        for (at, byte) in rest.iter().enumerate() {
            last |= u64::from(*byte) << (8 * at);
        }
        state.word(last);
        state.v2 ^= 0xff;
        state.round();
        state.round();
        state.round();
        state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }

    /// The hash of a pair: a number, and bytes whose hash is known.
    ///
    /// The number is mixed with a secret too, so one cannot collide by choosing numbers under one text.
    #[inline]
    pub fn pair(&self, number: u32, bytes_hash: u64) -> u64 {
        let [_, k1] = self.key;
        let product = u128::from(bytes_hash) * u128::from(u64::from(number) ^ k1 | 1 << 63);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;

    #[test]
    fn it_is_siphash_1_3() {
        // What std has is SipHash-1-3 with the key zero.
        let text = b"sensor/+/temperature, long enough for a few words";
        for length in 0..text.len() {
            let mut std = DefaultHasher::new();
            std.write(&text[..length]);
            assert_eq!(KeyedHash::new([0, 0]).bytes(&text[..length]), std.finish(), "{length}");
        }
    }

    #[test]
    fn the_key_and_both_parts_of_a_pair_matter() {
        let (one, two) = (KeyedHash::new([1, 2]), KeyedHash::new([1, 3]));
        assert_ne!(one.bytes(b"a"), two.bytes(b"a"));
        let (a, b) = (one.bytes(b"a"), one.bytes(b"b"));
        let pairs = [one.pair(1, a), one.pair(2, a), one.pair(1, b), two.pair(1, a)];
        for (at, left) in pairs.iter().enumerate() {
            assert!(pairs.iter().skip(at + 1).all(|right| left != right));
        }
    }
}
