//! The record of one message and the queues that take it.

use bytes::Bytes;
use mqtt_router::SinkId;
use mqtt_types::{Message, MessageHead, QoS};

use super::codec::{Reader, RecordError};

const VERSION: u8 = 1;
const FLAG_RETAIN: u8 = 0b0000_0100;
const FLAG_EXPIRY: u8 = 0b0000_1000;
const HEAD_BYTES: usize = 22;

/// A stored message. Written once, however many queues take it.
///
/// ```text
/// version u8 | flags u8 (QoS in bits 0-1, RETAIN 2, has expiry 3) | topic_len u16 | properties_len u32
/// | received_at_ms u64 | expiry_interval u32 | sinks u16 | sink u32 ... | topic | properties | payload
/// ```
pub(crate) struct PublishRecord<B = Bytes> {
    body: B,
    sinks: u16,
}

impl<'a> PublishRecord<&'a [u8]> {
    /// Looks at a body of that kind without keeping it.
    pub(crate) fn view(body: &'a [u8]) -> Result<Self, RecordError> {
        let sinks = sinks_of(body)?;
        Ok(Self { body, sinks })
    }
}

/// Checks the head of a body and gives its number of sinks.
fn sinks_of(body: &[u8]) -> Result<u16, RecordError> {
    let mut reader = Reader { record: "publish", rest: body };
    reader.version(VERSION)?;
    reader.bytes(19)?;
    let sinks = reader.u16()?;
    reader.bytes(usize::from(sinks) * 4)?;
    Ok(sinks)
}

impl PublishRecord {
    /// Appends the body of a record.
    pub(crate) fn encode(
        out: &mut Vec<u8>,
        head: &MessageHead,
        sinks: &[SinkId],
        topic: &str,
        properties: &[u8],
        payload: &[u8],
    ) {
        let mut flags = head.qos.as_u8();
        flags |= if head.retain { FLAG_RETAIN } else { 0 };
        flags |= if head.expiry_interval.is_some() { FLAG_EXPIRY } else { 0 };
        let mut start = [0_u8; HEAD_BYTES];
        start[0] = VERSION;
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
        out.extend_from_slice(topic.as_bytes());
        out.extend_from_slice(properties);
        out.extend_from_slice(payload);
    }

    /// Takes a body of that kind.
    pub(crate) fn decode(body: Bytes) -> Result<Self, RecordError> {
        let sinks = sinks_of(&body)?;
        Ok(Self { body, sinks })
    }
}

impl<B: AsRef<[u8]>> PublishRecord<B> {
    /// The queues that take the message.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = SinkId> + '_ {
        let list = self.body.as_ref().get(HEAD_BYTES..).unwrap_or_default();
        let (numbers, _) = list.as_chunks::<4>();
        numbers
            .iter()
            .take(usize::from(self.sinks))
            .map(|number| SinkId(u32::from_le_bytes(*number)))
    }

    /// What the message counts towards a queue's byte limit: payload, topic, properties and 64 (contract §3).
    pub(crate) fn counted_bytes(&self) -> u32 {
        let message =
            self.body.as_ref().len().saturating_sub(HEAD_BYTES + usize::from(self.sinks) * 4);
        u32::try_from(message + 64).unwrap_or(u32::MAX)
    }

    /// When the broker took the message, in milliseconds since 1970.
    pub(crate) fn received_at_ms(&self) -> u64 {
        let bytes = self.body.as_ref().get(8..16).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.unwrap_or_default())
    }
}

impl PublishRecord {
    /// The message, sharing the record's bytes.
    pub(crate) fn message(&self) -> Result<Message, RecordError> {
        let mut reader = Reader { record: "publish", rest: &self.body };
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
        let bytes = self.body.slice(HEAD_BYTES + usize::from(self.sinks) * 4..);
        Message::from_bytes(head, topic_len, properties_len, bytes)
            .ok_or_else(|| reader.error("its lengths do not fit its bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let head = MessageHead {
            qos: QoS::ExactlyOnce,
            retain: true,
            received_at_ms: 77,
            expiry_interval: Some(9),
        };
        let mut body = Vec::new();
        PublishRecord::encode(
            &mut body,
            &head,
            &[SinkId(3), SinkId(9)],
            "a/b",
            &[1, 1],
            b"payload",
        );
        let record = PublishRecord::decode(Bytes::from(body)).expect("legal");
        assert_eq!(record.sinks().collect::<Vec<_>>(), [SinkId(3), SinkId(9)]);
        assert_eq!(record.counted_bytes(), 3 + 2 + 7 + 64);
        assert_eq!(record.received_at_ms(), 77);
        let message = record.message().expect("legal");
        assert_eq!(
            (message.topic(), message.properties(), message.payload()),
            ("a/b", &[1, 1][..], &b"payload"[..])
        );
        assert_eq!(message.head(), &head);
    }

    #[test]
    fn a_body_cut_anywhere_is_refused_or_shorter_in_payload_only() {
        let mut body = Vec::new();
        PublishRecord::encode(&mut body, &MessageHead::default(), &[SinkId(1)], "topic", &[], b"");
        for cut in 0..body.len() {
            let cut = Bytes::copy_from_slice(&body[..cut]);
            let read = PublishRecord::decode(cut).and_then(|record| record.message());
            assert!(read.is_err());
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let mut body = Vec::new();
        PublishRecord::encode(&mut body, &MessageHead::default(), &[], "t", &[], b"");
        body[0] = 2;
        let error = PublishRecord::decode(Bytes::from(body)).err().expect("refused");
        assert!(error.to_string().contains("newer version"));
    }
}
