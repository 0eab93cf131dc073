//! What the broker tells the operator: the metric catalogue with its text form, and the set-up of the log.
//! It must not know domain logic.

mod catalogue;
mod exposition;
mod logging;

pub use catalogue::{Metric, MetricKind};
pub use exposition::Exposition;
pub use logging::{LogConfig, LogError, LogFormat};
