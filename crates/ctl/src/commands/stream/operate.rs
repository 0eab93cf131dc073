//! What operators do to a stream and its readers: look, purge, seek, pause, forget.

use admin_api::{
    ConsumerView, PurgeResult, ReaderKind, ReaderView, StreamLedgerView, StreamMessageView,
    StreamPurgeBody, StreamSeekBody, StreamSeekResult, StreamView,
};
use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{account, table};
use crate::commands::define::{Resource as _, path, switch};
use crate::commands::place::Place;
use crate::commands::progress::Extent;
use crate::commands::queue::table::consumers as consumers_table;
use crate::commands::{messages, progress};
use crate::failure::Usage;
use crate::number_args::{count, number, offset};
use crate::rest::segment;
use crate::rest_args::RestArgs;

/// What is said to who looks for dead letters of a stream.
const NO_DEAD_LETTERS: &str = "a stream has no dead letters: what a reader rejects stays in the stream; to read it once more: weir stream seek NAME OFFSET --reader CLIENT_ID";

/// The verbs for one stream.
#[derive(Debug, Subcommand)]
pub enum OperateVerb {
    /// Remove messages: all, or those before an offset, of a filter or a key
    Purge {
        /// The stream
        name: String,
        /// Only messages before this offset
        #[arg(short, long, value_name = "OFFSET", value_parser = offset)]
        before: Option<u64>,
        /// Only messages whose topic matches this filter
        #[arg(short, long)]
        filter: Option<String>,
        /// Only messages with this key
        #[arg(short, long)]
        key: Option<String>,
    },
    /// Look at messages without changing anything
    Peek {
        /// The stream
        name: String,
        /// The first offset to look at
        #[arg(short, long, default_value_t = 0, value_parser = offset)]
        offset: u64,
        /// How many at most
        #[arg(short = 'n', long, default_value_t = 20, value_parser = count::<u64>)]
        limit: u64,
    },
    /// Show messages as they come, without being a reader
    Tail {
        /// The stream
        name: String,
        /// How many of the newest to begin with
        #[arg(short = 'n', long, default_value_t = 10, value_parser = number::<u64>)]
        lines: u64,
        /// Stop after that many messages
        #[arg(short = 'C', long, value_parser = count::<u64>)]
        count: Option<u64>,
    },
    /// Let a reader go on at another message
    Seek {
        /// The stream
        name: String,
        /// `earliest`, `latest`, an offset, or `@` and a time: RFC 3339, or milliseconds since 1970
        to: Place,
        #[command(flatten)]
        who: Who,
    },
    /// List who reads it, or has and may come back: positions, and how far they are behind
    Readers {
        /// The stream
        name: String,
    },
    /// List the clients that read it now
    Consumers {
        /// The stream
        name: String,
    },
    /// Forget the position of a reader that is away
    Forget {
        /// The stream
        name: String,
        #[command(flatten)]
        who: Who,
    },
    /// What queues have, and streams do not
    #[command(hide = true)]
    Redrive {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
    /// Store, and deliver nothing
    Pause {
        /// The stream
        name: String,
    },
    /// Deliver again
    Resume {
        /// The stream
        name: String,
    },
    /// Show the account of its messages
    Ledger {
        /// The stream
        name: String,
    },
}

/// A reader.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// The client of this id
    #[arg(short, long, value_name = "CLIENT_ID")]
    reader: Option<String>,
    /// The group of this name
    #[arg(short, long, value_name = "GROUP")]
    group: Option<String>,
}

impl Who {
    fn named(&self) -> (ReaderKind, &str) {
        match (&self.group, &self.reader) {
            (Some(group), _) => (ReaderKind::Group, group),
            (None, reader) => (ReaderKind::Client, reader.as_deref().unwrap_or_default()),
        }
    }
}

/// Does what the verb says.
pub fn run(verb: &OperateVerb, args: &RestArgs) -> Result<()> {
    let rest = || args.rest();
    let below = |name: &str, what: &str| format!("{}/{what}", path::<StreamView>(name));
    match verb {
        OperateVerb::Purge { name, before, filter, key } => {
            let body =
                StreamPurgeBody { before: *before, filter: filter.clone(), key: key.clone() };
            let all = body == StreamPurgeBody::default();
            let extent = if all { Extent::All } else { Extent::Some };
            let result: PurgeResult =
                progress::walk::<StreamView, _>(args, (name, "purge"), &body, extent)?;
            args.said(&result, || format!("stream '{name}': {} messages purged", result.purged))
        }
        OperateVerb::Peek { name, offset, limit } => {
            let path = below(name, "messages");
            messages::peek::<StreamMessageView>(&rest()?, &path, "", (*offset, *limit), args.json)
        }
        OperateVerb::Tail { name, lines, count } => {
            let end = rest()?.get::<StreamView>(&path::<StreamView>(name))?.next_offset();
            let path = below(name, "messages");
            messages::tail::<StreamMessageView>(&rest()?, &path, (end, *lines), *count, args.json)
        }
        OperateVerb::Seek { name, to: Place(place), who } => {
            let body = StreamSeekBody {
                reader: who.reader.clone(),
                group: who.group.clone(),
                offset: place.offset,
                time: place.time,
                to: place.to,
            };
            let result: StreamSeekResult = rest()?.send("POST", &below(name, "seek"), &body)?;
            let (kind, who) = who.named();
            args.said(&result, || {
                let position = result.position;
                format!("{} '{who}' goes on at offset {position} of '{name}'", kind.as_str())
            })
        }
        OperateVerb::Readers { name } => {
            let readers: Vec<ReaderView> = rest()?.list(&below(name, "readers"), &[])?;
            args.said(&readers, || table::readers(&readers))
        }
        OperateVerb::Consumers { name } => {
            let consumers: Vec<ConsumerView> = rest()?.list(&below(name, "consumers"), &[])?;
            args.said(&consumers, || consumers_table(&consumers))
        }
        OperateVerb::Forget { name, who } => {
            let (kind, who) = who.named();
            let kind = kind.as_str();
            let path = format!("{}/{}?kind={kind}", below(name, "readers"), segment(who));
            rest()?.delete(&path)?;
            args.said(&json!({ "forgotten": who, "kind": kind }), || {
                format!("position of {kind} '{who}' in '{name}' forgotten")
            })
        }
        OperateVerb::Redrive { .. } => Err(Usage(NO_DEAD_LETTERS.to_owned()).into()),
        OperateVerb::Pause { name } => switch::<StreamView>(args, name, "pause", "paused"),
        OperateVerb::Resume { name } => switch::<StreamView>(args, name, "resume", "resumed"),
        OperateVerb::Ledger { name } => {
            let view: StreamLedgerView = rest()?.get(&below(name, "ledger"))?;
            args.said(&view, || account(&view))
        }
    }
}
