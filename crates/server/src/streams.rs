//! The operator's requests about streams to the running broker.

use std::sync::Arc;

use admin_api::{
    ApiError, BoxFuture, ConsumerView, Page, PageRequest, PurgeResult, ReaderKind, ReaderView,
    StreamBackend, StreamMessageView, StreamPatch, StreamPeekRequest, StreamPurgeBody, StreamSeek,
    StreamSeekResult, StreamSpec, StreamView,
};
use broker::{
    NewStream, OperateError, ReaderName, SinkKind, StreamChange, StreamDefinition, StreamLook,
    StreamPurge,
};

use crate::answer::answer;
use crate::backend::BrokerBackend;
use crate::binding::rebound;
use crate::errors::{of_control, of_operation};
use crate::queue_operations::{self, place};
use crate::stream_properties::{of_definition, to_broker};
use crate::stream_views::{kind_of, message_view, reader_view, view};

type Answer<'a, T> = BoxFuture<'a, Result<T, ApiError>>;

impl BrokerBackend {
    fn known_stream(&self, name: &str) -> Result<Arc<StreamDefinition>, ApiError> {
        self.handle.stream(name).ok_or_else(|| ApiError::no_stream(name))
    }

    async fn view_of_stream(
        &self,
        definition: Arc<StreamDefinition>,
    ) -> Result<StreamView, ApiError> {
        let states = answer(|reply| self.handle.stream_states(reply)).await?;
        Ok(view(&definition, states.get(&definition.sink)))
    }
}

impl StreamBackend for BrokerBackend {
    fn streams(&self) -> Answer<'_, Vec<StreamView>> {
        Box::pin(async move {
            let states = answer(|reply| self.handle.stream_states(reply)).await?;
            let streams = self.handle.streams();
            Ok(streams.iter().map(|stream| view(stream, states.get(&stream.sink))).collect())
        })
    }

    fn stream(&self, name: String) -> Answer<'_, StreamView> {
        Box::pin(async move { self.view_of_stream(self.known_stream(&name)?).await })
    }

    fn create_stream(&self, spec: StreamSpec) -> Answer<'_, StreamView> {
        Box::pin(async move {
            let properties = spec.properties(&self.stream_defaults)?;
            let new = NewStream {
                name: spec.name().to_owned(),
                topic_filter: spec.topic_filter().map(str::to_owned),
                properties: to_broker(&properties, &broker::StreamProperties::default())?,
            };
            let created = answer(|reply| self.handle.create_stream(new, reply)).await?;
            self.view_of_stream(created.map_err(of_control)?).await
        })
    }

    fn patch_stream(&self, name: String, patch: StreamPatch) -> Answer<'_, StreamView> {
        Box::pin(async move {
            let known = self.known_stream(&name)?;
            let properties =
                to_broker(&patch.properties(&of_definition(&known))?, &known.properties)?;
            let bound = known.topic_filter.as_deref();
            let topic_filter = rebound(SinkKind::Stream, &name, bound, patch.topic_filter())?;
            let change = StreamChange { properties: Some(properties), topic_filter, paused: None };
            let changed = answer(|reply| self.handle.change_stream(name, change, reply)).await?;
            self.view_of_stream(changed.map_err(of_control)?).await
        })
    }

    fn delete_stream(&self, name: String) -> Answer<'_, ()> {
        Box::pin(async move {
            answer(|reply| self.handle.delete_stream(name, reply)).await?.map_err(of_control)
        })
    }

    fn peek_stream(
        &self,
        name: String,
        request: StreamPeekRequest,
    ) -> Answer<'_, Page<StreamMessageView>> {
        Box::pin(async move {
            let look = StreamLook { from: request.offset, limit: request.limit };
            let page = answer(|reply| self.handle.peek_stream(&name, look, reply)).await?;
            let page = page.map_err(of_operation)?;
            let data = page.data.into_iter().map(message_view).collect();
            Ok(Page { data, next: page.next.map(|offset| offset.to_string()) })
        })
    }

    fn purge_stream(&self, name: String, body: StreamPurgeBody) -> Answer<'_, PurgeResult> {
        Box::pin(async move {
            let (filter, key) = (body.filter.as_deref(), body.key.as_deref());
            let purge = StreamPurge { filter, key, before: body.before };
            let purged = answer(|reply| self.handle.purge_stream(&name, purge, reply)).await?;
            Ok(PurgeResult { purged: purged.map_err(of_operation)? })
        })
    }

    fn seek_stream(&self, name: String, seek: StreamSeek) -> Answer<'_, StreamSeekResult> {
        Box::pin(async move {
            let (reader, to) = (reader_name(seek.kind, &seek.name), place(seek.to));
            let sought = answer(|reply| self.handle.seek_stream(&name, reader, to, reply)).await?;
            Ok(StreamSeekResult { position: sought.map_err(of_operation)? })
        })
    }

    fn set_stream_paused(&self, name: String, paused: bool) -> Answer<'_, StreamView> {
        Box::pin(async move {
            let changed =
                answer(|reply| self.handle.set_stream_paused(&name, paused, reply)).await?;
            self.view_of_stream(changed.map_err(of_control)?).await
        })
    }

    fn stream_readers(&self, name: String, page: PageRequest) -> Answer<'_, Page<ReaderView>> {
        Box::pin(async move {
            let limit = page.limit()?;
            let after = page.after.as_deref().map(of_cursor).transpose()?;
            let found = answer(|reply| self.handle.stream_readers(&name, (after, limit), reply));
            let found = found.await?.map_err(of_operation)?;
            let data = found.data.into_iter().map(reader_view).collect();
            Ok(Page { data, next: found.next.as_ref().map(cursor) })
        })
    }

    fn stream_consumers(&self, name: String, page: PageRequest) -> Answer<'_, Page<ConsumerView>> {
        Box::pin(queue_operations::stream_consumers(&self.handle, name, page))
    }

    fn forget_reader(&self, name: String, reader: (ReaderKind, String)) -> Answer<'_, ()> {
        Box::pin(async move {
            let (kind, text) = reader;
            let reader = reader_name(kind, &text);
            let forgotten = answer(|reply| self.handle.forget_reader(&name, reader, reply)).await?;
            forgotten.map_err(|error| match error {
                OperateError::NoReader { .. } => ApiError::NotFound { kind: "reader", name: text },
                other => of_operation(other),
            })
        })
    }
}

fn reader_name(kind: ReaderKind, name: &str) -> ReaderName {
    match kind {
        ReaderKind::Client => ReaderName::client(name),
        ReaderKind::Group => ReaderName::group(name),
    }
}

/// Where a list of readers goes on.
fn cursor(last: &ReaderName) -> String {
    format!("{}/{}", kind_of(last).as_str(), last.text())
}

fn of_cursor(text: &str) -> Result<ReaderName, ApiError> {
    let parts = text.split_once('/');
    let read = parts.and_then(|(kind, name)| Some(reader_name(kind.parse().ok()?, name)));
    read.ok_or_else(|| ApiError::invalid("cursor", "is not the `next` of a page before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_readers_goes_on_where_it_ended() {
        for reader in [ReaderName::client("a/b"), ReaderName::group(""), ReaderName::group("g")] {
            assert_eq!(of_cursor(&cursor(&reader)), Ok(reader));
        }
        for wrong in ["", "client", "queue/a"] {
            assert!(of_cursor(wrong).is_err(), "{wrong}");
        }
    }
}
