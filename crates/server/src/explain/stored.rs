//! What a queue or a stream does, and where a message of it stands.

use admin_api::{
    ApiError, ExplainReason, ExplainedMessage, ExplainedReader, ExplainedSource, Explanation,
    SinkName, SinkWord, Timestamp, Verdict,
};
use broker::{
    Explained, Handle, Inquiry, Look, MessageExplained, MessageStands, QueueMessage, StreamLook,
};

use super::dead_letters::{self, Found};
use super::reasons::{about, kind_of, reason};
use super::{LIST_MAX, keep_alarms, sinks};
use crate::answer::answer;
use crate::errors::of_operation;
use crate::queue_operations::consumer_view;
use crate::stream_views;

/// What keeps a queue only as long as its consumers are at work.
const AT_WORK: [&str; 6] =
    ["no_credit", "keys_busy", "awaiting_log", "awaiting_body", "handing_over", "all_delayed"];

/// Answers a question about a queue or a stream, or about a message of it.
pub(super) async fn explain(
    handle: &Handle,
    mut explanation: Explanation,
    of: &SinkName,
    (offset, since): (Option<u64>, Option<Timestamp>),
) -> Result<Explanation, ApiError> {
    let since = since.map(|Timestamp(since)| since);
    let inquiry = Inquiry { offset, since, key: None, limit: LIST_MAX };
    let asked = answer(|reply| handle.explain(kind_of(of.kind), &of.name, inquiry, reply));
    let explained = asked.await?.map_err(of_operation)?;
    explanation.at = Timestamp(explained.at);
    let known = |one| reason(of, &explained, one);
    match &explained.message {
        Some(message) => {
            explanation.reasons = message.reasons.iter().map(known).collect();
            explanation.readers = readers(of, &explained);
            explanation.message = Some(view(handle, of, &explained, message).await?);
            judge(handle, &mut explanation, of, (&explained, message)).await?;
        }
        None => {
            explanation.reasons = sinks::held(handle, of, &explained);
            judge_source(&mut explanation, of, &explained);
        }
    }
    explanation.source = Some(source(handle, of, &explained));
    explanation.consumers = explained.consumers.into_iter().map(consumer_view).collect();
    let resource = match of.kind {
        SinkWord::Queue => of.name.clone(),
        SinkWord::Stream => format!("stream:{}", of.name),
    };
    keep_alarms(&mut explanation, &[resource]);
    Ok(explanation)
}

/// The verdict on a message, and what is to be said of one that has left.
async fn judge(
    handle: &Handle,
    explanation: &mut Explanation,
    of: &SinkName,
    (explained, message): (&Explained, &MessageExplained),
) -> Result<(), ApiError> {
    explanation.verdict = verdict(message.stands);
    if message.stands == MessageStands::Left {
        let left = about(of, "left", how_it_left(explained));
        let has_dead = explained.left_as.iter().any(|(how, _)| *how == "dead_lettered");
        explanation.reasons = vec![left];
        if of.kind == SinkWord::Queue && has_dead {
            match dead_letters::find(handle, &of.name, message.offset).await? {
                Found::Yes(reason) => {
                    explanation.verdict = Verdict::DeadLettered;
                    explanation.reasons = vec![reason];
                }
                Found::NotYet(reason) => explanation.reasons.push(reason),
                Found::No => {}
            }
        }
    }
    explanation.summary = summary(explanation, of, message);
    Ok(())
}

const fn verdict(stands: MessageStands) -> Verdict {
    match stands {
        MessageStands::NotYet => Verdict::NotYet,
        MessageStands::Left => Verdict::Left,
        MessageStands::Moving => Verdict::Moving,
        MessageStands::Ready => Verdict::Ready,
        MessageStands::InFlight => Verdict::InFlight,
        MessageStands::Delayed => Verdict::Delayed,
        MessageStands::Settled => Verdict::Settled,
        MessageStands::Kept => Verdict::Kept,
    }
}

