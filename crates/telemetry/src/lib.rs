//! What the broker tells the operator: the metric catalogue with its text form, the set-up of the
//! log, and traces on their way to a collector.
//! It must not know domain logic.

mod catalogue;
mod exposition;
mod logging;
mod trace;

pub use catalogue::{Metric, MetricKind};
pub use exposition::Exposition;
pub use logging::{LogConfig, LogError, LogFormat};
pub use trace::{
    Exporter, OtlpConfig, Span, SpanCounts, SpanId, SpanKind, TraceParent, Tracer, Value,
    start_exporter,
};
