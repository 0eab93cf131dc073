//! What the commit of a message changes beside queues: sessions that get it, the retained message of its topic, the
//! packet id of its publisher.

use std::borrow::Borrow;

use log_api::Position;
use mqtt_router::SinkId;
use mqtt_types::{PacketId, QoS};
use queue_engine::{Departure, Key, MessageId, NewMessage, Offset};
use smallvec::SmallVec;
use stdx::UnixMillis;

use super::codec::{Reader, RecordError, put_varint};
use super::keys::{SinkKey, UNKEYED};
use super::relocated::Relocated;
use crate::ids::{GroupMark, SessionNumber};

const HAS_RETAINED: u8 = 0b01;
const HAS_PUBLISHER: u8 = 0b10;
const HAS_DELAYED: u8 = 0b100;
const HAS_KEYS: u8 = 0b1000;
const HAS_DELAYED_BY: u8 = 0b1_0000;
const HAS_NOT_BEFORE: u8 = 0b10_0000;
const HAS_MESSAGE_ID: u8 = 0b100_0000;
const HAS_MOVED: u8 = 0b1000_0000;
const QOS: u8 = 0b0011;
const RETAIN: u8 = 0b0100;
const IDENTIFIERS: u8 = 0b1000;
const SHARED: u8 = 0b1_0000;
const ANY_MEMBER: u8 = 0b10_0000;
const IN_PLACE_OF: u8 = 0b100_0000;

/// A durable session that gets a message, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionTarget {
    /// The session.
    pub number: SessionNumber,
    /// At which QoS it gets the message, 1 or 2.
    pub qos: QoS,
    /// RETAIN as the session gets it.
    pub retain: bool,
    /// The identifiers of its subscriptions that match.
    pub identifiers: SmallVec<[u32; 4]>,
    /// By which shared group it comes, if it does.
    pub shared: Option<SharedTarget>,
    /// What it takes the place of: a session that is over has kept the message for this one, and has it no more.
    pub in_place_of: Option<KeptCopy>,
}

/// What a session keeps of a message that lies in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptCopy {
    /// The session.
    pub number: SessionNumber,
    /// Where the message lies.
    pub at: Position,
    /// Which of the session's copies of it, see [`copies`].
    pub copy: u8,
}

/// What a session has to do with a message that comes by a shared group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SharedTarget {
    /// The group, and what its strategy goes by.
    pub mark: GroupMark,
    /// Whether the session only keeps the message, for whichever member the group's strategy chooses.
    pub for_any: bool,
}

/// A message that is to be published later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delayed {
    /// What it is called; it says which shard owns it.
    pub number: u64,
    /// When it is due, in milliseconds since 1970.
    pub due_ms: u64,
}

/// Where a delayed message lies in the log, and what it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lying {
    /// Where it lies.
    pub at: Position,
    /// Bytes that it counts, see [`PublishRecord::counted_bytes`](super::PublishRecord::counted_bytes).
    pub size: u32,
}

/// Appends the body of a record that a delayed message was published: `version u8 | number u64`.
pub fn encode_delayed_done(out: &mut Vec<u8>, number: u64) {
    out.push(1);
    out.extend_from_slice(&number.to_le_bytes());
}

/// The number in such a body.
///
/// # Errors
/// It is not legal, or of a newer version.
pub fn decode_delayed_done(body: &[u8]) -> Result<u64, RecordError> {
    let mut reader = Reader { record: "delayed", rest: body };
    reader.version(1)?;
    reader.u64()
}

/// A message that leaves a queue because it is stored in another, by one and the same record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The queue that it leaves.
    pub from: SinkId,
    /// What it was there.
    pub offset: Offset,
    /// How it leaves.
    pub how: Departure,
}

/// What the version of a record says about its more targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct MoreLayout {
    /// Behind all else is what lies here from now on.
    pub(super) relocates_last: bool,
    /// Keys say of which making they are.
    pub(super) says_generations: bool,
}

