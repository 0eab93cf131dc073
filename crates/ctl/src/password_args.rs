//! A password from the terminal, from standard input or from a file; never from the command line, which others can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::Usage;

/// Where the password comes from.
#[derive(Clone, Debug, Args)]
pub struct PasswordArgs {
    /// Read the password from the first line of standard input [default: ask at the terminal]
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read the password from the first line of a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The password.
    pub fn read(&self, username: &str) -> Result<String> {
        let password = match &self.password_file {
            Some(path) => {
                let text = fs::read_to_string(path);
                let text = text.with_context(|| {
                    format!("the password file {} cannot be read", path.display())
                })?;
                text.lines().next().unwrap_or_default().to_owned()
            }
            None if self.password_stdin => first_line(&mut io::stdin().lock())?,
            None => asked(username)?,
        };
        if password.is_empty() {
            return Err(Usage("the password is empty".to_owned()).into());
        }
        Ok(password)
    }
}

fn first_line(input: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    input.read_line(&mut line).context("the password cannot be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks twice, so that a slip does not lock the user out.
fn asked(username: &str) -> Result<String> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| {
        let words = "no terminal to ask for the password: give --password-stdin or --password-file";
        Usage(words.to_owned())
    })?;
    let silent = Silent::new(&terminal)?;
    let mut input = BufReader::new(&terminal);
    let mut ask = |prompt: &str| -> Result<String> {
        write!(&terminal, "{prompt}: ").context("cannot write to the terminal")?;
        let line = first_line(&mut input);
        // The line end that was typed is not shown either.
        let _ = writeln!(&terminal);
        line
    };
    let password = ask(&format!("password of '{username}'"))?;
    let again = ask("the same again")?;
    drop(silent);
    if password != again {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(password)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Silent<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(terminal: &'a File) -> Result<Self> {
        let before = tcgetattr(terminal).context("the terminal cannot be asked")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent).context("the terminal shows input")?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing anyway.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
