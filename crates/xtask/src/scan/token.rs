//! Words and signs of blanked code.
//! It must not know what they mean.

/// A word, a number, `::`, or any other single sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Its first byte.
    pub(crate) offset: usize,
}

impl Token<'_> {
    /// Whether it is a name or a keyword.
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    }
}

/// All tokens of `code`, which is ASCII.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let (mut out, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let length = match &bytes[at..] {
            [first, ..] if is_word(*first) => {
                bytes[at..].iter().take_while(|byte| is_word(**byte)).count()
            }
            [b':', b':', ..] => 2,
            _ => 1,
        };
        if !bytes[at].is_ascii_whitespace() {
            out.push(Token { text: &code[at..at + length], line, offset: at });
        }
        line += usize::from(bytes[at] == b'\n');
        at += length;
    }
    out
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
