//! Standard output, written so that a closed pipe is an error to be handled and not a panic.

use std::io::{self, Write};

use anyhow::{Context, Result};
use comfy_table::{Table, presets};

/// Writes text and a line end.
pub fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Writes a value as JSON for people and programs.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    line(&serde_json::to_string_pretty(value).context("cannot write JSON")?)
}

/// Writes a value as JSON in one line.
pub fn json_line(value: &impl serde::Serialize) -> Result<()> {
    line(&serde_json::to_string(value).context("cannot write JSON")?)
}

/// A table for people: a line for each thing, without lines between or spaces at the ends.
pub struct Columns(Table);

impl Columns {
    /// A table with those heads.
    pub fn new<const N: usize>(heads: [&str; N]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(heads);
        Self(table)
    }

    /// Adds a line.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells);
    }

    /// The table as text.
    pub fn text(&self) -> String {
        self.0.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

/// The fields of one thing, a line each.
pub fn fields(value: &impl serde::Serialize) -> Result<()> {
    let value = serde_json::to_value(value).context("cannot write JSON")?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        table.add_row([name.clone(), text]);
    }
    line(&Columns(table).text())
}
