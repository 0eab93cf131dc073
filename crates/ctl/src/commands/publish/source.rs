//! Where the payloads to publish come from.

use std::fs;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

/// Lines read ahead of the publisher.
const LINES_AHEAD: usize = 1_000;

/// What to publish; exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SourceArgs {
    /// This text
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    message: Option<String>,
    /// This file, as one message
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Each line of standard input as a message
    #[arg(short = 'l', long)]
    stdin_line: bool,
    /// All of standard input as one message
    #[arg(short = 's', long)]
    stdin_file: bool,
    /// A message without a payload
    #[arg(short, long)]
    null_message: bool,
}

/// Payloads, one after the other.
pub enum Source {
    One(Option<Vec<u8>>),
    Lines(Receiver<io::Result<Vec<u8>>>),
}

/// What a source has.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Message(Vec<u8>),
    /// Nothing in the time that was given.
    NotYet,
    End,
}

impl SourceArgs {
    /// Reads what can be read at once.
    pub fn open(&self) -> Result<Source> {
        if self.stdin_line {
            return Ok(Source::Lines(lines_of(io::stdin())));
        }
        let payload = match (&self.message, &self.file) {
            (Some(text), _) => text.clone().into_bytes(),
            (_, Some(path)) => fs::read(path)
                .with_context(|| format!("file '{}' cannot be read", path.display()))?,
            _ if self.stdin_file => {
                let mut payload = Vec::new();
                io::stdin().read_to_end(&mut payload).context("standard input cannot be read")?;
                payload
            }
            _ => Vec::new(),
        };
        Ok(Source::One(Some(payload)))
    }
}

impl Source {
    /// The next payload.
    pub fn next(&mut self, wait: Duration) -> Result<Next> {
        match self {
            Self::One(payload) => Ok(payload.take().map_or(Next::End, Next::Message)),
            Self::Lines(lines) => match lines.recv_timeout(wait) {
                Ok(line) => Ok(Next::Message(line.context("standard input cannot be read")?)),
                Err(RecvTimeoutError::Timeout) => Ok(Next::NotYet),
                Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
            },
        }
    }
}

/// Reads lines on a thread of its own, so that a connection that is lost is seen while nobody types.
fn lines_of(input: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (to_publisher, lines) = sync_channel(LINES_AHEAD);
    thread::spawn(move || {
        for line in io::BufReader::new(input).split(b'\n') {
            let line = line.map(|mut line| {
                line.pop_if(|last| *last == b'\r');
                line
            });
            if to_publisher.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_payload_also_the_last_and_the_empty() {
        let mut source = Source::Lines(lines_of(&b"one\n\ntwo\r\n\xff last"[..]));
        let wait = Duration::from_secs(10);
        for expected in [&b"one"[..], b"", b"two", b"\xff last"] {
            assert_eq!(source.next(wait).expect("readable"), Next::Message(expected.to_vec()));
        }
        assert_eq!(source.next(wait).expect("readable"), Next::End);
    }
}
