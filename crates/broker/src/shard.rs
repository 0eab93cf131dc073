//! One shard: connections, sessions and queues of one thread. What comes in goes through here; the files below hold
//! one verb each.

mod acknowledge;
mod agree;
mod alarms;
#[cfg(any(test, feature = "testing"))]
mod checks;
mod commit;
mod connect;
mod connect_limits;
mod connected;
mod consume;
mod control;
mod dead_letters;
mod delayed;
mod disconnect;
mod endings;
mod explain;
mod hold;
mod inbox;
mod kept_replay;
mod leases;
mod leases_again;
mod letters;
mod listing;
mod live;
mod live_since;
mod loans;
mod members;
mod moves;
mod operate;
mod outside;
mod pick;
mod publish;
mod read;
mod redrive;
mod refusals;
mod relics;
mod relocate;
mod replay;
mod resend;
mod restore;
mod retain;
mod retained_list;
mod send;
mod session_log;
mod sign_in;
mod state;
mod status;
mod subscribe;
mod subscription_bytes;
mod throttle;
mod tick;
mod trace;
mod unsettled;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use log_api::{LogState, Position, ShardId};
use mqtt_codec::{DecodeError, Packet};
use mqtt_types::ReasonCode;
use queue_engine::{Offset, Queue};
use slab::Slab;
use stdx::Instant;
use stream_engine::Stream;

use crate::clocks::Clocks;
use crate::control::CONTROL_SHARD;
use crate::directory::{QueueDefinition, StreamDefinition};
use crate::hosting::{Hosting, ReadAhead};
use crate::ids::{ConnId, SessionId, SessionNumber};
use crate::outbox::Outbox;
use crate::record::Leaving;
use crate::routes::RouteCache;
use crate::shared::Shared;
use crate::stats::Counts;
use crate::timers::{Timer, Timers};
use crate::turn::Turn;
use agree::KeyScratch;
pub(crate) use alarms::tell_log_state;
use alarms::{Overflowing, Tight};
use control::Control;
pub(crate) use control::Kind;
pub use dead_letters::DEAD;
pub(crate) use dead_letters::dead_letter_queue;
use delayed::DelayedMessages;
pub(crate) use explain::{Leads, leads};
use inbox::UnloggedInboxes;
use leases_again::LeasesAgain;
use listing::Looks;
pub(crate) use live::is_stored_for;
use loans::{LendJob, Lent};
use operate::Operations;
use outside::Outside;
use redrive::Redrives;
use refusals::Refusals;
use relocate::Relocation;
use retain::RetainedWork;
use session_log::Waiting;
use sign_in::Entrant;
use state::{Conns, Consumers, PendingPublish, PendingSubscribe, Sessions};
use status::Status;
use trace::Traces;
use watch::Watch;

/// How often routes of topics that come no more are forgotten.
const ROUTE_CACHE_LIFE: std::time::Duration = std::time::Duration::from_secs(30);

/// A shard of the broker. Its owner, a thread with sockets, calls it with everything that happens, [`Shard::begin`]
/// first and [`Shard::end`] last in each turn.
pub struct Shard {
    id: ShardId,
    shared: Arc<Shared>,
    conns: Conns,
    sessions: Sessions,
    consumers: Consumers,
    /// Clients between CONNECT and CONNACK.
    entrants: HashMap<ConnId, Box<Entrant>>,
    hosting: Hosting,
    control: Control,
    routes: RouteCache,
    timers: Timers,
    clocks: Clocks,
    turn: Turn,
    /// Publishes handed to the log whose commit somebody waits for.
    publishes: Slab<PendingPublish>,
    /// SUBSCRIBE packets that wait for a queue to be created.
    subscribes: Slab<PendingSubscribe>,
    /// Answers that wait for a session's record.
    answers: Slab<Waiting>,
    /// What has happened to inboxes since their last records.
    unlogged: UnloggedInboxes,
    /// The shard has heard of all records for it that lie before that place.
    heard_to: Position,
    /// Connections that are not read because the log or another shard is behind. Some may be gone.
    throttled: Vec<ConnId>,
    throttle_timer: bool,
    /// No session is accepted any more.
    is_draining: bool,
    settle_timer: bool,
    /// What consumers have settled is not written before that: the log has refused it, and it grows until there is room.
    settle_again_at: Instant,
    leases_again: LeasesAgain,
    status: Status,
    /// Sessions that are members of shared groups, or keep messages for some.
    members: HashSet<SessionId>,
    members_timer: bool,
    /// What sessions here keep and others deliver.
    loans: Slab<Lent>,
    lend_jobs: HashMap<SessionNumber, LendJob>,
    delayed: DelayedMessages,
    retained: RetainedWork,
    overflowing: Overflowing,
    looks: Looks,
    outside: Outside,
    operations: Operations,
    watch: Watch,
    /// The budgets that are nearly used up, as the control shard knows.
    tight: Tight,
    log_state: LogState,
    counts: Counts,
    refusals: Refusals,
    key_scratch: KeyScratch,
    redrives: Redrives,
    relocation: Relocation,
    traces: Traces,
}

