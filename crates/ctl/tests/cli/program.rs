//! Runs the commands as a process.

use std::io::Write;
use std::process::{Child, Command, Stdio};

/// What a process has left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_weir-ctl");

/// Starts it with a clean environment.
pub fn start(arguments: &[&str]) -> Child {
    start_with(arguments, &[])
}

/// Starts it with that environment.
fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Gives it that standard input and waits for its end.
pub fn end(mut child: Child, input: &str) -> Ended {
    // It may have ended without reading.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Ended {
    end(start(arguments), "")
}

/// The same with that environment.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    end(start_with(arguments, variables), "")
}
