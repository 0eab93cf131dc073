//! Traces: the context that messages bear, spans, and their way to a collector.
//! It must not know what a span is about.

mod otlp;
mod parent;
mod span;
mod tracer;

pub use otlp::{Exporter, OtlpConfig, start as start_exporter};
pub use parent::{SpanId, TraceParent};
pub use span::{Span, SpanKind, Value};
pub use tracer::{SpanCounts, Tracer};
