//! Lists over all shards, put together from bounded parts, and what an operator does to the things in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use log_api::ShardId;
use mqtt_types::Message;
use parking_lot::Mutex;

use super::Handle;
use crate::control::Reply;
use crate::ids::{delayed_owner, owner_of};
use crate::listing::{
    ClientError, ClientState, DelayedError, DelayedId, DelayedMessage, List, Page, RemoveError,
    RemovedStep, RetainedStep, Step, SubscriptionState, WalkCursor, Walked,
};
use crate::mail::{Letter, Mail};
use crate::new_message::{MessageError, NewMessage, Published};
use crate::shared::Shared;

/// Bytes of bodies that are read for one page of delayed messages, but for the one that always has room.
const PAGE_BYTES_MAX: u64 = 8 << 20;

type ClientPage = Page<ClientState, WalkCursor>;
type SubscriptionPage = Page<SubscriptionState, WalkCursor>;

impl Handle {
    /// Delayed messages behind that one, in the order in which they are due. A page may have fewer than `limit`.
    pub fn delayed(
        &self,
        after: Option<DelayedId>,
        limit: usize,
        reply: Reply<Page<DelayedMessage, DelayedId>>,
    ) {
        let shared = Arc::clone(&self.shared);
        let found = move |mut ids: Vec<(DelayedId, u32)>| {
            ids.sort_unstable();
            let next = cut(&mut ids, limit);
            let mut by_owner: BTreeMap<u16, Vec<DelayedId>> = BTreeMap::new();
            for (id, _) in &ids {
                let owner = delayed_owner(id.number, shared.config.shards);
                by_owner.entry(owner.0).or_default().push(*id);
            }
            let ask = |shard: ShardId, reply| {
                let ids = by_owner.get(&shard.0).cloned().unwrap_or_default();
                List::DelayedMessages { ids, reply }
            };
            let done = move |mut data: Vec<DelayedMessage>| {
                data.sort_unstable_by_key(|message| message.id);
                reply(Page { data, next });
            };
            gather(&shared, ask, Box::new(done));
        };
        let ask = |_, reply| List::Delayed { after, limit: limit + 1, reply };
        gather(&self.shared, ask, Box::new(found));
    }

    /// Cancels a delayed message. The answer comes when a restart does not bring it back.
    pub fn cancel_delayed(&self, id: DelayedId, reply: Reply<Result<(), DelayedError>>) {
        let owner = delayed_owner(id.number, self.shared.config.shards);
        self.shared.post.send(owner, Mail(Letter::CancelDelayed { id, reply }));
    }

    /// Retained messages of topics that the filter matches, behind that topic, in the order of their topics, level by level.
    /// A page may have fewer than `limit`.
    pub fn retained(
        &self,
        filter: String,
        after: Option<String>,
        limit: usize,
        reply: Reply<Page<Message, String>>,
    ) {
        let page = Page { data: Vec::new(), next: after };
        look_at_retained(Arc::clone(&self.shared), filter, limit, page, reply);
    }

    /// Removes the retained messages of topics that the filter matches, and says how many there were. The answer comes when
    /// a restart does not bring them back. Nobody who is subscribed hears of it.
    pub fn remove_retained(&self, filter: String, reply: Reply<Result<u64, RemoveError>>) {
        remove_retained(Arc::clone(&self.shared), filter, None, 0, reply);
    }

    /// Clients from that place on, those with or without a connection if that is wanted.
    pub fn clients(
        &self,
        from: WalkCursor,
        limit: usize,
        connected: Option<bool>,
        reply: Reply<ClientPage>,
    ) {
        let ask = move |step, reply| List::Clients { step, connected, reply };
        walk(Arc::clone(&self.shared), Arc::new(ask), (from, limit), Vec::new(), reply);
    }

    /// A client.
    pub fn client(&self, client_id: &str, reply: Reply<Option<ClientState>>) {
        let list = List::Client { client_id: client_id.to_owned(), reply };
        self.shared.post.send(self.owner(client_id), Mail(Letter::List(list)));
    }

    /// Ends the connection of a client, and its session if that is wanted. The answer comes when a restart does not bring
    /// the session back.
    pub fn end_client(
        &self,
        client_id: &str,
        ends_session: bool,
        reply: Reply<Result<(), ClientError>>,
    ) {
        let letter = Letter::EndClient { client_id: client_id.to_owned(), ends_session, reply };
        self.shared.post.send(self.owner(client_id), Mail(letter));
    }

    /// Subscriptions from that place on, those that are of a topic if that is wanted: their address is the topic, or
    /// their filter matches it.
    pub fn subscriptions(
        &self,
        from: WalkCursor,
        limit: usize,
        topic: Option<String>,
        reply: Reply<SubscriptionPage>,
    ) {
        let ask = move |step, reply| List::Subscriptions { step, topic: topic.clone(), reply };
        walk(Arc::clone(&self.shared), Arc::new(ask), (from, limit), Vec::new(), reply);
    }

    /// The same of one client.
    pub fn subscriptions_of(
        &self,
        client_id: &str,
        (from, limit): (WalkCursor, usize),
        topic: Option<String>,
        reply: Reply<SubscriptionPage>,
    ) {
        let owner = self.owner(client_id);
        let reply = Box::new(move |walked: Walked<SubscriptionState>| {
            let next = walked.next.map(|(slot, skip)| WalkCursor { shard: owner.0, slot, skip });
            reply(Page { data: walked.found, next });
        });
        let client_id = client_id.to_owned();
        let list = List::SubscriptionsOf { client_id, skip: from.skip, limit, topic, reply };
        self.shared.post.send(owner, Mail(Letter::List(list)));
    }

