//! An operator sends dead letters back to the queues that gave them up, or to another. Page by page: who asks goes on from
//! where a page ends.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use log_api::{Position, ReadError};
use mqtt_router::SinkId;
use queue_engine::{MessageState, Offset};
use slab::Slab;
use stdx::UnixMillis;

use super::Shard;
use super::dead_letters::dead_queue;
use crate::control::Reply;
use crate::directory::QueueDefinition;
use crate::record::{Moved, PublishRecord, UNKEYED};
use crate::redrive::{RedriveError, RedrivePage, RedriveRequest};
use crate::terms::Arriving;

/// Messages of one page at most.
const PAGE_MAX: usize = 64;
/// Bytes of messages from which on a page has enough: they are read at once.
const PAGE_BYTES: u64 = 1 << 20;
/// Messages that are passed by for one page, because they are in flight or were settled.
const PASSED_BY_MAX: usize = 10_000;

/// Pages under way.
#[derive(Default)]
pub(crate) struct Redrives {
    pages: Slab<Page>,
    /// Which page a message that is on its way back belongs to.
    moving: HashMap<(SinkId, Offset), usize>,
}

struct Page {
    request: RedriveRequest,
    /// What is read, in the order of the answers.
    offsets: Vec<Offset>,
    result: RedrivePage,
    /// Records that are not stored yet.
    open: usize,
    is_read: bool,
    failed: bool,
    reply: Option<Reply<Result<RedrivePage, RedriveError>>>,
}

/// What became of a message that was to be sent back.
enum Sent {
    /// The record by which it goes is on its way.
    Written,
    /// It goes when the log, or its queue, takes it.
    Waits,
    /// It is not meant, or not here any more.
    Not,
    /// Neither it nor what comes behind it goes.
    Stopped(String),
}

impl Redrives {
    /// Who waits for an answer.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn open_ends(&self) -> usize {
        self.pages.len()
    }
}

impl Shard {
    /// Begins a page.
    pub(super) fn redrive(
        &mut self,
        request: RedriveRequest,
        reply: Reply<Result<RedrivePage, RedriveError>>,
    ) {
        if self.storage_refusal().is_some() {
            return reply(Err(RedriveError::NotStored));
        }
        let Some(queue) = self.hosting.queue(request.from) else {
            return reply(Err(RedriveError::NotFound));
        };
        let max = request.max.clamp(1, PAGE_MAX);
        let end = request.until.unwrap_or(queue.engine.next_offset());
        let (mut page, mut bytes, mut next) = (Vec::new(), 0, None);
        let messages = queue.engine.peek(request.offset).take_while(|one| one.offset < end);
        for (passed, one) in messages.enumerate() {
            if page.len() == max || bytes >= PAGE_BYTES || passed == PASSED_BY_MAX {
                next = Some(one.offset);
                break;
            }
            if matches!(one.state, MessageState::Ready | MessageState::Delayed) {
                page.push((one.offset, one.at));
                bytes += u64::from(one.size);
            }
        }
        let result = RedrivePage { next, end, ..RedrivePage::default() };
        if page.is_empty() {
            return reply(Ok(result));
        }
        let (offsets, positions): (Vec<_>, Vec<_>) =
            page.into_iter().map(|(offset, at)| (offset, Position::from_u64(at.0))).unzip();
        let reply = Some(reply);
        let page = Page { request, offsets, result, open: 0, is_read: false, failed: false, reply };
        let key = self.redrives.pages.insert(page);
        self.turn.read(crate::hosting::Hosting::redrive_token(key), positions);
    }

