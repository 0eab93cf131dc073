//! The tokens of JSON, each checked to its last byte. It must not know how they nest.

use super::document::NotJson;
use super::unescape::escape_len;

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// What a value begins with, or is.
pub(super) enum Token<'a> {
    Object,
    Array,
    Null,
    String(JsonString<'a>),
    /// A number, `true` or `false` as it is written.
    Word(&'a str),
}

/// What stands between the quotes.
#[derive(Clone, Copy)]
pub(super) struct JsonString<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_white_space();
        self.byte().is_none()
    }

    /// Takes the byte if it is the next one after white space.
    #[inline]
    pub(super) fn eat(&mut self, wanted: u8) -> bool {
        self.skip_white_space();
        let found = self.byte() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn token(&mut self) -> Result<Token<'a>, NotJson> {
        self.skip_white_space();
        let from = self.at;
        match self.byte().ok_or(NotJson)? {
            b'{' => {
                self.at += 1;
                Ok(Token::Object)
            }
            b'[' => {
                self.at += 1;
                Ok(Token::Array)
            }
            b'"' => {
                self.at += 1;
                self.string().map(Token::String)
            }
            b't' => self.word("true").map(Token::Word),
            b'f' => self.word("false").map(Token::Word),
            b'n' => self.word("null").map(|_| Token::Null),
            _ => {
                self.number()?;
                self.since(from).map(Token::Word)
            }
        }
    }

    /// What was read from a place on.
    fn since(&self, from: usize) -> Result<&'a str, NotJson> {
        self.text.get(from..self.at).ok_or(NotJson)
    }

    fn word(&mut self, word: &str) -> Result<&'a str, NotJson> {
        let found = self.text.get(self.at..self.at + word.len());
        self.at += word.len();
        found.filter(|found| *found == word).ok_or(NotJson)
    }

    /// A string, after its opening quote.
    #[inline]
    pub(super) fn string(&mut self) -> Result<JsonString<'a>, NotJson> {
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_len(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    let raw = self.since(from)?;
                    self.at += 1;
                    return Ok(JsonString { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    let left = self.text.get(self.at..).unwrap_or_default();
                    self.at += escape_len(left).ok_or(NotJson)?;
                }
                // A control character, or the end.
                _ => return Err(NotJson),
            }
        }
    }

    /// A number, which is taken apart but not read: the text is what counts.
    #[inline]
    fn number(&mut self) -> Result<(), NotJson> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(NotJson) }
    }
}

/// How many bytes stand before the next quote, backslash or control character.
#[inline]
fn plain_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(|left| left.first_chunk::<8>()) {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let left = bytes.get(at..).unwrap_or_default();
    let special = left.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    at + special.unwrap_or(left.len())
}

/// The highest bit of each byte that is a quote, a backslash or a control character. Bits above the lowest one set may
/// be wrong, since the subtractions borrow.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zero_quote = quote.wrapping_sub(ONES) & !quote;
    let zero_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero_quote | zero_backslash | control) & HIGHEST
}
