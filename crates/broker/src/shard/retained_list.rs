//! Retained messages for an operator: those that a filter matches, a part at a time, and their removal.

use std::sync::Arc;

use bytes::Bytes;
use log_api::{Position, ReadError};
use mqtt_router::Cursor;
use mqtt_types::{Message, MessageHead, ReasonCode, TopicFilter, TopicName};
use parking_lot::Mutex;

use super::Shard;
use super::live::Live;
use super::replay::{READ_BYTES_MAX, RETAINED_READ, Reading};
use crate::control::Reply;
use crate::listing::{RemovedStep, RetainedStep};
use crate::new_message::Published;
use crate::record::{MoreTargets, PublishRecord};
use crate::retained::{Found, is_status};
use crate::routes::Route;

/// Messages looked at in one step.
const STEP_MESSAGES: usize = 128;
/// Messages removed in one step.
const REMOVE_MESSAGES: usize = 1024;

/// A step whose bodies are being read.
pub(crate) struct RetainedLook {
    found: Vec<Found>,
    /// Where bodies lie, and their places among what was found.
    places: Vec<(Position, usize)>,
    next: Option<String>,
    reply: Reply<RetainedStep>,
}

/// Removals of one step that are on their way to the log.
struct Removal {
    open: usize,
    step: RemovedStep,
    reply: Option<Reply<RemovedStep>>,
}

impl Shard {
    /// Gives retained messages behind that topic, as the filter's topics are in order.
    pub(super) fn list_retained(
        &mut self,
        filter: &str,
        after: Option<&str>,
        limit: usize,
        reply: Reply<RetainedStep>,
    ) {
        let Ok(filter) = TopicFilter::new(filter) else {
            return reply(RetainedStep::default());
        };
        let mut found = Vec::new();
        let (from, limit) = (cursor(after), limit.min(STEP_MESSAGES));
        let visit = |_, one| found.push(one);
        let next = self.shared.retained.page(filter, &from, limit, self.turn.unix_ms, visit);
        let mut next = next.and_then(|next| next.topic());
        let mut bytes = 0;
        let fits = |one: &&Found| {
            bytes += size_of(one);
            bytes <= READ_BYTES_MAX
        };
        let count = found.iter().take_while(fits).count().max(1);
        if count < found.len() {
            found.truncate(count);
            next = found.last().map(|one| topic_of(one).to_owned());
        }
        let place = |(place, one): (usize, &Found)| match one {
            Found::Stored { at, .. } => Some((*at, place)),
            Found::Message(_) => None,
        };
        let mut places: Vec<_> = found.iter().enumerate().filter_map(place).collect();
        places.sort_unstable();
        let positions: Vec<_> = places.iter().map(|(at, _)| *at).collect();
        let look = RetainedLook { found, places, next, reply };
        if positions.is_empty() {
            return finish(look);
        }
        let key = self.retained.reads.insert(Reading::Look(look));
        self.turn.read(RETAINED_READ | key as u64, positions);
    }

    /// Bodies for somebody who looks.
    pub(super) fn retained_look_read(
        &self,
        mut look: RetainedLook,
        records: Vec<Result<Bytes, ReadError>>,
    ) {
        for ((_, place), record) in std::mem::take(&mut look.places).into_iter().zip(records) {
            let Some(found) = look.found.get_mut(place) else { continue };
            let publish = record.ok().and_then(|body| PublishRecord::decode(body).ok());
            if let Some(message) = publish.and_then(|publish| publish.message().ok()) {
                *found = Found::Message(message);
                continue;
            }
            // It was replaced meanwhile, or is damaged, which who subscribes hears of.
            let topic = TopicName::new(topic_of(found)).ok();
            let now = topic.and_then(|t| self.shared.retained.find(t, self.turn.unix_ms));
            if let Some((_, now)) = now {
                *found = now;
            }
        }
        finish(look);
    }

    /// Removes retained messages behind that topic. The answer comes when a restart does not bring them back.
    pub(super) fn remove_retained(
        &mut self,
        filter: &str,
        after: Option<&str>,
        reply: Reply<RemovedStep>,
    ) {
        let Ok(filter) = TopicFilter::new(filter) else { return reply(RemovedStep::default()) };
        if let Some(refused) = self.storage_refusal() {
            return reply(RemovedStep { refused: Some(refused), ..RemovedStep::default() });
        }
        let mut topics = Vec::new();
        let unix_ms = self.turn.unix_ms;
        let visit = |_, one: Found| topics.push(topic_of(&one).to_owned());
        let next =
            self.shared.retained.page(filter, &cursor(after), REMOVE_MESSAGES, unix_ms, visit);
        // What the broker says of itself is no message of anybody's, and would come again.
        topics.retain(|topic| !is_status(topic));
        let step = RemovedStep { next: next.and_then(|next| next.topic()), ..Default::default() };
        // One more than there are: no answer comes before all are on their way.
        let removal = Removal { open: 1, step, reply: Some(reply) };
        let removal = Arc::new(Mutex::new(removal));
        for topic in &topics {
            self.remove_one(topic, &removal);
        }
        end_one(&removal, None);
    }

    fn remove_one(&mut self, topic: &str, removal: &Arc<Mutex<Removal>>) {
        let Ok(topic) = TopicName::new(topic) else { return };
        let head = MessageHead {
            retain: true,
            received_at_ms: self.turn.unix_ms,
            ..MessageHead::default()
        };
        let mut live = Live::new(head, topic, &[], &[], None);
        let Some(version) = self.retain_unrouted(&mut live) else { return };
        removal.lock().open += 1;
        let removal = Arc::clone(removal);
        let token = self.expect_from_outside(Box::new(move |published: Published| {
            end_one(&removal, Some(published.reason));
        }));
        let more = MoreTargets { retained: Some(version), ..MoreTargets::default() };
        self.store(&Route::default(), &live, Some(more), token);
    }
}

/// One removal has come to its end; the last one answers.
fn end_one(removal: &Mutex<Removal>, ended: Option<ReasonCode>) {
    let mut removal = removal.lock();
    match ended {
        None => {}
        Some(reason) if reason.is_error() => removal.step.refused = Some(reason),
        Some(_) => removal.step.removed += 1,
    }
    removal.open -= 1;
    if removal.open == 0
        && let Some(reply) = removal.reply.take()
    {
        let step = std::mem::take(&mut removal.step);
        drop(removal);
        reply(step);
    }
}

fn finish(look: RetainedLook) {
    let message = |found: Found| -> Option<Message> {
        match found {
            Found::Message(message) => Some(message),
            Found::Stored { .. } => None,
        }
    };
    let found = look.found.into_iter().filter_map(message).collect();
    (look.reply)(RetainedStep { found, next: look.next });
}

fn cursor(after: Option<&str>) -> Cursor {
    after.and_then(|topic| TopicName::new(topic).ok()).map(Cursor::after).unwrap_or_default()
}

fn topic_of(found: &Found) -> &str {
    match found {
        Found::Message(message) => message.topic(),
        Found::Stored { topic, .. } => topic,
    }
}

fn size_of(found: &Found) -> usize {
    match found {
        Found::Message(message) => message.bytes().len(),
        Found::Stored { size, .. } => *size as usize,
    }
}
