//! The REST resources as types of the edge, their validation and defaults, and the seam to the running broker.
//! It must not know HTTP, nor how a broker does its work.

mod alarm;
mod backend;
mod backup;
mod bounds;
mod client;
mod definition;
mod delayed;
mod error;
mod explain;
mod login;
mod message;
mod message_body;
mod metrics;
mod page;
mod queue;
mod retained;
mod stream;
mod text_schema;
mod text_value;
mod timestamp;
mod user;

pub use alarm::AlarmView;
pub use backend::{Backend, BoxFuture, Health, StreamBackend};
pub use backup::{BackupDownload, ESTIMATED_BYTES, Pieces};
pub use client::{ClientView, SubscriptionView, SubscriptionsWanted};
pub use definition::{Patch, Properties, Spec};
pub use delayed::DelayedView;
pub use error::{ApiError, ErrorBody, ErrorDetails};
pub use explain::{
    Counted, ExplainAbout, ExplainQuery, ExplainQuestion, ExplainReason, ExplainRequest,
    ExplainedGroup, ExplainedMessage, ExplainedPublish, ExplainedReader, ExplainedSink,
    ExplainedSource, ExplainedSubscription, Explanation, PolicyDecision, ReasonDetails, SinkName,
    SinkOutcome, SinkWord, Verdict,
};
pub use login::{LoginRequest, LoginResponse};
pub use message::{
    BulkOutcome, BulkSpec, MESSAGES_MAX, MessageProperties, MessageSpec, PublishOutcome,
};
pub use message_body::MessageBody;
pub use metrics::{
    AlarmMetrics, AuthenticationMetrics, LogMetrics, NodeMetrics, QueueMetrics, SpanMetrics,
    StreamMetrics,
};
pub use page::{Page, PageRequest};
pub use queue::{
    ConsumerView, DeadLetter, DispatchStrategy, Durability, LedgerView, MessageState, Overflow,
    PROPERTY_NAMES, PeekQuery, PeekRequest, PurgeBody, PurgeResult, QueueBody, QueueEnd,
    QueueMessageView, QueuePatch, QueueProperties, QueueSpec, QueueStats, QueueView, RedriveBody,
    RedriveResult, Seek, SeekBody, SeekResult,
};
pub use retained::{RetainedRemoved, RetainedView};
pub use stream::{
    DataLossBy, ReaderKind, ReaderView, STREAM_PROPERTY_NAMES, StreamBody, StreamLedgerView,
    StreamMessageView, StreamPatch, StreamPeekQuery, StreamPeekRequest, StreamProperties,
    StreamPurgeBody, StreamSeek, StreamSeekBody, StreamSeekResult, StreamSpec, StreamStats,
    StreamView,
};
pub use text_value::{DurationText, SizeText};
pub use timestamp::Timestamp;
pub use user::{UserPatch, UserSpec, UserView};
