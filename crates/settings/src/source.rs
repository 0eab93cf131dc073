//! Where a value stands: the text of its source, the place in it, and how to name that to a user.
//! It must not know what the value means.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::value::Written;

/// Where the value of a key came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the config file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A `--set` of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// The text in which values stand.
#[derive(Debug)]
pub(crate) enum Source {
    /// A whole file.
    File { path: PathBuf, text: String },
    /// `NAME=value`.
    Environment { variable: String, text: String },
    /// `--set key=value`.
    Flag { text: String },
}

impl Source {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::File { text, .. } | Self::Environment { text, .. } | Self::Flag { text } => text,
        }
    }
}

/// A place in a source.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) source: Arc<Source>,
    pub(crate) span: Range<usize>,
}

impl Place {
    pub(crate) fn origin(&self) -> Origin {
        match &*self.source {
            Source::File { path, text } => {
                let before = text.get(..self.span.start).unwrap_or(text);
                let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
                Origin::File { path: path.clone(), line }
            }
            Source::Environment { variable, .. } => {
                Origin::Environment { variable: variable.clone() }
            }
            Source::Flag { .. } => Origin::Flag,
        }
    }
}

/// A value that a source gives to a key, both still unchecked.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The full dotted name.
    pub(crate) key: String,
    /// The value as text; none for a table that is there, maybe empty.
    pub(crate) value: Option<String>,
    pub(crate) written: Written,
    pub(crate) key_place: Place,
    pub(crate) value_place: Place,
}