fn how_it_left(explained: &Explained) -> String {
    let ways = explained.left_as.iter().map(|(how, count)| format!("{how} {count}"));
    let ways: Vec<String> = ways.collect();
    match explained.left_as.as_slice() {
        [(how, _)] => format!("it has left, and all that ever left were {}", how.replace('_', "-")),
        _ => format!(
            "it has left; how each message left is not recorded, only how many did ({})",
            ways.join(", ")
        ),
    }
}

fn summary(explanation: &Explanation, of: &SinkName, message: &MessageExplained) -> String {
    let kind = of.kind.as_str();
    let what = format!("the message at offset {} of {kind} '{}'", message.offset, of.name);
    let why = explanation.reasons.first().map_or("", |reason| &*reason.message);
    let until = explanation.reasons.first().and_then(|reason| reason.details.until);
    let until = until.map(|until| format!(", until {until}")).unwrap_or_default();
    match explanation.verdict {
        Verdict::Ready => {
            let details = explanation.reasons.first().map(|reason| &reason.details);
            let client = details.and_then(|details| details.client_id.as_ref());
            let at = client.map(|client| format!(" at client '{client}'")).unwrap_or_default();
            format!("{what} is ready and not delivered: {why}{at}{until}")
        }
        Verdict::Delayed => format!("{what} is {why}{until}"),
        Verdict::InFlight => {
            let view = explanation.message.as_ref();
            let client = view.and_then(|view| view.client_id.as_deref());
            let at = client.map_or("a consumer".to_owned(), |client| format!("client '{client}'"));
            let since = message.since.map(Timestamp);
            let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
            format!("{what} is in flight: {at} has it{since} and has not settled it")
        }
        Verdict::Settled => format!("{what} was settled, and is kept for `keep_settled`"),
        Verdict::DeadLettered => format!("{what} is a dead letter: {why}"),
        Verdict::Kept if explanation.readers.is_empty() => {
            format!("{what} is kept; nobody has a position in the stream")
        }
        Verdict::Kept => {
            let unsettled = explanation.readers.iter().filter(|reader| !reader.settled).count();
            let readers = explanation.readers.len();
            format!("{what} is kept; of {readers} readers listed {unsettled} have not settled it")
        }
        Verdict::NotYet => format!("{what} does not exist: {why}"),
        _ => format!("{what} is gone: {why}"),
    }
}

/// What there is to say of a queue or a stream as a whole.
fn judge_source(explanation: &mut Explanation, of: &SinkName, explained: &Explained) {
    let count = |what: &str| {
        let found = explained.counts.iter().find(|(name, _)| *name == what);
        found.map_or(0, |(_, count)| *count)
    };
    let is_odd = |reason: &ExplainReason| !AT_WORK.contains(&&*reason.code);
    let reason = explanation.reasons.iter().find(|reason| is_odd(reason));
    let reason = reason.or(explanation.reasons.first()).map(|reason| reason.message.clone());
    let (waiting, is_held) = match of.kind {
        SinkWord::Queue => {
            (count("ready") + count("delayed"), explanation.reasons.iter().any(is_odd))
        }
        SinkWord::Stream => {
            let is_held = explanation.reasons.iter().any(|one| one.code != "no_consumers");
            (if count("consumers") == 0 && !is_held { 0 } else { count("kept") }, is_held)
        }
    };
    explanation.verdict = match (waiting, is_held) {
        (0, _) => Verdict::Idle,
        (_, true) => Verdict::Held,
        (_, false) => Verdict::Delivering,
    };
    let numbers = explained.counts.iter().map(|(name, count)| format!("{count} {name}"));
    let numbers: Vec<String> = numbers.collect();
    let numbers = numbers.join(", ").replace('_', " ");
    let name = format!("{} '{}'", of.kind.as_str(), of.name);
    explanation.summary = match (explanation.verdict, reason) {
        (Verdict::Idle, _) => format!("{name} has nothing to deliver ({numbers})"),
        (Verdict::Held, Some(why)) => format!("{name} delivers nothing ({numbers}): {why}"),
        (_, Some(why)) => format!("{name} delivers ({numbers}); what waits: {why}"),
        (_, None) => format!("{name} delivers ({numbers})"),
    };
}

