//! The records that define queues, and that delete queues and streams.

use std::time::Duration;

use key_expression::{KeyExpression, KeySeed};
use log_api::RecordKind;
use mqtt_router::SinkId;
use queue_engine::{DispatchStrategy, Overflow, QueueConfig};

use super::codec::{Reader, RecordError, put_text};
use crate::queue::{DeadLetter, Definition, Durability, QueueProperties, owner_of};

const VERSION: u8 = 3;
/// What is written as long as no other keys were made for what waited.
const VERSION_2: u8 = 2;
const VERSION_DELETED: u8 = 1;
const FLAG_PAUSED: u8 = 1;
const FLAG_BOUND: u8 = 2;
const FLAG_DROPS_DEAD_LETTERS: u8 = 4;
const FLAG_LAST_VALUE: u8 = 8;
const FLAG_DEAD_LETTER_EXPIRED: u8 = 16;
const FLAG_DEAD_LETTER_DROPPED: u8 = 32;
const FLAG_DEAD_LETTER_NAMED: u8 = 64;
const FLAG_DEAD_LETTER_UNKEYED: u8 = 128;

/// Stands for a limit that there is not.
pub(super) const NO_LIMIT: u64 = u64::MAX;

/// What a definition's record defines: the properties of a queue or of a stream.
pub trait Defined: Clone {
    /// The kind of its records.
    const RECORD: RecordKind;

    /// Appends the body of a record.
    fn encode(record: &DefinitionRecord<Self>, out: &mut Vec<u8>);

    /// Takes such a body.
    ///
    /// # Errors
    /// It is not legal, or of a newer version.
    fn decode(body: &[u8]) -> Result<DefinitionRecord<Self>, RecordError>;
}

/// A queue or a stream as it is defined. A later record of the same sink replaces an earlier one.
///
/// This is a queue's; a stream's is drawn where it is written.
///
/// ```text
/// version u8 | sink u32
/// | flags u8 (paused 0, bound 1, drops dead letters 2, last value 3, dead letters: expired 4, dropped 5, named 6,
///   unkeyed 7)
/// | strategy u8 | max_inflight u32 | max_attempts u32 | ack_timeout_ms u64 | retry_delay_ms u64 | retry_delay_max_ms u64
/// | created_at_ms u64 | name (u16 + bytes) | topic filter (u16 + bytes, empty when not bound)
/// | version 2: key_seed 16 bytes | key expression (u16 + bytes) | key_inflight u32 | durability u8 | overflow u8
///   | retention_ms u64 | max_messages u64 | max_bytes u64 (both u64::MAX when there is none) | dedup_window_ms u64
///   | keep_settled_ms u64 | dead letters' queue (u16 + bytes, empty when not named)
/// | version 3: key_generation u8
/// ```
/// What version 1 does not say has its default.
#[derive(Clone, PartialEq, Debug)]
pub struct DefinitionRecord<P = QueueProperties> {
    /// Its number in routes and records.
    pub sink: SinkId,
    /// Its name.
    pub name: String,
    /// What it is bound to; `None` is bound to nothing.
    pub topic_filter: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Its properties.
    pub properties: P,
    /// What the hashes of its keys are made with.
    pub key_seed: KeySeed,
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl<P: Defined> DefinitionRecord<P> {
    /// The record of a definition.
    pub fn of(definition: &Definition<P>) -> Self {
        Self {
            sink: definition.sink,
            name: definition.name.to_string(),
            topic_filter: definition.topic_filter.as_deref().map(str::to_owned),
            created_at_ms: definition.created_at_ms,
            properties: definition.properties.clone(),
            key_seed: definition.key_seed,
        }
    }

    /// The definition, with the owner among so many shards.
    pub fn into_definition(self, shards: u16) -> Definition<P> {
        Definition {
            sink: self.sink,
            name: self.name.into(),
            topic_filter: self.topic_filter.map(Into::into),
            owner: owner_of(self.sink, shards),
            created_at_ms: self.created_at_ms,
            properties: self.properties,
            key_seed: self.key_seed,
        }
    }

    /// Appends the body of the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        P::encode(self, out);
    }

    /// Takes such a body.
    ///
    /// # Errors
    /// It is not legal, or of a newer version.
    pub fn decode(body: &[u8]) -> Result<Self, RecordError> {
        P::decode(body)
    }
}

impl Defined for QueueProperties {
    const RECORD: RecordKind = RecordKind::QueueDefined;

