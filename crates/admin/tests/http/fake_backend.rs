//! A backend that keeps queues in a map and has only some of the properties.

mod streams;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use admin_api::{
    AlarmView, ApiError, Backend, BackupDownload, BoxFuture, ClientView, ConsumerView, DelayedView,
    ExplainAbout, ExplainRequest, Explanation, Health, MessageBody, MessageProperties, MessageSpec,
    MessageState, NodeMetrics, Page, PageRequest, PeekRequest, Pieces, PublishOutcome, PurgeBody,
    PurgeResult, QueueEnd, QueueMessageView, QueueMetrics, QueuePatch, QueueProperties, QueueSpec,
    QueueStats, QueueView, RedriveBody, RedriveResult, RetainedView, Seek, SeekResult, SinkWord,
    StreamView, SubscriptionView, SubscriptionsWanted, Timestamp, Verdict,
};

const SUPPORTED: &[&str] =
    &["max_inflight", "ack_timeout", "retry_delay", "retry_delay_max", "paused"];

#[derive(Default)]
pub struct FakeBackend {
    pub queues: Mutex<BTreeMap<String, QueueView>>,
    pub streams: Mutex<BTreeMap<String, StreamView>>,
    pub alarms: Mutex<Vec<AlarmView>>,
    pub consumers: Mutex<Vec<ConsumerView>>,
    pub delayed: Mutex<Vec<DelayedView>>,
    pub retained: Mutex<Vec<RetainedView>>,
    pub clients: Mutex<Vec<ClientView>>,
    pub subscriptions: Mutex<Vec<SubscriptionView>>,
    pub published: Mutex<Vec<MessageSpec>>,
    pub backup: Mutex<VecDeque<Result<Vec<u8>, String>>>,
    pub health: Mutex<Health>,
    /// Set when every request shall be refused for a while.
    pub overloaded: Mutex<bool>,
    /// Set when the metrics shall never come.
    pub stuck: Mutex<bool>,
}

/// A backup that has been written before.
struct FakePieces(VecDeque<Result<Vec<u8>, String>>);

impl Pieces for FakePieces {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, String>>> {
        Poll::Ready(self.0.pop_front())
    }
}

fn answer<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(value))
}

impl FakeBackend {
    fn create(&self, spec: &QueueSpec) -> Result<QueueView, ApiError> {
        let properties = spec.properties(&QueueProperties::default())?;
        properties.refuse_unsupported(SUPPORTED)?;
        let mut queues = self.queues.lock().expect("not poisoned");
        if queues.contains_key(spec.name()) {
            return Err(ApiError::Conflict { message: format!("queue '{}' exists", spec.name()) });
        }
        let view = QueueView {
            name: spec.name().to_owned(),
            topic_filter: spec.topic_filter().map(str::to_owned),
            properties,
            stats: QueueStats { enqueued: 5, ready: 5, lag_ms: 1_500, ..QueueStats::default() },
        };
        queues.insert(view.name.clone(), view.clone());
        Ok(view)
    }

    /// Nobody takes anything, and nothing is left.
    fn explain(&self, request: &ExplainRequest) -> Result<Explanation, ApiError> {
        let verdict = match &request.about {
            ExplainAbout::Publish { topic, .. } if topic.contains('+') => {
                return Err(ApiError::invalid("topic", "has a wildcard"));
            }
            ExplainAbout::Publish { .. } => Verdict::NoTakers,
            ExplainAbout::Source(sink, _) => {
                let (queues, streams) = (&self.queues, &self.streams);
                let is_known = match sink.kind {
                    SinkWord::Queue => {
                        queues.lock().expect("not poisoned").contains_key(&sink.name)
                    }
                    SinkWord::Stream => {
                        streams.lock().expect("not poisoned").contains_key(&sink.name)
                    }
                };
                if !is_known {
                    let (kind, name) = (sink.kind.as_str(), sink.name.clone());
                    return Err(ApiError::NotFound { kind, name });
                }
                Verdict::Left
            }
            ExplainAbout::Client(_) => Verdict::Away,
        };
        Ok(Explanation {
            question: request.question(),
            at: Timestamp::default(),
            verdict,
            summary: String::new(),
            reasons: Vec::new(),
            publish: None,
            message: None,
            source: None,
            client: None,
            consumers: Vec::new(),
            readers: Vec::new(),
            subscriptions: Vec::new(),
            alarms: Vec::new(),
        })
    }

    fn patch(&self, name: String, patch: &QueuePatch) -> Result<QueueView, ApiError> {
        let mut queues = self.queues.lock().expect("not poisoned");
        let view = queues.get_mut(&name).ok_or_else(|| ApiError::no_queue(name))?;
        let properties = patch.properties(&view.properties)?;
        properties.refuse_unsupported(SUPPORTED)?;
        view.properties = properties;
        Ok(view.clone())
    }

