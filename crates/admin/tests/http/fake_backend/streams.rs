//! Streams in a map, each with five messages and two readers.

use admin_api::{
    ReaderKind, ReaderView, StreamBackend, StreamMessageView, StreamPatch, StreamPeekRequest,
    StreamProperties, StreamPurgeBody, StreamSeek, StreamSeekResult, StreamSpec, StreamStats,
};

use super::*;

/// The messages of a stream that nobody has purged.
const MESSAGES: u64 = 5;

type Answer<'a, T> = BoxFuture<'a, Result<T, ApiError>>;

impl FakeBackend {
    /// Does something with a stream that is there.
    fn on_stream<T: Send + 'static>(
        &self,
        name: String,
        what: impl FnOnce(&mut StreamView) -> Result<T, ApiError>,
    ) -> Answer<'static, T> {
        let mut streams = self.streams.lock().expect("not poisoned");
        answer(match streams.get_mut(&name) {
            Some(view) => what(view),
            None => Err(ApiError::no_stream(name)),
        })
    }
}

fn reader(kind: ReaderKind, members: u64) -> ReaderView {
    ReaderView {
        kind,
        name: "meter/7".to_owned(),
        position: 3,
        lag: 2,
        lag_bytes: 128,
        lag_ms: 1_500,
        members,
        in_flight: members,
        waiting: 0,
        rejected: 1,
        skipped: 0,
    }
}

impl StreamBackend for FakeBackend {
    fn streams(&self) -> Answer<'_, Vec<StreamView>> {
        answer(Ok(self.streams.lock().expect("not poisoned").values().cloned().collect()))
    }

    fn stream(&self, name: String) -> Answer<'_, StreamView> {
        self.on_stream(name, |view| Ok(view.clone()))
    }

    fn create_stream(&self, spec: StreamSpec) -> Answer<'_, StreamView> {
        let mut streams = self.streams.lock().expect("not poisoned");
        if streams.contains_key(spec.name()) {
            let message = format!("stream '{}' exists already", spec.name());
            return answer(Err(ApiError::Conflict { message }));
        }
        let view = spec.properties(&StreamProperties::default()).map(|properties| StreamView {
            name: spec.name().to_owned(),
            topic_filter: spec.topic_filter().map(str::to_owned),
            properties,
            stats: StreamStats {
                appended: MESSAGES,
                kept: MESSAGES,
                oldest_offset: Some(0),
                next_offset: MESSAGES,
                oldest_age_ms: 61_234,
                readers: 2,
                ..StreamStats::default()
            },
        });
        if let Ok(view) = &view {
            streams.insert(view.name.clone(), view.clone());
        }
        answer(view)
    }

    fn patch_stream(&self, name: String, patch: StreamPatch) -> Answer<'_, StreamView> {
        self.on_stream(name, |view| {
            view.properties = patch.properties(&view.properties)?;
            Ok(view.clone())
        })
    }

    fn delete_stream(&self, name: String) -> Answer<'_, ()> {
        let removed = self.streams.lock().expect("not poisoned").remove(&name);
        answer(removed.map(|_| ()).ok_or_else(|| ApiError::no_stream(name)))
    }

    fn peek_stream(
        &self,
        name: String,
        request: StreamPeekRequest,
    ) -> Answer<'_, Page<StreamMessageView>> {
        self.on_stream(name, |view| {
            let end = view.stats.next_offset.min(request.offset + request.limit as u64);
            let message = |offset| StreamMessageView {
                offset,
                publish_ts: Timestamp::default(),
                body: MessageBody::new("a", b"x", 1, MessageProperties::default()),
                key: None,
            };
            let next = (end < view.stats.next_offset).then(|| end.to_string());
            Ok(Page { data: (request.offset..end).map(message).collect(), next })
        })
    }

    fn purge_stream(&self, name: String, body: StreamPurgeBody) -> Answer<'_, PurgeResult> {
        self.on_stream(name, |view| {
            if body.key.is_some() {
                return Err(ApiError::invalid("key", "the stream keeps no keys"));
            }
            let purged = body.before.unwrap_or(MESSAGES).min(view.stats.kept);
            view.stats.kept -= purged;
            view.stats.purged += purged;
            Ok(PurgeResult { purged })
        })
    }

    fn seek_stream(&self, name: String, seek: StreamSeek) -> Answer<'_, StreamSeekResult> {
        self.on_stream(name, |view| match seek.to {
            _ if seek.name != "meter/7" => Err(ApiError::invalid(
                if seek.kind == ReaderKind::Group { "group" } else { "reader" },
                "is not known",
            )),
            Seek::Offset(position) => Ok(StreamSeekResult { position }),
            Seek::Time(_) | Seek::End(QueueEnd::Earliest) => Ok(StreamSeekResult { position: 0 }),
            Seek::End(QueueEnd::Latest) => {
                Ok(StreamSeekResult { position: view.stats.next_offset })
            }
        })
    }

    fn set_stream_paused(&self, name: String, paused: bool) -> Answer<'_, StreamView> {
        self.on_stream(name, |view| {
            view.properties.paused = paused;
            Ok(view.clone())
        })
    }

    fn stream_readers(&self, name: String, page: PageRequest) -> Answer<'_, Page<ReaderView>> {
        self.on_stream(name, |_| {
            let all = vec![reader(ReaderKind::Client, 0), reader(ReaderKind::Group, 2)];
            page.cut(all, |reader| reader.kind.as_str())
        })
    }

    fn stream_consumers(&self, name: String, page: PageRequest) -> Answer<'_, Page<ConsumerView>> {
        let all = self.consumers.lock().expect("not poisoned").clone();
        self.on_stream(name, |_| page.cut(all, |consumer| &consumer.client_id))
    }

    fn forget_reader(&self, name: String, reader: (ReaderKind, String)) -> Answer<'_, ()> {
        self.on_stream(name, |_| match reader {
            (_, name) if name != "meter/7" => Err(ApiError::NotFound { kind: "reader", name }),
            (ReaderKind::Client, _) => Ok(()),
            (ReaderKind::Group, _) => {
                Err(ApiError::Conflict { message: "group meter/7 reads".to_owned() })
            }
        })
    }
}
