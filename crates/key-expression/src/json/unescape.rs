//! The escapes in strings: how long they are, and what they stand for.

/// A piece of a string without escapes.
pub(crate) enum Chunk<'a> {
    /// It stands so in the document.
    Plain(&'a str),
    /// What an escape stands for: this many bytes of UTF-8.
    Escape([u8; 4], u8),
}

impl Chunk<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Escape(bytes, len) => bytes
                .get(..usize::from(*len))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .expect("a character was encoded into these bytes"),
        }
    }
}

/// The pieces of what stands between the quotes of a string that was checked; should it not have been, they end early.
pub(crate) fn unescape(raw: &str) -> impl Iterator<Item = Chunk<'_>> {
    let mut left = raw;
    std::iter::from_fn(move || {
        let plain = memchr::memchr(b'\\', left.as_bytes()).unwrap_or(left.len());
        let (head, tail) = left.split_at_checked(plain)?;
        if !head.is_empty() {
            left = tail;
            return Some(Chunk::Plain(head));
        }
        let (character, len) = escape(tail)?;
        left = tail.get(len..)?;
        let mut bytes = [0; 4];
        let encoded = character.encode_utf8(&mut bytes).len();
        Some(Chunk::Escape(bytes, u8::try_from(encoded).ok()?))
    })
}

/// The length of the escape that a text begins with, `None` if it is not legal.
pub(super) fn escape_len(text: &str) -> Option<usize> {
    escape(text).map(|(_, len)| len)
}

/// The escape that a text begins with: what it stands for, and its length.
fn escape(text: &str) -> Option<(char, usize)> {
    let [b'\\', kind, rest @ ..] = text.as_bytes() else { return None };
    let character = match kind {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(rest),
        _ => return None,
    };
    Some((character, 2))
}

/// The escape `\uXXXX`, given what follows the `u`. Beyond the basic plane it takes two, a high and a low surrogate; one
/// without the other stands for no character, so that no key could be made of it.
fn unicode(rest: &[u8]) -> Option<(char, usize)> {
    let first = hex(rest)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let [b'\\', b'u', second @ ..] = rest.get(4..)? else { return None };
    let second = hex(second)?;
    if !(0xD800..0xDC00).contains(&first) || !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    Some((char::from_u32(code)?, 12))
}

fn hex(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk::<4>()?
        .iter()
        .try_fold(0, |code, byte| Some(code << 4 | char::from(*byte).to_digit(16)?))
}
