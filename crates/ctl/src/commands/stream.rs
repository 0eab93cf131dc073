//! `weir stream`.

mod message;
mod operate;
mod table;

use admin_api::{StreamLedgerView, StreamView};
use anyhow::Result;
use clap::{Args, Subcommand};

use super::define::{self, DefineVerb, Resource};
use super::table::ledger;
use crate::rest_args::RestArgs;

/// The arguments of `weir stream`.
#[derive(Debug, Args)]
pub struct StreamArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    rest: RestArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Define(DefineVerb),
    #[command(flatten)]
    Operate(operate::OperateVerb),
}

/// Does what the verb says.
pub fn run(args: &StreamArgs) -> Result<()> {
    match &args.verb {
        Verb::Define(verb) => define::run::<StreamView>(verb, &args.rest),
        Verb::Operate(verb) => operate::run(verb, &args.rest),
    }
}

impl Resource for StreamView {
    const WHAT: &str = "stream";
    const PATH: &str = "/api/v1/streams";

    fn name(&self) -> &str {
        &self.name
    }

    fn topic_filter(&self) -> Option<&str> {
        self.topic_filter.as_deref()
    }

    fn how_to_use(&self) -> String {
        match self.topic_filter.as_deref() {
            Some(filter) if filter == self.name => format!("read it as '$s/earliest/{filter}'"),
            _ => format!("read it as '$stream/{}'", self.name),
        }
    }

    fn list(all: &[Self]) -> String {
        table::streams(all)
    }

    fn ledger(&self) -> String {
        account(&StreamLedgerView::new(self.name.clone(), &self.stats))
    }

    fn next_offset(&self) -> u64 {
        self.stats.next_offset
    }

    fn walked(before: &Self, now: &Self) -> (u64, u64, u64) {
        (before.stats.kept, now.stats.purged.saturating_sub(before.stats.purged), 0)
    }
}

fn account(view: &StreamLedgerView) -> String {
    ledger(("appended", view.appended), &view.terms(), view.balances)
}
