//! What an operator does to queues: between the edge and the broker.

use admin_api::{
    ApiError, ConsumerView, MessageState, Page, PageRequest, PeekRequest, PurgeBody, PurgeResult,
    QueueEnd, QueueMessageView, Seek, SeekResult, Timestamp,
};
use broker::{Handle, Look, OperateError, QueueConsumer, QueueMessage, SeekTo};

use crate::answer::{RETRY_AFTER, answer};
use crate::message_properties::properties;

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
    let page = answer(|reply| handle.peek_queue(&name, look, reply)).await?.map_err(api_error)?;
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
    Ok(PurgeResult { purged: purged.map_err(api_error)? })
}

pub(crate) async fn seek(
    handle: &Handle,
    name: String,
    seek: Seek,
) -> Result<SeekResult, ApiError> {
    let to = match seek {
        Seek::Offset(offset) => SeekTo::Offset(offset),
        Seek::Time(Timestamp(time)) => SeekTo::Time(time),
        Seek::End(QueueEnd::Earliest) => SeekTo::Earliest,
        Seek::End(QueueEnd::Latest) => SeekTo::Latest,
    };
    let sought = answer(|reply| handle.seek_queue(&name, to, reply)).await?.map_err(api_error)?;
    let broker::Sought { offset, purged, restored } = sought;
    Ok(SeekResult { offset, purged, restored })
}

pub(crate) async fn consumers(
    handle: &Handle,
    name: String,
    page: PageRequest,
) -> Result<Page<ConsumerView>, ApiError> {
    let limit = page.limit()?;
    let after = page.after.as_deref().map(str::parse).transpose();
    let after =
        after.map_err(|_| ApiError::invalid("cursor", "is not the `next` of a page before"))?;
    let found = answer(|reply| handle.queue_consumers(&name, (after, limit), reply)).await?;
    let found = found.map_err(api_error)?;
    let data = found.data.into_iter().map(consumer_view).collect();
    Ok(Page { data, next: found.next.map(|number| number.to_string()) })
}

fn api_error(error: OperateError) -> ApiError {
    match error {
        OperateError::NotFound(_, name) => ApiError::no_queue(name),
        OperateError::NoKeys(..) => ApiError::invalid("key", error.to_string()),
        OperateError::NoReader { .. } => ApiError::invalid("reader", error.to_string()),
        OperateError::ReaderBusy { .. } | OperateError::Seeking(_) => {
            ApiError::Conflict { message: error.to_string() }
        }
        OperateError::NotStored { .. } => {
            ApiError::Unavailable { message: error.to_string(), retry_after: RETRY_AFTER }
        }
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
    let Some(message) = &of.message else { return view };
    let qos = message.head().qos.as_u8();
    let view = view.with_body(message.topic(), message.payload(), qos, properties(message));
    QueueMessageView { key: of.key.clone(), ..view }
}

fn consumer_view(consumer: QueueConsumer) -> ConsumerView {
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
