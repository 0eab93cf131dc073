//! The commands of this crate as a program of their own, for its tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    ctl::run(&ctl::command().get_matches())
}
