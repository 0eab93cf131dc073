//! What the bodies of the broker's log records mean: layouts, versions, readers. The log itself does not know.

mod codec;
mod definition;
mod keys;
mod leaving;
mod publish;
mod relocated;
mod session;
mod session_parts;
mod settle;
mod stream;
mod stream_definition;
mod targets;

pub(crate) use codec::{Reader, put_positions, put_varint};
pub use definition::{Defined, DefinitionRecord, decode_deleted, encode_deleted};
pub use keys::{SinkKey, UNKEYED};
pub use leaving::{Leaving, Why};
pub use publish::{
    Kept, PublishRecord, Targets, encode_publish, encode_publish_head, encode_publish_lists,
    stream_message,
};
pub use relocated::Relocated;
pub use session::{ConnectedAs, SessionEvent, SessionRecord};
pub use session_parts::{KeptLease, KeptReplay, RetainedPage, StoredSession, StoredSubscription};
pub use settle::{Left, SettleRecord, Tried, ranges};
pub use stream::StreamRecord;
pub use targets::{
    Delayed, KeptCopy, Lying, MoreTargets, Moved, SessionTarget, SharedTarget, copies,
    decode_delayed_done, encode_delayed_done,
};

pub use codec::RecordError;
