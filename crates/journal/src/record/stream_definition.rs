//! The record that defines a stream.

use std::time::Duration;

use key_expression::{KeyExpression, KeySeed};
use log_api::RecordKind;
use mqtt_router::SinkId;
use stream_engine::StreamConfig;

use super::codec::{Reader, RecordError, put_text};
use super::definition::{Defined, DefinitionRecord, NO_LIMIT, milliseconds};
use crate::queue::Durability;
use crate::stream::StreamProperties;

const VERSION: u8 = 2;
/// What is written as long as no other keys were made for what was there.
const VERSION_1: u8 = 1;
const FLAG_PAUSED: u8 = 1;
const FLAG_BOUND: u8 = 2;
const FLAG_KEYED: u8 = 4;
const FLAG_LAST_VALUE: u8 = 8;

/// ```text
/// version u8 | sink u32 | flags u8 (paused 0, bound 1, keyed 2, last value 3) | durability u8 | created_at_ms u64
/// | max_inflight u32 | retry_delay_ms u64 | retry_delay_max_ms u64 | retention_ms u64
/// | max_messages u64 | max_bytes u64 (both u64::MAX when there is none)
/// | look_ahead u64 | readers_max u64 | keep_positions_ms u64 | key_seed 16 bytes
/// | name (u16 + bytes) | topic filter (u16 + bytes, empty when not bound) | key expression (u16 + bytes)
/// | version 2: key_generation u8
/// ```
impl Defined for StreamProperties {
    const RECORD: RecordKind = RecordKind::StreamDefined;

    fn encode(record: &DefinitionRecord<Self>, out: &mut Vec<u8>) {
        let Self { config, key_expression, durability } = &record.properties;
        let flags = [
            (config.paused, FLAG_PAUSED),
            (record.topic_filter.is_some(), FLAG_BOUND),
            (config.keyed, FLAG_KEYED),
            (config.last_value, FLAG_LAST_VALUE),
        ];
        out.push(if config.key_generation == 0 { VERSION_1 } else { VERSION });
        out.extend_from_slice(&record.sink.0.to_le_bytes());
        out.push(flags.iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag));
        out.push(*durability as u8);
        out.extend_from_slice(&record.created_at_ms.to_le_bytes());
        out.extend_from_slice(&config.max_inflight.to_le_bytes());
        for number in [
            milliseconds(config.retry_delay),
            milliseconds(config.retry_delay_max),
            milliseconds(config.retention),
            config.max_messages.unwrap_or(NO_LIMIT),
            config.max_bytes.unwrap_or(NO_LIMIT),
            config.look_ahead,
            config.readers_max as u64,
            milliseconds(config.keep_positions),
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&record.key_seed.0);
        put_text(out, &record.name);
        put_text(out, record.topic_filter.as_deref().unwrap_or_default());
        put_text(out, key_expression.as_str());
        if config.key_generation != 0 {
            out.push(config.key_generation);
        }
    }

    fn decode(body: &[u8]) -> Result<DefinitionRecord<Self>, RecordError> {
        let mut reader = Reader { record: "stream definition", rest: body };
        let version = reader.version(VERSION)?;
        let sink = SinkId(reader.u32()?);
        let flags = reader.u8()?;
        let is_set = |flag| flags & flag != 0;
        let durability = Durability::from_number(reader.u8()?)
            .ok_or_else(|| reader.error("its durability is unknown"))?;
        let created_at_ms = reader.u64()?;
        let mut config = StreamConfig {
            paused: is_set(FLAG_PAUSED),
            keyed: is_set(FLAG_KEYED),
            last_value: is_set(FLAG_LAST_VALUE),
            max_inflight: reader.u32()?,
            retry_delay: Duration::from_millis(reader.u64()?),
            retry_delay_max: Duration::from_millis(reader.u64()?),
            retention: Duration::from_millis(reader.u64()?),
            max_messages: Some(reader.u64()?).filter(|max| *max != NO_LIMIT),
            max_bytes: Some(reader.u64()?).filter(|max| *max != NO_LIMIT),
            look_ahead: reader.u64()?,
            readers_max: usize::try_from(reader.u64()?).unwrap_or(usize::MAX),
            keep_positions: Duration::from_millis(reader.u64()?),
            key_generation: 0,
        };
        let key_seed = KeySeed(reader.bytes(16)?.first_chunk().copied().unwrap_or_default());
        let name = reader.text()?.to_owned();
        let filter = reader.text()?.to_owned();
        let key_expression = KeyExpression::parse(reader.text()?)
            .map_err(|_| reader.error("its key expression is not legal"))?;
        if version > VERSION_1 {
            config.key_generation = reader.u8()?;
        }
        Ok(DefinitionRecord {
            sink,
            name,
            topic_filter: is_set(FLAG_BOUND).then_some(filter),
            created_at_ms,
            properties: Self { config, key_expression, durability },
            key_seed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_comes_out_as_it_went_in() {
        let plain = DefinitionRecord {
            sink: SinkId(5),
            name: "sensor/+/data".to_owned(),
            topic_filter: Some("sensor/+/data".to_owned()),
            created_at_ms: 99,
            properties: StreamProperties::default(),
            key_seed: KeySeed::default(),
        };
        let full = DefinitionRecord {
            topic_filter: None,
            properties: StreamProperties {
                config: StreamConfig {
                    max_inflight: 3,
                    paused: true,
                    keyed: true,
                    last_value: true,
                    retention: Duration::ZERO,
                    max_messages: Some(10),
                    max_bytes: Some(1 << 40),
                    readers_max: 7,
                    ..StreamConfig::default()
                },
                key_expression: KeyExpression::parse("level(2)").expect("legal"),
                durability: Durability::Memory,
            },
            key_seed: KeySeed([7; 16]),
            ..plain.clone()
        };
        let mut rekeyed = full.clone();
        rekeyed.properties.config.key_generation = 255;
        for record in [plain, full, rekeyed] {
            let mut body = Vec::new();
            record.encode(&mut body);
            assert_eq!(DefinitionRecord::decode(&body), Ok(record));
            for cut in 0..body.len() {
                assert!(DefinitionRecord::<StreamProperties>::decode(&body[..cut]).is_err());
            }
        }
    }
}
