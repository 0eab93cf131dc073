//! How messages look on standard output.

use std::io::{self, BufWriter, Stdout, Write};

use anyhow::{Context, Result};
use mqtt_client::Delivery;

use crate::message_json::message_json;

/// Writes messages, buffered, payloads as the bytes they are.
pub struct Printer<W: Write = Stdout> {
    out: BufWriter<W>,
    verbose: bool,
    json: bool,
}

impl Printer {
    /// On standard output.
    pub fn new(verbose: bool, json: bool) -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, io::stdout()), verbose, json }
    }
}

impl<W: Write> Printer<W> {
    pub fn print(&mut self, delivery: &Delivery) -> Result<()> {
        self.write(delivery).context("cannot write to standard output")
    }

    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().context("cannot write to standard output")
    }

    fn write(&mut self, delivery: &Delivery) -> io::Result<()> {
        if self.json {
            return writeln!(self.out, "{}", message_json(delivery));
        }
        if self.verbose {
            write!(self.out, "{} ", delivery.topic)?;
        }
        self.out.write_all(&delivery.payload)?;
        self.out.write_all(b"\n")
    }
}
