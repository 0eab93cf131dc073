//! What a decoder is told about the connection: its limits and who speaks.

/// Who sent the bytes that are decoded; some rules bind one side only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Peer {
    /// A client sent them: the decoder is a server's.
    #[default]
    Client,
    /// A server sent them: the decoder is a client's.
    Server,
}

/// The limits a decoder keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The largest packet taken, fixed header included, in bytes. Default 1 MiB.
    pub max_packet_size: u32,
    /// The most levels of a topic name or filter. Default 128.
    pub max_topic_levels: u16,
    /// The longest topic name, in bytes. Default as long as MQTT can express. Filters are for the SUBACK to answer.
    pub max_topic_length: u16,
    /// Whether a topic filter that breaks `[MQTT-4.7.1-1]`, `[MQTT-4.7.1-2]` or §4.8.2, or is too deep, is an error. Default yes; a
    /// server that would rather answer it in the SUBACK says no and checks each filter itself.
    pub check_filters: bool,
    /// Who sends what is decoded. Default a client.
    pub from: Peer,
}

impl Limits {
    /// The largest packet that MQTT can express: five bytes of fixed header and 268,435,455 more.
    pub const MAX_PACKET_SIZE: u32 = 268_435_460;

    /// The same limits for packets that `from` sends.
    #[must_use]
    pub const fn from(self, from: Peer) -> Self {
        Self { from, ..self }
    }

    /// Whether a topic has too many levels; a text shorter than the limit cannot, which spares the count.
    #[inline]
    pub(crate) fn is_too_deep(&self, topic: &str) -> bool {
        let limit = usize::from(self.max_topic_levels);
        topic.len() >= limit && memchr::memchr_iter(b'/', topic.as_bytes()).count() >= limit
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet_size: 1024 * 1024,
            max_topic_levels: 128,
            max_topic_length: u16::MAX,
            check_filters: true,
            from: Peer::Client,
        }
    }
}
