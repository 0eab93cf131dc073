//! What queues and streams would do with a message that would come now.

use std::time::Duration;

use admin_api::{ApiError, Counted, ExplainReason, ExplainedSink, SinkName, SinkOutcome, SinkWord};
use broker::{
    Explained, Handle, Inquiry, KeyExplained, OperateError, PublishExplained, SinkExplained,
    SinkKind,
};
use mqtt_types::ReasonCode;
use stdx::format_duration;

use super::LIST_MAX;
use super::reasons::{about, reason, word_of};
use crate::answer::answer;
use crate::errors::{not_found, of_operation};

/// What of its properties decides what becomes of a message.
#[derive(Default)]
struct Properties {
    topic_filter: Option<String>,
    is_paused: bool,
    last_value: bool,
    dedup_window: Duration,
    dead_letter_unkeyed: bool,
}

/// Whether a queue or a stream of that name is there.
pub(super) fn known(handle: &Handle, of: &SinkName) -> Result<(), ApiError> {
    match properties(handle, of) {
        Some(_) => Ok(()),
        None => Err(not_found(super::reasons::kind_of(of.kind), of.name.clone())),
    }
}

fn properties(handle: &Handle, of: &SinkName) -> Option<Properties> {
    Some(match of.kind {
        SinkWord::Queue => {
            let queue = handle.queue(&of.name)?;
            let config = &queue.properties.config;
            Properties {
                topic_filter: queue.topic_filter.as_deref().map(str::to_owned),
                is_paused: config.paused,
                last_value: config.last_value,
                dedup_window: config.dedup_window,
                dead_letter_unkeyed: config.dead_letter_unkeyed,
            }
        }
        SinkWord::Stream => {
            let stream = handle.stream(&of.name)?;
            let config = &stream.properties.config;
            Properties {
                topic_filter: stream.topic_filter.as_deref().map(str::to_owned),
                is_paused: config.paused,
                last_value: config.last_value,
                ..Properties::default()
            }
        }
    })
}

/// What those would do that match, or the one that is asked for, if it does.
pub(super) async fn explain(
    handle: &Handle,
    explained: &PublishExplained,
    only: Option<&SinkName>,
) -> Result<Counted<ExplainedSink>, ApiError> {
    let is_meant = |sink: &&SinkExplained| {
        only.is_none_or(|only| word_of(sink.what) == only.kind && *sink.name == *only.name)
    };
    let mut data = Vec::new();
    for sink in explained.sinks.iter().filter(is_meant).take(LIST_MAX) {
        data.extend(one(handle, sink).await?);
    }
    Ok(Counted { count: explained.sink_count as u64, data })
}

/// One that does not match, and why.
pub(super) fn unmatched(handle: &Handle, of: &SinkName, topic: &str) -> ExplainedSink {
    let topic_filter = properties(handle, of).and_then(|properties| properties.topic_filter);
    let message = match &topic_filter {
        Some(filter) => format!("its filter '{filter}' does not match '{topic}'"),
        None => {
            "it is bound to nothing: only dead letters, redrives and moves come to it".to_owned()
        }
    };
    ExplainedSink {
        kind: of.kind,
        name: of.name.clone(),
        topic_filter,
        outcome: SinkOutcome::NotMatched,
        key: None,
        reasons: vec![about(of, "not_matched", message)],
    }
}

