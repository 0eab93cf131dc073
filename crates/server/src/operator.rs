//! What an operator asks about delayed messages, clients and subscriptions, and the messages that it publishes: between
//! the edge and the broker.

use std::time::Duration;

use admin_api::{
    ApiError, ClientView, DelayedView, DurationText, MessageSpec, Page, PageRequest,
    PublishOutcome, SubscriptionView, SubscriptionsWanted, Timestamp,
};
use broker::{
    ClientError, ClientState, DelayedError, DelayedId, DelayedMessage, Handle, NewMessage,
    Published, SubscriptionState, WalkCursor,
};
use mqtt_codec::PropertyBlock;
use mqtt_types::{Property, ProtocolVersion, QoS, TopicName};

use crate::answer::{RETRY_AFTER, answer};

pub(crate) async fn delayed(
    handle: &Handle,
    page: PageRequest,
) -> Result<Page<DelayedView>, ApiError> {
    let after = cursor::<DelayedId>(&page)?;
    let limit = page.limit()?;
    let found = answer(|reply| handle.delayed(after, limit, reply)).await?;
    let data = found.data.into_iter().map(delayed_view).collect();
    Ok(Page { data, next: found.next.map(|id| id.to_string()) })
}

pub(crate) async fn cancel_delayed(handle: &Handle, id: String) -> Result<(), ApiError> {
    let unknown = || ApiError::NotFound { kind: "delayed message", name: id.clone() };
    let known = id.parse::<DelayedId>().map_err(|_| unknown())?;
    let cancelled = answer(|reply| handle.cancel_delayed(known, reply)).await?;
    cancelled.map_err(|error| match error {
        DelayedError::NotFound => unknown(),
        DelayedError::NotStored(_) => unavailable(error.to_string()),
    })
}

pub(crate) async fn clients(
    handle: &Handle,
    page: PageRequest,
    connected: Option<bool>,
) -> Result<Page<ClientView>, ApiError> {
    let (from, limit) = (cursor::<WalkCursor>(&page)?.unwrap_or_default(), page.limit()?);
    let found = answer(|reply| handle.clients(from, limit, connected, reply)).await?;
    let data = found.data.into_iter().map(client_view).collect();
    Ok(Page { data, next: found.next.map(|at| at.to_string()) })
}

pub(crate) async fn client(handle: &Handle, client_id: String) -> Result<ClientView, ApiError> {
    let found = answer(|reply| handle.client(&client_id, reply)).await?;
    found.map(client_view).ok_or(ApiError::NotFound { kind: "client", name: client_id })
}

pub(crate) async fn end_client(
    handle: &Handle,
    client_id: String,
    ends_session: bool,
) -> Result<(), ApiError> {
    let ended = answer(|reply| handle.end_client(&client_id, ends_session, reply)).await?;
    ended.map_err(|error| match error {
        ClientError::NotFound => ApiError::NotFound { kind: "client", name: client_id },
        ClientError::NotStored(_) => unavailable(error.to_string()),
    })
}

pub(crate) async fn subscriptions(
    handle: &Handle,
    page: PageRequest,
    wanted: SubscriptionsWanted,
) -> Result<Page<SubscriptionView>, ApiError> {
    let (from, limit) = (cursor::<WalkCursor>(&page)?.unwrap_or_default(), page.limit()?);
    let SubscriptionsWanted { client_id, topic } = wanted;
    let found = answer(|reply| match &client_id {
        Some(client_id) => handle.subscriptions_of(client_id, (from, limit), topic, reply),
        None => handle.subscriptions(from, limit, topic, reply),
    });
    let found = found.await?;
    let data = found.data.into_iter().map(subscription_view).collect();
    Ok(Page { data, next: found.next.map(|at| at.to_string()) })
}

pub(crate) async fn publish(
    handle: &Handle,
    messages: Vec<MessageSpec>,
) -> Result<Vec<PublishOutcome>, ApiError> {
    let mut checked = Vec::with_capacity(messages.len());
    for (n, spec) in messages.iter().enumerate() {
        let message = new_message(spec).and_then(|message| {
            handle.check(&message).map_err(|error| ApiError::invalid(error.field, error.message))
        });
        checked.push(message.map_err(|error| in_list(n, error))?);
    }
    // All are on their way before the first answer is waited for.
    let answers: Vec<_> = checked
        .into_iter()
        .map(|message| {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            // A client that does not wait for the answer drops the receiver.
            let reply = move |published| {
                let _ = sender.send(published);
            };
            handle.publish(message, Box::new(reply));
            receiver
        })
        .collect();
    let mut outcomes = Vec::with_capacity(answers.len());
    for answer in answers {
        let published =
            answer.await.map_err(|_| unavailable("the broker is shutting down".to_owned()))?;
        outcomes.push(outcome(published));
    }
    Ok(outcomes)
}

fn outcome(published: Published) -> PublishOutcome {
    let Published { reason, words, is_wrong } = published;
    PublishOutcome {
        reason_code: reason.0,
        reason: match words {
            Some(words) => words,
            None if reason.is_error() => format!("message not stored: {reason}"),
            None => reason.to_string(),
        },
        field: is_wrong.then(|| "properties.user_properties".to_owned()),
    }
}

fn unavailable(message: String) -> ApiError {
    ApiError::Unavailable { message, retry_after: RETRY_AFTER }
}

/// The error of the message at that place of a list.
fn in_list(n: usize, error: ApiError) -> ApiError {
    match error {
        ApiError::Invalid { field, message } => {
            ApiError::invalid(format!("messages[{n}].{field}"), message)
        }
        other => other,
    }
}

