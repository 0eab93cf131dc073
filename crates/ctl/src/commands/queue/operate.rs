//! What operators do to a queue: look, purge, seek, pause.

use std::str::FromStr;

use admin_api::{
    ConsumerView, LedgerView, PurgeBody, PurgeResult, QueueEnd, QueueView, RedriveBody,
    RedriveResult, SeekBody, SeekResult, Timestamp,
};
use anyhow::Result;
use clap::Subcommand;
use serde_json::{Map, Value};
use stdx::UnixMillis;

use super::messages::{self, State};
use super::{path, progress, table};
use crate::output;
use crate::rest_args::RestArgs;

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
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
        /// How many at most
        #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Look at messages without changing anything
    Peek {
        /// The queue
        name: String,
        /// The first offset to look at
        #[arg(short, long, default_value_t = 0)]
        offset: u64,
        /// How many at most
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
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
        #[arg(short = 'n', long, default_value_t = 10)]
        lines: u64,
        /// Stop after that many messages
        #[arg(short = 'C', long, value_parser = clap::value_parser!(u64).range(1..))]
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

/// Where a seek leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place(SeekBody);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = SeekBody::default();
        let body = match text {
            "earliest" => SeekBody { to: Some(QueueEnd::Earliest), ..none },
            "latest" => SeekBody { to: Some(QueueEnd::Latest), ..none },
            text => match text.strip_prefix('@') {
                Some(time) => SeekBody { time: Some(moment(time)?), ..none },
                None => SeekBody { offset: Some(offset(text)?), ..none },
            },
        };
        Ok(Self(body))
    }
}

fn offset(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        "is none of earliest, latest, an offset, and @ with a time such as @2026-11-24T10:00:00Z"
            .to_owned()
    })
}

fn moment(text: &str) -> Result<Timestamp, String> {
    match text.parse() {
        Ok(milliseconds) => Ok(Timestamp(UnixMillis(milliseconds))),
        Err(_) => text.parse().map_err(|error| format!("is no time after the @: {error}")),
    }
}

/// Does what the verb says.
pub fn run(verb: &OperateVerb, args: &RestArgs) -> Result<()> {
    let rest = args.rest()?;
    match verb {
        OperateVerb::Purge { name, filter, key } => {
            let body = PurgeBody { filter: filter.clone(), key: key.clone() };
            let result: PurgeResult = progress::walk(args, name, "purge", &body)?;
            said(args, &result, || format!("queue '{name}': {} messages purged", result.purged))
        }
        OperateVerb::Redrive { name, to, rate, limit } => {
            let body = RedriveBody { to: to.clone(), rate: *rate, limit: *limit };
            let result: RedriveResult = progress::walk(args, name, "redrive", &body)?;
            let stopped = result.stopped.as_deref();
            let why = stopped.map(|why| format!("; stopped: {why}")).unwrap_or_default();
            said(args, &result, || {
                format!("queue '{name}': {} dead letters sent back{why}", result.redriven)
            })
        }
        OperateVerb::Peek { name, offset, limit, state } => {
            messages::peek(&rest, name, *offset, *limit, *state, args.json)
        }
        OperateVerb::Seek { name, to } => {
            let result: SeekResult = progress::walk(args, name, "seek", &to.0)?;
            said(args, &result, || {
                let SeekResult { offset, purged, restored } = result;
                format!(
                    "queue '{name}' goes on at offset {offset}: {purged} messages passed over, {restored} ready again"
                )
            })
        }
        OperateVerb::Pause { name } => switch(args, name, "pause", "paused"),
        OperateVerb::Resume { name } => switch(args, name, "resume", "resumed"),
        OperateVerb::Tail { name, lines, count } => {
            messages::tail(&rest, name, *lines, *count, args.json)
        }
        OperateVerb::Consumers { name } => {
            let consumers: Vec<ConsumerView> =
                rest.list(&format!("{}/consumers", path(name)), &[])?;
            said(args, &consumers, || table::consumers(&consumers))
        }
        OperateVerb::Ledger { name } => {
            let ledger: LedgerView = rest.get(&format!("{}/ledger", path(name)))?;
            said(args, &ledger, || table::ledger(&ledger))
        }
    }
}

fn switch(args: &RestArgs, name: &str, verb: &str, done: &str) -> Result<()> {
    let path = format!("{}/{verb}", path(name));
    let view: QueueView = args.rest()?.send("POST", &path, &Map::<String, Value>::new())?;
    said(args, &view, || format!("queue '{name}' {done}"))
}

/// Says it as JSON if that is wanted, or else in words.
fn said(
    args: &RestArgs,
    value: &impl serde::Serialize,
    words: impl FnOnce() -> String,
) -> Result<()> {
    if args.json { output::json(value) } else { output::line(&words()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_an_end_an_offset_or_a_time() {
        for (text, body) in [
            ("earliest", json!({"to": "earliest"})),
            ("latest", json!({"to": "latest"})),
            ("17", json!({"offset": 17})),
            ("@1500", json!({"time": "1970-01-01T00:00:01.500Z"})),
            ("@2026-11-24T10:37:00Z", json!({"time": "2026-11-24T10:37:00.000Z"})),
        ] {
            let place: Place = text.parse().expect(text);
            assert_eq!(serde_json::to_value(place.0).expect("JSON"), body, "{text}");
        }
        for text in ["", "end", "-1", "@", "@soon", "1.5"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
