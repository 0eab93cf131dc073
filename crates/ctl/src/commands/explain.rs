//! `weir explain`.

use admin_api::{
    Counted, ExplainReason, ExplainedGroup, ExplainedMessage, ExplainedPublish, ExplainedReader,
    ExplainedSink, ExplainedSource, ExplainedSubscription, Explanation,
};
use anyhow::Result;
use clap::{ArgGroup, Args};

use crate::output;
use crate::rest::segment;
use crate::rest_args::RestArgs;

/// The arguments of `weir explain`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("about").required(true).multiple(true).args(["topic", "client_id", "queue", "stream"]))]
pub struct ExplainArgs {
    /// What would a publish to this topic come to now?
    #[arg(short, long, value_name = "TOPIC")]
    topic: Option<String>,
    /// With --topic: published by this client. Alone: what does the client have?
    #[arg(short = 'i', long, value_name = "CLIENT_ID", conflicts_with_all = ["offset"])]
    client_id: Option<String>,
    /// Why does this queue deliver, or not? With --topic: would it store the message?
    #[arg(short, long, value_name = "QUEUE", conflicts_with = "stream")]
    queue: Option<String>,
    /// The same of a stream
    #[arg(short, long, value_name = "STREAM")]
    stream: Option<String>,
    /// Where does this message of the queue or stream stand, and why?
    #[arg(short, long, value_name = "OFFSET", conflicts_with = "topic")]
    offset: Option<u64>,
    /// Only alarms raised since then (RFC 3339, or milliseconds since 1970), and the first message stored since
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    rest: RestArgs,
}

/// Asks, and shows the answer.
pub fn run(args: &ExplainArgs) -> Result<()> {
    let explanation: Explanation = args.rest.rest()?.get(&path(args))?;
    if args.rest.json {
        return output::json(&explanation);
    }
    output::line(&text(&explanation))
}

fn path(args: &ExplainArgs) -> String {
    let offset = args.offset.map(|offset| offset.to_string());
    let query = [
        ("topic", &args.topic),
        ("client_id", &args.client_id),
        ("queue", &args.queue),
        ("stream", &args.stream),
        ("offset", &offset),
        ("since", &args.since),
    ];
    let given = query.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let given = given.map(|(name, value)| format!("{name}={}", segment(value)));
    format!("/api/v1/explain?{}", given.collect::<Vec<_>>().join("&"))
}

/// The answer as people read it: the sentence first, then why, then the rest.
fn text(explanation: &Explanation) -> String {
    let mut lines = vec![printable(&explanation.summary)];
    // What the sentence says already need not be said again.
    let unsaid = |reason: &&ExplainReason| !explanation.summary.contains(&reason.message);
    lines.extend(explanation.reasons.iter().filter(unsaid).map(|one| reason_line("  ", one)));
    lines.extend(explanation.message.iter().flat_map(message_lines));
    lines.extend(explanation.publish.iter().flat_map(publish_lines));
    lines.extend(explanation.source.iter().flat_map(source_lines));
    lines.extend(explanation.readers.iter().flat_map(reader_lines));
    for consumer in &explanation.consumers {
        let rests = if consumer.resting { ", resting" } else { "" };
        let (client_id, in_flight, credit) =
            (printable(&consumer.client_id), consumer.in_flight, consumer.credit);
        lines.push(format!("consumer {client_id}: {in_flight} in flight, credit {credit}{rests}"));
    }
    lines.extend(explanation.subscriptions.iter().flat_map(|one| subscription_lines(one, true)));
    for alarm in &explanation.alarms {
        let (name, resource, reason) = (&alarm.name, printable(&alarm.resource), &alarm.reason);
        lines.push(format!("alarm {name} {resource} since {}: {}", alarm.since, printable(reason)));
    }
    lines.join("\n")
}

fn reason_line(indent: &str, reason: &ExplainReason) -> String {
    let mut line = format!("{indent}{}: {}", reason.code, printable(&reason.message));
    let details = &reason.details;
    if let Some(client_id) = details.client_id.as_deref().filter(|id| !reason.message.contains(*id))
    {
        line.push_str(&format!(", at client '{}'", printable(client_id)));
    }
    if let Some(until) = details.until {
        line.push_str(&format!(", until {until}"));
    }
    line
}

fn message_lines(message: &ExplainedMessage) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(topic) = &message.topic {
        parts.push(format!("topic {}", printable(topic)));
    }
    parts.extend(message.qos.map(|qos| format!("QoS {qos}")));
    parts.extend(message.payload_bytes.map(|bytes| format!("{bytes} bytes")));
    parts.extend(message.key.as_ref().map(|key| format!("key {}", printable(key))));
    parts.extend(message.publish_ts.map(|at| format!("published {at}")));
    parts.extend(message.expires.map(|at| format!("expires {at}")));
    if parts.is_empty() {
        return Vec::new();
    }
    parts.push(format!("attempts {}", message.attempts));
    vec![format!("message: {}", parts.join(", "))]
}

