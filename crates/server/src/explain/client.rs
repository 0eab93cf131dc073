//! What a client has: whether it is connected, what it is subscribed to, what waits for it.

use admin_api::{ApiError, ExplainReason, ExplainedSubscription, Explanation, Verdict};
use broker::{Handle, SubscriptionState, WalkCursor};

use super::{LIST_MAX, count_of, keep_alarms};
use crate::answer::answer;
use crate::operator;

/// Answers a question about a client.
pub(super) async fn explain(
    handle: &Handle,
    mut explanation: Explanation,
    client_id: String,
) -> Result<Explanation, ApiError> {
    let client = operator::client(handle, client_id.clone()).await?;
    let from = (WalkCursor::default(), LIST_MAX);
    let found = answer(|reply| handle.subscriptions_of(&client_id, from, None, reply)).await?;
    let subscription = |one: SubscriptionState| ExplainedSubscription {
        client_id: one.client_id,
        topic_filter: one.address,
        qos: one.qos.as_u8(),
        connected: client.connected,
        durable: client.durable,
        reasons: Vec::new(),
    };
    explanation.subscriptions = found.data.into_iter().map(subscription).collect();
    explanation.verdict = if client.connected { Verdict::Connected } else { Verdict::Away };
    if !client.connected {
        let message = match client.durable {
            true => "messages at QoS 1 and 2 wait in its session; others it misses",
            false => "its session has ended with its connection",
        };
        explanation.reasons.push(ExplainReason::new("not_connected", message));
    }
    if client.connected && client.waiting_messages > client.in_flight {
        let message = format!(
            "{} more wait until it has acknowledged some of the {} on their way, or reads faster",
            client.waiting_messages - client.in_flight,
            client.in_flight
        );
        explanation.reasons.push(ExplainReason::new("waits_for_client", message));
    }
    explanation.summary = format!(
        "client '{client_id}' is {}: {}, {} waiting for it, {} on their way",
        if client.connected { "connected" } else { "not connected" },
        count_of(client.subscriptions, "subscription", "subscriptions"),
        count_of(client.waiting_messages, "message", "messages"),
        client.in_flight,
    );
    explanation.client = Some(client);
    keep_alarms(&mut explanation, &[client_id]);
    Ok(explanation)
}