    fn encode(record: &DefinitionRecord, out: &mut Vec<u8>) {
        let Self { config, key_expression, durability, dead_letter } = &record.properties;
        let flags = [
            (config.paused, FLAG_PAUSED),
            (record.topic_filter.is_some(), FLAG_BOUND),
            (*dead_letter == DeadLetter::None, FLAG_DROPS_DEAD_LETTERS),
            (config.last_value, FLAG_LAST_VALUE),
            (config.dead_letter_expired, FLAG_DEAD_LETTER_EXPIRED),
            (config.dead_letter_dropped, FLAG_DEAD_LETTER_DROPPED),
            (matches!(dead_letter, DeadLetter::Queue(_)), FLAG_DEAD_LETTER_NAMED),
            (config.dead_letter_unkeyed, FLAG_DEAD_LETTER_UNKEYED),
        ];
        out.push(if config.key_generation == 0 { VERSION_2 } else { VERSION });
        out.extend_from_slice(&record.sink.0.to_le_bytes());
        out.push(flags.iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag));
        out.push(config.dispatch_strategy.number());
        out.extend_from_slice(&config.max_inflight.to_le_bytes());
        out.extend_from_slice(&config.max_attempts.to_le_bytes());
        out.extend_from_slice(&milliseconds(config.ack_timeout).to_le_bytes());
        out.extend_from_slice(&milliseconds(config.retry_delay).to_le_bytes());
        out.extend_from_slice(&milliseconds(config.retry_delay_max).to_le_bytes());
        out.extend_from_slice(&record.created_at_ms.to_le_bytes());
        put_text(out, &record.name);
        put_text(out, record.topic_filter.as_deref().unwrap_or_default());
        out.extend_from_slice(&record.key_seed.0);
        put_text(out, key_expression.as_str());
        out.extend_from_slice(&config.key_inflight.to_le_bytes());
        out.push(*durability as u8);
        out.push(config.overflow.number());
        out.extend_from_slice(&milliseconds(config.retention).to_le_bytes());
        out.extend_from_slice(&config.max_messages.unwrap_or(NO_LIMIT).to_le_bytes());
        out.extend_from_slice(&config.max_bytes.unwrap_or(NO_LIMIT).to_le_bytes());
        out.extend_from_slice(&milliseconds(config.dedup_window).to_le_bytes());
        out.extend_from_slice(&milliseconds(config.keep_settled).to_le_bytes());
        let named = match dead_letter {
            DeadLetter::Queue(name) => name,
            DeadLetter::Own | DeadLetter::None => "",
        };
        put_text(out, named);
        if config.key_generation != 0 {
            out.push(config.key_generation);
        }
    }

    fn decode(body: &[u8]) -> Result<DefinitionRecord, RecordError> {
        let mut reader = Reader { record: "queue definition", rest: body };
        let version = reader.version(VERSION)?;
        let sink = SinkId(reader.u32()?);
        let flags = reader.u8()?;
        let is_set = |flag| flags & flag != 0;
        let strategy = reader.u8()?;
        let dispatch_strategy = DispatchStrategy::from_number(strategy)
            .ok_or_else(|| reader.error("its dispatch strategy is unknown"))?;
        let config = QueueConfig {
            dispatch_strategy,
            paused: is_set(FLAG_PAUSED),
            max_inflight: reader.u32()?,
            max_attempts: reader.u32()?,
            ack_timeout: Duration::from_millis(reader.u64()?),
            retry_delay: Duration::from_millis(reader.u64()?),
            retry_delay_max: Duration::from_millis(reader.u64()?),
            last_value: is_set(FLAG_LAST_VALUE),
            dead_letter_expired: is_set(FLAG_DEAD_LETTER_EXPIRED),
            dead_letter_dropped: is_set(FLAG_DEAD_LETTER_DROPPED),
            dead_letter_unkeyed: is_set(FLAG_DEAD_LETTER_UNKEYED),
            ..QueueConfig::default()
        };
        let created_at_ms = reader.u64()?;
        let name = reader.text()?.to_owned();
        let filter = reader.text()?.to_owned();
        let topic_filter = is_set(FLAG_BOUND).then_some(filter);
        let dead_letter =
            if is_set(FLAG_DROPS_DEAD_LETTERS) { DeadLetter::None } else { DeadLetter::Own };
        let properties = QueueProperties { config, dead_letter, ..QueueProperties::default() };
        let key_seed = KeySeed::default();
        let mut record =
            DefinitionRecord { sink, name, topic_filter, created_at_ms, properties, key_seed };
        if version > 1 {
            record.decode_more(&mut reader, is_set(FLAG_DEAD_LETTER_NAMED))?;
        }
        if version > VERSION_2 {
            record.properties.config.key_generation = reader.u8()?;
        }
        Ok(record)
    }
}

