//! The tables of a shard: connections, sessions, consumers, and what waits for an answer.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use log_api::ShardId;
use mqtt_router::{Cursor, MemberState, SinkId};
use mqtt_session::{AckTicket, Connection, Inbox, Negotiated, Session, SubscriptionRecord};
use mqtt_types::{PacketId, QoS, ReasonCode};
use queue_engine::ConsumerId;
use stdx::Instant;

use super::connected::Told;
use super::hold::HeldMessages;
use super::inbox::Shelf;
use super::leases::Leases;
use super::live_since::LiveSince;
use super::read::StreamWish;
use super::session_log::SubAckToSend;
use super::sign_in::SignedIn;
use super::unsettled::{Stored, Unsettled};
use crate::budget::Budget;
use crate::control::SinkKind;
use crate::groups::Presence;
use crate::ids::{ConnId, SessionId, SessionNumber};
use crate::retained::Sight;

/// A connection past CONNECT.
pub(crate) struct Conn {
    generation: u32,
    pub(crate) connection: Connection,
    pub(crate) session: SessionId,
    /// Whether the client takes packets of any size and no topic aliases, so that it can share encodings with others.
    pub(crate) shares_encodings: bool,
    /// What of its topic aliases the node's budget knows.
    pub(crate) accounted: usize,
    /// Not read because others are behind with what it sends.
    pub(crate) is_throttled: bool,
    /// A 3.x publisher's messages that cannot be stored for now, in order.
    pub(crate) held: HeldMessages,
    /// Who the client is; none of an anonymous one.
    pub(crate) signed_in: Option<Box<SignedIn>>,
}

impl Conn {
    /// Whether packets of the client are taken now.
    pub(crate) fn is_read(&self) -> bool {
        self.held.is_empty() && !self.is_throttled && !self.connection.must_hold()
    }
}

/// Connections by slot.
#[derive(Default)]
pub(crate) struct Conns {
    slots: Vec<Option<Conn>>,
    len: usize,
}

impl Conns {
    pub(crate) fn get(&self, id: ConnId) -> Option<&Conn> {
        self.slots.get(id.slot as usize)?.as_ref().filter(|conn| conn.generation == id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.slots
            .get_mut(id.slot as usize)?
            .as_mut()
            .filter(|conn| conn.generation == id.generation)
    }

    pub(crate) fn insert(
        &mut self,
        id: ConnId,
        connection: Connection,
        session: SessionId,
        negotiated: &Negotiated,
    ) {
        let slot = id.slot as usize;
        let shares_encodings =
            negotiated.outgoing_topic_aliases == 0 && negotiated.maximum_packet_size == u32::MAX;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            self.len += usize::from(place.is_none());
            let generation = id.generation;
            let is_throttled = false;
            *place = Some(Conn {
                generation,
                connection,
                session,
                shares_encodings,
                accounted: 0,
                is_throttled,
                held: HeldMessages::default(),
                signed_in: None,
            });
        }
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let conn = self
            .slots
            .get_mut(id.slot as usize)?
            .take_if(|conn| conn.generation == id.generation)?;
        self.len -= 1;
        Some(conn)
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// All connections.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        let id = |(slot, conn): (usize, &Option<Conn>)| {
            let generation = conn.as_ref()?.generation;
            Some(ConnId { slot: slot as u32, generation })
        };
        self.slots.iter().enumerate().filter_map(id).collect()
    }
}

/// A session and the connection it has.
pub(crate) struct SessionEntry {
    pub(crate) id: SessionId,
    pub(crate) session: Session,
    pub(crate) conn: Option<ConnId>,
    /// Whose it is: the user that made it, or took it over from nobody in particular.
    pub(crate) owner: Option<Arc<str>>,
    /// Messages at QoS 1 and 2 that may be in flight to the client.
    pub(crate) send_window: u16,
    /// The soonest moment for which a timer stands. Without it each disconnection would add one that lives as long as
    /// the session.
    pub(crate) timer: Option<Instant>,
    /// What of its waiting messages the node's budget knows, beside their bytes.
    accounted: usize,
    /// What the log knows of its connection, if it is a durable one.
    pub(crate) told: Told,
    /// What few sessions have.
    pub(crate) extras: Option<Box<Extras>>,
}

/// What an entry of the messages that wait in memory is reckoned to take.
const PENDING_ENTRY_BYTES: usize = 256;
/// What an entry of an inbox is reckoned to take; its message lies in the log.
pub(crate) const INBOX_ENTRY_BYTES: usize = 32;
/// Changes of less than that are left for later.
const ACCOUNTED_STEP: usize = 512;

