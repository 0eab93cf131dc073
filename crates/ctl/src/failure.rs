//! From results to exit codes and words on standard error.

use std::io;
use std::process::ExitCode;

/// The exit code for what failed.
const FAILED: u8 = 1;
/// The exit code for what was not understood.
const USAGE: u8 = 2;

/// Arguments that do not go together. What clap finds by itself does not come here.
#[derive(Debug)]
pub struct Usage(pub String);

/// Failed, and the words for it are said already.
#[derive(Debug)]
pub struct Said;

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for Said {}

/// Says what went wrong and gives the exit code. Who closes our output, such as `head`, has got enough: no failure.
pub fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    if error.is::<Said>() {
        return ExitCode::from(FAILED);
    }
    say(&error);
    ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILED })
}

/// Says what went wrong.
pub fn say(error: &anyhow::Error) {
    eprintln!("weir: {}", words(error));
}

/// The whole chain of causes, but for those whose words the one before has already.
fn words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    words
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn each_cause_is_said_once() {
        let cause = anyhow::anyhow!("no space left");
        let error = cause.context("cannot write: no space left").context("no backup");
        assert_eq!(words(&error), "no backup: cannot write: no space left");
    }

    #[test]
    fn each_end_has_its_exit_code() {
        let broken_pipe =
            || Err(io::Error::from(io::ErrorKind::BrokenPipe)).context("standard output");
        for (result, expected) in [
            (Ok(()), 0),
            (Err(anyhow::anyhow!("no")), 1),
            (Err(Said.into()), 1),
            (Err(Usage("not so".to_owned()).into()), 2),
            (broken_pipe(), 0),
        ] {
            assert_eq!(exit_code(result), ExitCode::from(expected));
        }
    }
}
