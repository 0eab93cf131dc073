//! The Prometheus text format 0.0.4, written with the catalogue's names as they are.

use std::fmt::Write;

use crate::{Metric, MetricKind};

#[cfg(test)]
mod tests;

/// A page for `/metrics` under construction.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// The media type of the page.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metric without a label.
    pub fn value(&mut self, metric: Metric, value: u64) {
        debug_assert!(metric.label().is_none(), "{} has a label", metric.name());
        self.head(metric);
        self.push(format_args!("{} {value}\n", metric.name()));
    }

    /// Adds a metric once for each value of its label. Nothing is written when there is none.
    pub fn labelled<'a>(
        &mut self,
        metric: Metric,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.samples(metric, values.into_iter().map(|(label, value)| (label, value.to_string())));
    }

    /// Adds a metric in seconds from values in milliseconds.
    pub fn labelled_seconds<'a>(
        &mut self,
        metric: Metric,
        milliseconds: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        let seconds = |value: u64| format!("{}.{:03}", value / 1_000, value % 1_000);
        self.samples(
            metric,
            milliseconds.into_iter().map(|(label, value)| (label, seconds(value))),
        );
    }

    /// The page.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    fn samples<'a>(&mut self, metric: Metric, values: impl Iterator<Item = (&'a str, String)>) {
        let name = metric.name();
        let label_name = metric.label().expect("only metrics with a label are written by label");
        for (position, (label, value)) in values.enumerate() {
            if position == 0 {
                self.head(metric);
            }
            self.push(format_args!("{name}{{{label_name}=\"{}\"}} {value}\n", escaped(label)));
        }
    }

    fn head(&mut self, metric: Metric) {
        let kind = match metric.kind() {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        let (name, help) = (metric.name(), metric.help());
        self.push(format_args!("# HELP {name} {help}.\n# TYPE {name} {kind}\n"));
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.text.write_fmt(arguments).expect("writing to a String does not fail");
    }
}

/// A label value: backslash, quote and line feed are escaped, all else stands as it is.
fn escaped(label: &str) -> String {
    let mut text = String::with_capacity(label.len());
    for character in label.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            _ => text.push(character),
        }
    }
    text
}
