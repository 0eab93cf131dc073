//! The stream resource: what a client may send, what it is checked against, what it gets back.

mod ledger;
mod message;
mod properties;
mod purge;
mod reader;
mod seek;
mod view;

#[cfg(test)]
mod tests;

pub use ledger::StreamLedgerView;
pub use message::{StreamMessageView, StreamPeekQuery, StreamPeekRequest};
pub use properties::{STREAM_PROPERTY_NAMES, StreamBody, StreamProperties};
pub use purge::StreamPurgeBody;
pub use reader::{ReaderKind, ReaderView};
pub use seek::{StreamSeek, StreamSeekBody, StreamSeekResult};
pub use view::{DataLossBy, StreamStats, StreamView};

/// A stream to create.
pub type StreamSpec = crate::definition::Spec<StreamProperties>;
/// A change to a stream.
pub type StreamPatch = crate::definition::Patch<StreamProperties>;
