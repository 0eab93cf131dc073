//! The verbs that queues and streams share: list, create, show, change, delete. It must not know what is in them.

use std::fmt::Display;

use anyhow::Result;
use clap::Subcommand;
use mqtt_types::QueueName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::assignment::{self, Assignment};
use super::table;
use crate::failure::{self, Said, Usage};
use crate::rest::segment;
use crate::rest_args::RestArgs;

/// What can be listed, created, shown, changed and deleted.
pub trait Resource: DeserializeOwned + Serialize {
    /// The word for it.
    const WHAT: &str;
    /// Where they all are.
    const PATH: &str;

    fn name(&self) -> &str;

    fn topic_filter(&self) -> Option<&str>;

    /// How a client gets at its messages.
    fn how_to_use(&self) -> String;

    /// All of them, a line each.
    fn list(all: &[Self]) -> String;

    /// The account of its messages.
    fn ledger(&self) -> String;

    /// The offset that its next message gets.
    fn next_offset(&self) -> u64;

    /// How far a walk over its messages is: what was to be looked at before, what is purged, what has come back.
    fn walked(before: &Self, now: &Self) -> (u64, u64, u64);
}

#[derive(Debug, Subcommand)]
pub enum DefineVerb {
    /// List them all
    Ls,
    /// Create one
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
    /// Show one with all its properties and counts
    Show {
        /// Its name
        name: String,
    },
    /// Change properties of one
    Set {
        /// Its name
        name: String,
        /// The properties, such as paused=true or retention=1d
        #[arg(required = true, value_name = "PROPERTY=VALUE")]
        properties: Vec<Assignment>,
    },
    /// Delete some, with all that is in them
    Rm {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Does what the verb says.
pub fn run<R: Resource>(verb: &DefineVerb, args: &RestArgs) -> Result<()> {
    let rest = || args.rest();
    match verb {
        DefineVerb::Ls => {
            let all: Vec<R> = rest()?.list(R::PATH, &[])?;
            args.said(&all, || R::list(&all))
        }
        DefineVerb::Create { name, filter, unbound, set } => {
            let body = create_body(R::WHAT, name.as_deref(), filter.as_deref(), *unbound, set)?;
            let view: R = rest()?.send("POST", R::PATH, &body)?;
            args.said(&view, || done(&view, "created"))
        }
        DefineVerb::Show { name } => {
            let view: R = rest()?.get(&path::<R>(name))?;
            args.said(&view, || format!("{}\n\n{}", table::fields(&view), view.ledger()))
        }
        DefineVerb::Set { name, properties } => {
            let body = assignment::object(properties);
            let view: R = rest()?.send("PATCH", &path::<R>(name), &body)?;
            args.said(&view, || done(&view, "changed"))
        }
        DefineVerb::Rm { names } => {
            let rest = rest()?;
            let mut outcome = Ok(());
            for name in names {
                match rest.delete(&path::<R>(name)) {
                    Ok(()) => args.said(&json!({ "deleted": name }), || {
                        format!("{} '{name}' deleted", R::WHAT)
                    })?,
                    // The others can go all the same.
                    Err(error) => {
                        failure::say(&error);
                        outcome = Err(Said.into());
                    }
                }
            }
            outcome
        }
    }
}

/// Where one of them is.
pub fn path<R: Resource>(name: &str) -> String {
    format!("{}/{}", R::PATH, segment(name))
}

/// Lets one deliver nothing any more (`pause`), or deliver again (`resume`).
pub fn switch<R: Resource>(args: &RestArgs, name: &str, verb: &str, done: &str) -> Result<()> {
    let path = format!("{}/{verb}", path::<R>(name));
    let view: R = args.rest()?.send("POST", &path, &Map::<String, Value>::new())?;
    args.said(&view, || format!("{} '{name}' {done}", R::WHAT))
}

fn create_body(
    what: impl Display,
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
    match (filter, name) {
        (Some(filter), _) => drop(body.insert("topic_filter".to_owned(), filter.into())),
        (None, _) if unbound => drop(body.insert("topic_filter".to_owned(), Value::Null)),
        // A simple name says nothing about what it is bound to; any other is its filter.
        (None, Some(name)) if QueueName::new(name).is_ok() => {
            let question = format!("what is {what} '{name}' bound to?");
            return Err(Usage(format!("{question} give --filter FILTER, or --unbound")).into());
        }
        (None, _) => {}
    }
    Ok(body)
}

fn done<R: Resource>(view: &R, what: &str) -> String {
    let bound = match view.topic_filter() {
        Some(filter) if filter == view.name() => String::new(),
        Some(filter) => format!("bound to '{filter}', "),
        None => "bound to nothing, ".to_owned(),
    };
    format!("{} '{}' {what}: {bound}{}", R::WHAT, view.name(), view.how_to_use())
}
