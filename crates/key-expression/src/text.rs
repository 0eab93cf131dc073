//! Makes the text of a term. Texts of the message are borrowed; only what has to be put together is written.

use std::fmt::Write;

use crate::facts::Facts;
use crate::hash::bucket;
use crate::json::{self, Found};
use crate::limits::KEY_BYTES_MAX;
use crate::problem::Problem;
use crate::term::Term;

/// The text of a term.
pub(crate) enum Text<'a> {
    /// It stands so in the message or in the expression.
    Borrowed(&'a str),
    /// It was written, from the place on that was the end of the buffer when [`text_of`] was called.
    Written,
}

type TextResult<'a> = Result<Text<'a>, Problem>;

/// The text of a term. On an error the buffer may hold a beginning of it.
pub(crate) fn text_of<'k, 'm: 'k>(
    term: &'k Term,
    facts: &Facts<'m>,
    out: &mut String,
) -> TextResult<'k> {
    let missing = Problem::Missing;
    match term {
        Term::Topic => Ok(Text::Borrowed(facts.topic)),
        Term::Level(number) => level(facts.topic, number.get()).map(Text::Borrowed).ok_or(missing),
        Term::ClientId => facts.client_id.map(Text::Borrowed).ok_or(missing),
        Term::Username => facts.username.map(Text::Borrowed).ok_or(missing),
        Term::UserProperty(name) => (facts.user_property)(name).map(Text::Borrowed).ok_or(missing),
        Term::Payload(path) => payload(path, facts.payload, out),
        Term::Literal(text) => Ok(Text::Borrowed(text)),
        Term::Concat(parts) => concat(parts, facts, out),
        Term::Coalesce(choices) => coalesce(choices, facts, out),
        Term::Lower(inner) => lower(inner, facts, out),
        Term::Hash(inner, buckets) => {
            let from = out.len();
            let bucket = match text_of(inner, facts, out)? {
                Text::Borrowed(text) => bucket(text, *buckets),
                Text::Written => bucket(written(out, from), *buckets),
            };
            out.truncate(from);
            write!(out, "{bucket}").expect("a String takes what is written");
            Ok(Text::Written)
        }
    }
}

/// What was written from that place on.
pub(crate) fn written(out: &str, from: usize) -> &str {
    out.get(from..).expect("a text starts where the buffer ended before it")
}

fn level(topic: &str, number: i32) -> Option<&str> {
    let skipped = usize::try_from(number.unsigned_abs()).ok()?.checked_sub(1)?;
    if number > 0 { topic.split('/').nth(skipped) } else { topic.rsplit('/').nth(skipped) }
}

fn payload<'a>(path: &json::Path, payload: &'a [u8], out: &mut String) -> TextResult<'a> {
    match json::find(payload, path) {
        Found::Missing => Err(Problem::Missing),
        Found::NotJson => Err(Problem::NotJson),
        Found::NotScalar => Err(Problem::NotScalar),
        Found::Plain(text) => Ok(Text::Borrowed(text)),
        Found::Escaped(raw) => {
            for chunk in json::unescape(raw) {
                append(out, chunk.as_str())?;
            }
            Ok(Text::Written)
        }
    }
}

fn concat<'k, 'm: 'k>(parts: &'k [Term], facts: &Facts<'m>, out: &mut String) -> TextResult<'k> {
    for part in parts {
        if let Text::Borrowed(text) = text_of(part, facts, out)? {
            append(out, text)?;
        }
    }
    Ok(Text::Written)
}

/// The first that has a value; what the first one lacked is the problem when all lack one.
fn coalesce<'k, 'm: 'k>(
    choices: &'k [Term],
    facts: &Facts<'m>,
    out: &mut String,
) -> TextResult<'k> {
    let from = out.len();
    let mut first = None;
    for choice in choices {
        match text_of(choice, facts, out) {
            Ok(text) => return Ok(text),
            Err(problem) => first.get_or_insert(problem),
        };
        out.truncate(from);
    }
    Err(first.unwrap_or(Problem::Missing))
}

/// A to Z only: Unicode's table grows from version to version, and a key must not change with it.
fn lower<'k, 'm: 'k>(inner: &'k Term, facts: &Facts<'m>, out: &mut String) -> TextResult<'k> {
    let from = out.len();
    match text_of(inner, facts, out)? {
        Text::Borrowed(text) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            return Ok(Text::Borrowed(text));
        }
        Text::Borrowed(text) => append(out, text)?,
        Text::Written => {}
    }
    if let Some(text) = out.get_mut(from..) {
        text.make_ascii_lowercase();
    }
    Ok(Text::Written)
}

fn append(out: &mut String, text: &str) -> Result<(), Problem> {
    if out.len() + text.len() > KEY_BYTES_MAX {
        return Err(Problem::TooLong);
    }
    out.push_str(text);
    Ok(())
}