fn cursor<C: std::str::FromStr>(page: &PageRequest) -> Result<Option<C>, ApiError> {
    let wrong = |_| ApiError::invalid("cursor", "is not the `next` of a page before");
    page.after.as_deref().map(str::parse).transpose().map_err(wrong)
}

fn new_message(spec: &MessageSpec) -> Result<NewMessage, ApiError> {
    let qos = QoS::from_u8(spec.qos);
    let qos = qos.ok_or_else(|| ApiError::invalid("qos", "is not 0, 1 or 2"))?;
    Ok(NewMessage {
        topic: spec.topic.clone(),
        payload: spec.payload_bytes()?,
        qos,
        retain: spec.retain,
        message_expiry_interval: spec.properties.message_expiry_interval,
        properties: properties(spec)?,
    })
}

/// The raw block of a message's properties, but for its expiry.
fn properties(spec: &MessageSpec) -> Result<Vec<u8>, ApiError> {
    let of = &spec.properties;
    let correlation = of.correlation_bytes()?;
    let invalid = |field: &str, why: &str| ApiError::invalid(format!("properties.{field}"), why);
    if of.payload_format_indicator.is_some_and(|indicator| indicator > 1) {
        return Err(invalid("payload_format_indicator", "is neither 0 nor 1"));
    }
    if let Some(topic) = &of.response_topic {
        TopicName::new(topic).map_err(|error| invalid("response_topic", &error.to_string()))?;
    }
    let mut known: Vec<(&str, Property<'_>)> = Vec::new();
    if let Some(indicator) = of.payload_format_indicator {
        known.push(("payload_format_indicator", Property::PayloadFormatIndicator(indicator)));
    }
    if let Some(text) = &of.content_type {
        known.push(("content_type", Property::ContentType(text)));
    }
    if let Some(topic) = &of.response_topic {
        known.push(("response_topic", Property::ResponseTopic(topic)));
    }
    if let Some(data) = &correlation {
        known.push(("correlation_data", Property::CorrelationData(data)));
    }
    let pairs = of.user_properties.iter();
    known.extend(pairs.map(|(key, value)| ("user_properties", Property::UserProperty(key, value))));
    let mut block = PropertyBlock::new();
    for (field, property) in known {
        if has_null(&property) {
            return Err(invalid(field, "has a null character"));
        }
        block.push(&property).map_err(|error| invalid(field, &error.to_string()))?;
    }
    Ok(block.properties().raw().to_vec())
}

/// `[MQTT-1.5.4-2]`
fn has_null(property: &Property<'_>) -> bool {
    match property {
        Property::ContentType(text) | Property::ResponseTopic(text) => text.contains('\0'),
        Property::UserProperty(key, value) => key.contains('\0') || value.contains('\0'),
        _ => false,
    }
}

fn delayed_view(message: DelayedMessage) -> DelayedView {
    DelayedView {
        id: message.id.to_string(),
        due: Timestamp(message.due),
        topic: message.topic,
        client_id: message.publisher,
        qos: message.qos.as_u8(),
        retain: message.retain,
        bytes: message.size,
    }
}

fn client_view(client: ClientState) -> ClientView {
    let protocol = client.connected_with.map(|version| match version {
        ProtocolVersion::V3_1 => "3.1",
        ProtocolVersion::V3_1_1 => "3.1.1",
        ProtocolVersion::V5 => "5.0",
    });
    let expiry = client.session_expiry_interval;
    let expiry = (expiry < u32::MAX).then(|| Duration::from_secs(u64::from(expiry)));
    ClientView {
        connected: protocol.is_some(),
        protocol: protocol.map(str::to_owned),
        client_id: client.client_id,
        username: client.username.map(|name| String::from(&*name)),
        durable: client.is_durable,
        session_expiry: expiry.map(DurationText),
        subscriptions: client.subscriptions,
        waiting_messages: client.waiting_messages,
        waiting_bytes: client.waiting_bytes,
        in_flight: client.in_flight,
        disconnected_at: client.disconnected_at.map(Timestamp),
    }
}

fn subscription_view(subscription: SubscriptionState) -> SubscriptionView {
    SubscriptionView {
        client_id: subscription.client_id,
        topic_filter: subscription.address,
        qos: subscription.qos.as_u8(),
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        retain_handling: subscription.retain_handling,
        subscription_identifier: subscription
            .subscription_identifier
            .map(std::num::NonZeroU32::get),
    }
}

#[cfg(test)]
mod tests {
    use admin_api::MessageProperties;

    use super::*;

    fn field(properties: MessageProperties) -> Option<String> {
        let spec = MessageSpec { topic: "t".to_owned(), properties, ..MessageSpec::default() };
        new_message(&spec).err()?.body().details.field
    }

    #[test]
    fn what_is_no_property_is_refused_by_name() {
        let text = |text: &str| Some(text.to_owned());
        let none = MessageProperties::default;
        for (properties, expected) in [
            (none(), None),
            (
                MessageProperties { payload_format_indicator: Some(2), ..none() },
                Some("properties.payload_format_indicator"),
            ),
            (
                MessageProperties { response_topic: text("a/#"), ..none() },
                Some("properties.response_topic"),
            ),
            (
                MessageProperties { content_type: text("a\0"), ..none() },
                Some("properties.content_type"),
            ),
            (
                MessageProperties { correlation_data: text("?"), ..none() },
                Some("properties.correlation_data"),
            ),
            (
                MessageProperties {
                    user_properties: vec![("a".repeat(70_000), String::new())],
                    ..none()
                },
                Some("properties.user_properties"),
            ),
        ] {
            assert_eq!(field(properties).as_deref(), expected);
        }
        let error = in_list(3, ApiError::invalid("topic", "is empty"));
        assert_eq!(error.body().details.field.as_deref(), Some("messages[3].topic"));
    }
}
