//! One row of the key table, and how a text fills the field that the row names.
//! It must not know which keys there are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::value::{self, BadValue, Form, Written};

/// A row: a key that fills a field of `T`.
pub(crate) struct Key<T: 'static> {
    /// The full name, `mqtt.publisher_hold`; for a listener the last part only.
    pub(crate) name: &'static str,
    /// The default, as a user would write it.
    pub(crate) default: &'static str,
    /// One sentence for the reference.
    pub(crate) doc: &'static str,
    /// The type, and the field.
    pub(crate) slot: Slot<T>,
}

/// The type of a key and the field it fills. A word in `none` stands for an absent value.
pub(crate) enum Slot<T: 'static> {
    Switch(fn(&mut T) -> &mut bool),
    Count16 {
        min: u16,
        max: u16,
        at: fn(&mut T) -> &mut u16,
    },
    Count32 {
        min: u32,
        max: u32,
        at: fn(&mut T) -> &mut u32,
    },
    OptionalCount16 {
        none: &'static str,
        at: fn(&mut T) -> &mut Option<u16>,
    },
    OptionalCount32 {
        none: &'static str,
        at: fn(&mut T) -> &mut Option<u32>,
    },
    OptionalCount64 {
        none: &'static str,
        at: fn(&mut T) -> &mut Option<u64>,
    },
    Span {
        min: Duration,
        max: Duration,
        at: fn(&mut T) -> &mut Duration,
    },
    OptionalSpan {
        none: &'static str,
        at: fn(&mut T) -> &mut Option<Duration>,
    },
    Size32 {
        min: u32,
        max: u32,
        at: fn(&mut T) -> &mut u32,
    },
    Size64 {
        min: u64,
        max: u64,
        at: fn(&mut T) -> &mut u64,
    },
    OptionalSize {
        none: &'static str,
        at: fn(&mut T) -> &mut Option<u64>,
    },
    Address(fn(&mut T) -> &mut SocketAddr),
    Path(fn(&mut T) -> &mut PathBuf),
    /// One of a few words; the function gets its place in the list.
    Word {
        words: &'static [&'static str],
        set: fn(&mut T, usize),
    },
    /// One text or several, divided by commas, that the function reads.
    List {
        what: &'static str,
        set: fn(&mut T, &str) -> Result<(), BadValue>,
    },
    /// A share from 0 to 1, kept in millionths.
    Ratio(fn(&mut T) -> &mut u32),
    /// Any other text that the function reads.
    Text {
        what: &'static str,
        set: fn(&mut T, &str) -> Result<(), String>,
    },
}

impl<T> Key<T> {
    /// Reads the default into its field.
    pub(crate) fn set_default(&self, target: &mut T) {
        let outcome = self.set(target, self.default, Written::Bare);
        debug_assert!(
            outcome.is_ok(),
            "the default of {} is no value for it: {outcome:?}",
            self.name
        );
    }

    /// Reads `text` into its field.
    pub(crate) fn set(&self, target: &mut T, text: &str, written: Written) -> Result<(), BadValue> {
        self.form().check(written)?;
        match &self.slot {
            Slot::Switch(at) => *at(target) = value::switch(text)?,
            Slot::Count16 { min, max, at } => *at(target) = value::count(text, *min, *max)?,
            Slot::Count32 { min, max, at } => *at(target) = value::count(text, *min, *max)?,
            Slot::OptionalCount16 { none, at } => {
                *at(target) = value::optional(text, none, |text| value::count(text, 1, u16::MAX))?;
            }
            Slot::OptionalCount32 { none, at } => {
                *at(target) = value::optional(text, none, |text| value::count(text, 1, u32::MAX))?;
            }
            Slot::OptionalCount64 { none, at } => {
                *at(target) = value::optional(text, none, |text| value::count(text, 1, u64::MAX))?;
            }
            Slot::Span { min, max, at } => *at(target) = value::span(text, *min, *max)?,
            Slot::OptionalSpan { none, at } => {
                *at(target) = value::optional(text, none, value::positive_span)?;
            }
            Slot::Size32 { min, max, at } => *at(target) = value::size(text, *min, *max)?,
            Slot::Size64 { min, max, at } => *at(target) = value::size(text, *min, *max)?,
            Slot::OptionalSize { none, at } => {
                *at(target) = value::optional(text, none, |text| value::size(text, 1, u64::MAX))?;
            }
            Slot::Address(at) => *at(target) = value::address(text)?,
            Slot::Path(at) => *at(target) = value::path(text)?,
            Slot::Word { words, set } => set(target, value::word(text, words)?),
            Slot::List { set, .. } => set(target, text)?,
            Slot::Ratio(at) => *at(target) = value::millionths(text)?,
            Slot::Text { set, .. } => set(target, text)?,
        }
        Ok(())
    }

    /// The type in words, for the reference.
    pub(crate) fn type_name(&self) -> String {
        match &self.slot {
            Slot::Switch(_) => "`true` or `false`".to_owned(),
            Slot::Count16 { min, max, .. } => format!("number, {min} to {max}"),
            Slot::Count32 { min, max, .. } => format!("number, {min} to {max}"),
            Slot::OptionalCount16 { none, .. }
            | Slot::OptionalCount32 { none, .. }
            | Slot::OptionalCount64 { none, .. } => format!("number or `{none}`"),
            Slot::Span { .. } => "duration".to_owned(),
            Slot::OptionalSpan { none, .. } => format!("duration or `{none}`"),
            Slot::Size32 { .. } | Slot::Size64 { .. } => "size".to_owned(),
            Slot::OptionalSize { none, .. } => format!("size or `{none}`"),
            Slot::Address(_) => "address and port".to_owned(),
            Slot::Path(_) => "path".to_owned(),
            Slot::Word { words, .. } => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Slot::List { what, .. } => format!("{what}, or a list of them"),
            Slot::Ratio(_) => "number, 0.0 to 1.0".to_owned(),
            Slot::Text { what, .. } => (*what).to_owned(),
        }
    }

    /// How a TOML file must write the value.
    const fn form(&self) -> Form {
        match self.slot {
            Slot::Switch(_) => Form::Switch,
            Slot::Count16 { .. } | Slot::Count32 { .. } => Form::Number,
            Slot::OptionalCount16 { .. }
            | Slot::OptionalCount32 { .. }
            | Slot::OptionalCount64 { .. }
            | Slot::Span { .. }
            | Slot::OptionalSpan { .. }
            | Slot::Size32 { .. }
            | Slot::Size64 { .. }
            | Slot::OptionalSize { .. } => Form::NumberOrText,
            Slot::List { .. } => Form::TextOrList,
            Slot::Ratio(_) => Form::Fraction,
            Slot::Address(_) | Slot::Path(_) | Slot::Word { .. } | Slot::Text { .. } => Form::Text,
        }
    }
}
