//! Walks over the text of an expression and takes words, texts and numbers from it.

use super::{Fault, ParseResult};
use crate::error::ParseProblem;

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where it stands, in bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn left(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The character it stands at.
    pub(super) fn peek_here(&self) -> Option<char> {
        self.left().chars().next()
    }

    /// The next character after white space.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip_white_space();
        self.peek_here()
    }

    pub(super) fn skip_white_space(&mut self) {
        let left = self.left();
        self.at += left.len() - left.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    pub(super) fn skip_char(&mut self) {
        self.at += self.peek_here().map_or(0, char::len_utf8);
    }

    /// Takes the character if it is the next one after white space.
    pub(super) fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.skip_char();
        }
        found
    }

    pub(super) fn expect(&mut self, wanted: char, expected: &'static str) -> ParseResult<()> {
        if self.eat(wanted) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// The fault of something else standing here.
    pub(super) fn expected(&self, expected: &'static str) -> Fault {
        let found = match self.peek_here() {
            Some(found) => format!("'{}'", found.escape_debug()),
            None => "the end".to_owned(),
        };
        Fault { at: self.at, problem: ParseProblem::Expected { expected, found } }
    }

    /// A name of the language.
    pub(super) fn name(&mut self, expected: &'static str) -> ParseResult<&'a str> {
        self.skip_white_space();
        if !self.peek_here().is_some_and(|first| first.is_ascii_alphabetic() || first == '_') {
            return Err(self.expected(expected));
        }
        self.word(|c| c.is_ascii_alphanumeric() || c == '_', expected)
    }

    /// A name in a path.
    pub(super) fn member_name(&mut self, expected: &'static str) -> ParseResult<&'a str> {
        self.word(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'), expected)
    }

    fn word(&mut self, of: impl Fn(char) -> bool, expected: &'static str) -> ParseResult<&'a str> {
        let left = self.left();
        let end = left.find(|c| !of(c)).unwrap_or(left.len());
        let word = left.get(..end).unwrap_or_default();
        if word.is_empty() {
            return Err(self.expected(expected));
        }
        self.at += end;
        Ok(word)
    }

    /// A text between quotes.
    pub(super) fn text(&mut self) -> ParseResult<Box<str>> {
        let Some(quote @ ('"' | '\'')) = self.peek() else {
            return Err(self.expected("a text, such as \"region\""));
        };
        let opened = self.at;
        self.skip_char();
        let mut text = String::new();
        loop {
            match self.peek_here() {
                None => return Err(Fault { at: opened, problem: ParseProblem::OpenText }),
                Some(end) if end == quote => {
                    self.skip_char();
                    return Ok(text.into());
                }
                Some('\\') => {
                    let at = self.at;
                    self.skip_char();
                    match self.peek_here() {
                        Some(escaped @ ('"' | '\'' | '\\')) => text.push(escaped),
                        _ => return Err(Fault { at, problem: ParseProblem::Escape }),
                    }
                }
                Some(plain) => text.push(plain),
            }
            self.skip_char();
        }
    }

    /// A number from 0 on.
    pub(super) fn number(&mut self, expected: &'static str) -> ParseResult<u32> {
        self.skip_white_space();
        let at = self.at;
        let digits = self.word(|c| c.is_ascii_digit(), expected)?;
        let most = i64::from(u32::MAX);
        digits.parse().map_err(|_| Fault { at, problem: ParseProblem::Number(most) })
    }

    /// A number that may be negative.
    pub(super) fn signed_number(&mut self, expected: &'static str) -> ParseResult<i32> {
        self.skip_white_space();
        let at = self.at;
        let minus = self.eat('-');
        let digits = self.word(|c| c.is_ascii_digit(), expected)?;
        let most = i64::from(i32::MAX);
        let number: i32 =
            digits.parse().map_err(|_| Fault { at, problem: ParseProblem::Number(most) })?;
        Ok(if minus { -number } else { number })
    }
}
