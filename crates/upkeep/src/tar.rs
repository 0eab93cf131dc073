//! Headers of a tar file, as POSIX.1-1988 has them (ustar), with GNU's numbers for what is too large. It must not know what
//! the files are.

/// Headers and contents come in blocks of so many bytes.
pub(crate) const BLOCK: usize = 512;
/// What fits into eleven octal digits.
const OCTAL_MAX: u64 = 0o777_7777_7777;

/// A file's header: only its name and its length are looked at.
///
/// ```text
/// 0      100    108   116   124    136     148        156    157    257       263  265           345       512
/// | name | mode | uid | gid | size | mtime | checksum | type | link | "ustar" | 00 | … (zeros) … | (zeros)  |
/// ```
/// Numbers are octal digits. A larger size is binary, big-endian, with the first bit set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl Header {
    /// The block. The name must have at most 100 bytes.
    pub(crate) fn encode(&self, unix_seconds: u64) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let name = self.name.as_bytes();
        assert!(name.len() <= 100, "names in a backup are short");
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(b"0000600\0");
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        if self.bytes <= OCTAL_MAX {
            block[124..136].copy_from_slice(format!("{:011o}\0", self.bytes).as_bytes());
        } else {
            block[128..136].copy_from_slice(&self.bytes.to_be_bytes());
            block[124] = 0x80;
        }
        let time = unix_seconds.min(OCTAL_MAX);
        block[136..148].copy_from_slice(format!("{time:011o}\0").as_bytes());
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum = format!("{:06o}\0 ", checksum(&block));
        block[148..156].copy_from_slice(sum.as_bytes());
        block
    }

    /// Reads a block; `None` is the end of the file.
    pub(crate) fn decode(block: &[u8; BLOCK]) -> Result<Option<Self>, &'static str> {
        if *block == [0; BLOCK] {
            return Ok(None);
        }
        if &block[257..262] != b"ustar" {
            return Err("this is not a tar file");
        }
        if octal(&block[148..156]) != Some(u64::from(checksum(block))) {
            return Err("a header is damaged");
        }
        if block[156] != b'0' {
            return Err("there is something else than files in it");
        }
        let end = block[..100].iter().position(|byte| *byte == 0).unwrap_or(100);
        let name = std::str::from_utf8(&block[..end]).map_err(|_| "a name is no text")?;
        let bytes = if block[124] & 0x80 != 0 {
            block[128..136].first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
        } else {
            octal(&block[124..136])
        };
        let bytes = bytes.ok_or("a length is no number")?;
        Ok(Some(Self { name: name.to_owned(), bytes }))
    }
}

/// How many zeros follow that many bytes.
pub(crate) const fn padding(bytes: u64) -> usize {
    (BLOCK - (bytes % BLOCK as u64) as usize) % BLOCK
}

/// The sum of all bytes, with spaces where it stands itself.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

fn octal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let text = text.trim_end_matches(['\0', ' ']);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_any_flip_is_noticed() {
        for bytes in [0, 1, 512, OCTAL_MAX, OCTAL_MAX + 1, u64::MAX] {
            let header = Header { name: "log/00000001.wlog".to_owned(), bytes };
            let block = header.encode(1_800_000_000);
            assert_eq!(Header::decode(&block), Ok(Some(header.clone())), "{bytes}");
            for bit in 0..BLOCK * 8 {
                let mut flipped = block;
                flipped[bit / 8] ^= 1 << (bit % 8);
                // In the digits of the checksum itself a flip may say the same.
                if !(148..156).contains(&(bit / 8)) {
                    assert!(Header::decode(&flipped).is_err(), "{bytes}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn the_end_and_what_is_no_header() {
        assert_eq!(Header::decode(&[0; BLOCK]), Ok(None));
        assert!(Header::decode(&[b'x'; BLOCK]).is_err());
        assert_eq!((padding(0), padding(1), padding(512), padding(513)), (0, 511, 0, 511));
    }
}