impl DefinitionRecord {
    fn decode_more(&mut self, reader: &mut Reader<'_>, is_named: bool) -> Result<(), RecordError> {
        let seed = reader.bytes(16)?.first_chunk();
        self.key_seed = KeySeed(seed.copied().unwrap_or_default());
        let QueueProperties { config, key_expression, durability, dead_letter } =
            &mut self.properties;
        *key_expression = KeyExpression::parse(reader.text()?)
            .map_err(|_| reader.error("its key expression is not legal"))?;
        config.key_inflight = reader.u32()?;
        *durability = Durability::from_number(reader.u8()?)
            .ok_or_else(|| reader.error("its durability is unknown"))?;
        config.overflow = Overflow::from_number(reader.u8()?)
            .ok_or_else(|| reader.error("its overflow is unknown"))?;
        config.retention = Duration::from_millis(reader.u64()?);
        config.max_messages = Some(reader.u64()?).filter(|max| *max != NO_LIMIT);
        config.max_bytes = Some(reader.u64()?).filter(|max| *max != NO_LIMIT);
        config.dedup_window = Duration::from_millis(reader.u64()?);
        config.keep_settled = Duration::from_millis(reader.u64()?);
        let named = reader.text()?;
        if is_named {
            *dead_letter = DeadLetter::Queue(named.into());
        }
        Ok(())
    }
}

/// Appends the body of a record that deletes a queue or a stream: `version u8 | sink u32`.
pub fn encode_deleted(out: &mut Vec<u8>, sink: SinkId) {
    out.push(VERSION_DELETED);
    out.extend_from_slice(&sink.0.to_le_bytes());
}

/// Takes a body of that kind.
///
/// # Errors
/// It is not legal, or of a newer version.
pub fn decode_deleted(body: &[u8]) -> Result<SinkId, RecordError> {
    let mut reader = Reader { record: "queue deletion", rest: body };
    reader.version(VERSION_DELETED)?;
    reader.u32().map(SinkId)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(topic_filter: Option<String>) -> DefinitionRecord {
        DefinitionRecord {
            sink: SinkId(5),
            name: "billing".to_owned(),
            topic_filter,
            created_at_ms: 99,
            properties: QueueProperties {
                config: QueueConfig { paused: true, max_inflight: 3, ..QueueConfig::default() },
                dead_letter: DeadLetter::None,
                ..QueueProperties::default()
            },
            key_seed: KeySeed::default(),
        }
    }

    #[test]
    fn a_definition_comes_out_as_it_went_in() {
        let plain = record(Some("sensor/+/data".to_owned()));
        let mut full = record(None);
        full.key_seed = KeySeed([7; 16]);
        full.properties = QueueProperties {
            config: QueueConfig {
                dispatch_strategy: DispatchStrategy::KeyOrdered,
                key_inflight: 9,
                last_value: true,
                retention: Duration::ZERO,
                max_messages: Some(10),
                max_bytes: Some(1 << 40),
                overflow: Overflow::DropOldest,
                dead_letter_expired: true,
                dead_letter_dropped: true,
                dead_letter_unkeyed: true,
                dedup_window: Duration::from_secs(60),
                keep_settled: Duration::from_secs(3600),
                ..QueueConfig::default()
            },
            key_expression: KeyExpression::parse("level(2)").expect("legal"),
            durability: Durability::Memory,
            dead_letter: DeadLetter::Queue("morgue".into()),
        };
        let mut rekeyed = full.clone();
        rekeyed.properties.config.key_generation = 255;
        for record in [plain, full, rekeyed] {
            let mut body = Vec::new();
            record.encode(&mut body);
            assert_eq!(DefinitionRecord::decode(&body), Ok(record));
            for cut in 0..body.len() {
                assert!(QueueProperties::decode(&body[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_definition_of_version_1_has_defaults_for_the_rest() {
        let record = record(None);
        let mut body = Vec::new();
        record.encode(&mut body);
        let more = 16 + 2 + "topic".len() + 4 + 1 + 1 + 5 * 8 + 2;
        body.truncate(body.len() - more);
        body[0] = 1;
        assert_eq!(DefinitionRecord::decode(&body), Ok(record));
    }

    #[test]
    fn a_deletion_comes_out_as_it_went_in() {
        let mut body = Vec::new();
        encode_deleted(&mut body, SinkId(u32::MAX));
        assert_eq!(decode_deleted(&body), Ok(SinkId(u32::MAX)));
        assert!(decode_deleted(&body[..4]).is_err());
    }
}
