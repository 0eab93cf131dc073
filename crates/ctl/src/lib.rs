//! The command line but for running a broker: publish and subscribe over MQTT, resources over REST.
//! It must not know how the broker works inside; what it shows came over the wire. MQTT goes through `mqtt-client`,
//! so that nothing here knows a codec.

mod commands;
mod connection_args;
mod failure;
mod message_json;
mod number_args;
mod output;
mod password_args;
mod progress;
mod property_args;
mod rest;
mod rest_args;
mod server_args;

use std::process::ExitCode;

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};

use crate::commands::Commands;

/// The command with all subcommands of this crate; the program adds its own beside them.
#[must_use]
pub fn command() -> Command {
    Commands::augment_subcommands(
        Command::new("weir").subcommand_required(true).arg_required_else_help(true),
    )
}

/// Runs the subcommand that was given, says what went wrong, and gives the exit code: 0 done, 1 failed, 2 not
/// understood.
#[must_use]
pub fn run(matches: &ArgMatches) -> ExitCode {
    match Commands::from_arg_matches(matches) {
        Ok(command) => failure::exit_code(command.run()),
        Err(error) => error.exit(),
    }
}