impl Shard {
    pub(crate) fn new(
        id: ShardId,
        shared: Arc<Shared>,
        (next_sink, next_session): (u32, u64),
        heard_to: Position,
    ) -> Self {
        let config = &shared.config;
        let ahead = ReadAhead {
            messages: config.read_ahead_messages,
            bytes_max: config.read_ahead_bytes,
            memory: shared.budgets.memory.clone(),
        };
        let mut timers = Timers::default();
        timers.set(Instant::ZERO + ROUTE_CACHE_LIFE, Timer::RouteCache);
        timers.set(Instant::ZERO, Timer::Watch);
        timers.set(Instant::ZERO, Timer::Relocation);
        if id == CONTROL_SHARD && !config.status_interval.is_zero() {
            timers.set(Instant::ZERO, Timer::Status);
        }
        if id == CONTROL_SHARD {
            timers.set(Instant::ZERO, Timer::Retained);
        }
        let mut sessions = Sessions::new(id);
        sessions.count_from(next_session);
        Self {
            id,
            conns: Conns::default(),
            sessions,
            consumers: Consumers::new(id),
            entrants: HashMap::new(),
            hosting: Hosting::new(config.shards, ahead),
            control: Control::new(next_sink),
            routes: RouteCache::new(config.route_cache_topics, config.shared_subscriptions.clone()),
            timers,
            clocks: Clocks::default(),
            turn: Turn::new(id, config.shards),
            publishes: Slab::new(),
            subscribes: Slab::new(),
            answers: Slab::new(),
            unlogged: UnloggedInboxes::default(),
            heard_to,
            throttled: Vec::new(),
            throttle_timer: false,
            is_draining: false,
            settle_timer: false,
            settle_again_at: Instant::ZERO,
            leases_again: LeasesAgain::default(),
            status: Status::default(),
            members: HashSet::new(),
            members_timer: false,
            loans: Slab::new(),
            lend_jobs: HashMap::new(),
            delayed: DelayedMessages::default(),
            retained: RetainedWork::default(),
            overflowing: Overflowing::default(),
            looks: Looks::default(),
            outside: Outside::default(),
            operations: Operations::default(),
            watch: Watch::default(),
            tight: Tight::default(),
            log_state: shared.log.state(),
            counts: Counts::default(),
            refusals: Refusals::default(),
            key_scratch: KeyScratch::default(),
            redrives: Redrives::default(),
            relocation: Relocation::default(),
            traces: Traces::new(shared.config.tracer.clone()),
            shared,
        }
    }

    /// Numbers of delayed messages begin above that one.
    pub(crate) fn count_delayed_from(&mut self, number: u64) {
        self.delayed.count_from(number);
    }

    /// Takes in a queue that was recovered, with what is on its way to the dead letters and what went with the process.
    pub(crate) fn host(
        &mut self,
        definition: Arc<QueueDefinition>,
        engine: Queue,
        (leaving, lost): (BTreeMap<Offset, Leaving>, Vec<Offset>),
    ) {
        let sink = definition.sink;
        let room = self.shared.routes.room(definition.sink);
        self.hosting.define(definition, Some(engine), room, &mut self.turn);
        self.hosting.take_in_leaving(sink, leaving);
        self.hosting.log_lost(sink, &lost);
    }

    /// Takes in a stream that was recovered, with the first number that stands for none of its readers, and what of it went
    /// with the process.
    pub(crate) fn host_stream(
        &mut self,
        definition: Arc<StreamDefinition>,
        recovered: (Stream, u64),
        lost: &[Offset],
    ) {
        let sink = definition.sink;
        let room = self.shared.routes.room(sink);
        self.hosting.define_stream(definition, Some(recovered), room, &mut self.turn);
        self.hosting.log_lost(sink, lost);
    }

    /// The shard's number.
    #[must_use]
    pub const fn id(&self) -> ShardId {
        self.id
    }

    /// Starts a turn: the time for all that follows until [`Shard::end`].
    pub fn begin(&mut self, now: Instant, unix_ms: u64) {
        self.clocks.begin(now, unix_ms);
        self.turn.now = now;
        self.turn.unix_ms = unix_ms;
        if self.clocks.take_jump() {
            self.watch_all_sessions();
        }
        self.hosting.tell_clock(&mut self.turn);
    }

