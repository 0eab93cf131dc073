//! The `weir` binary: `serve` and `check` here, everything else in `ctl`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() -> ExitCode {
    let matches = with_serve(command()).get_matches();
    match matches.subcommand() {
        None => server::serve(&options(&matches)),
        Some(("serve", matches)) => server::serve(&options(matches)),
        Some(("check", matches)) => server::check(&options(matches)),
        Some(_) => ctl::run(&matches),
    }
}

fn command() -> Command {
    let serve = with_serve(Command::new("serve").about("Run the broker (also what plain `weir` does)"));
    let check = with_serve(Command::new("check").about("Check the configuration and print what holds"));
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
        .arg(Arg::new("data-dir").long("data-dir").value_name("DIR").help("Where all data lies [default: weir-data]"))
        .arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .help("Set a configuration key, such as queues.auto_create.enabled=false"),
        )
}

fn options(matches: &ArgMatches) -> server::Options {
    let mut set: Vec<String> = matches.get_many("set").into_iter().flatten().cloned().collect();
    if let Some(data_dir) = matches.get_one::<String>("data-dir") {
        set.push(format!("data_dir={data_dir}"));
    }
    server::Options { config: matches.get_one("config").cloned(), set, version: VERSION }
}
