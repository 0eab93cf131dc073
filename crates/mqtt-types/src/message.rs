//! An application message on its way through the broker.

use bytes::{Bytes, BytesMut};

use crate::{QoS, TopicName};

/// What a message is apart from its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MessageHead {
    /// The QoS it was published with.
    pub qos: QoS,
    /// The RETAIN flag it was published with.
    pub retain: bool,
    /// When the broker took it, in milliseconds since 1970.
    pub received_at_ms: u64,
    /// Its Message Expiry Interval in seconds, counted from `received_at_ms`; the property itself is not in the block.
    pub expiry_interval: Option<u32>,
}

/// An application message. Topic, properties and payload lie one behind the other in one shared buffer, so that a
/// clone is a reference count and a record of the log can be a message without a copy.
///
/// ```text
/// bytes:  topic (topic_len) | property block (properties_len) | payload (the rest)
/// ```
///
/// The property block holds raw MQTT 5.0 PUBLISH properties that a forwarder must pass on unaltered, in their order
/// `[MQTT-3.3.2-18]`: no Topic Alias, no Subscription Identifier, no Message Expiry Interval (see [`MessageHead`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    head: MessageHead,
    topic_len: u16,
    properties_len: u32,
    bytes: Bytes,
}

impl Message {
    /// Copies the parts into one buffer. `None` when the property block does not fit 32 bits.
    #[must_use]
    pub fn new(
        head: MessageHead,
        topic: TopicName<'_>,
        properties: &[u8],
        payload: &[u8],
    ) -> Option<Self> {
        let topic = topic.as_str().as_bytes();
        let mut bytes = BytesMut::with_capacity(topic.len() + properties.len() + payload.len());
        bytes.extend_from_slice(topic);
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload);
        Self::from_bytes(
            head,
            u16::try_from(topic.len()).ok()?,
            u32::try_from(properties.len()).ok()?,
            bytes.freeze(),
        )
    }

    /// Takes a buffer that holds the three parts. `None` when the lengths do not fit it or the topic is not legal.
    #[must_use]
    pub fn from_bytes(
        head: MessageHead,
        topic_len: u16,
        properties_len: u32,
        bytes: Bytes,
    ) -> Option<Self> {
        let topic = bytes.get(..usize::from(topic_len))?;
        TopicName::new(std::str::from_utf8(topic).ok()?).ok()?;
        let body_at = usize::from(topic_len).checked_add(usize::try_from(properties_len).ok()?)?;
        bytes.get(body_at..)?;
        Some(Self { head, topic_len, properties_len, bytes })
    }

    /// What it is apart from its bytes.
    #[must_use]
    pub const fn head(&self) -> &MessageHead {
        &self.head
    }

    /// The topic name.
    #[must_use]
    pub fn topic(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.topic_len)).unwrap_or_default();
        std::str::from_utf8(bytes).expect("the constructor checked that the topic is UTF-8")
    }

    /// The raw property block.
    #[must_use]
    pub fn properties(&self) -> &[u8] {
        let from = usize::from(self.topic_len);
        self.bytes.get(from..from + self.properties_len as usize).unwrap_or_default()
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let from = usize::from(self.topic_len) + self.properties_len as usize;
        self.bytes.get(from..).unwrap_or_default()
    }

    /// The same message with bytes of its own, so that it keeps no larger buffer alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() }
    }

    /// The same message over another owner of the same bytes. Bytes of another length are not taken.
    #[must_use]
    pub fn with_same_bytes(&self, bytes: Bytes) -> Self {
        debug_assert_eq!(bytes, self.bytes);
        if bytes.len() == self.bytes.len() { Self { bytes, ..self.clone() } } else { self.clone() }
    }

    /// Topic, properties and payload as they lie in the buffer.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What is left of the Message Expiry Interval at `now_ms`: `None` without one, `Some(None)` when it has run out,
    /// else the seconds left. `[MQTT-3.3.2-5]`, `[MQTT-3.3.2-6]`
    #[must_use]
    pub fn expiry_left(&self, now_ms: u64) -> Option<Option<u32>> {
        let interval = self.head.expiry_interval?;
        let waited_ms = now_ms.saturating_sub(self.head.received_at_ms);
        let left_ms = (u64::from(interval) * 1000).checked_sub(waited_ms).filter(|left| *left > 0);
        Some(left_ms.map(|left| u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(expiry_interval: Option<u32>) -> Message {
        let head =
            MessageHead { expiry_interval, received_at_ms: 10_000, ..MessageHead::default() };
        let topic = TopicName::new("a/b").expect("legal");
        Message::new(head, topic, &[1, 0], b"payload").expect("small")
    }

    #[test]
    fn the_parts_come_out_as_they_went_in() {
        let message = message(None);
        assert_eq!(message.topic(), "a/b");
        assert_eq!(message.properties(), [1, 0]);
        assert_eq!(message.payload(), b"payload");
    }

    #[test]
    fn lengths_beyond_the_buffer_and_bad_topics_are_refused() {
        let bytes = Bytes::from_static(b"a/b\0");
        assert_eq!(Message::from_bytes(MessageHead::default(), 5, 0, bytes.clone()), None);
        assert_eq!(Message::from_bytes(MessageHead::default(), 3, 2, bytes.clone()), None);
        assert_eq!(Message::from_bytes(MessageHead::default(), 4, 0, bytes.clone()), None);
        assert_eq!(Message::from_bytes(MessageHead::default(), 0, 0, bytes), None);
    }

    #[test]
    fn expiry_counts_down_and_runs_out() {
        assert_eq!(message(None).expiry_left(u64::MAX), None);
        assert_eq!(message(Some(5)).expiry_left(10_000), Some(Some(5)));
        assert_eq!(message(Some(5)).expiry_left(10_001), Some(Some(5)));
        assert_eq!(message(Some(5)).expiry_left(14_999), Some(Some(1)));
        assert_eq!(message(Some(5)).expiry_left(15_000), Some(None));
        assert_eq!(message(Some(0)).expiry_left(10_000), Some(None));
        assert_eq!(message(Some(5)).expiry_left(0), Some(Some(5)));
    }
}
