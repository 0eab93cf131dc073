//! A shard's part of a checkpoint: its queues, its streams, its durable sessions; and with the control shard's the
//! retained messages.

use std::collections::BTreeMap;

use log_api::Position;
use mqtt_session::{InboxEntryImage, InboxImage};
use queue_engine::{Offset, Snapshot};

use crate::queue::{Definition, QueueDefinition};
use crate::record::{
    Defined, DefinitionRecord, Delayed, Leaving, Lying, Reader, RecordError, StoredSession,
    put_positions,
};
use crate::retained::StoredRetained;
use crate::stream::{StreamDefinition, StreamProperties};

const VERSION: u8 = 10;

/// One queue in a checkpoint.
pub struct QueuePart {
    /// What the queue is.
    pub definition: QueueDefinition,
    /// What its engine knows: which messages wait, and how often each was tried.
    pub snapshot: Snapshot,
    /// Messages that the engine has given up and that have not been stored as dead letters.
    pub leaving: BTreeMap<Offset, Leaving>,
}

/// One stream in a checkpoint.
pub struct StreamPart {
    /// What the stream is.
    pub definition: StreamDefinition,
    /// What its engine knows: which messages are kept, and how far readers have come.
    pub snapshot: stream_engine::Snapshot,
}

/// What a shard answers to a checkpoint.
///
/// ```text
/// version u8 | next_sink u32 | next_session u64
/// | queues u32 | { definition_len u32 | definition record | state_len u64 | state | leaving u32 | leaving ... } ...
/// | sessions u32 | session ... | delayed u32 | { number u64 | due_ms u64 | position u64 | size u32 } ...
/// | holding u32 | position u64 ... | streams u32 | { definition_len u32 | definition record | state_len u64 | state } ...
/// | retained messages, see RetainedPart
/// ```
/// Version 1 had neither `next_session` nor what follows the queues, version 2 had the retained messages whole,
/// version 3 no leases of sessions, version 4 no sizes of delayed messages, which then count nothing, version 5 no messages on
/// their way to the dead letters, version 6 no retained messages on their way to sessions,
/// version 7 no streams, and no groups of sessions, version 8 did not say since when the subscription of a replay is there, nor
/// the subscription identifiers of what lies in inboxes. The state of a queue has a version of its own: 3 since version 10.
pub struct ShardPart {
    /// The number of the next queue; 0 from shards that are not the control shard.
    pub next_sink: u32,
    /// The count of the next durable session's number.
    pub next_session: u64,
    /// The queues that the shard owns.
    pub queues: Vec<QueuePart>,
    /// The streams that the shard owns.
    pub streams: Vec<StreamPart>,
    /// Its durable sessions.
    pub sessions: Vec<StoredSession>,
    /// The messages that it is to publish later, and where they lie.
    pub delayed: Vec<(Delayed, Lying)>,
    /// Bodies that are held for records which are on their way to the log.
    pub holding: Vec<Position>,
}

/// A queue as read back.
pub(crate) struct StoredQueue {
    pub(crate) definition: DefinitionRecord,
    pub(crate) snapshot: Snapshot,
    pub(crate) leaving: BTreeMap<Offset, Leaving>,
}

/// A stream as read back.
pub(crate) struct StoredStream {
    pub(crate) definition: DefinitionRecord<StreamProperties>,
    pub(crate) snapshot: stream_engine::Snapshot,
}

/// A part as read back.
#[derive(Default)]
pub(crate) struct StoredPart {
    pub(crate) next_sink: u32,
    pub(crate) next_session: u64,
    pub(crate) queues: Vec<StoredQueue>,
    pub(crate) streams: Vec<StoredStream>,
    pub(crate) sessions: Vec<StoredSession>,
    pub(crate) delayed: Vec<(Delayed, Lying)>,
    pub(crate) holding: Vec<Position>,
    pub(crate) retained: StoredRetained,
}