/// What else there is to say of a message than which queues take it.
///
/// ```text
/// flags u8 (retained 0, publisher 1, delayed 2, keys 3, its publisher 4, not before 5, message id 6, moved 7)
/// | [retained u64] | [publisher u64 | packet_id u16]
/// | [delayed u64 | due_ms u64 | [client_id_len u16 | client id]]
/// | [keys varint | { see SinkKey } ...] | [not_before_ms u64] | [message id u128]
/// | [moved: sink u32 | offset u64 | how u8, 0: it stays, and lies here from now on]
/// | sessions varint | { gap varint | flags u8 (QoS 0-1, RETAIN 2, identifiers 3, shared 4, for any member 5, in place of 6)
///                     | [count u8 | identifier varint ...] | [group u32 | key u32]
///                     | [in place of: session u64 | position u64 | copy u8] } ...
/// | version 5: what lies here from now on, see Relocated
/// ```
/// Sessions are in ascending order of their numbers; a gap counts from the one before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MoreTargets {
    /// The message is its topic's retained one; a later one has a higher number.
    pub retained: Option<u64>,
    /// The durable session that published it at QoS 2, and the packet id that it must not be taken under again.
    pub publisher: Option<(SessionNumber, PacketId)>,
    /// It takes no road yet: it is to be published later.
    pub delayed: Option<Delayed>,
    /// The client that published it so.
    pub delayed_by: Option<Box<str>>,
    /// The hashes of its keys, for the queues that go by keys; [`UNKEYED`] for one that wants a key where there is none.
    pub keys: SmallVec<[SinkKey; 1]>,
    /// Queues deliver it no earlier, in milliseconds since 1970.
    pub not_before_ms: Option<u64>,
    /// The hash of the id by which queues know it again.
    pub message_id: Option<u128>,
    /// The queue that it leaves by being stored here.
    pub moved: Option<Moved>,
    /// The message that stays what it is, and lies here from now on. Nothing else comes of the record.
    pub relocated: Option<Relocated>,
    /// The durable sessions that get it, in ascending order of their numbers.
    pub sessions: Vec<SessionTarget>,
}

impl MoreTargets {
    /// Whether anybody but the publisher would miss it.
    pub fn changes_others(&self) -> bool {
        self.retained.is_some() || !self.sessions.is_empty()
    }

    /// Whether nobody but queues has to do with the message.
    #[must_use]
    pub const fn is_for_queues(&self) -> bool {
        self.retained.is_none()
            && self.publisher.is_none()
            && self.delayed.is_none()
            && self.moved.is_none()
            && self.relocated.is_none()
            && self.sessions.is_empty()
    }

    /// The hash of the message's key in a queue; [`UNKEYED`] when it has none and the queue wants one.
    pub fn key_of(&self, sink: SinkId) -> Option<u64> {
        self.made_for(sink).map(|made| made.key)
    }

    /// The key that was made for a queue or stream, and of which making it is.
    pub fn made_for(&self, sink: SinkId) -> Option<&SinkKey> {
        self.keys.iter().find(|made| made.sink == sink)
    }

    /// What a queue is told of the message.
    pub(crate) fn describe(&self, sink: SinkId, message: &mut NewMessage) {
        if let Some(made) = self.made_for(sink) {
            message.key = Key(made.key);
            message.is_unkeyed = made.key == UNKEYED;
            message.key_generation = made.generation;
        }
        message.not_before = self.not_before_ms.map(UnixMillis);
        message.message_id = self.message_id.map(MessageId::new);
    }