    /// The process did not run when it should have: what clients sent meanwhile is heard before any counts as silent.
    pub fn was_stopped(&mut self) {
        self.clocks.was_stopped(self.turn.now);
    }

    /// Serves a packet of a connection that is past CONNECT.
    #[inline]
    pub fn packet<O: Outbox>(&mut self, conn: ConnId, packet: &Packet<'_>, out: &mut O) {
        let Some(state) = self.conns.get_mut(conn) else {
            return self.packet_of_entrant(conn, packet, out);
        };
        state.connection.on_packet(self.turn.now);
        match packet {
            Packet::Publish(publish) => self.publish(conn, publish, out),
            Packet::PubAck(ack) => self.on_puback(conn, ack, out),
            Packet::PubRec(ack) => self.on_pubrec(conn, ack, out),
            Packet::PubRel(ack) => self.on_pubrel(conn, ack, out),
            Packet::PubComp(ack) => self.on_pubcomp(conn, ack, out),
            Packet::Subscribe(subscribe) => {
                self.subscribe(conn, subscribe, out);
                self.throttle_requests(conn, out);
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.unsubscribe(conn, unsubscribe, out);
                self.throttle_requests(conn, out);
            }
            Packet::PingReq => {
                self.send_pingresp(conn, out);
                self.shrink(conn);
            }
            Packet::Disconnect(disconnect) => self.on_disconnect(conn, disconnect, out),
            Packet::Auth(auth) => self.on_auth(conn, auth, out),
            // A second CONNECT `[MQTT-3.1.0-2]`, and packets that only a server sends.
            _ => self.end_connection(conn, ReasonCode::PROTOCOL_ERROR, None, out),
        }
    }

    /// Ends a connection whose bytes are no packet. `[MQTT-4.13.1-1]`
    pub fn malformed<O: Outbox>(&mut self, conn: ConnId, error: &DecodeError, out: &mut O) {
        self.counts.protocol_errors_total += 1;
        let client_id = self.client_id(conn).unwrap_or_default().to_owned();
        tracing::info!(client_id, %error, "connection ended: malformed packet");
        self.end_connection(conn, error.reason_code(), Some(&error.to_string()), out);
    }

    /// The soonest moment at which [`Shard::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [self.timers.next_deadline(), self.hosting.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Ends a turn: letters to itself are read, records, letters and reads leave.
    pub fn end<O: Outbox>(&mut self, out: &mut O) {
        loop {
            while let Some(letter) = self.turn.next_local() {
                self.letter(letter, out);
            }
            self.hosting.see_to_touched();
            if self.continue_keyed_jobs() {
                continue;
            }
            self.hosting.rekey_on(&mut self.turn);
            if !self.hosting.is_moving() {
                break;
            }
            self.move_messages();
        }
        let may_settle = self.turn.now >= self.settle_again_at;
        if may_settle {
            self.hosting.log_urgent(&mut self.turn);
        }
        if self.has_unlogged() && may_settle && !self.turn.batch.is_empty() {
            // A record goes out anyway: settlements ride along.
            self.hosting.log_settlements(true, &mut self.turn);
            self.log_inboxes();
        }
        if self.has_unlogged() && !self.settle_timer {
            self.settle_timer = true;
            let due = self.turn.now + self.shared.config.settle_interval;
            self.timers.set(due.max(self.settle_again_at), Timer::Settlements);
        }
        self.turn.finish(&*self.shared.log, &self.shared.post);
        self.prune_timers();
        if self.id == CONTROL_SHARD {
            self.watch_memory();
        }
        self.counts.connections = self.conns.len() as u64;
        self.counts.sessions = self.sessions.len() as u64;
        self.counts.delayed_messages = self.delayed.len() as u64;
        self.counts.delayed_bytes = self.delayed.bytes();
        self.counts.durable_sessions = self.sessions.durable_len() as u64;
        if let Some(published) = self.shared.counts.get(usize::from(self.id.0)) {
            published.publish(&self.counts);
        }
    }

    fn has_unlogged(&self) -> bool {
        self.hosting.has_unlogged() || !self.unlogged.is_empty()
    }

    /// Writes what consumers have settled and what clients have acknowledged since the last time.
    fn log_settlements(&mut self) {
        self.hosting.log_settlements(false, &mut self.turn);
        self.log_inboxes();
    }

    /// Counts bytes that were read from and written to sockets.
    pub const fn count_bytes(&mut self, received: u64, sent: u64) {
        self.counts.bytes_received_total += received;
        self.counts.bytes_sent_total += sent;
    }

    fn client_id(&self, conn: ConnId) -> Option<&str> {
        let session = self.conns.get(conn)?.session;
        self.sessions.get(session).map(|entry| entry.session.client_id())
    }
}
