//! Retained messages that keep a segment of the log for little: they are written anew at its end, as the change that they
//! are, so that the segment can go. The old record is needed until a checkpoint knows the new one.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use log_api::{ReadError, RecordKind, ShardSet};
use mqtt_router::Cursor;
use mqtt_types::Message;
use stdx::Instant;

use super::Shard;
use crate::record::{MoreTargets, PublishRecord, Targets, encode_publish};
use crate::retained::Relic;

/// Tells the tokens of records that are written anew.
const RELIC_TOKEN: u64 = 1 << 60;
/// Tells reads of what is to be written anew.
pub(super) const RELIC_READ: u64 = 1 << 61;
/// How often it is looked for segments that are worth it.
const LOOK: Duration = Duration::from_secs(10);
/// Topics looked at in one go.
const PAGE: usize = 1024;
/// Bodies read in one go, and their bytes.
const READ_MESSAGES_MAX: usize = 256;
const READ_BYTES_MAX: usize = 256 * 1024;

pub(super) const fn is_relic_token(token: u64) -> bool {
    token >> 60 == RELIC_TOKEN >> 60
}

/// A pass over all topics, if one is under way.
#[derive(Default)]
pub(crate) struct Relics {
    /// The segments that are to go.
    segments: Vec<u32>,
    /// Where to look on; `None` when all topics have been looked at.
    from: Option<Cursor>,
    found: VecDeque<Relic>,
    /// What is being read.
    asked: Vec<Relic>,
    look_at: Instant,
}

impl Shard {
    /// Does a step, and says whether there is more to do.
    pub(super) fn gather_relics(&mut self) -> bool {
        let relics = &mut self.retained.relics;
        if !relics.asked.is_empty() || self.storage_refusal().is_some() {
            return false;
        }
        let relics = &mut self.retained.relics;
        if relics.found.is_empty() && relics.from.is_none() {
            if self.turn.now < relics.look_at {
                return false;
            }
            relics.look_at = self.turn.now + LOOK;
            relics.segments = self.shared.retained.sparse(&self.shared.log.segments());
            relics.from = (!relics.segments.is_empty()).then(Cursor::default);
        }
        if relics.found.is_empty()
            && let Some(from) = relics.from.take()
        {
            let found = &mut relics.found;
            relics.from = self
                .shared
                .retained
                .relics(&relics.segments, &from, PAGE, |relic| found.push_back(relic));
        }
        self.read_relics();
        let relics = &self.retained.relics;
        !relics.found.is_empty() || relics.from.is_some() || !relics.asked.is_empty()
    }

    fn read_relics(&mut self) {
        let backlog = self.shared.log.backlog_bytes();
        if backlog > self.shared.config.max_log_backlog_bytes / 4 {
            return; // Publishers go first.
        }
        let relics = &mut self.retained.relics;
        let mut bytes = 0;
        while let Some(relic) = relics.found.front() {
            bytes += relic.size as usize;
            let is_enough = relics.asked.len() >= READ_MESSAGES_MAX || bytes > READ_BYTES_MAX;
            if is_enough && !relics.asked.is_empty() {
                break;
            }
            relics.asked.extend(relics.found.pop_front());
        }
        relics.asked.sort_unstable_by_key(|relic| relic.at);
        let positions: Vec<_> = relics.asked.iter().map(|relic| relic.at).collect();
        if !positions.is_empty() {
            self.turn.read(RELIC_READ, positions);
        }
    }

    /// Bodies that are to be written anew.
    pub(super) fn relics_read(&mut self, records: Vec<Result<Bytes, ReadError>>) {
        let asked = std::mem::take(&mut self.retained.relics.asked);
        for (relic, record) in asked.into_iter().zip(records) {
            // One that cannot be read stays where it is; who asks for it hears of the damage.
            let Ok(publish) = record.map(PublishRecord::decode) else { continue };
            if let Ok(message) = publish.and_then(|publish| publish.message())
                && self.shared.retained.begin_copy(&relic)
            {
                self.write_anew(&relic, &message);
            }
        }
    }

    fn write_anew(&mut self, relic: &Relic, message: &Message) {
        let more = MoreTargets { retained: Some(relic.version), ..MoreTargets::default() };
        let targets = Targets { sinks: &[], more: Some(&more) };
        let notify = ShardSet::single(self.id);
        self.turn.batch.push(RecordKind::Publish, 0, 0, notify, RELIC_TOKEN, |body| {
            let (topic, properties) = (message.topic(), message.properties());
            encode_publish(body, message.head(), targets, topic, properties, message.payload());
        });
        self.turn.hand_over_long_batch(&*self.shared.log);
    }
}