fn publish_lines(publish: &ExplainedPublish) -> Vec<String> {
    let policy = &publish.policy;
    let says = if policy.allowed { "allowed" } else { "denied" };
    let rule = policy.rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
    let mut lines = vec![format!("policy: {says}{rule}: {}", policy.message)];
    let who = policy.username.as_deref();
    lines
        .extend(who.map(|user| format!("  user {}: {}", printable(user), policy.roles.join(", "))));
    if publish.has_retained {
        lines.push(
            "retained: the topic has a retained message, which new subscribers get".to_owned(),
        );
    }
    if !publish.may_retain {
        lines.push("retained: off (mqtt.retain_available)".to_owned());
    }
    lines.extend(publish.subscriptions.data.iter().flat_map(|one| subscription_lines(one, false)));
    let sessions = publish.subscriptions.data.iter().map(|one| &one.client_id);
    let sessions = sessions.collect::<std::collections::BTreeSet<_>>().len() as u64;
    lines.extend(more(publish.subscriptions.count, sessions, "sessions"));
    lines.extend(publish.groups.data.iter().map(group_line));
    lines.extend(more_of(&publish.groups, "shared groups"));
    lines.extend(publish.sinks.data.iter().flat_map(sink_lines));
    let is_one = publish.sinks.data.len() == 1;
    lines.extend(more_of(&publish.sinks, "queues and streams").filter(|_| !is_one));
    lines
}

fn subscription_lines(one: &ExplainedSubscription, is_own: bool) -> Vec<String> {
    let (client_id, filter) = (printable(&one.client_id), printable(&one.topic_filter));
    let whose = if is_own { String::new() } else { format!(" {client_id}") };
    let head = format!("subscription{whose} {filter} at QoS {}", one.qos);
    let reasons = one.reasons.iter().map(|reason| reason_line("  ", reason));
    std::iter::once(head).chain(reasons).collect()
}

fn group_line(group: &ExplainedGroup) -> String {
    let ExplainedGroup { strategy, members, present, .. } = group;
    let (name, filter) = (printable(&group.name), printable(&group.topic_filter));
    format!(
        "shared group {name} {filter}: one of {members} members ({present} present, {strategy})"
    )
}

fn sink_lines(sink: &ExplainedSink) -> Vec<String> {
    let filter = sink.topic_filter.as_deref().map(|filter| format!(" ({})", printable(filter)));
    let key = sink.key.as_ref().map(|key| format!(", key {}", printable(key)));
    let head = format!(
        "{} {}{}: {}{}",
        sink.kind.as_str(),
        printable(&sink.name),
        filter.unwrap_or_default(),
        sink.outcome.as_str().replace('_', " "),
        key.unwrap_or_default()
    );
    let reasons = sink.reasons.iter().map(|reason| reason_line("  ", reason));
    std::iter::once(head).chain(reasons).collect()
}

fn source_lines(source: &ExplainedSource) -> Vec<String> {
    let filter = source.topic_filter.as_deref().map(printable);
    let numbers = |numbers: &std::collections::BTreeMap<String, u64>| {
        let all = numbers.iter().map(|(name, count)| format!("{name} {count}"));
        all.collect::<Vec<_>>().join(", ").replace('_', " ")
    };
    let mut lines = vec![format!(
        "{} {} ({}): oldest offset {}, next offset {}; {}",
        source.kind.as_str(),
        printable(&source.name),
        filter.unwrap_or_else(|| "bound to nothing".to_owned()),
        source.earliest_offset,
        source.next_offset,
        numbers(&source.counts)
    )];
    if !source.left_as.is_empty() {
        lines.push(format!("  have left: {}", numbers(&source.left_as)));
    }
    let since = source.first_since.map(|at| format!("  stored since then: from offset {at} on"));
    lines.extend(since);
    lines
}

fn reader_lines(reader: &ExplainedReader) -> Vec<String> {
    let (kind, name) = (reader.kind.as_str(), printable(&reader.name));
    let settled = if reader.settled { "has settled it" } else { "has not settled it" };
    let head = format!("{kind} {name} at {}: {settled}", reader.position);
    let reasons = reader.reasons.iter().map(|reason| reason_line("  ", reason));
    std::iter::once(head).chain(reasons).collect()
}

fn more_of<T>(some: &Counted<T>, what: &str) -> impl Iterator<Item = String> + use<T> {
    more(some.count, some.data.len() as u64, what).into_iter()
}

fn more(count: u64, listed: u64, what: &str) -> Option<String> {
    (count > listed).then(|| format!("… and {} more {what}", count - listed))
}

/// A text of clients' without what would move the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}