    /// The bodies of a page have come.
    pub(super) fn redrive_read(&mut self, key: usize, records: Vec<Result<Bytes, ReadError>>) {
        let Some(page) = self.redrives.pages.get_mut(key) else { return };
        let offsets = std::mem::take(&mut page.offsets);
        let request = page.request.clone();
        for (offset, record) in offsets.into_iter().zip(records) {
            // One that cannot be read stays; who asks for it hears of the damage.
            let Ok(publish) = record.map(PublishRecord::decode) else { continue };
            let Ok(publish) = publish else { continue };
            let sent = self.redrive_one(&request, offset, &publish);
            let Some(page) = self.redrives.pages.get_mut(key) else { return };
            match sent {
                Sent::Written => {
                    page.open += 1;
                    self.redrives.moving.insert((request.from, offset), key);
                }
                Sent::Waits => {
                    page.failed = true;
                    break;
                }
                Sent::Stopped(why) => {
                    page.result.stopped = Some(why);
                    page.result.next = None;
                    break;
                }
                Sent::Not => {}
            }
        }
        if let Some(page) = self.redrives.pages.get_mut(key) {
            page.is_read = true;
        }
        self.redrive_over(key);
    }

    /// Sends one message back.
    fn redrive_one(
        &mut self,
        request: &RedriveRequest,
        offset: Offset,
        publish: &PublishRecord,
    ) -> Sent {
        let Ok(message) = publish.message() else { return Sent::Not };
        let dead_queue = dead_queue(message.properties());
        if request.only.is_some() && request.only.as_deref() != dead_queue {
            return Sent::Not;
        }
        let Some(to) = request.to.as_deref().or(dead_queue) else { return Sent::Not };
        let Some(target) = self.shared.directory.get(to) else {
            return Sent::Stopped(format!("there is no queue '{to}'"));
        };
        if target.sink == request.from {
            return Sent::Stopped(format!("queue '{to}' is the one that the messages are in"));
        }
        let Some(terms) = self.shared.routes.terms(target.sink) else { return Sent::Not };
        let size = u32::try_from(message.bytes().len() + 64).unwrap_or(u32::MAX);
        let more = publish.more().ok().flatten();
        let made = more.and_then(|more| more.made_for(terms.sink).copied());
        let made = made.filter(|made| !terms.is_made_otherwise(made));
        let key = made.map(|made| made.key).filter(|key| *key != UNKEYED);
        let key = key.or_else(|| terms.key_of_message(&message, &mut self.key_scratch));
        let stored = UnixMillis(self.turn.unix_ms);
        if terms.is_full_for(&Arriving { size, key, message_id: None, stored }) {
            return Sent::Stopped(format!("queue '{to}' is full"));
        }
        let Some(queue) = self.hosting.queue(request.from) else { return Sent::Not };
        let definition: Arc<QueueDefinition> = Arc::clone(&queue.definition);
        if !queue.redrive(offset, target.sink, &mut self.turn) {
            return Sent::Not;
        }
        // What cannot be written now is on its way all the same, and is tried again.
        match self.move_one(&definition, offset, publish) {
            Ok(true) => Sent::Written,
            Ok(false) | Err(_) => {
                self.hosting.move_on(request.from);
                Sent::Waits
            }
        }
    }

    /// A message of a page is stored where it goes.
    pub(super) fn redriven(&mut self, moved: Moved) {
        let Some(key) = self.redrives.moving.remove(&(moved.from, moved.offset)) else { return };
        if let Some(page) = self.redrives.pages.get_mut(key) {
            page.open -= 1;
            page.result.redriven += 1;
        }
        self.redrive_over(key);
    }

    /// One is not, but will be when it can.
    pub(super) fn redrive_failed(&mut self, moved: Moved) {
        let Some(key) = self.redrives.moving.remove(&(moved.from, moved.offset)) else { return };
        if let Some(page) = self.redrives.pages.get_mut(key) {
            page.open -= 1;
            page.failed = true;
        }
        self.redrive_over(key);
    }

    fn redrive_over(&mut self, key: usize) {
        let is_over = |page: &Page| page.is_read && page.open == 0;
        if !self.redrives.pages.get(key).is_some_and(is_over) {
            return;
        }
        let page = self.redrives.pages.remove(key);
        let answer = if page.failed { Err(RedriveError::NotStored) } else { Ok(page.result) };
        if let Some(reply) = page.reply {
            reply(answer);
        }
    }
}
