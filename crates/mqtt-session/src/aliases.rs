//! Topic aliases, those the client sets and those the server sets. It must not know packets or limits of others.

use mqtt_types::ReasonCode;

/// A topic shorter than this is sent as it is: the alias property takes three bytes itself.
const TOPIC_BYTES_MIN: usize = 4;

/// What the topics of the aliases that the server sets may come to: the client decides which messages it gets, and with
/// them how long they are.
const OUTGOING_BYTES_MAX: usize = 4096;

/// The aliases that the client set on this connection.
#[derive(Debug, Default)]
pub(crate) struct IncomingAliases {
    topics: Vec<String>,
}

impl IncomingAliases {
    /// Sets or looks up an alias that was checked against the maximum.
    pub(crate) fn resolve<'a>(
        &'a mut self,
        topic: &'a str,
        alias: u16,
    ) -> Result<&'a str, ReasonCode> {
        let index = usize::from(alias).checked_sub(1).ok_or(ReasonCode::TOPIC_ALIAS_INVALID)?;
        if topic.is_empty() {
            // An alias that was never set: a protocol error (§3.3.2.3.4).
            let known = self.topics.get(index).filter(|topic| !topic.is_empty());
            return known.map(String::as_str).ok_or(ReasonCode::PROTOCOL_ERROR);
        }
        if self.topics.len() <= index {
            self.topics.resize_with(index + 1, String::new);
        }
        if let Some(known) = self.topics.get_mut(index)
            && known != topic
        {
            known.clear();
            known.push_str(topic);
        }
        Ok(topic)
    }

    /// What the topics take.
    pub(crate) fn bytes(&self) -> usize {
        self.topics.iter().map(|topic| topic.capacity() + size_of::<String>()).sum()
    }
}

/// How to name the topic of an outgoing PUBLISH.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutgoingAlias {
    /// By the topic alone.
    None,
    /// By the topic and this alias, which the client learns from it (§3.3.2.3.4).
    First(u16),
    /// By this alias and an empty topic.
    Known(u16),
}

/// The aliases that the server set on this connection: first come, first kept, so that a stream of ever new topics
/// does not make the client learn a new alias with each message.
#[derive(Debug, Default)]
pub(crate) struct OutgoingAliases {
    /// Hashes apart from the topics, so that a lookup reads a few neighbouring words.
    hashes: Vec<u32>,
    topics: Vec<Box<str>>,
    bytes: usize,
}

impl OutgoingAliases {
    pub(crate) fn name(&mut self, topic: &str, max: u16) -> OutgoingAlias {
        if topic.len() < TOPIC_BYTES_MIN {
            return OutgoingAlias::None;
        }
        let hash = hash(topic.as_bytes());
        let mut slots = self.hashes.iter().zip(&self.topics).zip(1u16..);
        if let Some((_, alias)) =
            slots.find(|((known, text), _)| **known == hash && ***text == *topic)
        {
            return OutgoingAlias::Known(alias);
        }
        match u16::try_from(self.topics.len() + 1) {
            Ok(alias) if alias <= max && self.bytes + topic.len() <= OUTGOING_BYTES_MAX => {
                self.bytes += topic.len();
                self.hashes.push(hash);
                self.topics.push(topic.into());
                OutgoingAlias::First(alias)
            }
            _ => OutgoingAlias::None,
        }
    }

    /// Forgets the newest alias, whose PUBLISH did not go out after all.
    pub(crate) fn retract(&mut self, alias: u16) {
        if usize::from(alias) == self.topics.len() {
            self.hashes.pop();
            self.bytes -= self.topics.pop().map_or(0, |topic| topic.len());
        }
    }
}

/// FNV-1a: short, the same on every run. A client that provokes collisions costs itself a few comparisons.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incoming_aliases_are_set_used_and_replaced() {
        let mut aliases = IncomingAliases::default();
        for (topic, alias, expected) in [
            ("", 2, Err(ReasonCode::PROTOCOL_ERROR)),
            ("a/b", 2, Ok("a/b")),
            ("", 2, Ok("a/b")),
            ("", 1, Err(ReasonCode::PROTOCOL_ERROR)),
            ("c", 2, Ok("c")),
            ("", 2, Ok("c")),
            ("", 0, Err(ReasonCode::TOPIC_ALIAS_INVALID)),
            ("a", 0, Err(ReasonCode::TOPIC_ALIAS_INVALID)),
        ] {
            assert_eq!(aliases.resolve(topic, alias), expected, "{topic} {alias}");
        }
    }

    #[test]
    fn outgoing_aliases_are_given_first_come_up_to_the_maximum() {
        let mut aliases = OutgoingAliases::default();
        for (topic, expected) in [
            ("a", OutgoingAlias::None),
            ("room/1", OutgoingAlias::First(1)),
            ("room/2", OutgoingAlias::First(2)),
            ("room/1", OutgoingAlias::Known(1)),
            ("room/3", OutgoingAlias::None),
            ("room/2", OutgoingAlias::Known(2)),
        ] {
            assert_eq!(aliases.name(topic, 2), expected, "{topic}");
        }
        aliases.retract(2);
        assert_eq!(aliases.name("room/3", 2), OutgoingAlias::First(2));
    }
}
