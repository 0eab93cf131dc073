//! What the outside may ask of a running broker. Cheap to clone; answers come by callback, on a shard's thread.

mod explain;
mod listing;
mod queues;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use log_api::{LogState, LogStats, ShardId};
use mqtt_router::SinkId;
use parking_lot::Mutex;

use crate::alarms::Alarms;
use crate::control::{CONTROL_SHARD, ControlError, ControlRequest, NewQueue, QueueChange, Reply};
use crate::directory::{QueueDefinition, QueueProperties, owner_of};
use crate::mail::{Letter, Mail, QueueState};
use crate::redrive::{RedriveError, RedrivePage, RedriveRequest};
use crate::shared::Shared;
use crate::stats::Counts;

/// A handle on a broker.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// A node's numbers at one moment.
#[derive(Clone, Debug)]
pub struct NodeState {
    /// Sums over all shards.
    pub counts: Counts,
    /// Subscriptions, shared or not; queue subscriptions apart.
    pub subscriptions: usize,
    /// What the subscriptions of all sessions are reckoned to take.
    pub subscription_bytes: usize,
    /// What waits for clients, and of clients.
    pub buffered_bytes: usize,
    /// Bytes of all wills.
    pub will_bytes: usize,
    /// Retained messages.
    pub retained: usize,
    /// Bytes of retained messages.
    pub retained_bytes: u64,
    /// Bytes that they take in the log.
    pub retained_disk_bytes: u64,
    /// Bytes that they take in memory.
    pub retained_memory_bytes: u64,
    /// Queues.
    pub queues: usize,
    /// Streams.
    pub streams: usize,
    /// Whether the log takes records.
    pub log_state: LogState,
    /// The log's numbers.
    pub log: LogStats,
    /// Bytes handed to the log and not committed yet.
    pub log_backlog_bytes: u64,
}

impl Handle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The definition of a queue.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<Arc<QueueDefinition>> {
        self.shared.directory.get(name)
    }

    /// All queues, by name.
    #[must_use]
    pub fn queues(&self) -> Vec<Arc<QueueDefinition>> {
        self.shared.directory.list()
    }

    /// Creates a queue. It takes messages from when the answer comes.
    pub fn create_queue(
        &self,
        queue: NewQueue,
        reply: Reply<Result<Arc<QueueDefinition>, ControlError>>,
    ) {
        self.control(ControlRequest::Create { new: queue, reply });
    }

    /// Changes a queue.
    pub fn change_queue(
        &self,
        name: String,
        change: QueueChange,
        reply: Reply<Result<Arc<QueueDefinition>, ControlError>>,
    ) {
        self.control(ControlRequest::Change { name, change, reply });
    }

    /// Deletes a queue with all that is in it. Its consumers are disconnected.
    pub fn delete_queue(&self, name: String, reply: Reply<Result<(), ControlError>>) {
        self.control(ControlRequest::Delete { name, reply });
    }

    fn control(&self, request: ControlRequest<QueueProperties>) {
        self.shared.post.send(CONTROL_SHARD, Mail(Letter::Control(Box::new(request))));
    }

    /// The name of the queue that takes a queue's dead letters, whether it is there yet or not. `None` without the queue, or
    /// when it keeps none.
    #[must_use]
    pub fn dead_letter_queue(&self, name: &str) -> Option<String> {
        let queue = self.shared.directory.get(name)?;
        crate::shard::dead_letter_queue(&queue).map(std::borrow::Cow::into_owned)
    }

    /// Sends a page of dead letters back, see [`RedriveRequest`].
    pub fn redrive(
        &self,
        request: RedriveRequest,
        reply: Reply<Result<RedrivePage, RedriveError>>,
    ) {
        let owner = owner_of(request.from, self.shared.config.shards);
        self.shared.post.send(owner, Mail(Letter::Redrive { request, reply }));
    }

    /// The numbers of all queues.
    pub fn queue_states(&self, reply: Reply<HashMap<SinkId, QueueState>>) {
        self.gather(Letter::Ledgers, reply);
    }

    /// Puts together what all shards answer.
    fn gather<T: Send + 'static>(
        &self,
        letter: impl Fn(Reply<Vec<(SinkId, T)>>) -> Letter,
        reply: Reply<HashMap<SinkId, T>>,
    ) {
        let shards = self.shared.post.shards();
        let gathered = Arc::new(Mutex::new((HashMap::new(), Some(reply))));
        let open = Arc::new(AtomicUsize::new(usize::from(shards)));
        for shard in 0..shards {
            let (gathered, open) = (Arc::clone(&gathered), Arc::clone(&open));
            let take = move |states: Vec<(SinkId, T)>| {
                let mut gathered = gathered.lock();
                gathered.0.extend(states);
                if open.fetch_sub(1, Ordering::AcqRel) == 1
                    && let Some(reply) = gathered.1.take()
                {
                    reply(std::mem::take(&mut gathered.0));
                }
            };
            self.shared.post.send(ShardId(shard), Mail(letter(Box::new(take))));
        }
    }

    /// The numbers of the node.
    #[must_use]
    pub fn state(&self) -> NodeState {
        let mut counts = Counts::default();
        for shard in &self.shared.counts {
            counts += shard.read();
        }
        let router = self.shared.routes.read(mqtt_router::Router::counts);
        let retained = self.shared.retained.numbers();
        NodeState {
            counts,
            subscriptions: router.subscriptions + router.members,
            subscription_bytes: self.shared.budgets.subscriptions.used(),
            buffered_bytes: self.shared.budgets.memory.used(),
            will_bytes: self.shared.budgets.wills.used(),
            retained: retained.messages as usize,
            retained_bytes: retained.bytes,
            retained_disk_bytes: retained.disk_bytes,
            retained_memory_bytes: retained.memory_bytes,
            queues: self.shared.directory.len(),
            streams: self.shared.streams.len(),
            log_state: self.shared.log.state(),
            log: self.shared.log.stats(),
            log_backlog_bytes: self.shared.log.backlog_bytes(),
        }
    }

    /// What an operator should do something about.
    #[must_use]
    pub fn alarms(&self) -> &Alarms {
        &self.shared.alarms
    }

    /// Says that users were changed. Connections of users that are no more end with 0x87.
    pub fn users_changed(&self) {
        for shard in 0..self.shared.post.shards() {
            self.shared.post.send(ShardId(shard), Mail(Letter::UsersChanged));
        }
    }

    /// Ends all connections of all shards with 0x8B and writes what waits. `reply` is called once for each shard.
    pub fn drain(&self, reply: impl Fn() + Send + Sync + 'static) {
        let reply = Arc::new(reply);
        for shard in 0..self.shared.post.shards() {
            let reply = Arc::clone(&reply);
            self.shared.post.send(ShardId(shard), Mail(Letter::Drain(Box::new(move |()| reply()))));
        }
    }

    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.shared.post.shards()
    }
}