impl ShardPart {
    /// The part's bytes, which [`RetainedPart::put`](crate::retained::RetainedPart::put) may add to.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.next_sink.to_le_bytes());
        out.extend_from_slice(&self.next_session.to_le_bytes());
        out.extend_from_slice(&(self.queues.len() as u32).to_le_bytes());
        for queue in &self.queues {
            put_definition(&mut out, &queue.definition);
            put_state(&mut out, |state| queue.snapshot.encode(state));
            out.extend_from_slice(&(queue.leaving.len() as u32).to_le_bytes());
            queue.leaving.iter().for_each(|(offset, leaving)| leaving.encode(*offset, &mut out));
        }
        out.extend_from_slice(&(self.sessions.len() as u32).to_le_bytes());
        for session in &self.sessions {
            session.encode(&mut out);
        }
        out.extend_from_slice(&(self.delayed.len() as u32).to_le_bytes());
        for (delayed, lying) in &self.delayed {
            for number in [delayed.number, delayed.due_ms, lying.at.as_u64()] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&lying.size.to_le_bytes());
        }
        put_positions(&mut out, &self.holding);
        out.extend_from_slice(&(self.streams.len() as u32).to_le_bytes());
        for stream in &self.streams {
            put_definition(&mut out, &stream.definition);
            put_state(&mut out, |state| stream.snapshot.encode(state));
        }
        out
    }

    /// The bodies that it holds beside the references of records.
    pub fn held(&self) -> Vec<(u32, u32)> {
        let inboxes = self.sessions.iter().flat_map(|session| held_in(&session.image.inbox));
        let all = inboxes.chain(self.holding.iter().copied());
        all.map(|at| (at.segment(), 1)).collect()
    }
}

/// Where the bodies lie that an inbox holds.
pub(crate) fn held_in(inbox: &InboxImage) -> impl Iterator<Item = Position> + '_ {
    inbox.entries.iter().filter_map(|entry| match entry {
        InboxEntryImage::Kept { kept, .. } if kept.is_held => Some(Position::from_u64(kept.at)),
        _ => None,
    })
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
            part.queues.push(queue(&mut reader, version > 5)?);
        }
        if version > 1 {
            for _ in 0..reader.u32()? {
                part.sessions.push(StoredSession::decode(&mut reader, version)?);
            }
            for _ in 0..reader.u32()? {
                let delayed = Delayed { number: reader.u64()?, due_ms: reader.u64()? };
                let at = Position::from_u64(reader.u64()?);
                let size = if version > 4 { reader.u32()? } else { 0 };
                part.delayed.push((delayed, Lying { at, size }));
            }
            if version > 6 {
                part.holding = reader.positions()?;
            }
            for _ in 0..if version > 7 { reader.u32()? } else { 0 } {
                part.streams.push(stream(&mut reader)?);
            }
            part.retained = match version {
                2 => StoredRetained::take_whole(&mut reader)?,
                _ => StoredRetained::take(&mut reader, version > 6)?,
            };
        }
        Ok(part)
    }
}

fn queue(reader: &mut Reader<'_>, has_leaving: bool) -> Result<StoredQueue, RecordError> {
    let definition = take_definition(reader)?;
    let snapshot = Snapshot::decode(take_state(reader)?)
        .map_err(|_| reader.error("a queue's state is not legal"))?;
    let mut leaving = BTreeMap::new();
    for _ in 0..if has_leaving { reader.u32()? } else { 0 } {
        let (offset, one) = Leaving::decode(reader)?;
        leaving.insert(offset, one);
    }
    Ok(StoredQueue { definition, snapshot, leaving })
}

fn stream(reader: &mut Reader<'_>) -> Result<StoredStream, RecordError> {
    let definition = take_definition(reader)?;
    let snapshot = stream_engine::Snapshot::decode(take_state(reader)?)
        .map_err(|_| reader.error("a stream's state is not legal"))?;
    Ok(StoredStream { definition, snapshot })
}

fn put_definition<P: Defined>(out: &mut Vec<u8>, definition: &Definition<P>) {
    let mut bytes = Vec::new();
    DefinitionRecord::of(definition).encode(&mut bytes);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&bytes);
}

fn take_definition<P: Defined>(
    reader: &mut Reader<'_>,
) -> Result<DefinitionRecord<P>, RecordError> {
    let len = reader.u32()? as usize;
    DefinitionRecord::decode(reader.bytes(len)?)
}

fn put_state(out: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
    let mut state = Vec::new();
    encode(&mut state);
    out.extend_from_slice(&(state.len() as u64).to_le_bytes());
    out.extend_from_slice(&state);
}

fn take_state<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], RecordError> {
    let len = usize::try_from(reader.u64()?).map_err(|_| reader.error("a length is too large"))?;
    reader.bytes(len)
}

#[cfg(test)]
mod tests {
    use mqtt_types::{Message, MessageHead, TopicName};

    use super::*;
    use crate::record::{Kept, Targets, encode_publish};
    use crate::retained::{Change, Holds, RetainedLimits, RetainedPart, RetainedStore};

    /// A shard that has nothing but a delayed message.
    fn empty() -> ShardPart {
        ShardPart {
            next_sink: 3,
            next_session: 1 << 39,
            queues: Vec::new(),
            streams: Vec::new(),
            sessions: Vec::new(),
            delayed: vec![(
                Delayed { number: 64, due_ms: 9 },
                Lying { at: Position::new(1, 64), size: 70 },
            )],
            holding: Vec::new(),
        }
    }

