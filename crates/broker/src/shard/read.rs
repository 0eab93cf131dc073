//! Stream subscriptions at the session's side: where they start, for whom they read, and what the stream says to it.

use mqtt_codec::Subscribe;
use mqtt_session::SubscriptionRecord;
use mqtt_types::{Address, ReasonCode, StreamOffset};
use queue_engine::ConsumerId;
use stream_engine::{Offset, ReaderName, Start};

use super::Shard;
use super::session_log::Waiting;
use super::subscribe::{Verdict, Wanted, bound_as_wanted};
use super::unsettled::Stored;
use crate::control::SinkKind;
use crate::directory::StreamDefinition;
use crate::ids::SessionId;
use crate::mail::{Began, Letter, ReadRefused, Reading};
use crate::outbox::Outbox;
use crate::record::SessionEvent;

/// The SUBSCRIBE user property that names a group.
const GROUP: &str = "stream-group";
/// Bytes of a group's name.
const GROUP_BYTES_MAX: usize = 1024;

/// Whether each delivery is to bear what its queue or stream knows of it.
const METADATA: &str = "metadata";

/// What the properties of a SUBSCRIBE say about the streams that it names, and of their wrong values, of queues too.
#[derive(Clone, Default)]
pub(crate) struct StreamWish {
    /// Whether deliveries are to say where they come from; or what is there instead of yes and no.
    metadata: Option<Result<bool, String>>,
    offset: Option<Result<StreamOffset, String>>,
    group: Option<Box<str>>,
}

impl StreamWish {
    pub(super) fn of(subscribe: &Subscribe<'_>) -> Self {
        let property = |name| subscribe.properties.user_property(name);
        let offset = property(StreamOffset::USER_PROPERTY);
        let wrong = |name: &str, value: &str, why: &dyn std::fmt::Display| {
            let value: String = value.chars().take(64).collect();
            format!("user property '{name}' is '{value}': {why}")
        };
        Self {
            metadata: property(METADATA).map(|text| match text {
                "on" => Ok(true),
                "off" => Ok(false),
                _ => Err(wrong(METADATA, text, &"it is neither on nor off")),
            }),
            offset: offset.map(|text| {
                text.parse().map_err(|error| wrong(StreamOffset::USER_PROPERTY, text, &error))
            }),
            group: property(GROUP).map(Box::from),
        }
    }

    /// Whether deliveries are to say where they come from.
    pub(super) fn wants_metadata(&self) -> bool {
        self.metadata == Some(Ok(true))
    }