/// What few sessions have.
#[derive(Default)]
pub(crate) struct Extras {
    /// Subscriptions whose retained messages have not all been sent, in order.
    pub(crate) replays: VecDeque<Replay>,
    /// Addresses of queue subscriptions whose deliveries bear metadata.
    pub(crate) with_metadata: Vec<Box<str>>,
    /// Addresses of stream subscriptions that read for a group, and which.
    pub(crate) groups: Vec<(Box<str>, Box<str>)>,
    /// Subscriptions whose changes wait for their records.
    pub(crate) unsettled: Unsettled,
    /// Queues' deliveries whose packet ids the log knows.
    pub(crate) leases: Leases,
    /// What is at hand of a durable session's inbox.
    pub(crate) shelf: Shelf,
    /// Its place in shared groups.
    pub(crate) seat: Option<Seat>,
    /// The session is over but for messages of shared subscriptions that it keeps for others.
    pub(crate) ending: Option<Ending>,
}

/// How a session looks for somebody who takes what it keeps.
#[derive(Clone, Copy)]
pub(crate) struct Ending {
    /// How often members had come when it looked last.
    pub(crate) seen: u64,
    /// When it looks again though nobody has come, and how long after that.
    pub(crate) at: Instant,
    pub(crate) wait: Duration,
}

/// What a member of shared groups lets others know, and how it answers.
pub(crate) struct Seat {
    pub(crate) state: Arc<MemberState>,
    /// Its output takes no more.
    pub(crate) is_blocked: bool,
    /// It has not answered for too long, and not since.
    pub(crate) is_stalled: bool,
    /// Its oldest unanswered message, and since when it is that.
    pub(crate) oldest: Option<u64>,
    pub(crate) since: Instant,
}

impl Default for Seat {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            is_blocked: false,
            is_stalled: false,
            oldest: None,
            since: Instant::ZERO,
        }
    }
}

/// A subscription whose retained messages are being sent.
pub(crate) struct Replay {
    pub(crate) address: Box<str>,
    pub(crate) record: SubscriptionRecord,
    /// What comes to the subscription live, and is not sent as retained.
    pub(crate) live: LiveSince,
    /// Whether messages at QoS 1 and 2 go by the log into the inbox.
    pub(crate) is_kept: bool,
    /// The last topic whose message has got its turn, as far as that is stored; empty when none has.
    pub(crate) through: Box<str>,
    /// What was sent since is on its way to the log.
    pub(crate) is_being_stored: bool,
    /// The subscription is being made again.
    pub(crate) is_paused: bool,
    /// The subscription has ended, unless that cannot be stored: the newest change of a retained message then.
    pub(crate) ended: Option<u64>,
    /// A timer stands for a message that is on its way to the log.
    pub(crate) has_timer: bool,
    /// What was looked up and has not had its turn.
    pub(crate) page: VecDeque<Sight>,
    /// What the store had changed when it was looked up.
    pub(crate) as_of: u64,
    /// The bodies that are being read.
    pub(crate) reading: Option<usize>,
    /// Where to look on; `None` when all has been looked up.
    pub(crate) from: Option<Cursor>,
}

impl SessionEntry {
    /// Tells the budget what has changed of the session's waiting messages.
    pub(crate) fn account(&mut self, memory: &Budget) {
        let bytes = |inbox: &Inbox| inbox.entries() * INBOX_ENTRY_BYTES + inbox.identifier_bytes();
        let inbox = self.session.inbox().map_or(0, bytes);
        let now = self.session.pending_len() * PENDING_ENTRY_BYTES + inbox;
        if now == 0 || now.abs_diff(self.accounted) >= ACCOUNTED_STEP {
            memory.note(&mut self.accounted, now);
        }
    }

    /// Tells the budget that the session is no more.
    pub(crate) fn release(&mut self, memory: &Budget) {
        memory.note(&mut self.accounted, 0);
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) const fn accounted(&self) -> usize {
        self.accounted
    }

    /// Gives back what few sessions have, when this one does not have it any more.
    pub(crate) fn give_back_extras(&mut self) {
        self.extras.take_if(|extras| {
            extras.replays.is_empty()
                && extras.with_metadata.is_empty()
                && extras.groups.is_empty()
                && extras.unsettled.is_empty()
                && extras.leases.is_empty()
                && extras.shelf.is_empty()
                && extras.seat.is_none()
                && extras.ending.is_none()
        });
    }

    /// Its place in shared groups.
    pub(crate) fn seat_mut(&mut self) -> Option<&mut Seat> {
        self.extras.as_mut()?.seat.as_mut()
    }