    /// Messages of a queue that has as many as it says are ready.
    fn peek(&self, name: String, request: PeekRequest) -> Result<Page<QueueMessageView>, ApiError> {
        let queues = self.queues.lock().expect("not poisoned");
        let view = queues.get(&name).ok_or_else(|| ApiError::no_queue(name))?;
        let end = view.stats.ready.min(request.offset + request.limit as u64);
        let state = request.state.unwrap_or(MessageState::Ready);
        let message = |offset| {
            let body = MessageBody::new("a", b"x", 1, MessageProperties::default());
            let view = QueueMessageView::new(offset, state, 0, Timestamp::default());
            QueueMessageView { body, ..view }
        };
        let next = (end < view.stats.ready).then(|| end.to_string());
        Ok(Page { data: (request.offset..end).map(message).collect(), next })
    }

    fn purge(&self, name: String, body: &PurgeBody) -> Result<PurgeResult, ApiError> {
        let mut queues = self.queues.lock().expect("not poisoned");
        let view = queues.get_mut(&name).ok_or_else(|| ApiError::no_queue(name))?;
        if body.key.is_some() {
            return Err(ApiError::invalid("key", "the queue keeps no keys"));
        }
        let purged = std::mem::take(&mut view.stats.ready);
        view.stats.purged += purged;
        Ok(PurgeResult { purged })
    }

    fn seek(&self, name: String, seek: Seek) -> Result<SeekResult, ApiError> {
        let queues = self.queues.lock().expect("not poisoned");
        let view = queues.get(&name).ok_or_else(|| ApiError::no_queue(name))?;
        let offset = match seek {
            Seek::Offset(13) => {
                return Err(ApiError::Conflict { message: "a seek is under way".to_owned() });
            }
            Seek::Offset(offset) => offset.min(view.stats.enqueued),
            Seek::Time(_) | Seek::End(QueueEnd::Earliest) => 0,
            Seek::End(QueueEnd::Latest) => view.stats.enqueued,
        };
        Ok(SeekResult { offset, purged: 0, restored: 0 })
    }
}

impl Backend for FakeBackend {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueView>, ApiError>> {
        if *self.overloaded.lock().expect("not poisoned") {
            let retry_after = Duration::from_millis(1_200);
            return answer(Err(ApiError::Unavailable {
                message: "the log is full".to_owned(),
                retry_after,
            }));
        }
        answer(Ok(self.queues.lock().expect("not poisoned").values().cloned().collect()))
    }

