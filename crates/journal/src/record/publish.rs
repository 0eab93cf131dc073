//! The record of one message and of all that take it.

use std::ops::Range;

use bytes::Bytes;
use log_api::Position;
use mqtt_router::SinkId;
use mqtt_types::{Message, MessageHead, QoS, TopicName};
use queue_engine::{NewMessage, StoredAt};
use stdx::UnixMillis;

use super::codec::{Reader, RecordError};
use super::targets::MoreTargets;

/// Written when only queues take the message.
const VERSION_PLAIN: u8 = 1;
/// With a block of more targets than queues.
const VERSION_MORE: u8 = 2;
const FLAG_RETAIN: u8 = 0b0000_0100;
const FLAG_EXPIRY: u8 = 0b0000_1000;
const HEAD_BYTES: usize = 22;

/// Who takes a message, and what its commit changes.
#[derive(Clone, Copy, Default)]
pub struct Targets<'a> {
    /// The queues.
    pub sinks: &'a [SinkId],
    /// What else there is, which is rare.
    pub more: Option<&'a MoreTargets>,
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
/// | received_at_ms u64 | expiry_interval u32 | sinks u16 | sink u32 ...
/// | version 2: more_len u32 | more | topic | properties | payload
/// ```
pub struct PublishRecord<B = Bytes> {
    body: B,
    sinks: u16,
    more: Range<usize>,
    /// Where the topic begins.
    message_at: usize,
}

impl<B: AsRef<[u8]>> PublishRecord<B> {
    /// Takes a body of that kind.
    ///
    /// # Errors
    /// It is not legal, or of a newer version.
    pub fn decode(body: B) -> Result<Self, RecordError> {
        let bytes = body.as_ref();
        let mut reader = Reader { record: "publish", rest: bytes };
        let version = reader.version(VERSION_MORE)?;
        reader.bytes(19)?;
        let sinks = reader.u16()?;
        reader.bytes(usize::from(sinks) * 4)?;
        let more_len = if version == VERSION_MORE { reader.u32()? as usize } else { 0 };
        let more_at = bytes.len() - reader.rest.len();
        reader.bytes(more_len)?;
        let message_at = more_at + more_len;
        Ok(Self { body, sinks, more: more_at..message_at, message_at })
    }

    /// The queues that take the message.
    pub fn sinks(&self) -> impl Iterator<Item = SinkId> + '_ {
        let list = self.body.as_ref().get(HEAD_BYTES..).unwrap_or_default();
        let (numbers, _) = list.as_chunks::<4>();
        numbers
            .iter()
            .take(usize::from(self.sinks))
            .map(|number| SinkId(u32::from_le_bytes(*number)))
    }

    /// What else its commit changes.
    ///
    /// # Errors
    /// That block of the body is not legal.
    pub fn more(&self) -> Result<Option<MoreTargets>, RecordError> {
        match self.body.as_ref().get(self.more.clone()) {
            Some(block) if !block.is_empty() => MoreTargets::decode(block).map(Some),
            _ => Ok(None),
        }
    }

    /// What the message counts towards a queue's byte limit: payload, topic, properties and 64 (contract §3).
    pub fn counted_bytes(&self) -> u32 {
        let message = self.body.as_ref().len().saturating_sub(self.message_at);
        u32::try_from(message + 64).unwrap_or(u32::MAX)
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
        let message = self.body.as_ref().get(self.message_at..).unwrap_or_default();
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
        self.message_of(self.body.slice(self.message_at..))
    }
}

impl PublishRecord<&[u8]> {
    /// The message, with bytes of its own.
    pub(crate) fn copy_message(&self) -> Result<Message, RecordError> {
        self.message_of(Bytes::copy_from_slice(
            self.body.get(self.message_at..).unwrap_or_default(),
        ))
    }
}

/// Appends the body of a record.
pub fn encode_publish(
    out: &mut Vec<u8>,
    head: &MessageHead,
    targets: Targets<'_>,
    topic: &str,
    properties: &[u8],
    payload: &[u8],
) {
    let Targets { sinks, more } = targets;
    let mut flags = head.qos.as_u8();
    flags |= if head.retain { FLAG_RETAIN } else { 0 };
    flags |= if head.expiry_interval.is_some() { FLAG_EXPIRY } else { 0 };
    let mut start = [0_u8; HEAD_BYTES];
    start[0] = if more.is_some() { VERSION_MORE } else { VERSION_PLAIN };
    start[1] = flags;
    start[2..4].copy_from_slice(&(topic.len() as u16).to_le_bytes());
    start[4..8].copy_from_slice(&(properties.len() as u32).to_le_bytes());
    start[8..16].copy_from_slice(&head.received_at_ms.to_le_bytes());
    start[16..20].copy_from_slice(&head.expiry_interval.unwrap_or(0).to_le_bytes());
    start[20..22].copy_from_slice(&(sinks.len() as u16).to_le_bytes());
    out.reserve(HEAD_BYTES + sinks.len() * 4 + topic.len() + properties.len() + payload.len());
    out.extend_from_slice(&start);
    for sink in sinks {
        out.extend_from_slice(&sink.0.to_le_bytes());
    }
    if let Some(more) = more {
        let len_at = out.len();
        out.extend_from_slice(&[0; 4]);
        more.encode(out);
        let len = (out.len() - len_at - 4) as u32;
        if let Some(place) = out.get_mut(len_at..len_at + 4) {
            place.copy_from_slice(&len.to_le_bytes());
        }
    }
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(properties);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::super::targets::SessionTarget;
    use super::*;
    use crate::ids::SessionNumber;

    fn more() -> MoreTargets {
        MoreTargets {
            retained: Some(99),
            sessions: vec![SessionTarget {
                number: SessionNumber(77),
                qos: QoS::AtLeastOnce,
                retain: true,
                identifiers: [5, 300].into_iter().collect(),
                shared: None,
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

    #[test]
    fn a_newer_version_is_refused() {
        let mut body = Vec::new();
        encode_publish(&mut body, &MessageHead::default(), Targets::default(), "t", &[], b"");
        body[0] = 3;
        let error = PublishRecord::decode(Bytes::from(body)).err().expect("refused");
        assert!(error.to_string().contains("newer version"));
    }
}