    /// The same as versions before 5 wrote it, without the size at the end and what came later.
    fn empty_before_5(version: u8) -> Vec<u8> {
        let mut bytes = empty().encode();
        bytes[0] = version;
        bytes.truncate(bytes.len() - 12);
        bytes
    }

    #[test]
    fn a_part_of_version_4_has_delayed_messages_without_sizes() {
        let part = StoredPart::decode(&empty_before_5(4)).expect("legal");
        let (delayed, lying) = empty().delayed[0];
        assert_eq!(part.delayed, [(delayed, Lying { size: 0, ..lying })]);
    }

    #[test]
    fn parts_before_version_7_hold_nothing_for_sessions() {
        for version in [5, 6] {
            let mut bytes = empty().encode();
            bytes[0] = version;
            bytes.truncate(bytes.len() - 8);
            bytes.extend_from_slice(&9_u64.to_le_bytes());
            bytes.push(0);
            let part = StoredPart::decode(&bytes).expect("legal");
            assert_eq!((part.delayed, part.holding), (empty().delayed, Vec::new()));
            assert_eq!((part.retained.version, part.retained.holding), (9, Vec::new()));
        }
    }

    #[test]
    fn what_is_held_for_records_on_their_way_comes_out_as_it_went_in() {
        let holding = vec![Position::new(1, 64), Position::new(9, 128)];
        let part = ShardPart { holding: holding.clone(), ..empty() };
        assert_eq!(part.held(), [(1, 1), (9, 1)]);
        let bytes = part.encode();
        assert_eq!(StoredPart::decode(&bytes).expect("legal").holding, holding);
        assert!(StoredPart::decode(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn retained_messages_come_out_as_they_went_in_and_may_be_missing() {
        let limits =
            RetainedLimits { messages: 10_000, bytes: 1 << 20, memory: 1 << 20, bodies: 0 };
        let store = RetainedStore::new(limits);
        for n in 0..1000_u64 {
            let text = format!("a/{n}");
            let topic = TopicName::new(&text).expect("legal");
            let message = Message::new(MessageHead::default(), topic, &[], b"payload");
            let message = message.expect("small");
            let version = store.publish(&message, Change::Logged).expect("room").expect("kept");
            let at = Position::new(n as u32 % 3, n as u32);
            let kept = Kept { at: Some(at), size: text.len() as u32 + 7, due_ms: n % 2 * n };
            store.stored(topic, version, kept, &mut Holds::new());
        }
        let mut bytes = empty().encode();
        let part = StoredPart::decode(&bytes).expect("legal");
        assert_eq!((part.next_sink, part.next_session), (3, 1 << 39));
        assert_eq!(part.delayed, empty().delayed);
        assert_eq!((part.retained.version, part.retained.index.len()), (0, 0));
        let held = RetainedPart::put(&mut bytes, &store);
        assert_eq!(held, [(0, 334), (1, 333), (2, 333)]);
        let part = StoredPart::decode(&bytes).expect("legal");
        assert_eq!((part.retained.version, part.retained.index.len()), (1000, 1000));
        for n in 0..1000_u64 {
            let text = format!("a/{n}");
            let entry = part.retained.index.get(TopicName::new(&text).expect("legal"));
            let entry = entry.expect("there");
            assert_eq!(entry.version(), n + 1);
            assert_eq!(entry.at(), Some(Position::new(n as u32 % 3, n as u32)));
        }
        for cut in [bytes.len() - 1, bytes.len() - 30, 5] {
            assert!(StoredPart::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn a_part_of_version_2_has_retained_messages_whole() {
        let mut bytes = empty_before_5(2);
        bytes.extend_from_slice(&7_u64.to_le_bytes());
        for payload in [&b"one"[..], b"two"] {
            let mut record = Vec::new();
            let head = MessageHead { retain: true, ..MessageHead::default() };
            encode_publish(&mut record, &head, Targets::default(), "t", &[1, 1], payload);
            bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&record);
        }
        bytes.extend_from_slice(&[0; 4]);
        let retained = StoredPart::decode(&bytes).expect("legal").retained;
        assert_eq!((retained.version, retained.floor, retained.index.len()), (7, 7, 0));
        let payloads: Vec<&[u8]> = retained.whole.iter().map(Message::payload).collect();
        assert_eq!(payloads, [b"one", b"two"]);
    }

    #[test]
    fn a_part_of_version_1_has_queues_only() {
        let part = StoredPart::decode(&[1, 7, 0, 0, 0, 0, 0, 0, 0]).expect("legal");
        assert_eq!((part.next_sink, part.next_session, part.sessions.len()), (7, 0, 0));
    }
}
