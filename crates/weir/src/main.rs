//! The `weir` binary: `serve` and `check` here, everything else in `ctl`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What [`with_serve`] adds.
const SERVE_ARGUMENTS: [&str; 4] = ["config", "data-dir", "server-reference", "set"];

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() -> ExitCode {
    let mut command = with_serve(command());
    let matches = command.get_matches_mut();
    match matches.subcommand() {
        None => server::serve(&options(&[&matches])),
        Some(("serve", inner)) => server::serve(&options(&[&matches, inner])),
        Some(("check", inner)) => server::check(&options(&[&matches, inner])),
        Some((name, _)) if SERVE_ARGUMENTS.iter().any(|id| matches.contains_id(id)) => {
            let message = format!(
                "--config, --data-dir, --server-reference and --set before '{name}' are the broker's; put options after it"
            );
            command.error(ErrorKind::ArgumentConflict, message).exit()
        }
        Some(_) => ctl::run(&matches),
    }
}

fn command() -> Command {
    let serve =
        with_serve(Command::new("serve").about("Run the broker (also what plain `weir` does)"));
    let check =
        with_serve(Command::new("check").about("Check the configuration and print what holds"));
    ctl::command()
        .about("MQTT broker and durable queues in one binary")
        .version(VERSION)
        .subcommand_required(false)
        .arg_required_else_help(false)
        .subcommand(serve)
        .subcommand(check)
}

/// The arguments of `serve`, which plain `weir` takes too.
fn with_serve(command: Command) -> Command {
    command
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Configuration file (also WEIR_CONFIG)"),
        )
        .arg(
            Arg::new("data-dir")
                .long("data-dir")
                .value_name("DIR")
                .help("Where all data lies [default: weir-data]"),
        )
        .arg(
            Arg::new("server-reference")
                .long("server-reference")
                .value_name("SERVER")
                .help("Where 5.0 clients are sent when the broker shuts down (server.reference)"),
        )
        .arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .help("Set a configuration key, such as queues.auto_create.enabled=false"),
        )
}

/// What stands before and after the subcommand; the later word wins.
fn options(levels: &[&ArgMatches]) -> server::Options {
    let mut options = server::Options { version: VERSION, ..server::Options::default() };
    for matches in levels {
        options.set.extend(matches.get_many("set").into_iter().flatten().cloned());
        if let Some(data_dir) = matches.get_one::<String>("data-dir") {
            options.set.push(format!("data_dir={data_dir}"));
        }
        if let Some(reference) = matches.get_one::<String>("server-reference") {
            options.set.push(format!("server.reference={reference}"));
        }
        options.config = matches.get_one("config").cloned().or(options.config);
    }
    options
}
