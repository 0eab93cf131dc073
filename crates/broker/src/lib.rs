//! Shards: they feed the engines with packets, commits and mail, and perform their actions. Each shard owns its
//! connections' sessions and its queues as plain single-writer data. It must not know sockets, HTTP or files.

mod alarms;
mod broker;
mod budget;
mod clocks;
mod config;
mod control;
mod directory;
mod explain;
mod groups;
mod handle;
mod hosting;
mod ids;
mod listing;
mod mail;
mod needed;
mod new_message;
mod operate;
mod outbox;
mod peer;
mod post;
mod promised;
mod redrive;
mod routes;
mod shard;
mod shared;
mod stats;
mod terms;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

use journal::{checkpoint, record, recovery, retained};

pub use alarms::{
    Alarm, AlarmCounts, Alarms, CERTIFICATE_EXPIRY, DISK_FULL, LEDGER_IMBALANCE, LOG_FAILED,
    MEMORY, QUEUE_STALLED, RETAINED_FULL, SESSION_OVERFLOW, STREAM_STALLED,
};
pub use broker::{Broker, open};
pub use budget::Budget;
pub use config::{Config, ServerReference};
pub use control::{ControlError, NewQueue, NewStream, QueueChange, Reply, SinkKind, StreamChange};
pub use directory::{
    DeadLetter, Durability, QueueDefinition, QueueProperties, StreamDefinition, StreamProperties,
};
pub use explain::{
    Explained, GroupExplained, Inquiry, KeyExplained, MessageExplained, MessageStands,
    PublishExplained, ReaderExplained, Reason, SinkExplained, Subscribed, WouldPublish,
};
pub use groups::{SharedStrategy, SharedSubscriptions};
pub use handle::{Handle, NodeState};
pub use ids::{ConnId, SessionId, owner_of};
pub use journal::record::RecordError;
pub use journal::recovery::{Recovered, RecoveredCounts, Recovery};
pub use listing::{
    ClientError, ClientState, DelayedError, DelayedId, DelayedMessage, Page, RemoveError,
    SubscriptionState, WalkCursor,
};
pub use mail::{Mail, QueueState, StreamState};
pub use new_message::{MessageError, NewMessage, Published};
pub use operate::{
    Look, Looked, OperateError, QueueConsumer, QueueMessage, ReadersPage, SeekTo, Sought,
    StreamLook, StreamMessage, StreamPurge, StreamReader,
};
pub use outbox::{CloseReason, Outbox};
pub use peer::Peer;
pub use post::Post;
pub use redrive::{RedriveError, RedrivePage, RedriveRequest};
pub use shard::{DEAD as DEAD_LETTERS_PREFIX, Shard};
pub use stats::Counts;
pub use stream_engine::ReaderName;
