//! `weir queue`.

mod message;
mod operate;
pub(super) mod table;

use admin_api::{LedgerView, QueueView};
use anyhow::Result;
use clap::{Args, Subcommand};

use super::define::{self, DefineVerb, Resource};
use super::table::ledger;
use crate::rest_args::RestArgs;

/// The arguments of `weir queue`.
#[derive(Debug, Args)]
pub struct QueueArgs {
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
pub fn run(args: &QueueArgs) -> Result<()> {
    match &args.verb {
        Verb::Define(verb) => define::run::<QueueView>(verb, &args.rest),
        Verb::Operate(verb) => operate::run(verb, &args.rest),
    }
}

impl Resource for QueueView {
    const WHAT: &str = "queue";
    const PATH: &str = "/api/v1/queues";

    fn name(&self) -> &str {
        &self.name
    }

    fn topic_filter(&self) -> Option<&str> {
        self.topic_filter.as_deref()
    }

    fn how_to_use(&self) -> String {
        match self.topic_filter.as_deref() {
            Some(filter) if filter == self.name => format!("consume it as '$q/{filter}'"),
            _ => format!("consume it as '$queue/{}'", self.name),
        }
    }

    fn list(all: &[Self]) -> String {
        table::queues(all)
    }

    fn ledger(&self) -> String {
        account(&LedgerView::new(self.name.clone(), &self.stats))
    }

    fn next_offset(&self) -> u64 {
        self.stats.enqueued
    }

    fn walked(before: &Self, now: &Self) -> (u64, u64, u64) {
        let total = before.stats.ready + before.stats.delayed;
        let purged = now.stats.purged.saturating_sub(before.stats.purged);
        let restored = before.stats.settled.saturating_sub(now.stats.settled);
        (total, purged, restored)
    }
}

fn account(view: &LedgerView) -> String {
    ledger(("enqueued", view.enqueued), &view.terms(), view.balances)
}
