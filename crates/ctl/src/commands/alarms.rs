//! `weir alarms`.

use admin_api::AlarmView;
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::output::{self, Columns};
use crate::rest_args::RestArgs;

/// The arguments of `weir alarms`.
#[derive(Debug, Args)]
pub struct AlarmsArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    rest: RestArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List all alarms that stand
    Ls,
}

/// Does what the verb says.
pub fn run(args: &AlarmsArgs) -> Result<()> {
    let Verb::Ls = args.verb;
    let alarms: Vec<AlarmView> = args.rest.rest()?.list("/api/v1/alarms", &[])?;
    if args.rest.json {
        return output::json(&alarms);
    }
    if alarms.is_empty() {
        return output::line("no alarms");
    }
    let mut table = Columns::new(["ALARM", "RESOURCE", "SINCE", "REASON"]);
    for alarm in alarms {
        table.row([alarm.name, alarm.resource, alarm.since.to_string(), alarm.reason]);
    }
    output::line(&table.text())
}
