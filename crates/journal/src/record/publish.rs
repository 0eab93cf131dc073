//! The record of one message and of all that take it.

use std::ops::Range;

use bytes::Bytes;
use log_api::Position;
use mqtt_router::SinkId;
use mqtt_types::{Message, MessageHead, QoS, TopicName};
use queue_engine::{NewMessage, StoredAt};
use stdx::UnixMillis;

use smallvec::SmallVec;

use super::codec::{Reader, RecordError, put_varint};
use super::targets::{MoreLayout, MoreTargets, SessionTarget};
use crate::ids::SessionNumber;

/// Written when only queues take the message.
const VERSION_PLAIN: u8 = 1;
/// With a block of more targets than queues.
const VERSION_MORE: u8 = 2;
/// In two, with the lists of targets behind the message.
const VERSION_IN_TWO: u8 = 3;
/// As with more targets, where one of them takes the place of a session that is over.
const VERSION_PASSED_ON: u8 = 4;
/// As with more targets, and behind them what stays as it is and lies here from now on.
const VERSION_RELOCATED: u8 = 5;
/// As with more targets, where keys say of which making they are.
const VERSION_REKEYED: u8 = 6;
/// In two, where they do.
const VERSION_REKEYED_IN_TWO: u8 = 7;
/// So many targets make a record in two.
const MANY_TARGETS: usize = 64;
/// In place of a count of common subscription identifiers: they are in the list.
const IDENTIFIERS_DIFFER: u8 = u8::MAX;
const FLAG_RETAIN: u8 = 0b0000_0100;
const FLAG_EXPIRY: u8 = 0b0000_1000;
const HEAD_BYTES: usize = 22;
/// What all versions begin with.
const START_BYTES: usize = 20;

/// Who takes a message, and what its commit changes.
#[derive(Clone, Copy, Default)]
pub struct Targets<'a> {
    /// The queues.
    pub sinks: &'a [SinkId],
    /// What else there is, which is rare.
    pub more: Option<&'a MoreTargets>,
}

impl Targets<'_> {
    fn sessions(&self) -> &[SessionTarget] {
        self.more.map_or(&[], |more| &more.sessions)
    }

    /// Whether they are so many that each of those who read the message back should be spared the lists: else ten thousand
    /// sessions that drain would read ten thousand times ten thousand targets.
    pub fn are_many(&self) -> bool {
        self.sinks.len() + self.sessions().len() >= MANY_TARGETS
    }

    /// The subscription identifiers of all sessions that have some; `None` when they differ.
    fn common_identifiers(&self) -> Option<&[u32]> {
        let with_some = |target: &&SessionTarget| !target.identifiers.is_empty();
        let mut with_some = self.sessions().iter().filter(with_some);
        let Some(first) = with_some.next() else { return Some(&[]) };
        let is_short = first.identifiers.len() < usize::from(IDENTIFIERS_DIFFER);
        let are_same = with_some.all(|target| target.identifiers == first.identifiers);
        (is_short && are_same).then_some(&first.identifiers)
    }
}

/// What a record says about the retained message of its topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Where it lies; `None` when the topic's message was removed.
    pub at: Option<Position>,
    /// Bytes of topic, properties and payload.
    pub size: u32,
    /// When it expires, in milliseconds since 1970; 0 for never.
    pub due_ms: u64,
}

/// A stored message. Written once, however many queues and sessions take it.
///
/// ```text
/// version u8 | flags u8 (QoS in bits 0-1, RETAIN 2, has expiry 3) | topic_len u16 | properties_len u32
/// | received_at_ms u64 | expiry_interval u32
/// others:        | sinks u16 | sink u32 ... | versions 2, 4, 5, 6: more_len u32 | more | topic | properties | payload
/// versions 3, 7: | message_len u32 | identifiers u8 | identifier varint ... | topic | properties | payload
///                here the head of the record ends: | sinks u32 | sink u32 ... | more_len u32 | more
/// ```
/// `identifiers` counts the subscription identifiers that all sessions have which have some; 255 when they differ.
pub struct PublishRecord<B = Bytes> {
    body: B,
    sinks: Range<usize>,
    more: Range<usize>,
    message: Range<usize>,
    /// Those of all sessions that have some, if the record says them in one place.
    identifiers: Option<SmallVec<[u32; 4]>>,
}

