//! Walks over a whole document and tells a [`Track`] what it meets. Depth is a counter and a bit, not a call.

use super::Found;
use super::lexer::{Lexer, Token};
use super::track::Track;
use crate::limits::JSON_DEPTH_MAX;

/// The document is not JSON, or nested deeper than [`JSON_DEPTH_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NotJson;

/// The containers that are open; a set bit is an object, a clear one an array.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: usize,
}

impl Open {
    fn push(&mut self, object: bool) -> Result<(), NotJson> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(NotJson);
        }
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

pub(super) fn walk<'a>(text: &'a str, track: &mut Track<'a, '_>) -> Result<(), NotJson> {
    let mut lexer = Lexer::new(text);
    let mut open = Open::default();
    loop {
        if let Some(object) = value(&mut lexer, track)? {
            open.push(object)?;
            if !lexer.eat(if object { b'}' } else { b']' }) {
                if object {
                    member(&mut lexer, track)?;
                } else {
                    track.element();
                }
                continue;
            }
            open.pop();
            track.close();
        }
        if !next_value(&mut lexer, &mut open, track)? {
            return if lexer.is_at_end() { Ok(()) } else { Err(NotJson) };
        }
    }
}

/// Reads a scalar, or the opening of a container: `Some(true)` for an object, `Some(false)` for an array.
fn value<'a>(lexer: &mut Lexer<'a>, track: &mut Track<'a, '_>) -> Result<Option<bool>, NotJson> {
    let found = match lexer.token()? {
        Token::Object => {
            track.open();
            return Ok(Some(true));
        }
        Token::Array => {
            track.open();
            return Ok(Some(false));
        }
        Token::Null => Found::Missing,
        Token::Word(text) => Found::Plain(text),
        Token::String(string) if string.escaped => Found::Escaped(string.raw),
        Token::String(string) => Found::Plain(string.raw),
    };
    track.scalar(found);
    Ok(None)
}

/// Goes on behind a value to the start of the next one; `false` when the outermost is complete.
fn next_value<'a>(
    lexer: &mut Lexer<'a>,
    open: &mut Open,
    track: &mut Track<'a, '_>,
) -> Result<bool, NotJson> {
    while open.depth > 0 {
        let object = open.in_object();
        if lexer.eat(b',') {
            if object {
                member(lexer, track)?;
            } else {
                track.element();
            }
            return Ok(true);
        }
        if !lexer.eat(if object { b'}' } else { b']' }) {
            return Err(NotJson);
        }
        open.pop();
        track.close();
    }
    Ok(false)
}

/// Reads the name of a member and the colon.
fn member<'a>(lexer: &mut Lexer<'a>, track: &mut Track<'a, '_>) -> Result<(), NotJson> {
    if !lexer.eat(b'"') {
        return Err(NotJson);
    }
    let name = lexer.string()?;
    if !lexer.eat(b':') {
        return Err(NotJson);
    }
    track.member(name);
    Ok(())
}
