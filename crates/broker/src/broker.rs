//! Puts a broker together: what is shared, the shards, and a handle for the outside.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use key_expression::KeySeed;
use log_api::{Log, ShardId};
use mqtt_router::Router;
use mqtt_types::TopicFilter;
use stdx::UnixMillis;

use crate::alarms::Alarms;
use crate::budget::Budget;
use crate::config::Config;
use crate::control::CONTROL_SHARD;
use crate::directory::{Definition, Directory};
use crate::handle::Handle;
use crate::ids::delayed_owner;
use crate::needed::nothing_told;
use crate::post::Post;
use crate::record::{DefinitionRecord, Delayed, Lying, StoredSession};
use crate::recovery::Recovered;
use crate::retained::{RetainedLimits, RetainedStore};
use crate::routes::Routes;
use crate::shard::{Kind, Shard, tell_log_state};
use crate::shared::{Budgets, Shared};
use crate::stats::PublishedCounts;

/// A broker that is ready to run: each shard goes to a thread of its own.
pub struct Broker {
    /// For requests from outside.
    pub handle: Handle,
    /// The shards, in order of their numbers.
    pub shards: Vec<Shard>,
    /// What may wait for clients, the buffers of their connections included.
    pub memory: Budget,
}

/// The year 2020 began. A clock that shows an earlier moment has not been set yet. What happens then counts as if it were the newest
/// moment that the log tells of, or sessions would be gone for decades when the clock is set, and over.
const NEVER_BEFORE: UnixMillis = UnixMillis(1_577_836_800_000);

/// Builds a broker over a log; clients that were connected when the process before this one ended count as gone since
/// `now`. `post` must be the log's event sink, with as many shards as the config says; `seed` keys
/// hash tables of what clients name, and must not be guessable.
#[must_use]
pub fn open(
    config: Config,
    post: Post,
    log: Arc<dyn Log>,
    recovered: Recovered,
    seed: [u64; 2],
    now: UnixMillis,
) -> Broker {
    let now = if now < NEVER_BEFORE { now.max(recovered.newest) } else { now };
    let shards = config.shards;
    let routes = Routes::new(Router::new(seed));
    let (directory, streams_by_name) = (Directory::default(), Directory::default());
    let queues = recovered.queues.into_iter().map(|queue| {
        let definition = take_in(queue.definition, shards, &routes, &directory);
        (definition, queue.engine, (queue.leaving, queue.lost))
    });
    let queues: Vec<_> = queues.collect();
    let streams = recovered.streams.into_iter().map(|stream| {
        let definition = take_in(stream.definition, shards, &routes, &streams_by_name);
        (definition, (stream.engine, stream.numbers_from), stream.lost)
    });
    let streams: Vec<_> = streams.collect();
    let retained = RetainedStore::new(RetainedLimits {
        messages: config.max_retained_messages,
        bytes: config.max_retained_bytes,
        memory: config.max_retained_memory,
        bodies: config.retained_cache,
    });
    retained.restore(recovered.retained, recovered.retained_version);
    let alarms = Alarms::default();
    tell_log_state(&alarms, now, &log.state());
    let shared = Arc::new(Shared {
        budgets: Budgets::new(&config),
        routes,
        directory,
        streams: streams_by_name,
        retained,
        alarms,
        key_seed: key_seed(seed),
        post,
        log,
        members_come: AtomicU64::new(0),
        counts: (0..shards).map(|_| PublishedCounts::default()).collect(),
        needed: nothing_told(shards),
        config,
    });
    let next = (recovered.next_sink, recovered.next_session);
    let new = |n| Shard::new(ShardId(n), Arc::clone(&shared), next, recovered.end);
    let mut built: Vec<Shard> = (0..shards).map(new).collect();
    for (definition, engine, gone) in queues {
        if let Some(shard) = built.get_mut(usize::from(definition.owner.0)) {
            shard.host(definition, engine, gone);
        }
    }
    for (definition, recovered, lost) in streams {
        if let Some(shard) = built.get_mut(usize::from(definition.owner.0)) {
            shard.host_stream(definition, recovered, &lost);
        }
    }
    for shard in &mut built {
        shard.count_delayed_from(recovered.newest_delayed);
    }
    if let Some(control) = built.get_mut(usize::from(CONTROL_SHARD.0)) {
        control.retain_anew(recovered.whole_retained);
    }
    restore(&mut built, recovered.delayed, recovered.sessions, now);
    let memory = shared.budgets.memory.clone();
    Broker { handle: Handle::new(shared), shards: built, memory }
}

/// Lets all know of a queue or a stream that was recovered.
fn take_in<P: Kind>(
    record: DefinitionRecord<P>,
    shards: u16,
    routes: &Routes,
    directory: &Directory<P>,
) -> Arc<Definition<P>> {
    let definition = Arc::new(record.into_definition(shards));
    routes.set_terms(P::terms(&definition, routes.room(definition.sink)));
    let filter = definition.topic_filter.as_deref().and_then(|text| TopicFilter::new(text).ok());
    if let Some(filter) = filter {
        routes.change(|router| router.bind(filter, definition.sink));
    }
    directory.insert(Arc::clone(&definition));
    definition
}

/// Another seed than that of the tables, but as hard to guess.
fn key_seed(seed: [u64; 2]) -> KeySeed {
    let [first, second] = seed.map(|half| !half.rotate_left(32));
    KeySeed((u128::from(first) << 64 | u128::from(second)).to_le_bytes())
}

/// Gives each shard what is its.
fn restore(
    shards: &mut [Shard],
    delayed: Vec<(Delayed, Lying)>,
    sessions: Vec<StoredSession>,
    now: UnixMillis,
) {
    let count = shards.len() as u16;
    for (delayed, lying) in delayed {
        let owner = delayed_owner(delayed.number, count);
        if let Some(shard) = shards.get_mut(usize::from(owner.0)) {
            shard.restore_delayed(delayed, lying);
        }
    }
    for session in sessions {
        let owner = session.number.owner(count);
        if let Some(shard) = shards.get_mut(usize::from(owner.0)) {
            shard.restore_session(session, now);
        }
    }
}
