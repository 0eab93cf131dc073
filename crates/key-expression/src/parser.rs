//! Compiles the text of an expression. It must not know messages.
//!
//! ```text
//! expression = "topic" | "client_id" | "username" | text
//!            | "level" "(" number ")" | "user_property" "(" text ")" | "payload" step*
//!            | ("concat" | "coalesce") "(" expression ("," expression)* ")"
//!            | "lower" "(" expression ")" | "hash" "(" expression "," number ")"
//! step       = "." name | "[" (number | text) "]"        without white space before it
//! ```

mod cursor;

use std::num::{NonZeroI32, NonZeroU32};

use crate::error::ParseProblem;
use crate::json::{Path, Step};
use crate::limits::{ARGUMENTS_MAX, EXPRESSION_BYTES_MAX, NESTING_MAX, PATH_STEPS_MAX};
use crate::term::Term;
use cursor::Cursor;

/// What is wrong, and where in bytes.
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) problem: ParseProblem,
}

type ParseResult<T> = Result<T, Fault>;

/// Compiles a text.
pub(crate) fn parse(text: &str) -> ParseResult<Term> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(Fault { at: EXPRESSION_BYTES_MAX, problem: ParseProblem::TooLong });
    }
    let mut cursor = Cursor::new(text);
    let term = expression(&mut cursor, 0)?;
    if cursor.peek().is_some() {
        return Err(cursor.expected("the end"));
    }
    Ok(term)
}

/// An expression inside of `nesting` functions.
fn expression(cursor: &mut Cursor<'_>, nesting: usize) -> ParseResult<Term> {
    if let Some('"' | '\'') = cursor.peek() {
        return Ok(Term::Literal(cursor.text()?));
    }
    let at = cursor.at();
    let name = cursor.name("an expression")?;
    match name {
        "topic" => Ok(Term::Topic),
        "client_id" => Ok(Term::ClientId),
        "username" => Ok(Term::Username),
        "payload" => Ok(Term::Payload(path(cursor)?)),
        "level" => in_parentheses(cursor, level),
        "user_property" => in_parentheses(cursor, |cursor| Ok(Term::UserProperty(cursor.text()?))),
        "concat" | "coalesce" | "lower" | "hash" if nesting == NESTING_MAX => {
            Err(Fault { at, problem: ParseProblem::TooDeep })
        }
        "concat" => arguments(cursor, nesting).map(Term::Concat),
        "coalesce" => arguments(cursor, nesting).map(Term::Coalesce),
        "lower" => in_parentheses(cursor, |cursor| {
            Ok(Term::Lower(Box::new(expression(cursor, nesting + 1)?)))
        }),
        "hash" => in_parentheses(cursor, |cursor| hash(cursor, nesting)),
        unknown => Err(Fault { at, problem: ParseProblem::UnknownName(unknown.to_owned()) }),
    }
}

fn in_parentheses(
    cursor: &mut Cursor<'_>,
    inner: impl FnOnce(&mut Cursor<'_>) -> ParseResult<Term>,
) -> ParseResult<Term> {
    cursor.expect('(', "'('")?;
    let term = inner(cursor)?;
    cursor.expect(')', "')'")?;
    Ok(term)
}

fn level(cursor: &mut Cursor<'_>) -> ParseResult<Term> {
    cursor.skip_white_space();
    let at = cursor.at();
    let number = cursor.signed_number("the number of a level, such as 1 or -1")?;
    let number = NonZeroI32::new(number).ok_or(Fault { at, problem: ParseProblem::LevelZero })?;
    Ok(Term::Level(number))
}

fn hash(cursor: &mut Cursor<'_>, nesting: usize) -> ParseResult<Term> {
    let inner = expression(cursor, nesting + 1)?;
    cursor.expect(',', "',' and the number of buckets")?;
    cursor.skip_white_space();
    let at = cursor.at();
    let buckets = cursor.number("the number of buckets")?;
    let buckets = NonZeroU32::new(buckets).ok_or(Fault { at, problem: ParseProblem::NoBuckets })?;
    Ok(Term::Hash(Box::new(inner), buckets))
}

fn arguments(cursor: &mut Cursor<'_>, nesting: usize) -> ParseResult<Vec<Term>> {
    cursor.expect('(', "'('")?;
    let mut arguments = Vec::new();
    loop {
        cursor.skip_white_space();
        if arguments.len() == ARGUMENTS_MAX {
            return Err(Fault { at: cursor.at(), problem: ParseProblem::TooManyArguments });
        }
        arguments.push(expression(cursor, nesting + 1)?);
        if cursor.eat(')') {
            return Ok(arguments);
        }
        cursor.expect(',', "',' or ')'")?;
    }
}

fn path(cursor: &mut Cursor<'_>) -> ParseResult<Path> {
    let mut steps = Vec::new();
    while let Some(next @ ('.' | '[')) = cursor.peek_here() {
        if steps.len() == PATH_STEPS_MAX {
            return Err(Fault { at: cursor.at(), problem: ParseProblem::TooManySteps });
        }
        cursor.skip_char();
        if next == '.' {
            let expected = "the name of a member; one of other characters is written [\"so\"]";
            steps.push(Step::Member(cursor.member_name(expected)?.into()));
            continue;
        }
        steps.push(match cursor.peek() {
            Some('"' | '\'') => Step::Member(cursor.text()?),
            _ => Step::Element(cursor.number("the number of an element, from 0, or a text")?),
        });
        cursor.expect(']', "']'")?;
    }
    Ok(Path::new(steps))
}
