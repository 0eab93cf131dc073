//! What operators do to a queue: look, purge, seek, pause.

use admin_api::{
    ConsumerView, DeadLetter, LedgerView, PurgeBody, PurgeResult, QueueMessageView, QueueView,
    RedriveBody, RedriveResult, SeekResult,
};
use anyhow::{Result, bail};
use clap::Subcommand;

use super::message::State;
use super::{account, table};
use crate::commands::define::{Resource as _, path, switch};
use crate::commands::place::Place;
use crate::commands::progress::{Extent, Watch};
use crate::commands::{messages, progress};
use crate::number_args::{count, number, offset};
use crate::rest_args::RestArgs;

/// What the name of a queue's own dead-letter queue begins with.
const DEAD_LETTERS_PREFIX: &str = "dead:";

/// The verbs for one queue.
#[derive(Debug, Subcommand)]
pub enum OperateVerb {
    /// Remove messages that are not in flight: all, or those of a filter or a key
    Purge {
        /// The queue
        name: String,
        /// Only messages whose topic matches this filter
        #[arg(short, long)]
        filter: Option<String>,
        /// Only messages with this key
        #[arg(short, long)]
        key: Option<String>,
    },
    /// Send a queue's dead letters back to its tail
    Redrive {
        /// The queue that gave them up, or `dead:<queue>`
        name: String,
        /// To this queue instead
        #[arg(long)]
        to: Option<String>,
        /// Messages a second at most
        #[arg(long, value_parser = count::<u32>)]
        rate: Option<u32>,
        /// How many at most
        #[arg(short = 'n', long, value_parser = count::<u64>)]
        limit: Option<u64>,
    },
    /// Look at messages without changing anything
    Peek {
        /// The queue
        name: String,
        /// The first offset to look at
        #[arg(short, long, default_value_t = 0, value_parser = offset)]
        offset: u64,
        /// How many at most
        #[arg(short = 'n', long, default_value_t = 20, value_parser = count::<u64>)]
        limit: u64,
        /// Only messages that stand so
        #[arg(short, long, value_enum)]
        state: Option<State>,
    },
    /// Go on at another message: forward, what is passed over is purged; back, what was settled and kept comes again
    Seek {
        /// The queue
        name: String,
        /// `earliest`, `latest`, an offset, or `@` and a time: RFC 3339, or milliseconds since 1970
        to: Place,
    },
    /// Store, and deliver nothing
    Pause {
        /// The queue
        name: String,
    },
    /// Deliver again
    Resume {
        /// The queue
        name: String,
    },
    /// Show messages as they come, without consuming them
    Tail {
        /// The queue
        name: String,
        /// How many of the newest to begin with
        #[arg(short = 'n', long, default_value_t = 10, value_parser = number::<u64>)]
        lines: u64,
        /// Stop after that many messages
        #[arg(short = 'C', long, value_parser = count::<u64>)]
        count: Option<u64>,
    },
    /// List who consumes it
    Consumers {
        /// The queue
        name: String,
    },
    /// Show the account of its messages
    Ledger {
        /// The queue
        name: String,
    },
}

/// Does what the verb says.
pub fn run(verb: &OperateVerb, args: &RestArgs) -> Result<()> {
    let rest = args.rest()?;
    match verb {
        OperateVerb::Purge { name, filter, key } => {
            let body = PurgeBody { filter: filter.clone(), key: key.clone() };
            let extent = if body == PurgeBody::default() { Extent::All } else { Extent::Some };
            let result: PurgeResult =
                progress::walk::<QueueView, _>(args, (name, "purge"), &body, extent)?;
            args.said(&result, || format!("queue '{name}': {} messages purged", result.purged))
        }
        OperateVerb::Redrive { name, to, rate, limit } => {
            let body = RedriveBody { to: to.clone(), rate: *rate, limit: *limit };
            let result: RedriveResult = redrive(args, name, &body)?;
            args.said(&result, || {
                format!("queue '{name}': {} dead letters sent back", result.redriven)
            })?;
            match &result.stopped {
                Some(why) => bail!("redrive of queue '{name}' stopped: {why}"),
                None => Ok(()),
            }
        }
        OperateVerb::Peek { name, offset, limit, state } => {
            let path = messages_path(name);
            let state = state.map(|state| format!("&state={}", state.word())).unwrap_or_default();
            messages::peek::<QueueMessageView>(&rest, &path, &state, (*offset, *limit), args.json)
        }
        OperateVerb::Seek { name, to } => {
            let result: SeekResult =
                progress::walk::<QueueView, _>(args, (name, "seek"), &to.0, Extent::Some)?;
            args.said(&result, || {
                let SeekResult { offset, purged, restored } = result;
                format!(
                    "queue '{name}' goes on at offset {offset}: {purged} messages passed over, {restored} ready again"
                )
            })
        }
        OperateVerb::Pause { name } => switch::<QueueView>(args, name, "pause", "paused"),
        OperateVerb::Resume { name } => switch::<QueueView>(args, name, "resume", "resumed"),
        OperateVerb::Tail { name, lines, count } => {
            let end = rest.get::<QueueView>(&path::<QueueView>(name))?.next_offset();
            let path = messages_path(name);
            messages::tail::<QueueMessageView>(&rest, &path, (end, *lines), *count, args.json)
        }
        OperateVerb::Consumers { name } => {
            let consumers: Vec<ConsumerView> =
                rest.list(&format!("{}/consumers", path::<QueueView>(name)), &[])?;
            args.said(&consumers, || table::consumers(&consumers))
        }
        OperateVerb::Ledger { name } => {
            let ledger: LedgerView = rest.get(&format!("{}/ledger", path::<QueueView>(name)))?;
            args.said(&ledger, || account(&ledger))
        }
    }
}

fn messages_path(name: &str) -> String {
    format!("{}/messages", path::<QueueView>(name))
}

/// Sends dead letters back, and shows how many have left the queue that they are in.
fn redrive(args: &RestArgs, name: &str, body: &RedriveBody) -> Result<RedriveResult> {
    progress::watched(args, (name, "redrive"), body, || {
        // The request ends with its connection.
        let interrupted = "interrupted: what was sent back stays there, the rest stays where it is";
        let (name, interrupted) = (grave(args, name)?, interrupted.to_owned());
        let limit = body.limit.unwrap_or(u64::MAX);
        let bar = Box::new(move |before: &_, now: &_| sent_back(before, now, limit));
        Ok(Watch { name, bar, interrupted })
    })
}

/// Where a queue's dead letters are.
fn grave(args: &RestArgs, name: &str) -> Result<String> {
    if name.starts_with(DEAD_LETTERS_PREFIX) {
        return Ok(name.to_owned());
    }
    let queue: QueueView = args.rest()?.get(&path::<QueueView>(name))?;
    Ok(match queue.properties.dead_letter {
        DeadLetter::Queue(other) => other,
        DeadLetter::Own | DeadLetter::None => format!("{DEAD_LETTERS_PREFIX}{name}"),
    })
}

fn sent_back(before: &QueueView, now: &QueueView, limit: u64) -> String {
    let total = (before.stats.ready + before.stats.delayed).min(limit);
    let done = now.stats.settled.saturating_sub(before.stats.settled);
    progress::bar(done, total, "dead letters sent back")
}
