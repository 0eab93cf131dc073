//! What an operator does to streams and their readers: each request goes to who can answer it.

use std::sync::Arc;

use hashbrown::HashMap;
use mqtt_router::SinkId;
use stream_engine::{Offset, ReaderName};

use super::Handle;
use super::queues::{PARTS_MAX, consumers, look_on, operate};
use crate::control::{
    CONTROL_SHARD, ControlError, ControlRequest, NewStream, Reply, SinkKind, StreamChange,
};
use crate::directory::{StreamDefinition, StreamProperties};
use crate::listing::Page;
use crate::mail::{Letter, Mail, StreamState};
use crate::operate::{
    Look, Looked, Meant, OperateError, Operation, QueueConsumer, QueueMessage, ReadersPage, SeekTo,
    StreamLook, StreamMessage, StreamPurge,
};
use crate::terms::key_of;

impl Handle {
    /// The definition of a stream.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<Arc<StreamDefinition>> {
        self.shared.streams.get(name)
    }

    /// All streams, by name.
    #[must_use]
    pub fn streams(&self) -> Vec<Arc<StreamDefinition>> {
        self.shared.streams.list()
    }

    /// Creates a stream. It takes messages from when the answer comes.
    pub fn create_stream(
        &self,
        new: NewStream,
        reply: Reply<Result<Arc<StreamDefinition>, ControlError>>,
    ) {
        self.control_streams(ControlRequest::Create { new, reply });
    }

    /// Changes a stream.
    pub fn change_stream(
        &self,
        name: String,
        change: StreamChange,
        reply: Reply<Result<Arc<StreamDefinition>, ControlError>>,
    ) {
        self.control_streams(ControlRequest::Change { name, change, reply });
    }

    /// Lets a stream deliver nothing any more, or deliver again, durably.
    pub fn set_stream_paused(
        &self,
        name: &str,
        is_paused: bool,
        reply: Reply<Result<Arc<StreamDefinition>, ControlError>>,
    ) {
        let change = StreamChange { paused: Some(is_paused), ..StreamChange::default() };
        self.change_stream(name.to_owned(), change, reply);
    }

    /// Deletes a stream with all that is in it. Who reads it is disconnected.
    pub fn delete_stream(&self, name: String, reply: Reply<Result<(), ControlError>>) {
        self.control_streams(ControlRequest::Delete { name, reply });
    }

    fn control_streams(&self, request: ControlRequest<StreamProperties>) {
        self.shared.post.send(CONTROL_SHARD, Mail(Letter::ControlStreams(Box::new(request))));
    }

    /// The numbers of all streams.
    pub fn stream_states(&self, reply: Reply<HashMap<SinkId, StreamState>>) {
        self.gather(Letter::StreamLedgers, reply);
    }

    /// Messages of a stream from an offset on. A page may have fewer than its limit.
    pub fn peek_stream(
        &self,
        name: &str,
        look: StreamLook,
        reply: Reply<Result<Page<StreamMessage, u64>, OperateError>>,
    ) {
        let Some(stream) = self.stream(name) else { return reply(Err(not_found(name))) };
        let StreamLook { from, limit } = look;
        let look = Look { from, limit, state: None };
        let seen = move |looked: Looked| {
            reply(looked.map(|page| Page {
                data: page.data.into_iter().map(stream_message).collect(),
                next: page.next,
            }));
        };
        let shared = Arc::clone(&self.shared);
        look_on(shared, stream, look, (Vec::new(), PARTS_MAX), Box::new(seen));
    }

    /// Removes messages of a stream. What comes meanwhile stays. The answer, how many left, comes when a restart does not
    /// bring them back.
    pub fn purge_stream(
        &self,
        name: &str,
        purge: StreamPurge<'_>,
        reply: Reply<Result<u64, OperateError>>,
    ) {
        let Some(stream) = self.stream(name) else { return reply(Err(not_found(name))) };
        if purge.key.is_some() && !stream.properties.config.needs_keys() {
            return reply(Err(OperateError::NoKeys(SinkKind::Stream, name.to_owned())));
        }
        let meant = Meant {
            filter: purge.filter.map(Arc::from),
            key: purge.key.map(|key| key_of(&stream.key_seed, key)),
            before: purge.before.map(Offset),
        };
        operate(&self.shared, &stream, Operation::Purge { meant, reply });
    }

    /// Readers of a stream behind that one, in the order of their names: clients before groups.
    pub fn stream_readers(
        &self,
        name: &str,
        (after, limit): (Option<ReaderName>, usize),
        reply: Reply<ReadersPage>,
    ) {
        match self.stream(name) {
            Some(stream) => {
                operate(&self.shared, &stream, Operation::Readers { after, limit, reply })
            }
            None => reply(Err(not_found(name))),
        }
    }

    /// Clients that read a stream behind that number, in the order of their numbers.
    pub fn stream_consumers(
        &self,
        name: &str,
        page: (Option<u64>, usize),
        reply: Reply<Result<Page<QueueConsumer, u64>, OperateError>>,
    ) {
        match self.stream(name) {
            Some(stream) => consumers(&self.shared, &stream, page, reply),
            None => reply(Err(not_found(name))),
        }
    }

    /// Lets a reader of a stream go on elsewhere. What its clients have stays with them. The answer, its position, comes
    /// when a restart does not undo it.
    pub fn seek_stream(
        &self,
        name: &str,
        reader: ReaderName,
        to: SeekTo,
        reply: Reply<Result<u64, OperateError>>,
    ) {
        match self.stream(name) {
            Some(stream) => {
                operate(&self.shared, &stream, Operation::SeekReader { reader, to, reply })
            }
            None => reply(Err(not_found(name))),
        }
    }

    /// Forgets the position of a reader that is not connected. The answer comes when a restart does not undo it.
    pub fn forget_reader(
        &self,
        name: &str,
        reader: ReaderName,
        reply: Reply<Result<(), OperateError>>,
    ) {
        match self.stream(name) {
            Some(stream) => {
                operate(&self.shared, &stream, Operation::ForgetReader { reader, reply })
            }
            None => reply(Err(not_found(name))),
        }
    }
}

fn not_found(name: &str) -> OperateError {
    OperateError::NotFound(SinkKind::Stream, name.to_owned())
}

fn stream_message(message: QueueMessage) -> StreamMessage {
    let QueueMessage { offset, stored, message, key, .. } = message;
    StreamMessage { offset, stored, message, key }
}
