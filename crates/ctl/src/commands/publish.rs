//! `weir pub`.

mod source;

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use mqtt_client::{Client, Outgoing, PropertyBlock, PublishOutcome, Ticket};
use mqtt_types::{QoS, ReasonCode, TopicName};

use crate::connection_args::{ConnectionArgs, parse_qos};
use crate::failure::Said;
use source::{Next, SourceArgs};

/// Answers that may be outstanding.
const MAX_OUTSTANDING: usize = 1_000;
/// How often the connection is looked at while nothing comes in to publish.
const IDLE: Duration = Duration::from_millis(200);

/// The arguments of `weir pub`.
#[derive(Debug, Args)]
pub struct PubArgs {
    /// The topic to publish to
    #[arg(short, long, value_parser = parse_topic)]
    topic: String,
    #[command(flatten)]
    source: SourceArgs,
    /// The QoS: 0, 1 or 2
    #[arg(short, long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// Have the broker keep the message for later subscribers
    #[arg(short, long)]
    retain: bool,
    /// Publish each message that many times
    #[arg(long, default_value_t = 1, value_name = "N")]
    repeat: u64,
    /// Say also when nobody took a message
    #[arg(short, long)]
    verbose: bool,
    /// Seconds to wait for the answer to a message, or with a unit
    #[arg(long, default_value = "30", value_parser = crate::connection_args::parse_wait, value_name = "DURATION")]
    timeout: Duration,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Publishes everything there is, and fails if the broker refused any of it.
pub fn run(args: &PubArgs) -> Result<()> {
    let blocks = args.connection.properties.blocks()?;
    let mut source = args.source.open()?;
    let client = args.connection.connect(&args.connection.options(&blocks)?)?;
    let mut publisher =
        Publisher { args, client: &client, outstanding: VecDeque::new(), refused: 0 };
    loop {
        match source.next(IDLE)? {
            Next::Message(payload) => {
                for _ in 0..args.repeat {
                    publisher.publish(&payload, &blocks.publish)?;
                }
            }
            Next::NotYet => {
                publisher.collect(usize::MAX)?;
                if let Some(reason) = client.closed() {
                    return Err(reason.into());
                }
            }
            Next::End => break,
        }
    }
    publisher.collect(0)?;
    client.disconnect(ReasonCode::SUCCESS)?;
    if publisher.refused == 0 { Ok(()) } else { Err(Said.into()) }
}

/// Refuses what no broker takes: at QoS 0 there would be no answer to say so.
fn parse_topic(text: &str) -> Result<String, String> {
    TopicName::new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

struct Publisher<'a> {
    args: &'a PubArgs,
    client: &'a Client,
    outstanding: VecDeque<Ticket<PublishOutcome>>,
    refused: u64,
}

impl Publisher<'_> {
    fn publish(&mut self, payload: &[u8], properties: &PropertyBlock) -> Result<()> {
        self.collect(MAX_OUTSTANDING)?;
        let PubArgs { topic, qos, retain, .. } = self.args;
        let message =
            Outgoing { topic, payload, qos: *qos, retain: *retain, properties: Some(properties) };
        let ticket = self
            .client
            .send(&message)
            .with_context(|| format!("message to '{topic}' was not sent"))?;
        if *qos != QoS::AtMostOnce {
            self.outstanding.push_back(ticket);
        }
        Ok(())
    }

    /// Looks at the answers that are there, and waits for more until at most `leave` are outstanding.
    fn collect(&mut self, leave: usize) -> Result<()> {
        while let Some(ticket) = self.outstanding.front() {
            let answered = if self.outstanding.len() > leave {
                Some(ticket.wait(self.args.timeout))
            } else {
                ticket.poll().transpose()
            };
            let Some(outcome) = answered else { break };
            let lost = || format!("message to '{}' was not acknowledged", self.args.topic);
            self.report(&outcome.with_context(lost)?);
            self.outstanding.pop_front();
        }
        Ok(())
    }

    fn report(&mut self, outcome: &PublishOutcome) {
        let PubArgs { topic, verbose, connection, .. } = self.args;
        let PublishOutcome { reason_code, reason_string } = outcome;
        let words = reason_string.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
        if reason_code.is_error() {
            self.refused += 1;
            eprintln!("weir: message to '{topic}' was refused: {reason_code}{words}");
        } else if *reason_code == ReasonCode::NO_MATCHING_SUBSCRIBERS && *verbose {
            eprintln!("weir: message to '{topic}' was taken by nobody: {reason_code}{words}");
        } else {
            connection.say(|| format!("message to '{topic}' was taken: {reason_code}{words}"));
        }
    }
}
