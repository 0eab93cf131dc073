//! The seam between the operator's side and the running broker.

mod streams;

use std::future::Future;
use std::pin::Pin;

use crate::{
    AlarmView, ApiError, BackupDownload, ClientView, ConsumerView, DelayedView, ExplainRequest,
    Explanation, MessageSpec, NodeMetrics, Page, PageRequest, PeekRequest, PublishOutcome,
    PurgeBody, PurgeResult, QueueMessageView, QueuePatch, QueueSpec, QueueView, RedriveBody,
    RedriveResult, RetainedView, Seek, SeekResult, SubscriptionView, SubscriptionsWanted,
};

pub use streams::StreamBackend;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the operator's side asks of a running broker. Every method is a request; a future that is dropped leaves the
/// request running, so a change that was sent happens whether or not someone waits for the answer.
///
/// ```text
/// HTTP ──▶ admin ──▶ dyn Backend ──▶ the broker's handle ──▶ its shards
/// ```
pub trait Backend: StreamBackend + Send + Sync + 'static {
    /// All queues with their numbers, in any order.
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueView>, ApiError>>;

    /// One queue.
    ///
    /// The error is [`ApiError::NotFound`] when there is none of that name.
    fn queue(&self, name: String) -> BoxFuture<'_, Result<QueueView, ApiError>>;

    /// Creates a queue durably.
    ///
    /// The error is [`ApiError::Conflict`] for a name that is taken or when there may be no more queues, and
    /// [`ApiError::Unsupported`] for a property that this version does not have.
    fn create_queue(&self, spec: QueueSpec) -> BoxFuture<'_, Result<QueueView, ApiError>>;

    /// Changes a living queue at once.
    fn patch_queue(
        &self,
        name: String,
        patch: QueuePatch,
    ) -> BoxFuture<'_, Result<QueueView, ApiError>>;

    /// Deletes a queue and what waits in it.
    fn delete_queue(&self, name: String) -> BoxFuture<'_, Result<(), ApiError>>;

    /// Messages of a queue from an offset on. A page may have fewer than its limit.
    fn peek_queue(
        &self,
        name: String,
        request: PeekRequest,
    ) -> BoxFuture<'_, Result<Page<QueueMessageView>, ApiError>>;

    /// Removes messages that are not in flight, durably. May take long.
    fn purge_queue(
        &self,
        name: String,
        body: PurgeBody,
    ) -> BoxFuture<'_, Result<PurgeResult, ApiError>>;

    /// Lets a queue go on elsewhere, durably. May take long.
    ///
    /// The error is [`ApiError::Conflict`] while another seek of the queue is under way.
    fn seek_queue(&self, name: String, seek: Seek) -> BoxFuture<'_, Result<SeekResult, ApiError>>;

    /// Sends a queue's dead letters back, durably. May take long.
    ///
    /// The error is [`ApiError::Conflict`] when none could be, for a reason that somebody can do something about.
    fn redrive_queue(
        &self,
        name: String,
        body: RedriveBody,
    ) -> BoxFuture<'_, Result<RedriveResult, ApiError>>;

    /// Lets a queue deliver nothing any more, or deliver again, durably.
    fn set_queue_paused(
        &self,
        name: String,
        paused: bool,
    ) -> BoxFuture<'_, Result<QueueView, ApiError>>;

    /// Consumers of a queue.
    fn queue_consumers(
        &self,
        name: String,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Page<ConsumerView>, ApiError>>;

    /// Messages that are to be published later, in the order in which they are due.
    fn delayed(&self, page: PageRequest) -> BoxFuture<'_, Result<Page<DelayedView>, ApiError>>;

    /// Cancels one of them durably.
    fn cancel_delayed(&self, id: String) -> BoxFuture<'_, Result<(), ApiError>>;

    /// Retained messages of topics that the filter matches, in the order of their topics.
    fn retained(
        &self,
        page: PageRequest,
        filter: String,
    ) -> BoxFuture<'_, Result<Page<RetainedView>, ApiError>>;

    /// Removes retained messages of topics that the filter matches durably, and says how many.
    fn remove_retained(&self, filter: String) -> BoxFuture<'_, Result<u64, ApiError>>;

    /// Clients, all or those with a connection or those without.
    fn clients(
        &self,
        page: PageRequest,
        connected: Option<bool>,
    ) -> BoxFuture<'_, Result<Page<ClientView>, ApiError>>;

    /// One client.
    fn client(&self, client_id: String) -> BoxFuture<'_, Result<ClientView, ApiError>>;

    /// Ends a client's connection, and its session if that is wanted.
    fn end_client(
        &self,
        client_id: String,
        ends_session: bool,
    ) -> BoxFuture<'_, Result<(), ApiError>>;

    /// Subscriptions.
    fn subscriptions(
        &self,
        page: PageRequest,
        wanted: SubscriptionsWanted,
    ) -> BoxFuture<'_, Result<Page<SubscriptionView>, ApiError>>;

    /// Publishes messages in their order, and says what became of each. When one of them cannot be, none is published;
    /// the field of the error says which, as `messages[3].topic`.
    fn publish(
        &self,
        messages: Vec<MessageSpec>,
    ) -> BoxFuture<'_, Result<Vec<PublishOutcome>, ApiError>>;

    /// Begins a backup. All that was acknowledged before is in it.
    ///
    /// The error is [`ApiError::Conflict`] while another one is under way.
    fn backup(&self) -> BoxFuture<'_, Result<BackupDownload, ApiError>>;

    /// Why a message goes where it goes, or stays where it is.
    ///
    /// The error is [`ApiError::NotFound`] for a queue, a stream or a client that is not there, and [`ApiError::Invalid`] for a
    /// topic that nobody could name.
    fn explain(&self, request: ExplainRequest) -> BoxFuture<'_, Result<Explanation, ApiError>>;

    /// All alarms that stand, in any order. Does not wait.
    fn alarms(&self) -> Vec<AlarmView>;

    /// Whether the broker takes traffic. Does not wait.
    fn health(&self) -> Health;

    /// The node's numbers.
    fn metrics(&self) -> BoxFuture<'_, Result<NodeMetrics, ApiError>>;
}

/// Whether a broker takes traffic.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Whether it does.
    pub ready: bool,
    /// Why it does not; empty when it does.
    pub reasons: Vec<String>,
}