    /// Lets others know how many messages it has and takes, if it is a member of a shared group.
    #[inline]
    pub(crate) fn tell_others(&mut self) {
        let Some(extras) = &mut self.extras else { return };
        let Some(seat) = &extras.seat else { return };
        let presence = match self.conn {
            Some(_) => Presence::connected(self.send_window, seat.is_blocked, seat.is_stalled),
            None => Presence::AWAY,
        };
        seat.state.set_room(presence.as_u32());
        seat.state.set_load(u32::try_from(self.session.load()).unwrap_or(u32::MAX));
    }

    /// It is over but for what it keeps for other members of shared groups.
    pub(crate) fn is_ending(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.ending.is_some())
    }

    /// Whether retained messages are still to be sent.
    pub(crate) fn is_replaying(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| !extras.replays.is_empty())
    }
}

/// Sessions by slot, by number and by client id.
pub(crate) struct Sessions {
    shard: ShardId,
    generation: u16,
    slots: Vec<Option<SessionEntry>>,
    free: Vec<u32>,
    /// Slots by the client id of the session there, which alone keeps the text.
    by_client: HashTable<u32>,
    /// Slots of durable sessions.
    by_number: HashMap<SessionNumber, u32, RandomState>,
    /// The count of the next durable session's number.
    next_count: u64,
    hash: RandomState,
}

