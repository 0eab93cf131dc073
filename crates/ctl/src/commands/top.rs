//! `weir top`: what a broker does at this moment, in the terminal until somebody ends it, or once.

mod live;
mod sample;
mod screen;
mod snapshot;
mod terminal;

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use admin_api::AlarmView;
use anyhow::Result;
use clap::Args;

use crate::connection_args::parse_wait;
use crate::failure::Usage;
use crate::output;
use crate::rest::Rest;
use crate::rest_args::RestArgs;
use sample::Sample;
use snapshot::Snapshot;

/// The shortest time between two looks.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The arguments of `weir top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Print what is there and end, as it does without a terminal and with --json
    #[arg(long)]
    once: bool,
    /// Seconds between two looks, or with a unit; rates are over that time
    #[arg(short = 'd', long, default_value = "1s", value_parser = parse_wait, value_name = "DURATION")]
    interval: Duration,
    /// How many queues and how many streams at most [default: as many as the terminal has room for, else all]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    #[command(flatten)]
    rest: RestArgs,
}

/// One look at a broker.
struct Look {
    at: Instant,
    sample: Sample,
    alarms: Vec<AlarmView>,
}

impl Look {
    fn take(rest: &Rest) -> Result<Self> {
        let at = Instant::now();
        let sample = Sample::read(&rest.text("/metrics")?);
        Ok(Self { at, sample, alarms: rest.list("/api/v1/alarms", &[])? })
    }

    /// What is to be seen, with rates since the look before.
    fn snapshot(&self, before: Option<&Self>) -> Snapshot {
        let before = before.map(|before| (&before.sample, self.at - before.at));
        Snapshot::new(&self.sample, before, self.alarms.clone())
    }
}

/// Shows it until somebody ends it, or once.
pub fn run(args: &TopArgs) -> Result<()> {
    if args.interval < INTERVAL_MIN {
        return Err(Usage("--interval: must be 100ms or longer".to_owned()).into());
    }
    let rest = args.rest.rest()?;
    let first = Look::take(&rest)?;
    if !args.once && !args.rest.json && io::stdin().is_terminal() && io::stdout().is_terminal() {
        return live::run(rest, first, args.interval, args.lines);
    }
    thread::sleep(args.interval);
    let mut snapshot = Look::take(&rest)?.snapshot(Some(&first));
    if args.rest.json {
        let lines = args.lines.unwrap_or(usize::MAX);
        snapshot.queues.truncate(lines);
        snapshot.streams.truncate(lines);
        return output::json(&snapshot);
    }
    let lines = screen::lines(&snapshot, rest.url(), args.lines);
    output::line(&lines.join("\n"))
}
