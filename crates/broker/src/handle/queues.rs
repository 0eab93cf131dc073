//! What an operator does to a queue: each request goes to the queue's owner, which answers when it is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use log_api::ShardId;
use parking_lot::Mutex;

use super::Handle;
use crate::control::{ControlError, QueueChange, Reply, SinkKind};
use crate::directory::{Definition, QueueDefinition};
use crate::listing::Page;
use crate::mail::{Letter, Mail};
use crate::operate::{
    Attached, Look, Looked, Meant, OperateError, Operation, QueueConsumer, QueueLetter,
    QueueMessage, SeekTo, Sought,
};
use crate::shard::Kind;
use crate::shared::Shared;
use crate::terms::key_of;

/// Parts of a queue that are looked at for one page, however few messages of it stand as wanted.
pub(super) const PARTS_MAX: usize = 256;
/// Bytes of messages from which on a page has enough.
const PAGE_BYTES: usize = 1 << 20;

impl Handle {
    /// Messages of a queue from an offset on. A page may have fewer than its limit.
    pub fn peek_queue(&self, name: &str, look: Look, reply: Reply<Looked>) {
        match self.queue(name) {
            Some(queue) => {
                look_on(Arc::clone(&self.shared), queue, look, (Vec::new(), PARTS_MAX), reply)
            }
            None => reply(Err(OperateError::NotFound(SinkKind::Queue, name.to_owned()))),
        }
    }

    /// Removes what waits in a queue and is not in flight; only what was published to a topic that the filter matches, if
    /// there is one, which must be legal; only what has the key, if there is one. What comes meanwhile stays. The answer,
    /// how many left, comes when a restart does not bring them back.
    pub fn purge_queue(
        &self,
        name: &str,
        (filter, key): (Option<&str>, Option<&str>),
        reply: Reply<Result<u64, OperateError>>,
    ) {
        let Some(queue) = self.queue(name) else {
            return reply(Err(OperateError::NotFound(SinkKind::Queue, name.to_owned())));
        };
        if key.is_some() && !queue.properties.config.needs_keys() {
            return reply(Err(OperateError::NoKeys(SinkKind::Queue, name.to_owned())));
        }
        let key = key.map(|key| key_of(&queue.key_seed, key));
        let meant = Meant { filter: filter.map(Arc::from), key, before: None };
        operate(&self.shared, &queue, Operation::Purge { meant, reply });
    }

    /// Lets a queue go on elsewhere: what waits before is purged, what was settled from there on and is kept is ready
    /// again. Meanwhile it delivers nothing. The answer comes when a restart does not undo it.
    pub fn seek_queue(&self, name: &str, to: SeekTo, reply: Reply<Result<Sought, OperateError>>) {
        match self.queue(name) {
            Some(queue) => operate(&self.shared, &queue, Operation::Seek { to, reply }),
            None => reply(Err(OperateError::NotFound(SinkKind::Queue, name.to_owned()))),
        }
    }

    /// Lets a queue deliver nothing any more, or deliver again, durably.
    pub fn set_queue_paused(
        &self,
        name: &str,
        is_paused: bool,
        reply: Reply<Result<Arc<QueueDefinition>, ControlError>>,
    ) {
        let change = QueueChange { paused: Some(is_paused), ..QueueChange::default() };
        self.change_queue(name.to_owned(), change, reply);
    }

    /// Consumers of a queue behind that number, in the order of their numbers.
    pub fn queue_consumers(
        &self,
        name: &str,
        (after, limit): (Option<u64>, usize),
        reply: Reply<Result<Page<QueueConsumer, u64>, OperateError>>,
    ) {
        match self.queue(name) {
            Some(queue) => consumers(&self.shared, &queue, (after, limit), reply),
            None => reply(Err(OperateError::NotFound(SinkKind::Queue, name.to_owned()))),
        }
    }
}

/// Consumers of a queue, or clients that read a stream, behind that number, in the order of their numbers.
pub(super) fn consumers<P: Kind>(
    shared: &Arc<Shared>,
    of: &Definition<P>,
    (after, limit): (Option<u64>, usize),
    reply: Reply<Result<Page<QueueConsumer, u64>, OperateError>>,
) {
    let again = Arc::clone(shared);
    let found = Box::new(move |page: Page<Attached, u64>| {
        let next = page.next;
        let named = move |mut data: Vec<QueueConsumer>| {
            data.sort_unstable_by_key(|consumer| consumer.number);
            reply(Ok(Page { data, next }));
        };
        name_all(&again, page.data, Box::new(named));
    });
    operate(shared, of, Operation::Consumers { after, limit, reply: found });
}

pub(super) fn operate<P: Kind>(shared: &Shared, of: &Definition<P>, operation: Operation) {
    let (what, sink, name) = (P::WHAT, of.sink, Arc::clone(&of.name));
    let letter = QueueLetter::Operate { what, sink, name, operation };
    shared.post.send(of.owner, Mail(Letter::Queue(letter)));
}

/// Looks at one part after the other, until the page is full or it is all seen.
pub(super) fn look_on<P: Kind + Send + Sync + 'static>(
    shared: Arc<Shared>,
    queue: Arc<Definition<P>>,
    look: Look,
    (mut found, parts): (Vec<QueueMessage>, usize),
    reply: Reply<Looked>,
) {
    let part = Look { limit: look.limit.saturating_sub(found.len()), ..look };
    let again = Arc::clone(&shared);
    let this = Arc::clone(&queue);
    let done = move |looked: Looked| {
        let page = match looked {
            Ok(page) => page,
            Err(error) => return reply(Err(error)),
        };
        found.extend(page.data);
        let sizes = found.iter().filter_map(|one| one.message.as_ref());
        let bytes: usize = sizes.map(|message| message.bytes().len()).sum();
        let is_enough = found.len() >= look.limit || bytes >= PAGE_BYTES || parts <= 1;
        match page.next.filter(|_| !is_enough) {
            Some(from) => look_on(again, this, Look { from, ..look }, (found, parts - 1), reply),
            None => reply(Ok(Page { data: found, next: page.next })),
        }
    };
    operate(&shared, &queue, Operation::Look { look: part, reply: Box::new(done) });
}

/// Asks the shards of consumers who they are.
pub(super) fn name_all(shared: &Shared, attached: Vec<Attached>, reply: Reply<Vec<QueueConsumer>>) {
    let mut by_shard: BTreeMap<u16, Vec<Attached>> = BTreeMap::new();
    for one in attached {
        by_shard.entry(one.at.0).or_default().push(one);
    }
    if by_shard.is_empty() {
        return reply(Vec::new());
    }
    let open = Arc::new(AtomicUsize::new(by_shard.len()));
    let gathered = Arc::new(Mutex::new((Vec::new(), Some(reply))));
    for (shard, attached) in by_shard {
        let (gathered, open) = (Arc::clone(&gathered), Arc::clone(&open));
        let take = move |part: Vec<QueueConsumer>| {
            gathered.lock().0.extend(part);
            if open.fetch_sub(1, Ordering::AcqRel) == 1 {
                let (all, reply) = std::mem::take(&mut *gathered.lock());
                if let Some(reply) = reply {
                    reply(all);
                }
            }
        };
        let letter = QueueLetter::Consumers { attached, reply: Box::new(take) };
        shared.post.send(ShardId(shard), Mail(Letter::Queue(letter)));
    }
}