fn readers(of: &SinkName, explained: &Explained) -> Vec<ExplainedReader> {
    let view = |reader: &broker::ReaderExplained| ExplainedReader {
        kind: stream_views::kind_of(&reader.name),
        name: reader.name.text().to_owned(),
        position: reader.position,
        settled: reader.has_settled,
        reasons: reader.reason.iter().map(|one| reason(of, explained, one)).collect(),
    };
    explained.readers.iter().map(view).collect()
}

fn source(handle: &Handle, of: &SinkName, explained: &Explained) -> ExplainedSource {
    let topic_filter = match of.kind {
        SinkWord::Queue => handle.queue(&of.name).and_then(|one| one.topic_filter.clone()),
        SinkWord::Stream => handle.stream(&of.name).and_then(|one| one.topic_filter.clone()),
    };
    let named = |(name, count): &(&'static str, u64)| ((*name).to_owned(), *count);
    ExplainedSource {
        kind: of.kind,
        name: of.name.clone(),
        topic_filter: topic_filter.map(|filter| filter.to_string()),
        earliest_offset: explained.earliest,
        next_offset: explained.next_offset,
        first_since: explained.first_since,
        counts: explained.counts.iter().map(named).collect(),
        left_as: explained.left_as.iter().map(named).collect(),
    }
}

/// All that is known of a message, what it says included if it is here.
async fn view(
    handle: &Handle,
    of: &SinkName,
    explained: &Explained,
    message: &MessageExplained,
) -> Result<ExplainedMessage, ApiError> {
    let holder = explained.consumers.iter().find(|one| Some(one.number) == message.consumer);
    let view = ExplainedMessage {
        offset: message.offset,
        attempts: message.attempts,
        publish_ts: message.stored.map(Timestamp),
        expires: message.expires.map(Timestamp),
        client_id: holder.map(|holder| holder.client_id.clone()),
        in_flight_since: message.since.map(Timestamp),
        ..ExplainedMessage::default()
    };
    Ok(match body(handle, of, message.offset).await? {
        Some((stored, Some(body), key)) => ExplainedMessage {
            publish_ts: Some(Timestamp(stored)),
            topic: Some(body.topic().to_owned()),
            qos: Some(body.head().qos.as_u8()),
            payload_bytes: Some(body.payload().len() as u64),
            key,
            ..view
        },
        Some((stored, None, _)) => ExplainedMessage { publish_ts: Some(Timestamp(stored)), ..view },
        None => view,
    })
}

type Body = (stdx::UnixMillis, Option<mqtt_types::Message>, Option<String>);

/// What the message says, when it was stored, and its key; none when it is not here.
async fn body(handle: &Handle, of: &SinkName, offset: u64) -> Result<Option<Body>, ApiError> {
    let (name, limit) = (&of.name, 1);
    Ok(match of.kind {
        SinkWord::Queue => {
            let look = Look { from: offset, limit, state: None };
            let page = answer(|reply| handle.peek_queue(name, look, reply)).await?;
            let found = page.map_err(of_operation)?.data.into_iter().next();
            let found = found.filter(|found| found.offset == offset);
            found.map(|QueueMessage { stored, message, key, .. }| (stored, message, key))
        }
        SinkWord::Stream => {
            let look = StreamLook { from: offset, limit };
            let page = answer(|reply| handle.peek_stream(name, look, reply)).await?;
            let found = page.map_err(of_operation)?.data.into_iter().next();
            let found = found.filter(|found| found.offset == offset);
            found.map(|found| (found.stored, found.message, found.key))
        }
    })
}
