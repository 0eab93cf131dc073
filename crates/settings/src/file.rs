//! The config file: TOML in, entries with their places out.
//! It must not know the type of any key.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::error::ConfigError;
use crate::keys;
use crate::source::{Entry, Place, Source};
use crate::suggestion::nearest;
use crate::value::Written;

/// Every entry of the file at `path`; faults go to `errors`.
pub(crate) fn read(path: &Path, errors: &mut Vec<ConfigError>) -> Vec<Entry> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, text, errors),
        Err(error) => {
            let message = format!("cannot read the config file {}: {error}", path.display());
            errors.push(ConfigError::new(message));
            Vec::new()
        }
    }
}

/// Every entry of `text`, which stands in the file at `path`; faults go to `errors`.
pub(crate) fn parse(path: &Path, text: String, errors: &mut Vec<ConfigError>) -> Vec<Entry> {
    let source = Arc::new(Source::File { path: path.to_owned(), text });
    let mut walk = Walk { source: &source, entries: Vec::new(), errors };
    match DeTable::parse(source.text()) {
        Ok(table) => walk.table("", table.get_ref()),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let place = Place { source: Arc::clone(&source), span };
            walk.errors.push(ConfigError::new("this is no TOML").at(&place, error.message()));
        }
    }
    walk.entries
}

struct Walk<'a> {
    source: &'a Arc<Source>,
    entries: Vec<Entry>,
    errors: &'a mut Vec<ConfigError>,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = match prefix {
                "" => key.get_ref().to_string(),
                _ => format!("{prefix}.{}", key.get_ref()),
            };
            let key_place = self.place(key.span());
            self.entry(name, key_place, value);
        }
    }

    fn entry(&mut self, name: String, key_place: Place, value: &Spanned<DeValue<'_>>) {
        let inner = value.get_ref().as_table();
        match (keys::is_section(&name), inner) {
            (true, Some(table)) => {
                let value_place = key_place.clone();
                let written = Written::Other("a section");
                self.entries.push(Entry {
                    key: name.clone(),
                    value: None,
                    written,
                    key_place,
                    value_place,
                });
                self.table(&name, table);
            }
            (true, None) => {
                let message = format!("`{name}` is a section, not a key");
                let help = Some(format!("write its keys below a line `[{name}]`"));
                self.errors.push(ConfigError::new(message).at(&key_place, "a section").help(help));
            }
            (false, Some(_)) if keys::find(&name).is_none() => {
                self.errors.push(unknown_section(&name, &key_place));
            }
            (false, _) => {
                let (text, written) = scalar(value.get_ref());
                let value_place = self.place(value.span());
                self.entries.push(Entry {
                    key: name,
                    value: Some(text),
                    written,
                    key_place,
                    value_place,
                });
            }
        }
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { source: Arc::clone(self.source), span }
    }
}

fn unknown_section(name: &str, place: &Place) -> ConfigError {
    let sections =
        keys::SECTIONS.iter().map(|section| section.name).chain([keys::LISTENERS, "queues"]);
    let help = nearest(name, sections).map(|section| format!("did you mean `{section}`?"));
    ConfigError::new(format!("unknown section `{name}`")).at(place, "no such section").help(help)
}

fn scalar(value: &DeValue<'_>) -> (String, Written) {
    match value {
        DeValue::String(text) => (text.to_string(), Written::Text),
        DeValue::Integer(number) if number.radix() == 10 => {
            (number.as_str().to_owned(), Written::Number)
        }
        DeValue::Integer(number) => {
            let value = i64::from_str_radix(number.as_str(), number.radix());
            (value.map_or_else(|_| number.as_str().to_owned(), |v| v.to_string()), Written::Number)
        }
        DeValue::Boolean(value) => (value.to_string(), Written::Boolean),
        DeValue::Float(number) => (number.as_str().to_owned(), Written::Other("a fraction")),
        DeValue::Datetime(_) => (String::new(), Written::Other("a date")),
        DeValue::Array(items) => list(items),
        DeValue::Table(_) => (String::new(), Written::Other("a section")),
    }
}

/// A list of texts; of anything else there is none.
fn list(items: &DeArray<'_>) -> (String, Written) {
    let texts = items.iter().map(|item| match item.get_ref() {
        DeValue::String(text) if !text.is_empty() => Some(&**text),
        _ => None,
    });
    match texts.collect::<Option<Vec<_>>>() {
        Some(texts) => (texts.join(","), Written::List),
        None => (String::new(), Written::Other("a list of other things than texts")),
    }
}
