//! A backend without streams.

use admin_api::{
    PurgeResult, ReaderKind, ReaderView, StreamBackend, StreamMessageView, StreamPatch,
    StreamPeekRequest, StreamPurgeBody, StreamSeek, StreamSeekResult, StreamSpec, StreamView,
};

use super::*;

type Answer<T> = BoxFuture<'static, Result<T, ApiError>>;

impl StreamBackend for Numbers {
    fn streams(&self) -> Answer<Vec<StreamView>> {
        refused()
    }

    fn stream(&self, _: String) -> Answer<StreamView> {
        refused()
    }

    fn create_stream(&self, _: StreamSpec) -> Answer<StreamView> {
        refused()
    }

    fn patch_stream(&self, _: String, _: StreamPatch) -> Answer<StreamView> {
        refused()
    }

    fn delete_stream(&self, _: String) -> Answer<()> {
        refused()
    }

    fn peek_stream(&self, _: String, _: StreamPeekRequest) -> Answer<Page<StreamMessageView>> {
        refused()
    }

    fn purge_stream(&self, _: String, _: StreamPurgeBody) -> Answer<PurgeResult> {
        refused()
    }

    fn seek_stream(&self, _: String, _: StreamSeek) -> Answer<StreamSeekResult> {
        refused()
    }

    fn set_stream_paused(&self, _: String, _: bool) -> Answer<StreamView> {
        refused()
    }

    fn stream_readers(&self, _: String, _: PageRequest) -> Answer<Page<ReaderView>> {
        refused()
    }

    fn stream_consumers(&self, _: String, _: PageRequest) -> Answer<Page<ConsumerView>> {
        refused()
    }

    fn forget_reader(&self, _: String, _: (ReaderKind, String)) -> Answer<()> {
        refused()
    }
}
