//! What a publish that would come now leads to.

use admin_api::{
    ApiError, Counted, ExplainReason, ExplainedGroup, ExplainedPublish, ExplainedSubscription,
    Explanation, PolicyDecision, SinkName, SinkOutcome, SinkWord, Verdict,
};
use broker::{
    ClientState, GroupExplained, Handle, PublishExplained, SharedStrategy, Subscribed, WouldPublish,
};
use mqtt_types::ReasonCode;

use super::sinks::{self, unmatched};
use super::{LIST_MAX, count_of, keep_alarms, now};
use crate::answer::answer;

/// What becomes of a message that cannot be stored.
const WHO_HEARS: &str = "at QoS 1 and 2 a publisher of MQTT 5 hears it, one of 3.x is held for mqtt.publisher_hold and then \
                         disconnected; at QoS 0 nobody hears it, and the message runs live and is stored nowhere";

/// What is asked.
pub(super) struct Question {
    pub(super) topic: String,
    pub(super) client_id: Option<String>,
    pub(super) only: Option<SinkName>,
}

/// Answers a question about a publish.
pub(super) async fn explain(
    handle: &Handle,
    mut explanation: Explanation,
    question: Question,
) -> Result<Explanation, ApiError> {
    let Question { topic, client_id, only } = question;
    if let Some(only) = &only {
        sinks::known(handle, only)?;
    }
    let client = match &client_id {
        Some(client_id) => answer(|reply| handle.client(client_id, reply)).await?,
        None => None,
    };
    let connected = client.as_ref().filter(|client| client.connected_with.is_some());
    let publisher = WouldPublish {
        client_id: client_id.as_deref(),
        is_connected: connected.is_some(),
        username: connected.and_then(|client| client.username.as_deref()),
    };
    // The one that is asked for may be behind all others.
    let limit = if only.is_some() { usize::MAX } else { LIST_MAX };
    let explained = handle
        .explain_publish(&topic, publisher, (now(), limit))
        .map_err(|error| ApiError::invalid("topic", error.message))?;
    let (sessions, leads_to) = (&explained.sessions, &explained.topic);
    let sessions = sessions.get(..LIST_MAX).unwrap_or(sessions);
    let subscribed = answer(|reply| handle.subscribed(sessions, leads_to, LIST_MAX, reply)).await?;
    let policy = policy(client_id.as_deref(), connected);
    let mut publish = ExplainedPublish {
        topic: explained.topic.clone(),
        delayed_seconds: explained.delayed,
        reason_code: ReasonCode::SUCCESS.0,
        policy,
        has_retained: explained.has_retained,
        may_retain: explained.may_retain,
        subscriptions: Counted {
            count: explained.subscribers as u64,
            data: subscribed
                .into_iter()
                .map(|one| subscription(one, publisher.client_id))
                .collect(),
        },
        groups: Counted {
            count: explained.group_count as u64,
            data: explained.groups.iter().take(LIST_MAX).map(group).collect(),
        },
        sinks: sinks::explain(handle, &explained, only.as_ref()).await?,
    };
    if let Some(only) = &only
        && publish.sinks.data.is_empty()
    {
        publish.sinks.data.push(unmatched(handle, only, &explained.topic));
    }
    explanation.reasons = judge(&explained, &mut publish);
    explanation.verdict = match publish.reason_code {
        0 => Verdict::Accepted,
        code if code == ReasonCode::NO_MATCHING_SUBSCRIBERS.0 => Verdict::NoTakers,
        _ => Verdict::Refused,
    };
    if let (Some(client_id), None) = (&client_id, connected) {
        explanation.reasons.push(not_connected(client_id));
    }
    explanation.summary = summary(&topic, client_id.as_deref(), &explained, &publish);
    keep_alarms(&mut explanation, &resources(&publish));
    explanation.publish = Some(publish);
    Ok(explanation)
}

/// What decides, and what the publisher would hear.
fn judge(explained: &PublishExplained, publish: &mut ExplainedPublish) -> Vec<ExplainReason> {
    let refused = |code: &str, reason_code: ReasonCode, message: &str| {
        let mut reason = ExplainReason::new(code, message);
        reason.details.reason_code = Some(reason_code.0);
        reason
    };
    let mut reasons = Vec::new();
    if let Some(why) = explained.reserved {
        reasons.push(refused("reserved_topic", ReasonCode::TOPIC_NAME_INVALID, why));
    }
    if let Some((code, why)) = &explained.refusal {
        reasons.push(refused("not_stored", ReasonCode(*code), why));
    }
    // When a delayed message is due, there may be room.
    let is_now = explained.delayed.is_none();
    let full = publish.sinks.data.iter().filter(|one| one.outcome == SinkOutcome::Refused);
    let full: Vec<ExplainReason> =
        full.flat_map(|one| one.reasons.iter().filter(|one| one.code == "full").cloned()).collect();
    if is_now {
        reasons.extend(full);
    }
    let refusal = reasons.iter().find_map(|reason| reason.details.reason_code);
    if refusal.is_some() && explained.reserved.is_none() {
        reasons.push(ExplainReason::new("who_hears", WHO_HEARS));
    }
    if explained.delayed.is_some() {
        let message = "it is kept until its time has come, and where it goes is decided then: this is where it would go now. Where a queue is full then, it waits on";
        reasons.push(ExplainReason::new("delayed", message));
    }
    let is_nobodys = explained.subscribers + explained.group_count + explained.sink_count == 0;
    publish.reason_code = match refusal {
        Some(code) => code,
        None if is_nobodys && is_now => ReasonCode::NO_MATCHING_SUBSCRIBERS.0,
        None => ReasonCode::SUCCESS.0,
    };
    if publish.reason_code == ReasonCode::NO_MATCHING_SUBSCRIBERS.0 {
        let message = "no subscription, shared group, queue or stream has a filter that matches";
        reasons.push(ExplainReason::new("no_matching_subscribers", message));
    }
    if refusal.is_some() {
        for sink in &mut publish.sinks.data {
            if sink.outcome == SinkOutcome::Stored {
                sink.outcome = SinkOutcome::NotStored;
            }
        }
    }
    reasons
}

