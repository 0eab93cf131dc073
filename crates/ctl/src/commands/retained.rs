//! `weir retained`.

use admin_api::{RetainedRemoved, RetainedView};
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::output::{self, Columns};
use crate::rest_args::RestArgs;

const RETAINED: &str = "/api/v1/retained";

/// Characters of a payload that are shown in a table.
const PAYLOAD_CHARS_MAX: usize = 40;

/// The arguments of `weir retained`.
#[derive(Debug, Args)]
pub struct RetainedArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    rest: RestArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List retained messages
    Ls {
        /// Only those of topics that this filter matches
        filter: Option<String>,
    },
    /// Remove retained messages; who is subscribed does not hear of it
    Rm {
        /// Those of topics that this filter matches; '#' is all of them
        filter: String,
    },
}

/// Does what the verb says.
pub fn run(args: &RetainedArgs) -> Result<()> {
    let rest = args.rest.rest()?;
    match &args.verb {
        Verb::Ls { filter } => {
            let messages: Vec<RetainedView> =
                rest.list(RETAINED, &[("filter", filter.as_deref())])?;
            if args.rest.json { output::json(&messages) } else { output::line(&table(messages)) }
        }
        Verb::Rm { filter } => {
            let removed: RetainedRemoved = rest.remove(RETAINED, &[("filter", filter)])?;
            if args.rest.json {
                return output::json(&removed);
            }
            let plural = if removed.removed == 1 { "" } else { "s" };
            output::line(&format!("{} retained message{plural} removed", removed.removed))
        }
    }
}

fn table(messages: Vec<RetainedView>) -> String {
    let mut table = Columns::new(["TOPIC", "QOS", "PUBLISHED", "PAYLOAD"]);
    for message in messages {
        let payload = match &message.text {
            Some(text) => shown(text),
            None => format!("{} (base64)", shown(&message.payload)),
        };
        table.row([
            message.topic,
            message.qos.to_string(),
            message.publish_ts.to_string(),
            payload,
        ]);
    }
    table.text()
}

/// The beginning of a text, on one line.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(PAYLOAD_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_on_one_line() {
        for (text, expected) in [
            ("", String::new()),
            ("on", "on".to_owned()),
            ("a\nb\u{1b}[1m", "a b [1m".to_owned()),
            (&"ä".repeat(41), format!("{}…", "ä".repeat(40))),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