const fn is_in_two(version: u8) -> bool {
    matches!(version, VERSION_IN_TWO | VERSION_REKEYED_IN_TWO)
}

impl<B: AsRef<[u8]>> PublishRecord<B> {
    /// Takes a body of that kind.
    ///
    /// # Errors
    /// It is not legal, or of a newer version.
    pub fn decode(body: B) -> Result<Self, RecordError> {
        let record = Self::decode_head(body)?;
        if record.has_lists() {
            Ok(record)
        } else {
            Err(RecordError { record: "publish", what: "its lists are missing" })
        }
    }

    /// Takes a body of that kind, or its head alone: then it names no targets.
    ///
    /// # Errors
    /// It is not legal, or of a newer version.
    pub fn decode_head(body: B) -> Result<Self, RecordError> {
        let bytes = body.as_ref();
        let mut reader = Reader { record: "publish", rest: bytes };
        let version = reader.version(VERSION_REKEYED_IN_TWO)?;
        reader.bytes(START_BYTES - 1)?;
        if is_in_two(version) {
            return Self::decode_in_two(body);
        }
        let sinks = take_list(bytes, &mut reader, |reader| Ok(usize::from(reader.u16()?) * 4))?;
        let more = if version != VERSION_PLAIN {
            take_list(bytes, &mut reader, |reader| Ok(reader.u32()? as usize))?
        } else {
            sinks.end..sinks.end
        };
        let message = more.end..bytes.len();
        Ok(Self { body, sinks, more, message, identifiers: None })
    }

    fn decode_in_two(body: B) -> Result<Self, RecordError> {
        let bytes = body.as_ref();
        let mut reader = Reader { record: "publish", rest: bytes };
        reader.bytes(START_BYTES)?;
        let message_len = reader.u32()? as usize;
        let identifiers = match reader.u8()? {
            IDENTIFIERS_DIFFER => None,
            count => {
                let one = |_| Ok(u32::try_from(reader.varint()?).unwrap_or(u32::MAX));
                Some((0..count).map(one).collect::<Result<_, RecordError>>()?)
            }
        };
        let message = take_list(bytes, &mut reader, |_| Ok(message_len))?;
        let (sinks, more) = if reader.rest.is_empty() {
            (message.end..message.end, message.end..message.end)
        } else {
            let sinks = |reader: &mut Reader<'_>| Ok((reader.u32()? as usize).saturating_mul(4));
            let sinks = take_list(bytes, &mut reader, sinks)?;
            (sinks, take_list(bytes, &mut reader, |reader| Ok(reader.u32()? as usize))?)
        };
        Ok(Self { body, sinks, more, message, identifiers })
    }

    /// Whether it is more than a head.
    fn has_lists(&self) -> bool {
        let body = self.body.as_ref();
        !body.first().copied().is_some_and(is_in_two) || self.message.end < body.len()
    }

