//! What can be asked of the control shard, which alone defines, changes and deletes queues.

use std::sync::Arc;

use log_api::ShardId;
use mqtt_router::SinkId;

use crate::directory::QueueDefinition;
use crate::directory::QueueProperties;

/// The shard that serves control requests.
pub(crate) const CONTROL_SHARD: ShardId = ShardId(0);

/// An answer that goes back to whoever asked, on whatever thread that is.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// A queue to be.
#[derive(Clone, PartialEq, Debug)]
pub struct NewQueue {
    /// Its name: simple, or equal to its topic filter.
    pub name: String,
    /// What to bind it to.
    pub topic_filter: Option<String>,
    /// Its properties.
    pub properties: QueueProperties,
}

/// A change to a queue. What is `None` stays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct QueueChange {
    /// The properties it shall have.
    pub properties: Option<QueueProperties>,
    /// Whether it shall deliver nothing, whatever the properties say.
    pub paused: Option<bool>,
    /// What to bind it to from now on.
    pub topic_filter: Option<Option<String>>,
}

/// Why a control request was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControlError {
    /// A queue of that name exists.
    #[error("queue '{0}' exists already")]
    Exists(String),
    /// A queue of that name exists, bound to something else.
    #[error("queue '{name}' is bound to {bound}")]
    BoundElsewhere {
        /// The queue.
        name: String,
        /// What it is bound to, as text.
        bound: String,
    },
    /// There is no queue of that name.
    #[error("there is no queue '{0}'")]
    NotFound(String),
    /// There are as many queues as there may be.
    #[error("there are {limit} queues, as many as queues.auto_create.max_queues allows")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// Dead letters would come back to the queue that gave them up.
    #[error("dead letters of queue '{name}' would come back to it by way of '{by}'")]
    DeadLettersReturn {
        /// The queue.
        name: String,
        /// The queue that gives them back.
        by: String,
    },
    /// The log does not take the definition.
    #[error("the definition could not be stored: {0}")]
    NotStored(String),
}

/// What is asked.
pub(crate) enum ControlRequest {
    Create {
        queue: NewQueue,
        reply: Reply<Result<Arc<QueueDefinition>, ControlError>>,
    },
    /// A subscription's: answers with the queue that exists, or creates it.
    Ensure {
        queue: NewQueue,
        shard: ShardId,
        subscribe: usize,
        filter: usize,
    },
    /// A queue's that has dead letters: answers with the queue that exists, whatever it is bound to, or creates it.
    EnsureDead {
        queue: NewQueue,
        shard: ShardId,
        dying: SinkId,
    },
    Change {
        name: String,
        change: QueueChange,
        reply: Reply<Result<Arc<QueueDefinition>, ControlError>>,
    },
    Delete {
        name: String,
        reply: Reply<Result<(), ControlError>>,
    },
}

impl ControlRequest {
    /// Whether it makes a queue.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Ensure { .. } | Self::EnsureDead { .. })
    }

    /// The queue it is about.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Create { queue, .. }
            | Self::Ensure { queue, .. }
            | Self::EnsureDead { queue, .. } => &queue.name,
            Self::Change { name, .. } | Self::Delete { name, .. } => name,
        }
    }
}
