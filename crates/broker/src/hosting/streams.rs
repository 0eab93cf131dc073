//! What the host does with streams alone: definitions, appends, numbers, parts of checkpoints.

use std::sync::Arc;

use log_api::{CommittedRecord, Position};
use mqtt_router::SinkId;
use mqtt_types::Message;
use queue_engine::ConsumerId;
use stdx::UnixMillis;
use stream_engine::Stream;

use super::hosted::Hosted;
use super::{HostedStream, Hosting};
use crate::checkpoint::StreamPart;
use crate::directory::StreamDefinition;
use crate::mail::{Letter, StreamState};
use crate::record::{MoreTargets, PublishRecord, StreamRecord, stream_message};
use crate::terms::Room;
use crate::turn::Turn;

impl Hosting {
    /// Takes a stream in: from recovery, with the first number that stands for none of its readers, or because its definition was committed.
    pub(crate) fn define_stream(
        &mut self,
        definition: Arc<StreamDefinition>,
        recovered: Option<(Stream, u64)>,
        room: Arc<Room>,
        turn: &mut Turn,
    ) {
        let sink = definition.sink;
        if let Some(stream) = self.streams.get_mut(&sink) {
            stream.reconfigure(definition, turn);
        } else {
            let config = &definition.properties.config;
            let recovered = recovered.unwrap_or_else(|| (Stream::new(config.clone()), 0));
            let mut stream = HostedStream::new(definition, recovered, room, self.ahead.clone());
            if self.told.is_some() {
                stream.tell_clock(turn.unix_ms, turn);
            }
            self.streams.insert(sink, stream);
        }
        self.is_there(sink, turn);
    }

    /// Lets a stream go, with all that is in it. Who reads it is told.
    pub(super) fn delete_stream(&mut self, sink: SinkId, turn: &mut Turn) {
        let Some(stream) = self.streams.remove(&sink) else { return };
        if let Some(timer) = stream.marks.timer {
            self.deadlines.remove(&(timer, sink));
        }
        for (_, at) in stream.engine.stored() {
            turn.release(Position::from_u64(at.0));
        }
        for (member, shard) in stream.members() {
            turn.mail(shard, Letter::QueueGone { consumer: ConsumerId(member.0) });
        }
    }

    /// Appends a message that the log has committed, if the stream is here.
    pub(super) fn append(
        &mut self,
        sink: SinkId,
        (record, publish, more): (&CommittedRecord, &PublishRecord, Option<&MoreTargets>),
        message: &mut Option<Message>,
        turn: &mut Turn,
    ) -> bool {
        let Some(stream) = self.streams.get_mut(&sink) else { return false };
        let new = stream_message(&publish.new_message(record.position, sink, more));
        let is_wanted = stream.has_members();
        if is_wanted && message.is_none() {
            *message = publish.message().ok();
        }
        stream.append(new, message.as_ref().filter(|_| is_wanted), turn);
        self.note(sink);
        true
    }

    /// All streams' numbers.
    pub(crate) fn stream_states(&self, now: UnixMillis) -> Vec<(SinkId, StreamState)> {
        self.streams.iter().map(|(sink, stream)| (*sink, stream.state(now))).collect()
    }

    /// A record of what happened in a stream is stored that somebody waits for.
    pub(crate) fn stream_stored(&mut self, record: &[u8], turn: &mut Turn) {
        let Ok(stored) = StreamRecord::decode(record) else { return };
        if let Some(stream) = self.streams.get_mut(&stored.sink) {
            stream.deliver_what_is_logged(&stored, turn);
        }
        self.note(stored.sink);
    }

    /// A record of what happened in a stream is not stored: it is to be written again.
    pub(crate) fn stream_not_stored(&mut self, record: &[u8], turn: &mut Turn) {
        let Ok(refused) = StreamRecord::decode(record) else { return };
        let sink = refused.sink;
        if let Some(stream) = self.streams.get_mut(&sink) {
            stream.owe(refused, turn);
        }
        self.note(sink);
    }

    /// A checkpoint is about to have all streams as they are now.
    pub(crate) fn name_readers_anew(&mut self) {
        self.streams.values_mut().for_each(HostedStream::name_readers_anew);
    }

    /// What a checkpoint must keep of the streams here.
    pub(crate) fn stream_parts(&self) -> Vec<StreamPart> {
        let part = |stream: &HostedStream| StreamPart {
            definition: (*stream.definition).clone(),
            snapshot: stream.engine.snapshot(|reader| stream.reserved_to(reader)),
        };
        self.streams.values().map(part).collect()
    }

    /// A stream that is hosted here.
    pub(crate) fn stream(&self, sink: SinkId) -> Option<&HostedStream> {
        self.streams.get(&sink)
    }

    /// What alarms of a queue or a stream are about.
    pub(crate) fn alarm_resource(&self, sink: SinkId) -> Option<Arc<str>> {
        let queue = self.queues.get(&sink).map(|queue| Arc::clone(&queue.definition.name));
        queue.or_else(|| self.streams.get(&sink).map(HostedStream::alarm_resource))
    }
}

impl HostedStream {
    /// What its alarms are about: a queue may have the same name.
    pub(super) fn alarm_resource(&self) -> Arc<str> {
        format!("stream:{}", self.definition.name).into()
    }

    /// Its numbers at this moment.
    pub(crate) fn state(&self, now: UnixMillis) -> StreamState {
        let ledger = self.engine.ledger();
        let milliseconds =
            |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let age = |since: Option<UnixMillis>| since.map_or(0, |at| milliseconds(now.since(at)));
        let behind = self.engine.behind();
        StreamState {
            ledger,
            rekeying: self.engine.rekeying(),
            behind,
            lag_ms: age(behind.since),
            losses: self.engine.losses(&behind, now),
            next_offset: self.engine.next_offset().0,
            oldest_age_ms: age(ledger.oldest_stored),
        }
    }
}
