//! Streams, their messages and readers as the edge shows them.

use std::sync::Arc;
use std::time::Duration;

use admin_api::{
    ApiError, DataLossBy, ReaderKind, ReaderView, StreamMessageView, StreamMetrics, StreamStats,
    StreamView, Timestamp,
};
use broker::{Handle, ReaderName, StreamDefinition, StreamMessage, StreamReader, StreamState};

use crate::answer::answer;
use crate::message_properties::body;
use crate::stream_properties::of_definition;

/// The numbers of all streams.
pub(crate) async fn metrics(handle: &Handle) -> Result<Vec<StreamMetrics>, ApiError> {
    let states = answer(|reply| handle.stream_states(reply)).await?;
    let numbers = |stream: &Arc<StreamDefinition>| StreamMetrics {
        name: stream.name.to_string(),
        stats: stats(states.get(&stream.sink)),
    };
    Ok(handle.streams().iter().map(numbers).collect())
}

pub(crate) const fn kind_of(reader: &ReaderName) -> ReaderKind {
    if reader.is_group() { ReaderKind::Group } else { ReaderKind::Client }
}

fn stats(state: Option<&StreamState>) -> StreamStats {
    let Some(state) = state else { return StreamStats::default() };
    let StreamState { ledger, rekeying, behind, next_offset, oldest_age_ms, lag_ms, losses } =
        state;
    let millis = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    StreamStats {
        appended: ledger.appended,
        kept: ledger.kept,
        expired: ledger.expired,
        dropped: ledger.dropped,
        replaced: ledger.replaced,
        purged: ledger.purged,
        redelivered: ledger.redelivered,
        bytes: ledger.bytes,
        oldest_offset: ledger.oldest_offset.map(|offset| offset.0),
        next_offset: *next_offset,
        oldest_age_ms: *oldest_age_ms,
        rekeying: *rekeying,
        readers: ledger.readers,
        members: ledger.members,
        readers_behind: behind.readers,
        lag: behind.messages,
        lag_bytes: behind.bytes,
        lag_ms: *lag_ms,
        time_to_data_loss_ms: losses.first().map(millis),
        data_loss_by: DataLossBy {
            retention_ms: losses.retention.map(millis),
            max_messages_ms: losses.max_messages.map(millis),
            max_bytes_ms: losses.max_bytes.map(millis),
        },
    }
}

pub(crate) fn view(definition: &StreamDefinition, state: Option<&StreamState>) -> StreamView {
    StreamView {
        name: definition.name.to_string(),
        topic_filter: definition.topic_filter.as_deref().map(str::to_owned),
        properties: of_definition(definition),
        stats: stats(state),
    }
}

pub(crate) fn message_view(of: StreamMessage) -> StreamMessageView {
    StreamMessageView {
        offset: of.offset,
        publish_ts: Timestamp(of.stored),
        body: body(of.message.as_ref()),
        key: of.key,
    }
}

pub(crate) fn reader_view(reader: StreamReader) -> ReaderView {
    ReaderView {
        kind: kind_of(&reader.name),
        name: reader.name.text().to_owned(),
        position: reader.position,
        lag: reader.lag,
        lag_bytes: reader.lag_bytes,
        lag_ms: reader.lag_ms,
        members: reader.members,
        in_flight: reader.in_flight,
        waiting: reader.waiting,
        rejected: reader.rejected,
        skipped: reader.skipped,
    }
}