fn summary(
    topic: &str,
    client_id: Option<&str>,
    explained: &PublishExplained,
    publish: &ExplainedPublish,
) -> String {
    let by = client_id.map(|client_id| format!(" by client '{client_id}'")).unwrap_or_default();
    let code = publish.reason_code;
    let (would, then) = match code {
        0 => ("be accepted", goes_to(explained, publish)),
        _ if code == ReasonCode::NO_MATCHING_SUBSCRIBERS.0 => {
            ("be accepted", "nobody would get it".to_owned())
        }
        _ => ("be refused", "nobody would get it".to_owned()),
    };
    format!("a publish to '{topic}'{by} would {would} (0x{code:02x}): {then}")
}

fn goes_to(explained: &PublishExplained, publish: &ExplainedPublish) -> String {
    let mut live = vec![count_of(publish.subscriptions.count, "session", "sessions")];
    if publish.groups.count > 0 {
        live.push(count_of(publish.groups.count, "shared group", "shared groups"));
    }
    let of = |kind| explained.sinks.iter().filter(|sink| sink.what == kind).count() as u64;
    let (queues, streams) = (of(broker::SinkKind::Queue), of(broker::SinkKind::Stream));
    let mut stored = Vec::new();
    if queues + streams < explained.sink_count as u64 {
        stored.push(format!("{} queues and streams", explained.sink_count));
    } else {
        if queues > 0 {
            stored.push(count_of(queues, "queue", "queues"));
        }
        if streams > 0 {
            stored.push(count_of(streams, "stream", "streams"));
        }
    }
    let later = explained.delayed.map(|seconds| format!("in {seconds} s to '{}': ", publish.topic));
    let stored = match stored.is_empty() {
        true => "stored nowhere".to_owned(),
        false => format!("stored in {}", stored.join(" and ")),
    };
    format!("{}live to {}, {stored}", later.unwrap_or_default(), live.join(" and "))
}

/// There are no rules yet: what decides is who may connect.
fn policy(client_id: Option<&str>, connected: Option<&ClientState>) -> PolicyDecision {
    let roles = connected.map_or_else(Vec::new, |client| client.roles.clone());
    PolicyDecision {
        allowed: true,
        rule: None,
        message: "there are no rules for topics: whoever may connect may publish to any topic that is not the broker's own"
            .to_owned(),
        username: connected.and_then(|client| client.username.as_deref().map(str::to_owned)),
        roles: roles.into_iter().map(String::from).collect(),
        connected: client_id.map(|_| connected.is_some()),
    }
}

fn not_connected(client_id: &str) -> ExplainReason {
    let message = format!(
        "client '{client_id}' is not connected: whether it may connect, and as whom, is decided when it does"
    );
    let mut reason = ExplainReason::new("client_not_connected", message);
    reason.details.client_id = Some(client_id.to_owned());
    reason
}

fn subscription(one: Subscribed, publisher: Option<&str>) -> ExplainedSubscription {
    let mut reasons = Vec::new();
    if one.no_local && publisher == Some(&*one.client_id) {
        let message = "the subscription has No Local: the client does not get its own messages";
        reasons.push(ExplainReason::new("no_local", message));
    }
    if !one.is_connected {
        let (code, message) = match one.qos.as_u8() {
            0 => (
                "away",
                "the client is away, and the subscription has QoS 0: it misses the message",
            ),
            _ => ("waits", "the client is away: the message waits in its session, at QoS 1 and 2"),
        };
        reasons.push(ExplainReason::new(code, message));
    }
    ExplainedSubscription {
        client_id: one.client_id,
        topic_filter: one.address,
        qos: one.qos.as_u8(),
        connected: one.is_connected,
        durable: one.is_durable,
        reasons,
    }
}

fn group(group: &GroupExplained) -> ExplainedGroup {
    let strategy = match group.strategy {
        SharedStrategy::RoundRobin => "round_robin",
        SharedStrategy::Random => "random",
        SharedStrategy::LeastInflight => "least_inflight",
        SharedStrategy::HashTopic => "hash_topic",
        SharedStrategy::HashClientid => "hash_clientid",
        SharedStrategy::SingleActive => "single_active",
    };
    ExplainedGroup {
        name: group.name.clone(),
        topic_filter: group.filter.clone(),
        strategy: strategy.to_owned(),
        members: group.members as u64,
        present: group.present as u64,
    }
}

/// What alarms may be about.
fn resources(publish: &ExplainedPublish) -> Vec<String> {
    let clients = publish.subscriptions.data.iter().map(|one| one.client_id.clone());
    let sinks = publish.sinks.data.iter().map(|sink| match sink.kind {
        SinkWord::Queue => sink.name.clone(),
        SinkWord::Stream => format!("stream:{}", sink.name),
    });
    clients.chain(sinks).collect()
}
