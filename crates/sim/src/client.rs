//! What one simulated client knows, as an MQTT client that keeps its session does. It must not know what the broker promised.

use std::collections::BTreeSet;

use broker::ConnId;
use mqtt_types::ProtocolVersion;

use crate::groups::SHARERS;
use crate::plan::{CONSUMERS, PUBLISHERS, SESSIONS};
use crate::streams::{READERS, READS_ON};

/// What a client is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Publisher,
    /// Consumes from queues, with a session that ends with its connection.
    Consumer,
    /// Subscribes to everything with a durable session, at that QoS.
    Session {
        qos: u8,
    },
    /// Consumes from one queue, alone, at QoS 2 with a durable session.
    Keeper,
    /// Subscribes to everything as long as it is connected.
    Live,
    /// Reads a stream, with a session that ends with its connection.
    Reads(usize),
    /// Reads a stream with a durable session, at QoS 2.
    ReadsOn,
    /// Reads a stream with others.
    Member,
    /// Shares a subscription.
    Sharer(usize),
    /// Comes at the end, to see what is retained.
    Reader,
}

/// A simulated client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) version: ProtocolVersion,
    /// The shard and the connection.
    pub(crate) at: Option<(usize, ConnId)>,
    /// Counts its connections.
    pub(crate) connection: u32,
    /// Whether it has ever been slow to read on this connection: what it hears may have been written long ago.
    pub(crate) was_blocked: bool,
    /// Whether CONNACK has come.
    pub(crate) is_greeted: bool,
    /// Whether its standing subscription is granted.
    pub(crate) is_subscribed: bool,
    /// Whether its SUBACK is due: a member that leaves before it would be in its group again by that answer.
    pub(crate) is_joining: bool,
    /// Publishes whose acknowledgement is due, in the order of sending.
    pub(crate) open: Vec<Open>,
    /// Messages that it has not answered.
    pub(crate) leases: Vec<Lease>,
    /// What it has accepted and the broker may not have read yet.
    pub(crate) accepting: Vec<(Source, u32)>,
    /// Packet ids of QoS 2 messages that it has and the broker has not released.
    pub(crate) received: BTreeSet<u16>,
    /// Queues that it consumes.
    pub(crate) consumes: BTreeSet<usize>,
    /// Where it asked to read from, and has not heard that it does.
    pub(crate) is_asking: Option<Asked>,
    /// Its next connection begins with a new session.
    pub(crate) begins_anew: bool,
    next_id: u16,
}

/// A publish whose acknowledgement is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) id: u16,
    pub(crate) message: u32,
    pub(crate) qos: u8,
    /// PUBREC has come, PUBREL is sent.
    pub(crate) is_released: bool,
}

/// Where a client asked to read a stream from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    /// There, or the end if that comes before it.
    Offset(u64),
    /// What was stored then or later.
    Time(u64),
}

/// Where a message came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Topic,
    /// A queue, at an offset.
    Queue(usize, u64),
    /// A stream that somebody reads, at an offset.
    Stream(usize, u64),
    /// A group that shares a subscription.
    Group(usize),
}

/// A message that the client has not answered.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) id: u16,
    pub(crate) qos: u8,
    pub(crate) message: u32,
    pub(crate) source: Source,
    /// Which delivery of a queue or a stream it is.
    pub(crate) attempt: u32,
    /// A consumer had it then at the earliest, if that is known, and at the latest.
    pub(crate) granted_ms: u64,
    pub(crate) heard_ms: u64,
}

impl Client {
    /// All clients, in the order of their roles.
    pub(crate) fn all() -> Vec<Self> {
        let publishers = (0..PUBLISHERS).map(|n| (format!("p{n}"), Role::Publisher));
        let consumers = (0..CONSUMERS).map(|n| (format!("c{n}"), Role::Consumer));
        let sessions = (0..SESSIONS).map(|n| (format!("s{n}"), Role::Session { qos: n as u8 + 1 }));
        let others = [("keeper", Role::Keeper), ("live", Role::Live)];
        let readers = READERS.iter().enumerate().filter(|(_, of)| !of.is_group);
        let readers = readers.map(|(n, of)| match n {
            READS_ON => (of.name, Role::ReadsOn),
            _ => (of.name, Role::Reads(n)),
        });
        let members = ["g0", "g1"].map(|name| (name, Role::Member));
        let sharers = SHARERS.iter().enumerate().map(|(n, of)| (of.name, Role::Sharer(n)));
        let named = others.into_iter().chain(readers).chain(members).chain(sharers);
        let named = named.chain([("reader", Role::Reader)]);
        let mut all: Vec<Self> = publishers
            .chain(consumers)
            .chain(sessions)
            .chain(named.map(|(name, role)| (name.to_owned(), role)))
            .map(|(name, role)| Self::new(name, role))
            .collect();
        all[PUBLISHERS - 1].version = ProtocolVersion::V3_1_1;
        all
    }

    fn new(name: String, role: Role) -> Self {
        Self {
            name,
            role,
            version: ProtocolVersion::V5,
            at: None,
            connection: 0,
            was_blocked: false,
            is_greeted: false,
            is_subscribed: false,
            is_joining: false,
            open: Vec::new(),
            leases: Vec::new(),
            accepting: Vec::new(),
            received: BTreeSet::new(),
            consumes: BTreeSet::new(),
            is_asking: None,
            begins_anew: false,
            next_id: 0,
        }
    }

    /// Whether its session outlives its connection.
    pub(crate) const fn keeps_session(&self) -> bool {
        match self.role {
            Role::Publisher | Role::Session { .. } | Role::Keeper | Role::ReadsOn => true,
            Role::Sharer(n) => SHARERS[n].is_durable,
            _ => false,
        }
    }

    /// A packet id that is not in use.
    pub(crate) fn next_id(&mut self) -> u16 {
        loop {
            self.next_id = self.next_id % 60_000 + 1;
            if !self.open.iter().any(|open| open.id == self.next_id) {
                return self.next_id;
            }
        }
    }

    /// Its connection is gone.
    pub(crate) fn lose(&mut self) {
        (self.at, self.is_greeted, self.is_joining) = (None, false, false);
        self.was_blocked = false;
        self.is_subscribed &= self.keeps_session();
        self.leases.clear();
        // Whether the broker read that, nobody knows: it may come again, or not.
        self.accepting.clear();
        self.consumes.clear();
        if !self.keeps_session() {
            self.received.clear();
        }
    }

    /// It forgets its session.
    pub(crate) fn begin_anew(&mut self) {
        (self.begins_anew, self.is_subscribed) = (true, false);
        self.received.clear();
    }
}
