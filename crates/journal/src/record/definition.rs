//! The records that define and delete queues.

use std::time::Duration;

use mqtt_router::SinkId;
use queue_engine::{DispatchStrategy, QueueConfig};

use super::codec::{Reader, RecordError, put_text};
use crate::queue::{QueueDefinition, engine_config, owner_of};

const VERSION: u8 = 1;
const FLAG_PAUSED: u8 = 1;
const FLAG_BOUND: u8 = 2;
const FLAG_DROPS_DEAD_LETTERS: u8 = 4;

/// A queue as it is defined. A later record of the same sink replaces an earlier one.
///
/// ```text
/// version u8 | sink u32 | flags u8 (paused 0, bound 1, drops dead letters 2) | strategy u8 | max_inflight u32 | max_attempts u32
/// | ack_timeout_ms u64 | retry_delay_ms u64 | retry_delay_max_ms u64 | created_at_ms u64
/// | name (u16 + bytes) | topic filter (u16 + bytes, empty when not bound)
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct DefinitionRecord {
    /// The queue's number in routes and records.
    pub sink: SinkId,
    /// Its name.
    pub name: String,
    /// What it is bound to; `None` is bound to nothing.
    pub topic_filter: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Its properties.
    pub config: QueueConfig,
    /// Whether a message that is given up is dropped and counted; else it is never given up.
    pub drops_dead_letters: bool,
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl DefinitionRecord {
    /// The record of a definition.
    pub fn of(definition: &QueueDefinition) -> Self {
        Self {
            sink: definition.sink,
            name: definition.name.to_string(),
            topic_filter: definition.topic_filter.as_deref().map(str::to_owned),
            created_at_ms: definition.created_at_ms,
            config: definition.config.clone(),
            drops_dead_letters: definition.drops_dead_letters,
        }
    }

    /// The definition, with the owner among so many shards.
    pub fn into_definition(self, shards: u16) -> QueueDefinition {
        QueueDefinition {
            sink: self.sink,
            name: self.name.into(),
            topic_filter: self.topic_filter.map(Into::into),
            owner: owner_of(self.sink, shards),
            created_at_ms: self.created_at_ms,
            config: self.config,
            drops_dead_letters: self.drops_dead_letters,
        }
    }

    /// What the queue's engine goes by.
    pub(crate) fn engine_config(&self) -> QueueConfig {
        engine_config(&self.config, self.drops_dead_letters)
    }

    /// Appends the body of the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = if self.config.paused { FLAG_PAUSED } else { 0 };
        flags |= if self.topic_filter.is_some() { FLAG_BOUND } else { 0 };
        flags |= if self.drops_dead_letters { FLAG_DROPS_DEAD_LETTERS } else { 0 };
        out.push(VERSION);
        out.extend_from_slice(&self.sink.0.to_le_bytes());
        out.push(flags);
        out.push(self.config.dispatch_strategy.number());
        out.extend_from_slice(&self.config.max_inflight.to_le_bytes());
        out.extend_from_slice(&self.config.max_attempts.to_le_bytes());
        out.extend_from_slice(&milliseconds(self.config.ack_timeout).to_le_bytes());
        out.extend_from_slice(&milliseconds(self.config.retry_delay).to_le_bytes());
        out.extend_from_slice(&milliseconds(self.config.retry_delay_max).to_le_bytes());
        out.extend_from_slice(&self.created_at_ms.to_le_bytes());
        put_text(out, &self.name);
        put_text(out, self.topic_filter.as_deref().unwrap_or_default());
    }

    /// Takes such a body.
    ///
    /// # Errors
    /// It is not legal, or of a newer version.
    pub fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader { record: "queue definition", rest: body };
        reader.version(VERSION)?;
        let sink = SinkId(reader.u32()?);
        let flags = reader.u8()?;
        let strategy = reader.u8()?;
        let dispatch_strategy = DispatchStrategy::from_number(strategy)
            .ok_or_else(|| reader.error("its dispatch strategy is unknown"))?;
        let config = QueueConfig {
            dispatch_strategy,
            paused: flags & FLAG_PAUSED != 0,
            max_inflight: reader.u32()?,
            max_attempts: reader.u32()?,
            ack_timeout: Duration::from_millis(reader.u64()?),
            retry_delay: Duration::from_millis(reader.u64()?),
            retry_delay_max: Duration::from_millis(reader.u64()?),
            ..QueueConfig::default()
        };
        let created_at_ms = reader.u64()?;
        let name = reader.text()?.to_owned();
        let filter = reader.text()?.to_owned();
        let topic_filter = (flags & FLAG_BOUND != 0).then_some(filter);
        let drops_dead_letters = flags & FLAG_DROPS_DEAD_LETTERS != 0;
        Ok(Self { sink, name, topic_filter, created_at_ms, config, drops_dead_letters })
    }
}

/// Appends the body of a record that deletes a queue: `version u8 | sink u32`.
pub fn encode_deleted(out: &mut Vec<u8>, sink: SinkId) {
    out.push(VERSION);
    out.extend_from_slice(&sink.0.to_le_bytes());
}

/// Takes a body of that kind.
///
/// # Errors
/// It is not legal, or of a newer version.
pub fn decode_deleted(body: &[u8]) -> Result<SinkId, RecordError> {
    let mut reader = Reader { record: "queue deletion", rest: body };
    reader.version(VERSION)?;
    reader.u32().map(SinkId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_comes_out_as_it_went_in() {
        for topic_filter in [None, Some("sensor/+/data".to_owned())] {
            let record = DefinitionRecord {
                sink: SinkId(5),
                name: "billing".to_owned(),
                topic_filter,
                created_at_ms: 99,
                config: QueueConfig { paused: true, max_inflight: 3, ..QueueConfig::default() },
                drops_dead_letters: true,
            };
            let mut body = Vec::new();
            record.encode(&mut body);
            assert_eq!(DefinitionRecord::decode(&body), Ok(record));
            for cut in 0..body.len() {
                assert!(DefinitionRecord::decode(&body[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_deletion_comes_out_as_it_went_in() {
        let mut body = Vec::new();
        encode_deleted(&mut body, SinkId(u32::MAX));
        assert_eq!(decode_deleted(&body), Ok(SinkId(u32::MAX)));
        assert!(decode_deleted(&body[..4]).is_err());
    }
}
