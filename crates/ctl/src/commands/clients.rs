//! `weir clients` and `weir subs`.

use admin_api::{ClientView, SubscriptionView};
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::output::{self, Columns};
use crate::rest::segment;
use crate::rest_args::RestArgs;

const CLIENTS: &str = "/api/v1/clients";

/// The arguments of `weir clients`.
#[derive(Debug, Args)]
pub struct ClientsArgs {
    #[command(subcommand)]
    verb: ClientsVerb,
    #[command(flatten)]
    rest: RestArgs,
}

#[derive(Debug, Subcommand)]
enum ClientsVerb {
    /// List clients: sessions with and without a connection
    Ls {
        /// Only those with a connection
        #[arg(long, conflicts_with = "disconnected")]
        connected: bool,
        /// Only those without
        #[arg(long)]
        disconnected: bool,
    },
    /// Show a client
    Show {
        /// Its client id
        client_id: String,
    },
    /// End the connections of clients, and their sessions
    Rm {
        /// Their client ids
        #[arg(required = true, value_name = "CLIENT_ID")]
        client_ids: Vec<String>,
        /// Keep the sessions: subscriptions and what waits
        #[arg(long)]
        keep_session: bool,
    },
}

/// The arguments of `weir subs`.
#[derive(Debug, Args)]
pub struct SubsArgs {
    #[command(subcommand)]
    verb: SubsVerb,
    #[command(flatten)]
    rest: RestArgs,
}

#[derive(Debug, Subcommand)]
enum SubsVerb {
    /// List subscriptions
    Ls {
        /// Only those of that client
        #[arg(long, value_name = "CLIENT_ID")]
        client: Option<String>,
        /// Only those that get what is published there, or that are to exactly that
        #[arg(long, value_name = "TOPIC")]
        topic: Option<String>,
    },
}

/// Does what the verb of `weir clients` says.
pub fn run(args: &ClientsArgs) -> Result<()> {
    let json = args.rest.json;
    match &args.verb {
        ClientsVerb::Ls { connected, disconnected } => {
            let wanted = match (connected, disconnected) {
                (true, _) => Some("true"),
                (_, true) => Some("false"),
                _ => None,
            };
            let clients: Vec<ClientView> =
                args.rest.rest()?.list(CLIENTS, &[("connected", wanted)])?;
            if json { output::json(&clients) } else { output::line(&table(clients)) }
        }
        ClientsVerb::Show { client_id } => {
            let client: ClientView = args.rest.rest()?.get(&path(client_id))?;
            if json { output::json(&client) } else { output::fields(&client) }
        }
        ClientsVerb::Rm { client_ids, keep_session } => {
            let rest = args.rest.rest()?;
            for client_id in client_ids {
                let path = path(client_id);
                let (path, what) = match keep_session {
                    true => (format!("{path}?session=keep"), "sent away, its session stays"),
                    false => (path, "sent away with its session"),
                };
                rest.delete(&path)?;
                output::line(&format!("client '{client_id}' {what}"))?;
            }
            Ok(())
        }
    }
}

/// Does what the verb of `weir subs` says.
pub fn run_subs(args: &SubsArgs) -> Result<()> {
    let SubsVerb::Ls { client, topic } = &args.verb;
    let query = [("client_id", client.as_deref()), ("topic", topic.as_deref())];
    let subscriptions: Vec<SubscriptionView> =
        args.rest.rest()?.list("/api/v1/subscriptions", &query)?;
    if args.rest.json {
        return output::json(&subscriptions);
    }
    let mut table = Columns::new(["CLIENT", "FILTER", "QOS", "OPTIONS"]);
    for subscription in subscriptions {
        let options = options(&subscription);
        let SubscriptionView { client_id, topic_filter, qos, .. } = subscription;
        table.row([client_id, topic_filter, qos.to_string(), options]);
    }
    output::line(&table.text())
}

fn path(client_id: &str) -> String {
    format!("{CLIENTS}/{}", segment(client_id))
}

fn table(clients: Vec<ClientView>) -> String {
    let heads =
        ["CLIENT", "STATE", "USER", "MQTT", "SESSION", "SUBSCRIPTIONS", "WAITING", "IN FLIGHT"];
    let mut table = Columns::new(heads);
    for client in clients {
        let session = match (client.durable, client.session_expiry) {
            (false, _) => "while connected".to_owned(),
            (true, Some(expiry)) => expiry.to_string(),
            (true, None) => "for ever".to_owned(),
        };
        table.row([
            client.client_id,
            if client.connected { "connected" } else { "away" }.to_owned(),
            client.username.unwrap_or_else(|| "-".to_owned()),
            client.protocol.unwrap_or_else(|| "-".to_owned()),
            session,
            client.subscriptions.to_string(),
            client.waiting_messages.to_string(),
            client.in_flight.to_string(),
        ]);
    }
    table.text()
}

fn options(subscription: &SubscriptionView) -> String {
    let mut words = Vec::new();
    if subscription.no_local {
        words.push("no-local".to_owned());
    }
    if subscription.retain_as_published {
        words.push("retain-as-published".to_owned());
    }
    if subscription.retain_handling > 0 {
        words.push(format!("retain-handling={}", subscription.retain_handling));
    }
    if let Some(identifier) = subscription.subscription_identifier {
        words.push(format!("identifier={identifier}"));
    }
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}
