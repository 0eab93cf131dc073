//! Follows a path through a JSON document (RFC 8259) without building it. It must not know keys.
//!
//! The whole document is checked, also behind the value: what is cut off or followed by garbage is not JSON, and of two
//! members of one name the last one counts, as JSON's parsers have it.

mod document;
mod lexer;
mod path;
mod track;
mod unescape;

use document::walk;
use track::Track;

pub(crate) use path::{Path, Step};
pub(crate) use unescape::unescape;

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found<'a> {
    /// Nothing, or `null`.
    Missing,
    /// The document is not JSON.
    NotJson,
    /// An object or an array.
    NotScalar,
    /// A string without escapes, or a number, `true` or `false` as they are written.
    Plain(&'a str),
    /// What stands between the quotes of a string with escapes; [`unescape`] resolves them.
    Escaped(&'a str),
}

/// What a document has at a path.
pub(crate) fn find<'a>(document: &'a [u8], path: &Path) -> Found<'a> {
    let Ok(text) = std::str::from_utf8(document) else { return Found::NotJson };
    let mut track = Track::new(path.steps());
    match walk(text, &mut track) {
        Ok(()) => track.found(),
        Err(document::NotJson) => Found::NotJson,
    }
}
