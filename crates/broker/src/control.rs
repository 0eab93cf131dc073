//! What can be asked of the control shard, which alone defines, changes and deletes queues and streams.

use std::fmt;
use std::sync::Arc;

use log_api::ShardId;
use mqtt_router::SinkId;

use crate::directory::{Definition, QueueProperties, StreamProperties};

/// The shard that serves control requests.
pub(crate) const CONTROL_SHARD: ShardId = ShardId(0);

/// An answer that goes back to whoever asked, on whatever thread that is.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// Whether something is a queue or a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SinkKind {
    /// A queue.
    Queue,
    /// A stream.
    Stream,
}

impl SinkKind {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for SinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A queue to be.
pub type NewQueue = New<QueueProperties>;
/// A stream to be.
pub type NewStream = New<StreamProperties>;
/// A change to a queue. What is `None` stays.
pub type QueueChange = Change<QueueProperties>;
/// A change to a stream. What is `None` stays.
pub type StreamChange = Change<StreamProperties>;

/// A queue or a stream to be.
#[derive(Clone, PartialEq, Debug)]
pub struct New<P> {
    /// Its name: simple, or equal to its topic filter.
    pub name: String,
    /// What to bind it to.
    pub topic_filter: Option<String>,
    /// Its properties.
    pub properties: P,
}

/// A change to a queue or a stream. What is `None` stays.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Change<P> {
    /// The properties it shall have.
    pub properties: Option<P>,
    /// Whether it shall deliver nothing, whatever the properties say.
    pub paused: Option<bool>,
    /// What to bind it to from now on.
    pub topic_filter: Option<Option<String>>,
}

/// Why a control request was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControlError {
    /// One of that name exists.
    #[error("{0} '{1}' exists already")]
    Exists(SinkKind, String),
    /// One of that name exists, bound to something else.
    #[error("{what} '{name}' is bound to {bound}")]
    BoundElsewhere {
        /// Which it is.
        what: SinkKind,
        /// Its name.
        name: String,
        /// What it is bound to, as text.
        bound: String,
    },
    /// There is none of that name.
    #[error("there is no {0} '{1}'")]
    NotFound(SinkKind, String),
    /// There are as many as there may be.
    #[error("there are {limit} {what}s, as many as queues.auto_create.max_queues allows")]
    TooMany {
        /// Which they are.
        what: SinkKind,
        /// The limit.
        limit: usize,
    },
    /// No topic that may be published to would match its filter.
    #[error("topic filter has more than {limit} {of}")]
    FilterTooLarge {
        /// How many there may be.
        limit: usize,
        /// What there are too many of.
        of: &'static str,
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
pub(crate) enum ControlRequest<P> {
    Create {
        new: New<P>,
        reply: Reply<Result<Arc<Definition<P>>, ControlError>>,
    },
    /// Answers with the one that exists, or creates it.
    Ensure {
        new: New<P>,
        asker: Asker,
    },
    Change {
        name: String,
        change: Change<P>,
        reply: Reply<Result<Arc<Definition<P>>, ControlError>>,
    },
    Delete {
        name: String,
        reply: Reply<Result<(), ControlError>>,
    },
}

/// Who needs a queue or a stream to be there.
#[derive(Clone, Copy)]
pub(crate) enum Asker {
    /// A subscription, which wants it bound as it says.
    Subscription { shard: ShardId, subscribe: usize, filter: usize },
    /// A queue that has dead letters, which takes it whatever it is bound to.
    Dying { shard: ShardId, dying: SinkId },
}

impl<P> ControlRequest<P> {
    /// Whether it makes something.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Ensure { .. })
    }

    /// What it is about.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Create { new, .. } | Self::Ensure { new, .. } => &new.name,
            Self::Change { name, .. } | Self::Delete { name, .. } => name,
        }
    }
}
