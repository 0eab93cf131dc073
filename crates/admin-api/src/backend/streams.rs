//! What of the seam is about streams.

use super::BoxFuture;
use crate::{
    ApiError, ConsumerView, Page, PageRequest, PurgeResult, ReaderKind, ReaderView,
    StreamMessageView, StreamPatch, StreamPeekRequest, StreamPurgeBody, StreamSeek,
    StreamSeekResult, StreamSpec, StreamView,
};

/// What the operator's side asks of a running broker about streams, as [`crate::Backend`] has it.
pub trait StreamBackend {
    /// All streams with their numbers, in any order.
    fn streams(&self) -> BoxFuture<'_, Result<Vec<StreamView>, ApiError>>;

    /// One stream.
    ///
    /// The error is [`ApiError::NotFound`] when there is none of that name.
    fn stream(&self, name: String) -> BoxFuture<'_, Result<StreamView, ApiError>>;

    /// Creates a stream durably.
    ///
    /// The error is [`ApiError::Conflict`] for a name that is taken or when there may be no more streams.
    fn create_stream(&self, spec: StreamSpec) -> BoxFuture<'_, Result<StreamView, ApiError>>;

    /// Changes a living stream at once.
    fn patch_stream(
        &self,
        name: String,
        patch: StreamPatch,
    ) -> BoxFuture<'_, Result<StreamView, ApiError>>;

    /// Deletes a stream with its messages and the positions of its readers.
    fn delete_stream(&self, name: String) -> BoxFuture<'_, Result<(), ApiError>>;

    /// Messages of a stream from an offset on. A page may have fewer than its limit.
    fn peek_stream(
        &self,
        name: String,
        request: StreamPeekRequest,
    ) -> BoxFuture<'_, Result<Page<StreamMessageView>, ApiError>>;

    /// Removes messages durably. May take long.
    fn purge_stream(
        &self,
        name: String,
        body: StreamPurgeBody,
    ) -> BoxFuture<'_, Result<PurgeResult, ApiError>>;

    /// Lets a reader that is known go on elsewhere, durably.
    fn seek_stream(
        &self,
        name: String,
        seek: StreamSeek,
    ) -> BoxFuture<'_, Result<StreamSeekResult, ApiError>>;

    /// Lets a stream deliver nothing any more, or deliver again, durably.
    fn set_stream_paused(
        &self,
        name: String,
        paused: bool,
    ) -> BoxFuture<'_, Result<StreamView, ApiError>>;

    /// Readers of a stream, there or away: clients before groups, in the order of their names.
    fn stream_readers(
        &self,
        name: String,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Page<ReaderView>, ApiError>>;

    /// Clients that read a stream now, in no particular order.
    fn stream_consumers(
        &self,
        name: String,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Page<ConsumerView>, ApiError>>;

    /// Forgets the position of a reader durably.
    ///
    /// The error is [`ApiError::Conflict`] while it reads.
    fn forget_reader(
        &self,
        name: String,
        reader: (ReaderKind, String),
    ) -> BoxFuture<'_, Result<(), ApiError>>;
}
