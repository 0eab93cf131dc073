//! `weir queue`.

mod assignment;
mod messages;
mod operate;
mod progress;
mod table;

use admin_api::QueueView;
use anyhow::Result;
use clap::{Args, Subcommand};
use mqtt_types::QueueName;
use serde_json::{Map, Value};

use crate::failure::Usage;
use crate::output;
use crate::rest::segment;
use crate::rest_args::RestArgs;
use assignment::Assignment;

const QUEUES: &str = "/api/v1/queues";

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
    /// List all queues
    Ls,
    /// Create a queue
    Create {
        /// Its name: simple, or a topic filter, which then is what it is bound to
        name: Option<String>,
        /// The topic filter it is bound to; without a name it is the name too
        #[arg(short, long, conflicts_with = "unbound", required_unless_present_any = ["name", "unbound"])]
        filter: Option<String>,
        /// Bind it to nothing
        #[arg(long, requires = "name")]
        unbound: bool,
        /// Set a property, such as max_inflight=5; may be given several times
        #[arg(short, long, value_name = "PROPERTY=VALUE")]
        set: Vec<Assignment>,
    },
    /// Show a queue with all its properties and counts
    Show {
        /// Its name
        name: String,
    },
    /// Change properties of a queue
    Set {
        /// Its name
        name: String,
        /// The properties, such as paused=true or ack_timeout=1m
        #[arg(required = true, value_name = "PROPERTY=VALUE")]
        properties: Vec<Assignment>,
    },
    /// Delete queues and what waits in them
    Rm {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    #[command(flatten)]
    Operate(operate::OperateVerb),
}

/// Does what the verb says.
pub fn run(args: &QueueArgs) -> Result<()> {
    let json = args.rest.json;
    match &args.verb {
        Verb::Ls => {
            let queues: Vec<QueueView> = args.rest.rest()?.list(QUEUES, &[])?;
            if json { output::json(&queues) } else { output::line(&table::queues(&queues)) }
        }
        Verb::Create { name, filter, unbound, set } => {
            let body = create_body(name.as_deref(), filter.as_deref(), *unbound, set)?;
            let view: QueueView = args.rest.rest()?.send("POST", QUEUES, &body)?;
            done(&view, "created", json)
        }
        Verb::Show { name } => {
            let view: QueueView = args.rest.rest()?.get(&path(name))?;
            if json { output::json(&view) } else { output::line(&table::queue(&view)) }
        }
        Verb::Set { name, properties } => {
            let body = assignment::object(properties);
            let view: QueueView = args.rest.rest()?.send("PATCH", &path(name), &body)?;
            done(&view, "changed", json)
        }
        Verb::Rm { names } => {
            let rest = args.rest.rest()?;
            for name in names {
                rest.delete(&path(name))?;
                output::line(&format!("queue '{name}' deleted"))?;
            }
            Ok(())
        }
        Verb::Operate(verb) => operate::run(verb, &args.rest),
    }
}

fn path(name: &str) -> String {
    format!("{QUEUES}/{}", segment(name))
}

fn create_body(
    name: Option<&str>,
    filter: Option<&str>,
    unbound: bool,
    set: &[Assignment],
) -> Result<Map<String, Value>> {
    let mut body = assignment::object(set);
    if body.contains_key("name") || body.contains_key("topic_filter") {
        return Err(Usage("give name and --filter by themselves, not with --set".to_owned()).into());
    }
    if let Some(name) = name {
        body.insert("name".to_owned(), name.into());
    }
    match filter {
        Some(filter) => drop(body.insert("topic_filter".to_owned(), filter.into())),
        None if unbound => drop(body.insert("topic_filter".to_owned(), Value::Null)),
        None => check_bound_by_name(name.unwrap_or_default())?,
    }
    Ok(body)
}

/// A simple name says nothing about what the queue is bound to; any other is its filter.
fn check_bound_by_name(name: &str) -> Result<(), Usage> {
    match QueueName::new(name) {
        Ok(_) => Err(Usage(format!(
            "what is queue '{name}' bound to? give --filter FILTER, or --unbound"
        ))),
        Err(_) => Ok(()),
    }
}

fn done(view: &QueueView, what: &str, json: bool) -> Result<()> {
    if json {
        return output::json(view);
    }
    let bound = match view.topic_filter.as_deref() {
        Some(filter) if filter == view.name => format!("consume it as '$q/{filter}'"),
        Some(filter) => format!("bound to '{filter}', consume it as '$queue/{}'", view.name),
        None => format!("bound to nothing, consume it as '$queue/{}'", view.name),
    };
    output::line(&format!("queue '{}' {what}: {bound}", view.name))
}