    fn queue(&self, name: String) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        let view = self.queues.lock().expect("not poisoned").get(&name).cloned();
        answer(view.ok_or_else(|| ApiError::no_queue(name)))
    }

    fn create_queue(&self, spec: QueueSpec) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        answer(self.create(&spec))
    }

    fn patch_queue(
        &self,
        name: String,
        patch: QueuePatch,
    ) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        answer(self.patch(name, &patch))
    }

    fn delete_queue(&self, name: String) -> BoxFuture<'_, Result<(), ApiError>> {
        let removed = self.queues.lock().expect("not poisoned").remove(&name);
        answer(removed.map(|_| ()).ok_or_else(|| ApiError::no_queue(name)))
    }

    fn peek_queue(
        &self,
        name: String,
        request: PeekRequest,
    ) -> BoxFuture<'_, Result<Page<QueueMessageView>, ApiError>> {
        answer(self.peek(name, request))
    }

    fn purge_queue(
        &self,
        name: String,
        body: PurgeBody,
    ) -> BoxFuture<'_, Result<PurgeResult, ApiError>> {
        answer(self.purge(name, &body))
    }

    fn redrive_queue(
        &self,
        _: String,
        _: RedriveBody,
    ) -> BoxFuture<'_, Result<RedriveResult, ApiError>> {
        Box::pin(async { Ok(RedriveResult::default()) })
    }

    fn seek_queue(&self, name: String, seek: Seek) -> BoxFuture<'_, Result<SeekResult, ApiError>> {
        answer(self.seek(name, seek))
    }

    fn set_queue_paused(
        &self,
        name: String,
        paused: bool,
    ) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        let mut queues = self.queues.lock().expect("not poisoned");
        let Some(view) = queues.get_mut(&name) else {
            return answer(Err(ApiError::no_queue(name)));
        };
        view.properties.paused = paused;
        answer(Ok(view.clone()))
    }

    fn queue_consumers(
        &self,
        name: String,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Page<ConsumerView>, ApiError>> {
        if !self.queues.lock().expect("not poisoned").contains_key(&name) {
            return answer(Err(ApiError::no_queue(name)));
        }
        let all = self.consumers.lock().expect("not poisoned").clone();
        answer(page.cut(all, |consumer| &consumer.client_id))
    }

    fn delayed(&self, page: PageRequest) -> BoxFuture<'_, Result<Page<DelayedView>, ApiError>> {
        let all = self.delayed.lock().expect("not poisoned").clone();
        answer(page.cut(all, |message| &message.id))
    }

    fn cancel_delayed(&self, id: String) -> BoxFuture<'_, Result<(), ApiError>> {
        let mut all = self.delayed.lock().expect("not poisoned");
        let before = all.len();
        all.retain(|message| message.id != id);
        let is_gone = all.len() < before;
        answer(
            is_gone.then_some(()).ok_or(ApiError::NotFound { kind: "delayed message", name: id }),
        )
    }

    /// A filter is the beginning of topics, or `#`.
    fn retained(
        &self,
        page: PageRequest,
        filter: String,
    ) -> BoxFuture<'_, Result<Page<RetainedView>, ApiError>> {
        let mut all = self.retained.lock().expect("not poisoned").clone();
        all.retain(|message| filter == "#" || message.topic.starts_with(&filter));
        answer(page.cut(all, |message| &message.topic))
    }

    fn remove_retained(&self, filter: String) -> BoxFuture<'_, Result<u64, ApiError>> {
        let mut all = self.retained.lock().expect("not poisoned");
        let before = all.len();
        all.retain(|message| filter != "#" && !message.topic.starts_with(&filter));
        answer(Ok((before - all.len()) as u64))
    }

    fn clients(
        &self,
        page: PageRequest,
        connected: Option<bool>,
    ) -> BoxFuture<'_, Result<Page<ClientView>, ApiError>> {
        let mut all = self.clients.lock().expect("not poisoned").clone();
        all.retain(|client| connected.is_none_or(|wanted| wanted == client.connected));
        answer(page.cut(all, |client| &client.client_id))
    }

    fn client(&self, client_id: String) -> BoxFuture<'_, Result<ClientView, ApiError>> {
        let all = self.clients.lock().expect("not poisoned");
        let found = all.iter().find(|client| client.client_id == client_id).cloned();
        answer(found.ok_or(ApiError::NotFound { kind: "client", name: client_id }))
    }

    fn end_client(
        &self,
        client_id: String,
        ends_session: bool,
    ) -> BoxFuture<'_, Result<(), ApiError>> {
        let mut all = self.clients.lock().expect("not poisoned");
        let Some(client) = all.iter_mut().find(|client| client.client_id == client_id) else {
            return answer(Err(ApiError::NotFound { kind: "client", name: client_id }));
        };
        client.connected = false;
        if ends_session {
            all.retain(|client| client.client_id != client_id);
        }
        answer(Ok(()))
    }

    fn subscriptions(
        &self,
        page: PageRequest,
        wanted: SubscriptionsWanted,
    ) -> BoxFuture<'_, Result<Page<SubscriptionView>, ApiError>> {
        let all = self.subscriptions.lock().expect("not poisoned").clone();
        let is_wanted = |subscription: &SubscriptionView| {
            wanted.client_id.as_ref().is_none_or(|id| *id == subscription.client_id)
                && wanted.topic.as_ref().is_none_or(|topic| *topic == subscription.topic_filter)
        };
        let found = all.into_iter().filter(is_wanted).collect();
        answer(page.cut(found, |subscription| &subscription.topic_filter))
    }

    fn publish(
        &self,
        messages: Vec<MessageSpec>,
    ) -> BoxFuture<'_, Result<Vec<PublishOutcome>, ApiError>> {
        for (n, message) in messages.iter().enumerate() {
            if message.topic.contains('+') {
                let field = format!("messages[{n}].topic");
                return answer(Err(ApiError::invalid(field, "has a wildcard")));
            }
        }
        let outcome = |message: &MessageSpec| match message.topic.as_str() {
            "nobody" => (0x10, "nobody", None),
            "full" => (0x97, "it is full", None),
            "wrong" => (0x83, "it is wrong", Some("properties.user_properties")),
            "$q/a" => (0x90, "topic", None),
            _ => (0, "success", None),
        };
        let outcome = |message| {
            let (reason_code, reason, field) = outcome(message);
            let (reason, field) = (reason.to_owned(), field.map(str::to_owned));
            PublishOutcome { reason_code, reason, field }
        };
        let outcomes = messages.iter().map(outcome).collect();
        self.published.lock().expect("not poisoned").extend(messages);
        answer(Ok(outcomes))
    }

    fn backup(&self) -> BoxFuture<'_, Result<BackupDownload, ApiError>> {
        let pieces = std::mem::take(&mut *self.backup.lock().expect("not poisoned"));
        answer(match pieces.is_empty() {
            true => Err(ApiError::Conflict { message: "a backup is under way".to_owned() }),
            false => {
                Ok(BackupDownload { estimated_bytes: 77, pieces: Box::new(FakePieces(pieces)) })
            }
        })
    }

    fn explain(&self, request: ExplainRequest) -> BoxFuture<'_, Result<Explanation, ApiError>> {
        answer(self.explain(&request))
    }

    fn alarms(&self) -> Vec<AlarmView> {
        self.alarms.lock().expect("not poisoned").clone()
    }

    fn health(&self) -> Health {
        self.health.lock().expect("not poisoned").clone()
    }

    fn metrics(&self) -> BoxFuture<'_, Result<NodeMetrics, ApiError>> {
        if *self.stuck.lock().expect("not poisoned") {
            return Box::pin(std::future::pending());
        }
        let queues = self.queues.lock().expect("not poisoned");
        let queues = queues
            .values()
            .map(|view| QueueMetrics { name: view.name.clone(), stats: view.stats })
            .collect();
        answer(Ok(NodeMetrics { connections: 3, queues, ..NodeMetrics::default() }))
    }
}
