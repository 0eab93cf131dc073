//! One step of a trace.

use super::parent::{SpanId, TraceParent};

/// Which side of a step this is, by OpenTelemetry's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpanKind {
    /// Within the process.
    Internal = 1,
    /// A request that came.
    Server = 2,
    /// A message that goes out.
    Producer = 4,
}

/// What an attribute says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// Several texts.
    Texts(Vec<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// A step of a trace that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Its trace and its own id.
    pub context: TraceParent,
    /// The span that it is a part of; none for the first of its trace.
    pub parent: Option<SpanId>,
    /// What happens.
    pub name: &'static str,
    /// Which side of it this is.
    pub kind: SpanKind,
    /// When it began, in milliseconds since 1970.
    pub start_ms: u64,
    /// When it ended.
    pub end_ms: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed, if it did.
    pub error: Option<&'static str>,
}
