//! The command line: `--set section.key=value` in, entries out.
//! It must not know the type of any key.

use std::sync::Arc;

use crate::error::ConfigError;
use crate::source::{Entry, Place, Source};
use crate::value::Written;

const FLAG: &str = "--set ";

/// The entries of what stood behind each `--set`; faults go to `errors`.
pub(crate) fn entries(arguments: &[String], errors: &mut Vec<ConfigError>) -> Vec<Entry> {
    arguments.iter().filter_map(|argument| entry(argument, errors)).collect()
}

fn entry(argument: &str, errors: &mut Vec<ConfigError>) -> Option<Entry> {
    let text = format!("{FLAG}{argument}");
    let end = text.len();
    let source = Arc::new(Source::Flag { text });
    let place = |span| Place { source: Arc::clone(&source), span };
    let Some((key, value)) = argument.split_once('=') else {
        let error = ConfigError::new("`--set` needs a key and a value")
            .at(&place(FLAG.len()..end), "no `=`")
            .help(Some("write it as --set section.key=value".to_owned()));
        errors.push(error);
        return None;
    };
    let key_end = FLAG.len() + key.len();
    Some(Entry {
        key: key.trim().to_owned(),
        value: Some(value.to_owned()),
        written: Written::Bare,
        key_place: place(FLAG.len()..key_end),
        value_place: place(key_end + 1..end),
    })
}