    /// What sessions that are over have kept for others and have no more.
    pub fn passed_on(&self) -> impl Iterator<Item = KeptCopy> + '_ {
        self.sessions.iter().filter_map(|target| target.in_place_of)
    }

    /// How a session gets one of its copies of the message, see [`copies`].
    pub fn session(&self, number: SessionNumber, copy: u8) -> Option<&SessionTarget> {
        let first = self.sessions.partition_point(|target| target.number < number);
        let target = self.sessions.get(first + usize::from(copy))?;
        Some(target).filter(|target| target.number == number)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = if self.retained.is_some() { HAS_RETAINED } else { 0 };
        flags |= if self.publisher.is_some() { HAS_PUBLISHER } else { 0 };
        flags |= if self.delayed.is_some() { HAS_DELAYED } else { 0 };
        let delayed_by = self.delayed_by.as_deref().filter(|_| self.delayed.is_some());
        let delayed_by = delayed_by.and_then(|id| Some((u16::try_from(id.len()).ok()?, id)));
        flags |= if delayed_by.is_some() { HAS_DELAYED_BY } else { 0 };
        flags |= if self.keys.is_empty() { 0 } else { HAS_KEYS };
        flags |= if self.not_before_ms.is_some() { HAS_NOT_BEFORE } else { 0 };
        flags |= if self.message_id.is_some() { HAS_MESSAGE_ID } else { 0 };
        flags |= if self.in_queue().is_some() { HAS_MOVED } else { 0 };
        out.push(flags);
        if let Some(version) = self.retained {
            out.extend_from_slice(&version.to_le_bytes());
        }
        if let Some((number, packet_id)) = self.publisher {
            out.extend_from_slice(&number.0.to_le_bytes());
            out.extend_from_slice(&packet_id.get().to_le_bytes());
        }
        if let Some(delayed) = self.delayed {
            out.extend_from_slice(&delayed.number.to_le_bytes());
            out.extend_from_slice(&delayed.due_ms.to_le_bytes());
        }
        if let Some((len, client_id)) = delayed_by {
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(client_id.as_bytes());
        }
        self.encode_for_queues(out);
        put_varint(out, self.sessions.len() as u64);
        let mut before = 0;
        for target in &self.sessions {
            put_varint(out, target.number.0 - before);
            before = target.number.0;
            let mut flags = target.qos.as_u8();
            flags |= if target.retain { RETAIN } else { 0 };
            flags |= if target.identifiers.is_empty() { 0 } else { IDENTIFIERS };
            if let Some(shared) = target.shared {
                flags |= SHARED | if shared.for_any { ANY_MEMBER } else { 0 };
            }
            flags |= if target.in_place_of.is_some() { IN_PLACE_OF } else { 0 };
            out.push(flags);
            if !target.identifiers.is_empty() {
                // A session that subscribes with more than 255 identifiers to one topic hears of the first of them.
                let count = u8::try_from(target.identifiers.len()).unwrap_or(u8::MAX);
                out.push(count);
                for identifier in target.identifiers.iter().take(usize::from(count)) {
                    put_varint(out, u64::from(*identifier));
                }
            }
            if let Some(SharedTarget { mark, .. }) = target.shared {
                out.extend_from_slice(&mark.group.to_le_bytes());
                out.extend_from_slice(&mark.key.to_le_bytes());
            }
            if let Some(KeptCopy { number, at, copy }) = target.in_place_of {
                out.extend_from_slice(&number.0.to_le_bytes());
                out.extend_from_slice(&at.as_u64().to_le_bytes());
                out.push(copy);
            }
        }
        if let Some(relocated) = self.relocated {
            relocated.encode(out);
        }
    }

    fn encode_for_queues(&self, out: &mut Vec<u8>) {
        if !self.keys.is_empty() {
            put_varint(out, self.keys.len() as u64);
        }
        let says_generations = self.layout().says_generations;
        self.keys.iter().for_each(|made| made.encode(says_generations, out));
        if let Some(not_before_ms) = self.not_before_ms {
            out.extend_from_slice(&not_before_ms.to_le_bytes());
        }
        if let Some(message_id) = self.message_id {
            out.extend_from_slice(&message_id.to_le_bytes());
        }
        if let Some((from, offset, how)) = self.in_queue() {
            out.extend_from_slice(&from.0.to_le_bytes());
            out.extend_from_slice(&offset.0.to_le_bytes());
            out.push(how.map_or(0, Departure::number));
        }
    }

    /// The message of a queue or stream that leaves it, or that stays and lies here from now on.
    fn in_queue(&self) -> Option<(SinkId, Offset, Option<Departure>)> {
        match (self.moved, self.relocated) {
            (Some(Moved { from, offset, how }), _) => Some((from, offset, Some(how))),
            (None, Some(Relocated::Hosted { sink, offset })) => Some((sink, offset, None)),
            _ => None,
        }
    }

    fn decode_for_queues(
        &mut self,
        flags: u8,
        says_generations: bool,
        reader: &mut Reader<'_>,
    ) -> Result<(), RecordError> {
        if flags & HAS_KEYS != 0 {
            for _ in 0..reader.varint()? {
                self.keys.push(SinkKey::decode(reader, says_generations)?);
            }
        }
        if flags & HAS_NOT_BEFORE != 0 {
            self.not_before_ms = Some(reader.u64()?);
        }
        if flags & HAS_MESSAGE_ID != 0 {
            let lower = u128::from(reader.u64()?);
            self.message_id = Some(u128::from(reader.u64()?) << 64 | lower);
        }
        if flags & HAS_MOVED != 0 {
            let (from, offset) = (SinkId(reader.u32()?), Offset(reader.u64()?));
            match reader.u8()? {
                0 => self.relocated = Some(Relocated::Hosted { sink: from, offset }),
                number => {
                    let how = Departure::from_number(number)
                        .ok_or_else(|| reader.error("a way to leave is unknown"))?;
                    self.moved = Some(Moved { from, offset, how });
                }
            }
        }
        Ok(())
    }

    /// What of a record's version follows from it. What is said of keys is only where queues are among the targets.
    pub(super) fn layout(&self) -> MoreLayout {
        let relocates_last = self.relocated.is_some_and(|relocated| relocated.is_last());
        let says_generations = self.keys.iter().any(|made| made.generation != 0);
        MoreLayout { relocates_last, says_generations: says_generations && !relocates_last }
    }

    pub(super) fn decode(block: &[u8], layout: MoreLayout) -> Result<Self, RecordError> {
        let mut reader = Reader { record: "publish", rest: block };
        let flags = reader.u8()?;
        let retained = if flags & HAS_RETAINED != 0 { Some(reader.u64()?) } else { None };
        let publisher = if flags & HAS_PUBLISHER != 0 {
            let number = SessionNumber(reader.u64()?);
            Some((number, reader.packet_id()?))
        } else {
            None
        };
        let delayed = if flags & HAS_DELAYED != 0 {
            Some(Delayed { number: reader.u64()?, due_ms: reader.u64()? })
        } else {
            None
        };
        let delayed_by = match flags & HAS_DELAYED_BY {
            0 => None,
            _ => Some(client_id(&mut reader)?),
        };
        let mut targets = Self { retained, publisher, delayed, delayed_by, ..Self::default() };
        targets.decode_for_queues(flags, layout.says_generations, &mut reader)?;
        let count = reader.varint()?;
        let mut before = 0_u64;
        for _ in 0..count {
            let gap = reader.varint()?;
            before =
                before.checked_add(gap).ok_or_else(|| reader.error("a number is too large"))?;
            targets.sessions.push(target(SessionNumber(before), &mut reader)?);
        }
        if layout.relocates_last {
            targets.relocated = Some(Relocated::decode(&mut reader, delayed)?);
        }
        Ok(targets)
    }
}

