//! What one simulated client knows, as an MQTT client that keeps its session does. It must not know what the broker promised.

use std::collections::BTreeSet;

use broker::ConnId;
use mqtt_types::ProtocolVersion;

use crate::plan::{CONSUMERS, PUBLISHERS, SESSIONS};

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
    /// Whether CONNACK has come.
    pub(crate) is_greeted: bool,
    /// Whether its standing subscription is granted.
    pub(crate) is_subscribed: bool,
    /// Publishes whose acknowledgement is due, in the order of sending.
    pub(crate) open: Vec<Open>,
    /// Messages that it has not answered.
    pub(crate) leases: Vec<Lease>,
    /// What it has accepted and the broker may not have read yet: queues and offsets.
    pub(crate) accepting: Vec<(usize, u64)>,
    /// Packet ids of QoS 2 messages that it has and the broker has not released.
    pub(crate) received: BTreeSet<u16>,
    /// Queues that it consumes.
    pub(crate) consumes: BTreeSet<usize>,
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

/// A message that the client has not answered.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) id: u16,
    pub(crate) qos: u8,
    pub(crate) message: u32,
    /// The queue it came from, and the offset there.
    pub(crate) queue: Option<(usize, u64)>,
}

impl Client {
    /// All clients, in the order of their roles.
    pub(crate) fn all() -> Vec<Self> {
        let publishers = (0..PUBLISHERS).map(|n| (format!("p{n}"), Role::Publisher));
        let consumers = (0..CONSUMERS).map(|n| (format!("c{n}"), Role::Consumer));
        let sessions = (0..SESSIONS).map(|n| (format!("s{n}"), Role::Session { qos: n as u8 + 1 }));
        let others = [("keeper", Role::Keeper), ("live", Role::Live), ("reader", Role::Reader)];
        let others = others.map(|(name, role)| (name.to_owned(), role));
        let mut all: Vec<Self> = publishers
            .chain(consumers)
            .chain(sessions)
            .chain(others)
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
            is_greeted: false,
            is_subscribed: false,
            open: Vec::new(),
            leases: Vec::new(),
            accepting: Vec::new(),
            received: BTreeSet::new(),
            consumes: BTreeSet::new(),
            next_id: 0,
        }
    }

    /// Whether its session outlives its connection.
    pub(crate) const fn keeps_session(&self) -> bool {
        matches!(self.role, Role::Publisher | Role::Session { .. } | Role::Keeper)
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
        (self.at, self.is_greeted) = (None, false);
        self.is_subscribed &= self.keeps_session();
        self.leases.clear();
        // Whether the broker read that, nobody knows: it may come again, or not.
        self.accepting.clear();
        self.consumes.clear();
        if !self.keeps_session() {
            self.received.clear();
        }
    }
}