/// What one of them would do; none when it is deleted at this moment.
async fn one(handle: &Handle, sink: &SinkExplained) -> Result<Option<ExplainedSink>, ApiError> {
    let of = SinkName { kind: word_of(sink.what), name: sink.name.to_string() };
    let key = match &sink.key {
        KeyExplained::Known { key, .. } => Some(*key),
        KeyExplained::None | KeyExplained::Depends { .. } => None,
    };
    let inquiry = Inquiry { key, ..Inquiry::default() };
    let asked = answer(|reply| handle.explain(sink.what, &of.name, inquiry, reply)).await?;
    let explained = match asked {
        Ok(explained) => explained,
        Err(OperateError::NotFound(..)) => return Ok(None),
        Err(error) => return Err(of_operation(error)),
    };
    let Some(properties) = properties(handle, &of) else { return Ok(None) };
    let mut reasons = Vec::new();
    if let Some(why) = &sink.refusal {
        let why = why.trim_start_matches("message not stored: ");
        let mut full = about(&of, "full", why);
        full.details.reason_code = Some(ReasonCode::QUOTA_EXCEEDED.0);
        reasons.push(full);
    } else {
        reasons.extend(what_storing_does(&of, sink, &explained, &properties));
    }
    reasons.extend(of_key(&of, sink, &properties));
    reasons.extend(holds(&of, &explained, &properties));
    Ok(Some(ExplainedSink {
        kind: of.kind,
        name: of.name,
        topic_filter: sink.topic_filter.as_deref().map(str::to_owned),
        outcome: if sink.refusal.is_some() { SinkOutcome::Refused } else { SinkOutcome::Stored },
        key: match &sink.key {
            KeyExplained::Known { text, .. } => Some(text.clone()),
            KeyExplained::None | KeyExplained::Depends { .. } => None,
        },
        reasons,
    }))
}

fn what_storing_does(
    of: &SinkName,
    sink: &SinkExplained,
    explained: &Explained,
    properties: &Properties,
) -> Vec<ExplainReason> {
    let mut reasons = Vec::new();
    if sink.drops_oldest && !explained.replaces {
        let message = match sink.what {
            SinkKind::Queue => {
                "it is at its limit, and its overflow is drop_oldest: the oldest message goes"
            }
            SinkKind::Stream => "it is at its limit: the oldest message goes",
        };
        reasons.push(about(of, "drops_oldest", message));
    }
    if explained.replaces {
        let message = "it keeps the last value: the message of this key that waits is replaced";
        reasons.push(about(of, "replaces", message));
    } else if properties.last_value {
        let message = "it keeps the last value: if a message of this key waits, it is replaced";
        reasons.push(about(of, "last_value", message));
    }
    if !properties.dedup_window.is_zero() {
        let window = format_duration(properties.dedup_window);
        let message = format!(
            "a message with the user property message-id is stored only if none of that id was within {window}"
        );
        reasons.push(about(of, "dedup", message));
    }
    reasons
}

fn of_key(of: &SinkName, sink: &SinkExplained, properties: &Properties) -> Option<ExplainReason> {
    match &sink.key {
        KeyExplained::Known { problem: Some(problem), .. } if properties.dead_letter_unkeyed => {
            let message = format!(
                "its key expression has no value ({problem}): the message becomes a dead letter at once"
            );
            Some(about(of, "unkeyed", message))
        }
        KeyExplained::Known { problem: Some(problem), .. } => {
            let message =
                format!("its key expression has no value ({problem}): the topic is the key");
            Some(about(of, "unkeyed", message))
        }
        KeyExplained::Depends { expression, on } => {
            let message = format!(
                "its key is {expression}: it depends on what was not asked ({})",
                on.join(", ")
            );
            Some(about(of, "key_depends", message))
        }
        KeyExplained::None | KeyExplained::Known { problem: None, .. } => None,
    }
}

/// What keeps a queue or a stream from delivering what waits, or what would come.
pub(super) fn held(handle: &Handle, of: &SinkName, explained: &Explained) -> Vec<ExplainReason> {
    holds(of, explained, &properties(handle, of).unwrap_or_default())
}

fn holds(of: &SinkName, explained: &Explained, properties: &Properties) -> Vec<ExplainReason> {
    let mut reasons: Vec<ExplainReason> =
        explained.held.iter().map(|one| reason(of, explained, one)).collect();
    let has = |reasons: &[ExplainReason], code: &str| reasons.iter().any(|one| one.code == code);
    // Where nothing waits, nothing is kept from it.
    if properties.is_paused && !has(&reasons, "paused") {
        let message = format!("the {} is paused: it stores and does not deliver", of.kind.as_str());
        reasons.push(about(of, "paused", message));
    }
    let consumers = explained.counts.iter().find(|(name, _)| *name == "consumers");
    if consumers.is_some_and(|(_, count)| *count == 0) && !has(&reasons, "no_consumers") {
        reasons.push(about(of, "no_consumers", "no consumer is attached"));
    }
    reasons
}
