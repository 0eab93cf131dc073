//! Standard output, written so that a closed pipe is an error to be handled and not a panic.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// Writes text and a line end.
pub fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Writes a value as JSON for people and programs.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    line(&serde_json::to_string_pretty(value).context("cannot write JSON")?)
}