    /// What is wrong with what it says about that.
    pub(super) fn wrong_metadata(&self) -> Option<&str> {
        self.metadata.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// Where a subscription says that it starts. What the address says goes before the property.
    fn start(&self, address: &str) -> Result<Option<Start>, String> {
        let offset = match Address::parse(address) {
            Ok(Address::FilterStream { offset, .. }) => Some(offset),
            _ => self.offset.clone().transpose()?,
        };
        Ok(offset.map(|offset| match offset {
            StreamOffset::Earliest => Start::Earliest,
            StreamOffset::Latest => Start::Latest,
            StreamOffset::Next => Start::Next,
            StreamOffset::Offset(offset) => Start::Offset(Offset(offset)),
            StreamOffset::Time(time) => Start::Time(time),
        }))
    }
}

/// What a subscription to a stream that is there comes to.
pub(super) enum Reads {
    Known(Verdict),
    /// Its stream is asked.
    Asked,
}

impl Shard {
    /// What a subscription to a queue or a stream comes to when its properties say neither yes nor no to metadata. That it names
    /// what is bound elsewhere goes before that.
    pub(super) fn refuses_metadata(
        &self,
        address: &Address<'_>,
        wish: &StreamWish,
    ) -> Option<Verdict> {
        let reason = wish.wrong_metadata()?;
        let queue = |wanted: Wanted<'_>| {
            let definition = self.shared.directory.get(wanted.name)?;
            bound_as_wanted(&wanted, &definition).err()
        };
        let stream = |wanted: Wanted<'_>| {
            let definition = self.shared.streams.get(wanted.name)?;
            bound_as_wanted(&wanted, &definition).err()
        };
        let bound_elsewhere = match *address {
            Address::Live(_) | Address::Shared { .. } => return None,
            Address::Dead(_) => None,
            Address::Queue { name, filter } => queue(Wanted { name: name.as_str(), filter }),
            Address::FilterQueue(filter) => {
                queue(Wanted { name: filter.as_str(), filter: Some(filter) })
            }
            Address::Stream { name, filter } => stream(Wanted { name: name.as_str(), filter }),
            Address::FilterStream { filter, .. } => {
                stream(Wanted { name: filter.as_str(), filter: Some(filter) })
            }
        };
        let refused = || Verdict::refused(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, reason);
        Some(bound_elsewhere.unwrap_or_else(refused))
    }

    /// Lets a session read a stream, or changes how it does.
    pub(super) fn read_stream<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        definition: &StreamDefinition,
        (wish, asked): (&StreamWish, (usize, usize)),
        out: &O,
    ) -> Reads {
        let refused = |reason: String| {
            Reads::Known(Verdict::refused(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, reason))
        };
        let start = match wish.start(address) {
            Ok(start) => start,
            Err(reason) => return refused(reason),
        };
        if wish.group.as_ref().is_some_and(|name| !(1..=GROUP_BYTES_MAX).contains(&name.len())) {
            return refused(format!(
                "user property '{GROUP}' has not from 1 to {GROUP_BYTES_MAX} bytes"
            ));
        }
        if wish.group.is_none()
            && let Some(other) = self.reads_already(id, address, definition)
        {
            let name = &definition.name;
            return refused(format!(
                "the client reads stream '{name}' already, by {other}; unsubscribe from that first"
            ));
        }
        let known = self.reads_by(id, address);
        let group = self.group_of(id, address);
        // One whose stream has not answered asks once more, so that each SUBACK is true.
        let is_sure = known.is_some_and(|consumer| self.is_answered(consumer));
        if let Some(consumer) = known.filter(|_| is_sure && group == wish.group) {
            self.update_reader(id, address, record, consumer);
            let seek = start.filter(|_| group.is_none());
            return Reads::Known(Verdict { seek, ..Verdict::granted(&record) });
        }
        if let Some(consumer) = known {
            self.let_reader_go(id, consumer, out);
        }
        self.set_group(id, address, wish.group.clone());
        self.attach_reader(
            id,
            address,
            record,
            definition,
            (start.unwrap_or(Start::Latest), Some(asked)),
        );
        Reads::Asked
    }

    /// Lets a session that has come back go on where it is.
    pub(super) fn read_on(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        definition: &StreamDefinition,
    ) {
        match self.reads_by(id, address) {
            Some(consumer) => self.update_reader(id, address, record, consumer),
            None => self.attach_reader(id, address, record, definition, (Start::Next, None)),
        }
    }

    fn update_reader(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        consumer: ConsumerId,
    ) {
        let record = SubscriptionRecord { consumer: consumer.0, ..record };
        if let Some(state) = self.consumers.get_mut(consumer) {
            state.record = record;
        }
        self.add_subscription(id, address, record);
    }

    fn attach_reader(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
        definition: &StreamDefinition,
        (start, asked): (Start, Option<(usize, usize)>),
    ) {
        let Some(reader) = self.reader_name(id, address) else { return };
        let window = self.window_of(id);
        let consumer = self.new_consumer(id, address, record, definition);
        self.update_reader(id, address, record, consumer);
        if let Some(state) = self.consumers.get_mut(consumer) {
            state.is_asked = asked.is_some();
        }
        let (sink, at) = (definition.sink, self.id);
        let reading = Reading { reader, start, window };
        self.turn.mail(definition.owner, Letter::Read { sink, consumer, at, reading, asked });
    }

    /// A subscription that is granted goes on where its client said.
    pub(super) fn seek_granted(&mut self, id: SessionId, address: &str, to: Start) {
        if self.group_of(id, address).is_some() {
            return;
        }
        let Some(consumer) = self.reads_by(id, address) else { return };
        let Some(state) = self.consumers.get(consumer) else { return };
        let letter = Letter::SeekReader { sink: state.sink, consumer, to };
        self.turn.mail(state.owner, letter);
    }

    /// What a subscription that is not stored has made of its reader is taken back.
    pub(super) fn put_reader_back(&mut self, began: Began) {
        let Began { owner, sink, moved } = began;
        self.turn.mail(owner, Letter::PutBack { sink, moved: Box::new(moved) });
    }

    /// A subscription reads for that group again, or for its client alone.
    pub(super) fn read_for<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        group: Option<Box<str>>,
        out: &O,
    ) {
        if self.group_of(id, address) == group {
            return;
        }
        if let Some(consumer) = self.reads_by(id, address) {
            self.let_reader_go(id, consumer, out);
        }
        self.set_group(id, address, group);
    }

    /// A subscription does not read for whom it did: what its client says of what it has of that one must not settle
    /// anything for the next.
    fn let_reader_go<O: Outbox>(&mut self, id: SessionId, consumer: ConsumerId, out: &O) {
        let conn = self.sessions.get(id).and_then(|entry| entry.conn);
        self.let_consumer_go(id, consumer, conn.map_or(0, |conn| out.written(conn)));
    }

    /// The consumer by which a subscription reads now.
    fn reads_by(&self, id: SessionId, address: &str) -> Option<ConsumerId> {
        let record = self.sessions.get(id)?.session.subscription(address)?;
        let consumer = ConsumerId(record.consumer);
        self.consumers.get(consumer).map(|_| consumer)
    }

    fn is_answered(&self, consumer: ConsumerId) -> bool {
        self.consumers.get(consumer).is_some_and(|state| !state.is_asked)
    }

    /// Another subscription by which the client itself reads that stream.
    fn reads_already(
        &self,
        id: SessionId,
        address: &str,
        definition: &StreamDefinition,
    ) -> Option<String> {
        let mut others = self.sessions.get(id)?.session.subscriptions();
        let other = others.find(|(other, record)| {
            let state = self.consumers.get(ConsumerId(record.consumer));
            *other != address
                && state.is_some_and(|state| state.sink == definition.sink)
                && self.group_of(id, other).is_none()
        });
        other.map(|(other, _)| other.to_owned())
    }

    /// Whom a subscription reads for.
    pub(super) fn reader_name(&self, id: SessionId, address: &str) -> Option<ReaderName> {
        let entry = self.sessions.get(id)?;
        Some(match self.group_of(id, address) {
            Some(group) => ReaderName::group(&group),
            None => ReaderName::client(entry.session.client_id()),
        })
    }

    /// The group that a subscription reads for.
    pub(super) fn group_of(&self, id: SessionId, address: &str) -> Option<Box<str>> {
        let extras = self.sessions.get(id)?.extras.as_ref()?;
        let group = extras.groups.iter().find(|(of, _)| &**of == address);
        group.map(|(_, group)| group.clone())
    }

    pub(super) fn set_group(&mut self, id: SessionId, address: &str, group: Option<Box<str>>) {
        if self.group_of(id, address) == group {
            return;
        }
        let Some(entry) = self.sessions.get_mut(id) else { return };
        let groups = &mut entry.extras.get_or_insert_default().groups;
        groups.retain(|(of, _)| &**of != address);
        groups.extend(group.map(|group| (address.into(), group)));
    }

    /// Logs for whom a subscription reads that is about to be logged: both are there or neither. For the client alone too,
    /// since the log may know of a group before.
    pub(super) fn log_group(&mut self, id: SessionId, address: &str, group: Option<Box<str>>) {
        if matches!(self.sink_of(address), Some((SinkKind::Stream, _))) {
            let event = SessionEvent::ReadsFor { address: address.into(), group };
            self.log_session(id, event, Waiting::Nobody);
        }
    }

    /// A stream says whether a consumer reads it.
    pub(super) fn reading<O: Outbox>(
        &mut self,
        consumer: ConsumerId,
        asked: Option<(usize, usize)>,
        result: Result<Option<Box<Began>>, ReadRefused>,
        out: &mut O,
    ) {
        let refused = match result {
            Err(refused) => refused,
            Ok(began) => {
                if let Some(asked) = asked {
                    self.reads(consumer, asked, began, out);
                }
                return;
            }
        };
        let Some(asked) = asked else {
            return match refused {
                ReadRefused::Deleted => self.queue_gone(consumer, out),
                ReadRefused::Engine(reason) => {
                    self.consumer_over(consumer, ReasonCode::QUOTA_EXCEEDED, &reason, out);
                }
            };
        };
        if let Some(state) = self.consumers.remove(consumer) {
            let (id, address) = (state.session, &state.address);
            // It still may read for whom it did before.
            let group = self.group_of(id, address);
            let other = self.before_asking(asked).filter(|before| before.group != group);
            match other.filter(|_| refused != ReadRefused::Deleted) {
                Some(before) => self.go_back_to(id, address, before, out),
                None => self.forget_reading(id, address),
            }
        } else if let Some(pending) = self.subscribes.get(asked.0)
            && let Some(open) = pending.open.iter().find(|open| open.place == asked.1)
        {
            let (id, address, before) =
                (pending.session, open.address.clone(), open.before.clone());
            let before = before.filter(|_| refused != ReadRefused::Deleted);
            self.forsake(consumer, (id, &address, before), out);
        }
        let verdict = match refused {
            ReadRefused::Engine(reason) => Verdict::refused(ReasonCode::QUOTA_EXCEEDED, reason),
            ReadRefused::Deleted => {
                let reason = "the stream was deleted";
                Verdict::refused(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, reason)
            }
        };
        self.filter_decided(asked, verdict, out);
    }

    /// What the subscription was by which a stream is asked.
    fn before_asking(&self, asked: (usize, usize)) -> Stored {
        let pending = self.subscribes.get(asked.0)?;
        pending.open.iter().find(|open| open.place == asked.1)?.before.clone()
    }

    fn reads<O: Outbox>(
        &mut self,
        consumer: ConsumerId,
        asked: (usize, usize),
        began: Option<Box<Began>>,
        out: &mut O,
    ) {
        let Some(pending) = self.subscribes.get(asked.0) else { return };
        let Some(open) = pending.open.iter().find(|open| open.place == asked.1) else { return };
        let (id, record, address) = (pending.session, open.record, open.address.clone());
        let before = open.before.clone();
        match self.consumers.get_mut(consumer) {
            Some(state) => state.is_asked = false,
            None => self.forsake(consumer, (id, &address, before), out),
        }
        self.filter_decided(asked, Verdict { began, ..Verdict::granted(&record) }, out);
    }

    /// The client has gone before its subscription was stored, and was granted nothing: the subscription is what it was. Unless
    /// the client has come back and subscribed anew.
    fn forsake<O: Outbox>(
        &mut self,
        consumer: ConsumerId,
        (id, address, before): (SessionId, &str, Stored),
        out: &O,
    ) {
        let entry = self.sessions.get(id);
        let record = entry.and_then(|entry| entry.session.subscription(address));
        if record.is_some_and(|record| record.consumer == consumer.0) {
            match before {
                Some(before) => self.go_back_to(id, address, before, out),
                None => self.forget_reading(id, address),
            }
        }
    }

    /// A subscription is not one.
    fn forget_reading(&mut self, id: SessionId, address: &str) {
        self.remove_subscription(id, address);
        self.set_group(id, address, None);
        if let Some(extras) = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut()) {
            extras.with_metadata.retain(|with| &**with != address);
        }
    }
}
