//! Environment variables: `WEIR_SECTION__KEY=value` in, entries out.
//! It must not know the type of any key.

use std::sync::Arc;

use crate::keys;
use crate::source::{Entry, Place, Source};
use crate::value::Written;

const PREFIX: &str = "WEIR_";

/// The entries of those variables that name a key, or look as if they should.
///
/// Without a `__` only a key at the top of the file is meant (`WEIR_DATA_DIR`); other such variables belong to others
/// (`WEIR_CONFIG`).
pub(crate) fn entries(variables: &[(String, String)]) -> Vec<Entry> {
    let mut ours: Vec<&(String, String)> =
        variables.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    ours.into_iter().map(|(name, value)| entry(name, value)).collect()
}

/// The variable that sets `key`.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

fn is_ours(variable: &str) -> bool {
    variable
        .strip_prefix(PREFIX)
        .is_some_and(|rest| rest.contains("__") || keys::find(&rest.to_lowercase()).is_some())
}

fn entry(name: &str, value: &str) -> Entry {
    let key = name.trim_start_matches(PREFIX).to_lowercase().replace("__", ".");
    let text = format!("{name}={value}");
    let end = text.len();
    let source = Arc::new(Source::Environment { variable: name.to_owned(), text });
    Entry {
        key,
        value: Some(value.to_owned()),
        written: Written::Bare,
        key_place: Place { source: Arc::clone(&source), span: 0..name.len() },
        value_place: Place { source, span: name.len() + 1..end },
    }
}