fn client_id(reader: &mut Reader<'_>) -> Result<Box<str>, RecordError> {
    let len = reader.u16()?;
    let text = std::str::from_utf8(reader.bytes(usize::from(len))?);
    text.map(Box::from).map_err(|_| reader.error("a client id is not UTF-8"))
}

/// Targets, each with which of its session's copies it is: a session gets one for its own subscriptions, and one for each
/// shared group that picks it.
pub fn copies<T: Borrow<SessionTarget>>(
    targets: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = (u8, T)> {
    let mut before = None;
    let mut copy = 0_u8;
    targets.into_iter().map(move |target| {
        let number = target.borrow().number;
        copy = if before.replace(number) == Some(number) { copy.saturating_add(1) } else { 0 };
        (copy, target)
    })
}

fn target(number: SessionNumber, reader: &mut Reader<'_>) -> Result<SessionTarget, RecordError> {
    let flags = reader.u8()?;
    let qos = QoS::from_u8(flags & QOS).filter(|qos| *qos > QoS::AtMostOnce);
    let qos = qos.ok_or_else(|| reader.error("a session is due it at no QoS that is kept"))?;
    let mut identifiers = SmallVec::new();
    if flags & IDENTIFIERS != 0 {
        for _ in 0..reader.u8()? {
            let identifier = reader.varint()?;
            identifiers.push(u32::try_from(identifier).unwrap_or(u32::MAX));
        }
    }
    let shared = if flags & SHARED != 0 {
        let mark = GroupMark { group: reader.u32()?, key: reader.u32()? };
        Some(SharedTarget { mark, for_any: flags & ANY_MEMBER != 0 })
    } else {
        None
    };
    let in_place_of = match flags & IN_PLACE_OF {
        0 => None,
        _ => Some(KeptCopy {
            number: SessionNumber(reader.u64()?),
            at: Position::from_u64(reader.u64()?),
            copy: reader.u8()?,
        }),
    };
    let retain = flags & RETAIN != 0;
    Ok(SessionTarget { number, qos, retain, identifiers, shared, in_place_of })
}

#[cfg(test)]
mod tests {
    use mqtt_session::KeptPlace;

    use super::*;

    #[test]
    fn targets_come_out_as_they_went_in() {
        let session = |number, qos, retain, identifiers: &[u32]| SessionTarget {
            number: SessionNumber(number),
            qos,
            retain,
            identifiers: identifiers.iter().copied().collect(),
            shared: retain.then_some(SharedTarget {
                mark: GroupMark { group: 7, key: u32::MAX },
                for_any: qos == QoS::ExactlyOnce,
            }),
            in_place_of: retain.then_some(KeptCopy {
                number: SessionNumber((1 << 56) - 1),
                at: Position::new(3, 64),
                copy: 255,
            }),
        };
        let keys = |generation| {
            let key = |sink, key| SinkKey { sink: SinkId(sink), key, generation };
            [key(3, 77), key(u32::MAX, u64::MAX)].into_iter().collect()
        };
        let with_keys_of = |generation| MoreTargets {
            retained: Some(u64::MAX),
            publisher: Some((SessionNumber(1 << 55), PacketId::MIN)),
            delayed: Some(Delayed { number: 1 << 60, due_ms: 7 }),
            delayed_by: Some("meter-7".into()),
            keys: keys(generation),
            not_before_ms: Some(9),
            message_id: Some(u128::MAX - 7),
            moved: Some(Moved {
                from: SinkId(4),
                offset: Offset(1 << 60),
                how: Departure::DeadLettered,
            }),
            relocated: None,
            sessions: vec![
                session(3, QoS::AtLeastOnce, false, &[]),
                session(0x1_0003, QoS::ExactlyOnce, true, &[1, 268_435_455]),
                session(0x1_0003, QoS::AtLeastOnce, false, &[]),
                session((1 << 56) - 1, QoS::AtLeastOnce, false, &[7]),
            ],
        };
        for targets in [0, 255].map(with_keys_of) {
            let mut block = Vec::new();
            targets.encode(&mut block);
            let layout = targets.layout();
            assert_eq!(MoreTargets::decode(&block, layout), Ok(targets));
            for cut in 0..block.len() {
                assert!(MoreTargets::decode(&block[..cut], layout).is_err(), "cut at {cut}");
            }
        }
        let targets = with_keys_of(0);
        assert_eq!(targets.session(SessionNumber(0x1_0003), 0), targets.sessions.get(1));
        assert_eq!(targets.session(SessionNumber(0x1_0003), 1), targets.sessions.get(2));
        assert_eq!(targets.session(SessionNumber(0x1_0003), 2), None);
        assert_eq!(targets.session(SessionNumber(4), 0), None);
        let numbered: Vec<u8> = copies(&targets.sessions).map(|(copy, _)| copy).collect();
        assert_eq!(numbered, [0, 0, 1, 0]);
        let mut block = Vec::new();
        MoreTargets::default().encode(&mut block);
        assert_eq!(MoreTargets::decode(&block, MoreLayout::default()), Ok(MoreTargets::default()));
    }

    #[test]
    fn what_lies_here_from_now_on_comes_out_as_it_went_in() {
        let place = KeptPlace { sequence: 1 << 60, at: u64::MAX, copy: 255, is_shared: false };
        let shared = KeptPlace { is_shared: true, ..place };
        for relocated in [
            Relocated::Hosted { sink: SinkId(4), offset: Offset(1 << 60) },
            Relocated::Delayed(Delayed { number: u64::MAX, due_ms: 7 }),
            Relocated::Kept(SessionNumber(1 << 55), place),
            Relocated::Kept(SessionNumber(1 << 55), shared),
        ] {
            let delayed = match relocated {
                Relocated::Delayed(delayed) => Some(delayed),
                _ => None,
            };
            let relocated = Some(relocated);
            let targets = MoreTargets { relocated, delayed, ..MoreTargets::default() };
            let mut block = Vec::new();
            targets.encode(&mut block);
            let layout = targets.layout();
            assert_eq!(MoreTargets::decode(&block, layout), Ok(targets));
            for cut in 0..block.len() {
                assert!(MoreTargets::decode(&block[..cut], layout).is_err(), "cut at {cut}");
            }
        }
        let mut block = Vec::new();
        MoreTargets::default().encode(&mut block);
        let last = MoreLayout { relocates_last: true, ..MoreLayout::default() };
        for nobodys in [1, 3] {
            let block = [&block[..], &[nobodys]].concat();
            assert!(MoreTargets::decode(&block, last).is_err(), "nobody's");
        }
    }
}