    /// The queues that take the message.
    pub fn sinks(&self) -> impl Iterator<Item = SinkId> + '_ {
        let list = self.body.as_ref().get(self.sinks.clone()).unwrap_or_default();
        let (numbers, _) = list.as_chunks::<4>();
        numbers.iter().map(|number| SinkId(u32::from_le_bytes(*number)))
    }

    /// The subscription identifiers that go along to a session of which the record says that it has some. `None` when they
    /// are in the lists, and this is the head alone.
    ///
    /// # Errors
    /// The lists are not legal.
    pub fn identifiers(
        &self,
        number: SessionNumber,
        copy: u8,
    ) -> Result<Option<SmallVec<[u32; 4]>>, RecordError> {
        if self.identifiers.is_some() || !self.has_lists() {
            return Ok(self.identifiers.clone());
        }
        let more = self.more()?;
        let target = more.as_ref().and_then(|more| more.session(number, copy));
        Ok(Some(target.map(|target| target.identifiers.clone()).unwrap_or_default()))
    }

    /// What else its commit changes.
    ///
    /// # Errors
    /// That block of the body is not legal.
    pub fn more(&self) -> Result<Option<MoreTargets>, RecordError> {
        match self.body.as_ref().get(self.more.clone()) {
            Some(block) if !block.is_empty() => {
                let version = self.body.as_ref().first().copied().unwrap_or_default();
                let layout = MoreLayout {
                    relocates_last: version == VERSION_RELOCATED,
                    says_generations: version >= VERSION_REKEYED,
                };
                MoreTargets::decode(block, layout).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What the message counts towards a queue's byte limit: payload, topic, properties and 64 (contract §3).
    pub fn counted_bytes(&self) -> u32 {
        u32::try_from(self.message.len() + 64).unwrap_or(u32::MAX)
    }

    /// When its own time runs out, in milliseconds since 1970.
    fn expires_ms(&self) -> Option<u64> {
        let body = self.body.as_ref();
        let expires = body.get(1).is_some_and(|flags| flags & FLAG_EXPIRY != 0);
        let interval = body.get(16..20).and_then(|bytes| bytes.try_into().ok());
        let seconds = u32::from_le_bytes(interval.filter(|_| expires)?);
        Some(self.received_at_ms().saturating_add(u64::from(seconds) * 1000))
    }

    /// What a queue is told of the message.
    pub fn new_message(
        &self,
        at: Position,
        sink: SinkId,
        more: Option<&MoreTargets>,
    ) -> NewMessage {
        let (size, stored) = (self.counted_bytes(), UnixMillis(self.received_at_ms()));
        let mut message = NewMessage::new(StoredAt(at.as_u64()), size, stored);
        message.expires = self.expires_ms().map(UnixMillis);
        if let Some(more) = more {
            more.describe(sink, &mut message);
        }
        message
    }

    /// When the broker took the message, in milliseconds since 1970.
    pub fn received_at_ms(&self) -> u64 {
        let bytes = self.body.as_ref().get(8..16).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.unwrap_or_default())
    }

    /// What it says about the retained message of its topic.
    pub fn kept(&self, at: Position) -> Result<(TopicName<'_>, Kept), RecordError> {
        let message = self.body.as_ref().get(self.message.clone()).unwrap_or_default();
        let mut reader = Reader { record: "publish", rest: self.body.as_ref() };
        reader.u8()?;
        let expires = reader.u8()? & FLAG_EXPIRY != 0;
        let topic_len = usize::from(reader.u16()?);
        let properties_len = reader.u32()? as usize;
        let received_at_ms = reader.u64()?;
        let expiry_ms = u64::from(reader.u32()?) * 1000;
        let illegal = || reader.error("its topic is not legal");
        let topic = message.get(..topic_len).ok_or_else(illegal)?;
        let topic = std::str::from_utf8(topic).map_err(|_| illegal())?;
        let topic = TopicName::new(topic).map_err(|_| illegal())?;
        let is_removal = message.len() <= topic_len.saturating_add(properties_len);
        let kept = Kept {
            at: (!is_removal).then_some(at),
            size: u32::try_from(message.len()).unwrap_or(u32::MAX),
            due_ms: if expires { received_at_ms.saturating_add(expiry_ms).max(1) } else { 0 },
        };
        Ok((topic, kept))
    }

    fn message_of(&self, bytes: Bytes) -> Result<Message, RecordError> {
        let mut reader = Reader { record: "publish", rest: self.body.as_ref() };
        reader.u8()?;
        let flags = reader.u8()?;
        let topic_len = reader.u16()?;
        let properties_len = reader.u32()?;
        let received_at_ms = reader.u64()?;
        let expiry = reader.u32()?;
        let head = MessageHead {
            qos: QoS::from_u8(flags & 0b11).ok_or_else(|| reader.error("its QoS is 3"))?,
            retain: flags & FLAG_RETAIN != 0,
            received_at_ms,
            expiry_interval: (flags & FLAG_EXPIRY != 0).then_some(expiry),
        };
        Message::from_bytes(head, topic_len, properties_len, bytes)
            .ok_or_else(|| reader.error("its lengths do not fit its bytes"))
    }
}

impl PublishRecord<Bytes> {
    /// The message, sharing the record's bytes.
    ///
    /// # Errors
    /// Its lengths, its QoS or its topic are not legal.
    pub fn message(&self) -> Result<Message, RecordError> {
        self.message_of(self.body.slice(self.message.clone()))
    }
}

impl PublishRecord<&[u8]> {
    /// The message, with bytes of its own.
    pub(crate) fn copy_message(&self) -> Result<Message, RecordError> {
        self.message_of(Bytes::copy_from_slice(
            self.body.get(self.message.clone()).unwrap_or_default(),
        ))
    }
}

/// Takes a length off the reader, and as many bytes of the body.
/// What a stream is told of a message that a queue is told so of.
#[must_use]
pub const fn stream_message(message: &NewMessage) -> stream_engine::NewMessage {
    let NewMessage { at, size, stored, key, key_generation, expires, .. } = *message;
    stream_engine::NewMessage { at, size, stored, key, key_generation, expires }
}

fn take_list(
    bytes: &[u8],
    reader: &mut Reader<'_>,
    len: impl FnOnce(&mut Reader<'_>) -> Result<usize, RecordError>,
) -> Result<Range<usize>, RecordError> {
    let len = len(reader)?;
    let start = bytes.len() - reader.rest.len();
    reader.bytes(len)?;
    Ok(start..start + len)
}

/// Appends the body of a record in one piece.
pub fn encode_publish(
    out: &mut Vec<u8>,
    head: &MessageHead,
    targets: Targets<'_>,
    topic: &str,
    properties: &[u8],
    payload: &[u8],
) {
    let Targets { sinks, more } = targets;
    let version = match more {
        None => VERSION_PLAIN,
        Some(more) if more.layout().relocates_last => VERSION_RELOCATED,
        Some(more) if more.layout().says_generations => VERSION_REKEYED,
        Some(more) if more.passed_on().next().is_some() => VERSION_PASSED_ON,
        Some(_) => VERSION_MORE,
    };
    out.reserve(HEAD_BYTES + sinks.len() * 4 + topic.len() + properties.len() + payload.len());
    out.extend_from_slice(&start(version, head, topic, properties));
    out.extend_from_slice(&(sinks.len() as u16).to_le_bytes());
    put_sinks(out, sinks);
    if let Some(more) = more {
        put_more(out, more);
    }
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(properties);
    out.extend_from_slice(payload);
}

/// Appends the head of a record in two: the message, and what all sessions have in common.
pub fn encode_publish_head(
    out: &mut Vec<u8>,
    head: &MessageHead,
    targets: Targets<'_>,
    topic: &str,
    properties: &[u8],
    payload: &[u8],
) {
    let message_len = topic.len() + properties.len() + payload.len();
    let says_generations = targets.more.is_some_and(|more| more.layout().says_generations);
    let version = if says_generations { VERSION_REKEYED_IN_TWO } else { VERSION_IN_TWO };
    out.extend_from_slice(&start(version, head, topic, properties));
    out.extend_from_slice(&(message_len as u32).to_le_bytes());
    match targets.common_identifiers() {
        Some(identifiers) => {
            out.push(identifiers.len() as u8);
            for identifier in identifiers {
                put_varint(out, u64::from(*identifier));
            }
        }
        None => out.push(IDENTIFIERS_DIFFER),
    }
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(properties);
    out.extend_from_slice(payload);
}

/// Appends the rest of a record in two: who takes the message.
pub fn encode_publish_lists(out: &mut Vec<u8>, targets: Targets<'_>) {
    out.extend_from_slice(&(targets.sinks.len() as u32).to_le_bytes());
    put_sinks(out, targets.sinks);
    match targets.more {
        Some(more) => put_more(out, more),
        None => out.extend_from_slice(&[0; 4]),
    }
}

fn start(version: u8, head: &MessageHead, topic: &str, properties: &[u8]) -> [u8; START_BYTES] {
    let mut flags = head.qos.as_u8();
    flags |= if head.retain { FLAG_RETAIN } else { 0 };
    flags |= if head.expiry_interval.is_some() { FLAG_EXPIRY } else { 0 };
    let mut start = [0_u8; START_BYTES];
    start[0] = version;
    start[1] = flags;
    start[2..4].copy_from_slice(&(topic.len() as u16).to_le_bytes());
    start[4..8].copy_from_slice(&(properties.len() as u32).to_le_bytes());
    start[8..16].copy_from_slice(&head.received_at_ms.to_le_bytes());
    start[16..20].copy_from_slice(&head.expiry_interval.unwrap_or(0).to_le_bytes());
    start
}

fn put_sinks(out: &mut Vec<u8>, sinks: &[SinkId]) {
    for sink in sinks {
        out.extend_from_slice(&sink.0.to_le_bytes());
    }
}

fn put_more(out: &mut Vec<u8>, more: &MoreTargets) {
    let len_at = out.len();
    out.extend_from_slice(&[0; 4]);
    more.encode(out);
    let len = (out.len() - len_at - 4) as u32;
    if let Some(place) = out.get_mut(len_at..len_at + 4) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::SinkKey;

    fn more() -> MoreTargets {
        MoreTargets {
            retained: Some(99),
            sessions: vec![SessionTarget {
                number: SessionNumber(77),
                qos: QoS::AtLeastOnce,
                retain: true,
                identifiers: [5, 300].into_iter().collect(),
                shared: None,
                in_place_of: None,
            }],
            ..MoreTargets::default()
        }
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let head = MessageHead {
            qos: QoS::ExactlyOnce,
            retain: true,
            received_at_ms: 77,
            expiry_interval: Some(9),
        };
        let sinks = [SinkId(3), SinkId(9)];
        let more = more();
        for (version, more) in [(1, None), (2, Some(&more))] {
            let mut body = Vec::new();
            let targets = Targets { sinks: &sinks, more };
            encode_publish(&mut body, &head, targets, "a/b", &[1, 1], b"payload");
            assert_eq!(body[0], version);
            let record = PublishRecord::decode(&body[..]).expect("legal");
            assert_eq!(record.copy_message().expect("legal").payload(), b"payload");
            let record = PublishRecord::decode(Bytes::from(body)).expect("legal");
            assert_eq!(record.sinks().collect::<Vec<_>>(), sinks);
            assert_eq!(record.more().expect("legal").as_ref(), more);
            assert_eq!(record.counted_bytes(), 3 + 2 + 7 + 64);
            assert_eq!(record.received_at_ms(), 77);
            let message = record.message().expect("legal");
            assert_eq!(
                (message.topic(), message.properties(), message.payload()),
                ("a/b", &[1, 1][..], &b"payload"[..])
            );
            assert_eq!(message.head(), &head);
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_refused_or_shorter_in_payload_only() {
        let more = more();
        for more in [None, Some(&more)] {
            let mut body = Vec::new();
            let targets = Targets { sinks: &[SinkId(1)], more };
            encode_publish(&mut body, &MessageHead::default(), targets, "topic", &[], b"");
            for cut in 0..body.len() {
                let cut = Bytes::copy_from_slice(&body[..cut]);
                let read = PublishRecord::decode(cut).and_then(|record| record.message());
                assert!(read.is_err());
            }
        }
    }

    fn many(identifiers: impl Fn(u32) -> Vec<u32>) -> MoreTargets {
        let target = |number| SessionTarget {
            number: SessionNumber(u64::from(number)),
            qos: QoS::AtLeastOnce,
            retain: false,
            identifiers: identifiers(number).into(),
            shared: None,
            in_place_of: None,
        };
        MoreTargets { sessions: (1..100).map(target).collect(), ..MoreTargets::default() }
    }

    fn in_two(targets: Targets<'_>) -> (Vec<u8>, usize) {
        assert!(targets.are_many());
        let head =
            MessageHead { qos: QoS::AtLeastOnce, received_at_ms: 5, ..MessageHead::default() };
        let mut body = Vec::new();
        encode_publish_head(&mut body, &head, targets, "a/b", &[1, 1], b"payload");
        let head_len = body.len();
        encode_publish_lists(&mut body, targets);
        (body, head_len)
    }

    #[test]
    fn a_message_for_many_comes_out_of_the_head_and_of_the_whole() {
        let more = many(|_| Vec::new());
        let (few, sinks) = ([SinkId(3)], (0..200).map(SinkId).collect::<Vec<_>>());
        let key = SinkKey { sink: SinkId(3), key: 7, generation: 9 };
        let rekeyed = MoreTargets { keys: [key].into_iter().collect(), ..more.clone() };
        for targets in [
            Targets { sinks: &few, more: Some(&more) },
            Targets { sinks: &few, more: Some(&rekeyed) },
            Targets { sinks: &sinks, more: Some(&more) },
            Targets { sinks: &sinks, more: None },
        ] {
            let (body, head_len) = in_two(targets);
            let (body, head) =
                (Bytes::from(body.clone()), Bytes::copy_from_slice(&body[..head_len]));
            assert!(PublishRecord::decode(head.clone()).is_err(), "a head is no record");
            let whole = PublishRecord::decode(body).expect("legal");
            assert!(whole.sinks().eq(targets.sinks.iter().copied()));
            assert_eq!(whole.more().expect("legal").as_ref(), targets.more);
            let head = PublishRecord::decode_head(head).expect("legal");
            assert_eq!(head.sinks().count(), 0);
            assert_eq!(head.more(), Ok(None));
            for record in [whole, head] {
                assert_eq!(record.counted_bytes(), 3 + 2 + 7 + 64);
                assert_eq!(record.received_at_ms(), 5);
                let message = record.message().expect("legal");
                let parts = (message.topic(), message.properties(), message.payload());
                assert_eq!(parts, ("a/b", &[1, 1][..], &b"payload"[..]));
                let at = Position::new(1, 64);
                let kept = Kept { at: Some(at), size: 12, due_ms: 0 };
                assert_eq!(record.kept(at).map(|(_, kept)| kept), Ok(kept));
            }
        }
    }

    #[test]
    fn a_head_has_the_identifiers_that_all_have_in_common() {
        let number = SessionNumber(7);
        let of = |more: &MoreTargets| {
            let (body, head_len) = in_two(Targets { sinks: &[], more: Some(more) });
            let whole = PublishRecord::decode(&body[..]).expect("legal").identifiers(number, 0);
            let head = PublishRecord::decode_head(&body[..head_len]).expect("legal");
            (head.identifiers(number, 0).expect("legal"), whole.expect("legal"))
        };
        let some = |identifiers: &[u32]| Some(SmallVec::from_slice(identifiers));
        assert_eq!(of(&many(|_| vec![5, 300])), (some(&[5, 300]), some(&[5, 300])));
        // Those without are not asked about.
        let odd = |number| if number % 2 == 1 { vec![9] } else { Vec::new() };
        assert_eq!(of(&many(odd)), (some(&[9]), some(&[9])));
        assert_eq!(of(&many(|number| vec![number])), (None, some(&[7])));
        let long = (1..=255).collect::<Vec<_>>();
        assert_eq!(of(&many(|_| long.clone())), (None, some(&long)));
    }

    #[test]
    fn a_body_in_two_is_fixed_and_refused_when_it_is_cut() {
        let sinks = (0..64).map(SinkId).collect::<Vec<_>>();
        let (body, head_len) = in_two(Targets { sinks: &sinks, more: None });
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let start = "030103000200000005000000000000000000000";
        let head = start.to_owned() + "00c00000000612f6201017061796c6f6164";
        assert_eq!(hex(&body[..head_len]), head);
        assert_eq!(hex(&body[head_len..head_len + 12]), "400000000000000001000000");
        assert_eq!(body.len() - head_len, 4 + 64 * 4 + 4);
        for cut in 0..body.len() {
            let cut = &body[..cut];
            assert!(PublishRecord::decode(cut).is_err(), "cut at {}", cut.len());
            let head = PublishRecord::decode_head(cut);
            assert_eq!(head.is_ok(), cut.len() == head_len, "cut at {}", cut.len());
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let mut body = Vec::new();
        encode_publish(&mut body, &MessageHead::default(), Targets::default(), "t", &[], b"");
        body[0] = VERSION_REKEYED_IN_TWO + 1;
        let error = PublishRecord::decode(Bytes::from(body)).err().expect("refused");
        assert!(error.to_string().contains("newer version"));
    }
}
