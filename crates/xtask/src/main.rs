//! `cargo xtask tidy`: what the house demands and the compiler does not check; and `cargo xtask conformance`.

mod scan;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => {
            let findings = tidy::run(&Workspace::load()?);
            for finding in &findings {
                eprintln!("{finding}");
            }
            Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        ["conformance"] => {
            tidy::conformance::write(&Workspace::load()?, &Workspace::root()?)?;
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("usage: cargo xtask tidy | conformance");
            Ok(ExitCode::from(2))
        }
    }
}
