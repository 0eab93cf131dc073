//! What an operator asks about retained messages: between the edge and the broker.

use admin_api::{ApiError, Page, PageRequest, RetainedView, Timestamp};
use broker::Handle;
use mqtt_types::{Message, TopicFilter, TopicName};
use stdx::UnixMillis;

use crate::answer::{RETRY_AFTER, answer};
use crate::message_properties::properties;

pub(crate) async fn retained(
    handle: &Handle,
    page: PageRequest,
    filter: String,
) -> Result<Page<RetainedView>, ApiError> {
    check(&filter)?;
    let limit = page.limit()?;
    if page.after.as_deref().is_some_and(|topic| TopicName::new(topic).is_err()) {
        return Err(ApiError::invalid("cursor", "is not the `next` of a page before"));
    }
    let found = answer(|reply| handle.retained(filter, page.after, limit, reply)).await?;
    Ok(Page { data: found.data.iter().map(view).collect(), next: found.next })
}

pub(crate) async fn remove(handle: &Handle, filter: String) -> Result<u64, ApiError> {
    check(&filter)?;
    let removed = answer(|reply| handle.remove_retained(filter, reply)).await?;
    removed.map_err(|error| ApiError::Unavailable {
        message: format!("{error}; see `weir alarms ls`"),
        retry_after: RETRY_AFTER,
    })
}

fn check(filter: &str) -> Result<(), ApiError> {
    let wrong = |error: mqtt_types::FilterError| ApiError::invalid("filter", error.to_string());
    TopicFilter::new(filter).map(|_| ()).map_err(wrong)
}

fn view(message: &Message) -> RetainedView {
    let (head, properties) = (message.head(), properties(message));
    let publish_ts = Timestamp(UnixMillis(head.received_at_ms));
    let qos = head.qos.as_u8();
    RetainedView::new(message.topic(), message.payload(), qos, properties, publish_ts)
}