impl Sessions {
    pub(crate) fn new(shard: ShardId) -> Self {
        Self {
            shard,
            generation: 0,
            slots: Vec::new(),
            free: Vec::new(),
            by_client: HashTable::new(),
            by_number: HashMap::default(),
            next_count: 0,
            hash: RandomState::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }

    pub(crate) fn durable_len(&self) -> usize {
        self.by_number.len()
    }

    /// The count of the next durable session's number.
    pub(crate) const fn next_count(&self) -> u64 {
        self.next_count
    }

    /// Numbers of durable sessions begin at that count, at least.
    pub(crate) fn count_from(&mut self, count: u64) {
        self.next_count = self.next_count.max(count);
    }

    #[inline]
    fn slot_of(&self, id: SessionId) -> Option<usize> {
        match id.number() {
            None => Some(id.slot()),
            Some(number) => self.by_number.get(&number).map(|slot| *slot as usize),
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: SessionId) -> Option<&SessionEntry> {
        self.slots.get(self.slot_of(id)?)?.as_ref().filter(|entry| entry.id == id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut SessionEntry> {
        let slot = self.slot_of(id)?;
        self.slots.get_mut(slot)?.as_mut().filter(|entry| entry.id == id)
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<SessionId> {
        let is_of = |slot: &u32| client_id_at(&self.slots, *slot) == Some(client_id);
        let slot = *self.by_client.find(self.hash.hash_one(client_id), is_of)?;
        self.slots.get(slot as usize)?.as_ref().map(|entry| entry.id)
    }

    /// The id of a durable session.
    pub(crate) const fn durable_id(&self, number: SessionNumber) -> SessionId {
        SessionId::durable(self.shard, number)
    }

    /// Takes a new session in. One that outlives its connection gets a number.
    pub(crate) fn insert(&mut self, session: Session, send_window: u16) -> SessionId {
        if session.inbox().is_none() {
            return self.put(None, session, send_window);
        }
        let number = SessionNumber::new(self.next_count, session.client_id());
        self.next_count += 1;
        self.put(Some(number), session, send_window)
    }

    /// Takes a session of that number in.
    pub(crate) fn restore(&mut self, number: SessionNumber, session: Session) -> SessionId {
        self.put(Some(number), session, 1)
    }

    fn put(
        &mut self,
        number: Option<SessionNumber>,
        session: Session,
        send_window: u16,
    ) -> SessionId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        let id = match number {
            Some(number) => {
                self.by_number.insert(number, slot);
                self.durable_id(number)
            }
            None => {
                self.generation = self.generation.wrapping_add(1);
                SessionId::transient(self.shard, self.generation, slot)
            }
        };
        let hash = self.hash.hash_one(session.client_id());
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(SessionEntry {
                id,
                session,
                conn: None,
                owner: None,
                send_window,
                timer: None,
                accounted: 0,
                told: Told::default(),
                extras: None,
            });
        }
        let (hasher, slots) = (&self.hash, &self.slots);
        let rehash = |slot: &u32| hasher.hash_one(client_id_at(slots, *slot).unwrap_or_default());
        self.by_client.insert_unique(hash, slot, rehash);
        id
    }

    /// The session is not its client's any more.
    pub(crate) fn forget_client(&mut self, id: SessionId) {
        let Some(entry) = self.get(id) else { return };
        let hash = self.hash.hash_one(entry.session.client_id());
        let slot = self.slot_of(id).map(|slot| slot as u32);
        if let Ok(known) = self.by_client.find_entry(hash, |at| Some(*at) == slot) {
            known.remove();
        }
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<SessionEntry> {
        self.forget_client(id);
        let slot = self.slot_of(id)?;
        let entry = self.slots.get_mut(slot)?.take_if(|entry| entry.id == id)?;
        let slot = slot as u32;
        if let Some(number) = id.number() {
            self.by_number.remove(&number);
        }
        self.free.push(slot);
        Some(entry)
    }

    /// Places for sessions from that one on, so many at most.
    pub(crate) fn slots(
        &self,
        from: usize,
        count: usize,
    ) -> impl Iterator<Item = (u32, Option<&SessionEntry>)> {
        let slots = self.slots.iter().enumerate().skip(from).take(count);
        slots.map(|(slot, entry)| (slot as u32, entry.as_ref()))
    }

    /// How many places there are.
    pub(crate) const fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// All durable sessions.
    pub(crate) fn durable(&self) -> impl Iterator<Item = (SessionNumber, &SessionEntry)> {
        let entry = |(number, slot): (&SessionNumber, &u32)| {
            let entry = self.slots.get(*slot as usize)?.as_ref()?;
            Some((*number, entry))
        };
        self.by_number.iter().filter_map(entry)
    }

    /// All of them.
    pub(crate) fn ids(&self) -> Vec<SessionId> {
        self.slots.iter().flatten().map(|entry| entry.id).collect()
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SessionEntry> {
        self.slots.iter().flatten()
    }
}

fn client_id_at(slots: &[Option<SessionEntry>], slot: u32) -> Option<&str> {
    slots.get(slot as usize)?.as_ref().map(|entry| entry.session.client_id())
}

/// A queue or stream subscription of a connected session.
pub(crate) struct Consumer {
    pub(crate) session: SessionId,
    pub(crate) sink: SinkId,
    pub(crate) owner: ShardId,
    pub(crate) record: SubscriptionRecord,
    /// The subscription's address, as the client wrote it.
    pub(crate) address: Box<str>,
    /// Whether it is one of a queue or of a stream.
    pub(crate) what: SinkKind,
    /// The name of that.
    pub(crate) name: Arc<str>,
    /// Whether deliveries say where the message stands there.
    pub(crate) wants_metadata: bool,
    /// Since when it consumes, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// Whether its stream is asked and has not said yes yet.
    pub(crate) is_asked: bool,
}

/// Consumers whose session is at this shard.
pub(crate) struct Consumers {
    shard: ShardId,
    next: u64,
    map: HashMap<ConsumerId, Consumer>,
}

impl Consumers {
    pub(crate) fn new(shard: ShardId) -> Self {
        Self { shard, next: 0, map: HashMap::new() }
    }

    pub(crate) fn insert(&mut self, consumer: Consumer) -> ConsumerId {
        self.next += 1;
        let id = ConsumerId(u64::from(self.shard.0) << 48 | self.next);
        self.map.insert(id, consumer);
        id
    }

    pub(crate) fn get(&self, id: ConsumerId) -> Option<&Consumer> {
        self.map.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.map.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: ConsumerId) -> Option<Consumer> {
        self.map.remove(&id)
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ConsumerId, &Consumer)> {
        self.map.iter()
    }
}

/// A publish that waits for its commit.
#[derive(Clone, Copy)]
pub(crate) struct PendingPublish {
    /// What the publisher hears when it is stored: whether anyone takes it.
    pub(crate) stored: ReasonCode,
    pub(crate) conn: ConnId,
    pub(crate) session: SessionId,
    pub(crate) ticket: AckTicket,
    pub(crate) packet_id: PacketId,
    pub(crate) qos: QoS,
}

/// A SUBSCRIBE that waits for queues or streams to be created, or for streams to say yes.
pub(crate) struct PendingSubscribe {
    pub(crate) session: SessionId,
    pub(crate) suback: SubAckToSend,
    /// What its properties say about streams.
    pub(crate) wish: StreamWish,
    /// The filters that are still open.
    pub(crate) open: Vec<OpenFilter>,
}

/// A filter of a SUBSCRIBE about which more is to be found out.
pub(crate) struct OpenFilter {
    /// Its place in the packet.
    pub(crate) place: usize,
    pub(crate) address: String,
    pub(crate) record: SubscriptionRecord,
    /// What the subscription was before.
    pub(crate) before: Stored,
}
