//! What an operator does to queues: between the edge and the broker.

use admin_api::{
    ApiError, ConsumerView, MessageState, Page, PageRequest, PeekRequest, PurgeBody, PurgeResult,
    QueueEnd, QueueMessageView, Seek, SeekResult, Timestamp,
};
use broker::{Handle, Look, QueueConsumer, QueueMessage, SeekTo};

use crate::answer::answer;
use crate::errors::of_operation;
use crate::message_properties::body;

pub(crate) async fn peek(
    handle: &Handle,
    name: String,
    request: PeekRequest,
) -> Result<Page<QueueMessageView>, ApiError> {
    let PeekRequest { offset, limit, state } = request;
    let state = state.map(|state| match state {
        MessageState::Ready => queue_engine::MessageState::Ready,
        MessageState::InFlight => queue_engine::MessageState::InFlight,
        MessageState::Delayed => queue_engine::MessageState::Delayed,
        MessageState::Settled => queue_engine::MessageState::Settled,
    });
    let look = Look { from: offset, limit, state };
    let page =
        answer(|reply| handle.peek_queue(&name, look, reply)).await?.map_err(of_operation)?;
    let data = page.data.iter().map(message_view).collect();
    Ok(Page { data, next: page.next.map(|offset| offset.to_string()) })
}

pub(crate) async fn purge(
    handle: &Handle,
    name: String,
    body: PurgeBody,
) -> Result<PurgeResult, ApiError> {
    let meant = (body.filter.as_deref(), body.key.as_deref());
    let purged = answer(|reply| handle.purge_queue(&name, meant, reply)).await?;
    Ok(PurgeResult { purged: purged.map_err(of_operation)? })
}

pub(crate) async fn seek(
    handle: &Handle,
    name: String,
    seek: Seek,
) -> Result<SeekResult, ApiError> {
    let sought = answer(|reply| handle.seek_queue(&name, place(seek), reply))
        .await?
        .map_err(of_operation)?;
    let broker::Sought { offset, purged, restored } = sought;
    Ok(SeekResult { offset, purged, restored })
}

pub(crate) async fn consumers(
    handle: &Handle,
    name: String,
    page: PageRequest,
) -> Result<Page<ConsumerView>, ApiError> {
    let page = numbered(&page)?;
    let found = answer(|reply| handle.queue_consumers(&name, page, reply)).await?;
    Ok(consumers_view(found.map_err(of_operation)?))
}

/// The same of a stream.
pub(crate) async fn stream_consumers(
    handle: &Handle,
    name: String,
    page: PageRequest,
) -> Result<Page<ConsumerView>, ApiError> {
    let page = numbered(&page)?;
    let found = answer(|reply| handle.stream_consumers(&name, page, reply)).await?;
    Ok(consumers_view(found.map_err(of_operation)?))
}

/// A page of what is in the order of numbers.
fn numbered(page: &PageRequest) -> Result<(Option<u64>, usize), ApiError> {
    let limit = page.limit()?;
    let after = page.after.as_deref().map(str::parse).transpose();
    let after =
        after.map_err(|_| ApiError::invalid("cursor", "is not the `next` of a page before"))?;
    Ok((after, limit))
}

fn consumers_view(found: broker::Page<QueueConsumer, u64>) -> Page<ConsumerView> {
    let data = found.data.into_iter().map(consumer_view).collect();
    Page { data, next: found.next.map(|number| number.to_string()) }
}

/// A place as the broker has it.
pub(crate) const fn place(seek: Seek) -> SeekTo {
    match seek {
        Seek::Offset(offset) => SeekTo::Offset(offset),
        Seek::Time(Timestamp(time)) => SeekTo::Time(time),
        Seek::End(QueueEnd::Earliest) => SeekTo::Earliest,
        Seek::End(QueueEnd::Latest) => SeekTo::Latest,
    }
}

fn message_view(of: &QueueMessage) -> QueueMessageView {
    let state = match of.state {
        queue_engine::MessageState::Ready => MessageState::Ready,
        queue_engine::MessageState::InFlight => MessageState::InFlight,
        queue_engine::MessageState::Delayed => MessageState::Delayed,
        queue_engine::MessageState::Settled => MessageState::Settled,
    };
    let view = QueueMessageView::new(of.offset, state, of.attempts, Timestamp(of.stored));
    QueueMessageView { body: body(of.message.as_ref()), key: of.key.clone(), ..view }
}

pub(crate) fn consumer_view(consumer: QueueConsumer) -> ConsumerView {
    ConsumerView {
        client_id: consumer.client_id,
        address: consumer.address,
        qos: consumer.qos.as_u8(),
        in_flight: consumer.in_flight,
        credit: consumer.max_inflight.saturating_sub(consumer.in_flight),
        resting: consumer.is_resting,
        since: Timestamp(consumer.since),
    }
}
