//! A shard's part of a checkpoint: its queues, its durable sessions; and with the control shard's the retained messages.

use log_api::Position;
use mqtt_router::Cursor;
use mqtt_types::Message;
use queue_engine::Snapshot;

use crate::directory::QueueDefinition;
use crate::record::{
    DefinitionRecord, Delayed, PublishRecord, Reader, RecordError, StoredSession, Targets,
    encode_publish,
};
use crate::retained::{RetainedStore, is_status};

const VERSION: u8 = 2;
/// Retained messages looked at in one go, so that nobody who publishes one waits for long.
const RETAINED_PAGE: usize = 256;

/// One queue in a checkpoint.
pub(crate) struct QueuePart {
    pub(crate) definition: QueueDefinition,
    pub(crate) snapshot: Snapshot,
}

/// What a shard answers to a checkpoint.
///
/// ```text
/// version u8 | next_sink u32 | next_session u64
/// | queues u32 | { definition_len u32 | definition record | state_len u64 | state } ...
/// | sessions u32 | session ... | delayed u32 | { number u64 | due_ms u64 | position u64 } ...
/// | retained messages, see RetainedPart
/// ```
/// Version 1 had neither `next_session` nor what follows the queues.
pub(crate) struct ShardPart {
    /// The number of the next queue; 0 from shards that are not the control shard.
    pub(crate) next_sink: u32,
    /// The count of the next durable session's number.
    pub(crate) next_session: u64,
    pub(crate) queues: Vec<QueuePart>,
    pub(crate) sessions: Vec<StoredSession>,
    pub(crate) delayed: Vec<(Delayed, Position)>,
}

/// A queue as read back.
pub(crate) struct StoredQueue {
    pub(crate) definition: DefinitionRecord,
    pub(crate) snapshot: Snapshot,
}

/// A part as read back.
#[derive(Default)]
pub(crate) struct StoredPart {
    pub(crate) next_sink: u32,
    pub(crate) next_session: u64,
    pub(crate) queues: Vec<StoredQueue>,
    pub(crate) sessions: Vec<StoredSession>,
    pub(crate) delayed: Vec<(Delayed, Position)>,
    pub(crate) retained: RetainedPart,
}

impl ShardPart {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.next_sink.to_le_bytes());
        out.extend_from_slice(&self.next_session.to_le_bytes());
        out.extend_from_slice(&(self.queues.len() as u32).to_le_bytes());
        for queue in &self.queues {
            let mut definition = Vec::new();
            DefinitionRecord::of(&queue.definition).encode(&mut definition);
            let mut state = Vec::new();
            queue.snapshot.encode(&mut state);
            out.extend_from_slice(&(definition.len() as u32).to_le_bytes());
            out.extend_from_slice(&definition);
            out.extend_from_slice(&(state.len() as u64).to_le_bytes());
            out.extend_from_slice(&state);
        }
        out.extend_from_slice(&(self.sessions.len() as u32).to_le_bytes());
        for session in &self.sessions {
            session.encode(&mut out);
        }
        out.extend_from_slice(&(self.delayed.len() as u32).to_le_bytes());
        for (delayed, at) in &self.delayed {
            for number in [delayed.number, delayed.due_ms, at.as_u64()] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        out
    }
}

impl StoredPart {
    /// Reads a part.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader { record: "checkpoint", rest: bytes };
        let version = reader.version(VERSION)?;
        let mut part = Self { next_sink: reader.u32()?, ..Self::default() };
        if version > 1 {
            part.next_session = reader.u64()?;
        }
        for _ in 0..reader.u32()? {
            part.queues.push(queue(&mut reader)?);
        }
        if version > 1 {
            for _ in 0..reader.u32()? {
                part.sessions.push(StoredSession::decode(&mut reader)?);
            }
            for _ in 0..reader.u32()? {
                let delayed = Delayed { number: reader.u64()?, due_ms: reader.u64()? };
                part.delayed.push((delayed, Position::from_u64(reader.u64()?)));
            }
            part.retained = RetainedPart::take(&mut reader)?;
        }
        Ok(part)
    }
}

