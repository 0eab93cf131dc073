//! `weir delayed`.

use admin_api::DelayedView;
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::output::{self, Columns};
use crate::rest::segment;
use crate::rest_args::RestArgs;

const DELAYED: &str = "/api/v1/delayed";

/// The arguments of `weir delayed`.
#[derive(Debug, Args)]
pub struct DelayedArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    rest: RestArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List messages that are to be published later, the next one first
    Ls,
    /// Cancel messages that are to be published later
    Rm {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Does what the verb says.
pub fn run(args: &DelayedArgs) -> Result<()> {
    let rest = args.rest.rest()?;
    match &args.verb {
        Verb::Ls => {
            let messages: Vec<DelayedView> = rest.list(DELAYED, &[])?;
            if args.rest.json { output::json(&messages) } else { output::line(&table(messages)) }
        }
        Verb::Rm { ids } => {
            for id in ids {
                rest.delete(&format!("{DELAYED}/{}", segment(id)))?;
                output::line(&format!("delayed message '{id}' cancelled"))?;
            }
            Ok(())
        }
    }
}

fn table(messages: Vec<DelayedView>) -> String {
    let mut table = Columns::new(["ID", "DUE", "TOPIC", "CLIENT", "QOS", "BYTES"]);
    for message in messages {
        table.row([
            message.id,
            message.due.to_string(),
            message.topic.unwrap_or_else(|| "(not readable)".to_owned()),
            message.client_id.unwrap_or_else(|| "-".to_owned()),
            message.qos.to_string(),
            message.bytes.to_string(),
        ]);
    }
    table.text()
}