    /// Holds a message to the limits that clients are held to.
    ///
    /// # Errors
    /// The message cannot be.
    pub fn check(&self, message: &NewMessage) -> Result<Message, MessageError> {
        message.check(&self.shared.config)
    }

    /// Publishes a message. The answer is what a publisher's acknowledgement would say.
    pub fn publish(&self, message: Message, reply: Reply<Published>) {
        // Those of a topic go through one shard, so that they keep their order.
        let shard = self.owner(message.topic());
        self.shared.post.send(shard, Mail(Letter::Publish { message, reply }));
    }

    fn owner(&self, client_id: &str) -> ShardId {
        owner_of(client_id, self.shared.config.shards)
    }
}

/// Looks a step further, until the page is full or all is seen. Every shard knows them all: one of them is asked.
fn look_at_retained(
    shared: Arc<Shared>,
    filter: String,
    limit: usize,
    mut page: Page<Message, String>,
    reply: Reply<Page<Message, String>>,
) {
    let shard = owner_of(&filter, shared.config.shards);
    let (post, of, after) = (shared.post.clone(), filter.clone(), page.next.take());
    let left = limit - page.data.len();
    let done = move |step: RetainedStep| {
        page.data.extend(step.found);
        page.next = step.next;
        let bytes: usize = page.data.iter().map(|message| message.bytes().len()).sum();
        let is_full = page.data.len() >= limit || bytes as u64 >= PAGE_BYTES_MAX;
        if is_full || page.next.is_none() {
            reply(page);
        } else {
            look_at_retained(shared, of, limit, page, reply);
        }
    };
    let list = List::Retained { filter, after, limit: left, reply: Box::new(done) };
    post.send(shard, Mail(Letter::List(list)));
}

fn remove_retained(
    shared: Arc<Shared>,
    filter: String,
    after: Option<String>,
    before: u64,
    reply: Reply<Result<u64, RemoveError>>,
) {
    let shard = owner_of(&filter, shared.config.shards);
    let (post, of) = (shared.post.clone(), filter.clone());
    let done = move |step: RemovedStep| {
        let removed = before + step.removed;
        match (step.refused, step.next) {
            (Some(reason), _) => reply(Err(RemoveError { removed, reason })),
            (None, None) => reply(Ok(removed)),
            (None, next) => remove_retained(shared, of, next, removed, reply),
        }
    };
    let letter = Letter::RemoveRetained { filter, after, reply: Box::new(done) };
    post.send(shard, Mail(letter));
}

/// Cuts a page and gives its last id if there is more.
fn cut(ids: &mut Vec<(DelayedId, u32)>, limit: usize) -> Option<DelayedId> {
    let mut bytes = 0;
    let fits = |(_, size): &&(DelayedId, u32)| {
        bytes += u64::from(*size);
        bytes <= PAGE_BYTES_MAX
    };
    let count = ids.iter().take_while(fits).count().max(1).min(limit);
    let more = ids.len() > count;
    ids.truncate(count);
    ids.last().filter(|_| more).map(|(id, _)| *id)
}

/// Asks all shards and puts what they answer together.
fn gather<T: Send + 'static>(
    shared: &Shared,
    ask: impl Fn(ShardId, Reply<Vec<T>>) -> List,
    reply: Reply<Vec<T>>,
) {
    let shards = shared.config.shards;
    let gathered = Arc::new(Mutex::new((Vec::new(), Some(reply))));
    let open = Arc::new(AtomicUsize::new(usize::from(shards)));
    for shard in (0..shards).map(ShardId) {
        let (gathered, open) = (Arc::clone(&gathered), Arc::clone(&open));
        let take = move |part: Vec<T>| {
            gathered.lock().0.extend(part);
            if open.fetch_sub(1, Ordering::AcqRel) == 1 {
                let (all, reply) = std::mem::take(&mut *gathered.lock());
                if let Some(reply) = reply {
                    reply(all);
                }
            }
        };
        shared.post.send(shard, Mail(Letter::List(ask(shard, Box::new(take)))));
    }
}

type Ask<T> = Arc<dyn Fn(Step, Reply<Walked<T>>) -> List + Send + Sync>;

/// Walks over the sessions of all shards, a letter for each step, until enough is found or all is seen.
fn walk<T: Send + 'static>(
    shared: Arc<Shared>,
    ask: Ask<T>,
    (at, limit): (WalkCursor, usize),
    mut found: Vec<T>,
    reply: Reply<Page<T, WalkCursor>>,
) {
    if at.shard >= shared.config.shards {
        return reply(Page { data: found, next: None });
    }
    let step = Step { slot: at.slot, skip: at.skip, limit: limit - found.len() };
    let post = shared.post.clone();
    let again = Arc::clone(&ask);
    let done = move |walked: Walked<T>| {
        found.extend(walked.found);
        let next = match walked.next {
            Some((slot, skip)) => WalkCursor { slot, skip, ..at },
            None => WalkCursor { shard: at.shard + 1, slot: 0, skip: 0 },
        };
        if found.len() < limit {
            walk(shared, again, (next, limit), found, reply);
        } else {
            let is_end = next.shard >= shared.config.shards;
            reply(Page { data: found, next: (!is_end).then_some(next) });
        }
    };
    post.send(ShardId(at.shard), Mail(Letter::List(ask(step, Box::new(done)))));
}
