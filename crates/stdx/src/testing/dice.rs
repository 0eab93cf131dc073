//! Random choices that a seed brings back.

/// A generator (xorshift64*).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The choices of that seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self((seed ^ 0x9E37_79B9_7F4A_7C15) | 1)
    }

    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// Whether one of so many cases is met.
    pub const fn one_in(&mut self, cases: usize) -> bool {
        self.below(cases) == 0
    }

    /// One of the choices, of which there must be some.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// The bytes in pieces: mostly one, sometimes cut anywhere.
    pub fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        if bytes.len() < 2 || !self.one_in(4) {
            return vec![bytes];
        }
        let size = 1 + self.below(bytes.len().min(20));
        bytes.chunks(size).collect()
    }

    /// The bytes cut at any places, whole now and then.
    pub fn cut<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let longest = *self.one_of(&[1, 3, 20, 300, usize::MAX]);
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(1 + self.below(bytes.len().min(longest)));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    /// A few bytes of any kind.
    pub fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        (0..self.below(len_max + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// The bytes with something done to them.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len().max(1));
            match self.below(7) {
                _ if bytes.is_empty() => bytes.push(self.below(256) as u8),
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = *self.one_of(&[0, 1, 2, 0x7F, 0x80, 0xFF, b'#', b'+', b'/', b'$']),
                2 => bytes[at] = self.below(256) as u8,
                3 => bytes.insert(at, self.below(256) as u8),
                4 => {
                    bytes.remove(at);
                }
                5 => bytes.truncate(at),
                _ => {
                    let end = at + self.below(bytes.len() - at + 1);
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
            }
        }
    }
}