fn queue(reader: &mut Reader<'_>) -> Result<StoredQueue, RecordError> {
    let len = reader.u32()? as usize;
    let definition = DefinitionRecord::decode(reader.bytes(len)?)?;
    let len = usize::try_from(reader.u64()?).map_err(|_| reader.error("a length is too large"))?;
    let snapshot = Snapshot::decode(reader.bytes(len)?)
        .map_err(|_| reader.error("a queue's state is not legal"))?;
    Ok(StoredQueue { definition, snapshot })
}

/// The retained messages, gathered while the broker goes on.
///
/// ```text
/// version u64 | { body_len u32 | publish record } ... | 0 u32
/// ```
/// Records of versions up to the one here are in it, or were overtaken by later ones; of later versions it may have
/// some. So replay passes over the former and applies the latter by their order. Nothing at all: not the control shard.
#[derive(Default)]
pub(crate) struct RetainedPart {
    pub(crate) version: u64,
    pub(crate) messages: Vec<Message>,
}

impl RetainedPart {
    /// Appends what the store has, as of that version at least.
    pub(crate) fn put(out: &mut Vec<u8>, version: u64, store: &RetainedStore) {
        out.extend_from_slice(&version.to_le_bytes());
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let mut page = Vec::with_capacity(RETAINED_PAGE);
            from = store.read(|index| {
                index.page(&cursor, RETAINED_PAGE, |message| page.push(message.clone()))
            });
            for message in page.into_iter().filter(|message| !is_status(message.topic())) {
                put_message(out, &message);
            }
        }
        out.extend_from_slice(&[0; 4]);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let mut part = Self::default();
        if reader.rest.is_empty() {
            return Ok(part);
        }
        part.version = reader.u64()?;
        loop {
            let len = reader.u32()? as usize;
            if len == 0 {
                return Ok(part);
            }
            let record = PublishRecord::decode(reader.bytes(len)?)?;
            part.messages.push(record.copy_message()?);
        }
    }
}

fn put_message(out: &mut Vec<u8>, message: &Message) {
    let len_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let (topic, properties) = (message.topic(), message.properties());
    encode_publish(out, message.head(), Targets::default(), topic, properties, message.payload());
    let len = (out.len() - len_at - 4) as u32;
    if let Some(place) = out.get_mut(len_at..len_at + 4) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use mqtt_types::{MessageHead, TopicName};

    use super::*;

    #[test]
    fn retained_messages_come_out_as_they_went_in_and_may_be_missing() {
        let store = RetainedStore::new(10_000, 1 << 20);
        for n in 0..1000 {
            let topic = format!("a/{n}");
            let topic = TopicName::new(&topic).expect("legal");
            let head = MessageHead { retain: true, received_at_ms: n, ..MessageHead::default() };
            let message = Message::new(head, topic, &[1, 1], b"payload").expect("small");
            assert!(store.store(message).is_some());
        }
        let empty = ShardPart {
            next_sink: 3,
            next_session: 1 << 39,
            queues: Vec::new(),
            sessions: Vec::new(),
            delayed: vec![(Delayed { number: 64, due_ms: 9 }, Position::new(1, 64))],
        };
        let mut bytes = empty.encode();
        let part = StoredPart::decode(&bytes).expect("legal");
        assert_eq!((part.next_sink, part.next_session), (3, 1 << 39));
        assert_eq!(part.delayed, empty.delayed);
        assert_eq!((part.retained.version, part.retained.messages.len()), (0, 0));
        RetainedPart::put(&mut bytes, store.version(), &store);
        let part = StoredPart::decode(&bytes).expect("legal");
        assert_eq!((part.retained.version, part.retained.messages.len()), (1000, 1000));
        for message in part.retained.messages {
            assert_eq!(message.topic(), format!("a/{}", message.head().received_at_ms));
            assert_eq!((message.properties(), message.payload()), (&[1, 1][..], &b"payload"[..]));
        }
        for cut in [bytes.len() - 1, bytes.len() - 30, 5] {
            assert!(StoredPart::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn a_part_of_version_1_has_queues_only() {
        let part = StoredPart::decode(&[1, 7, 0, 0, 0, 0, 0, 0, 0]).expect("legal");
        assert_eq!((part.next_sink, part.next_session, part.sessions.len()), (7, 0, 0));
    }
}
