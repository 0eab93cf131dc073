//! The sockets of a shard as tests have them: bytes in, bytes out, and what the shard asked for.

use std::collections::{BTreeMap, VecDeque};

use mqtt_types::ProtocolVersion;

use crate::ids::ConnId;
use crate::outbox::{CloseReason, Outbox};

/// One connection's side of the shard.
#[derive(Default, Debug)]
pub struct Socket {
    /// What the shard wrote and the client has not got yet.
    pub out: Vec<u8>,
    /// What the client got and has not decoded yet.
    pub received: Vec<u8>,
    /// Bytes that the client ever got.
    pub written: u64,
    /// Packets of the client that wait, because it is not read.
    pub input: VecDeque<Vec<u8>>,
    /// What its CONNECT asked for, once that was handed to the shard.
    pub version: Option<ProtocolVersion>,
    /// What was read of it and is no whole packet yet.
    pub unread: Vec<u8>,
    /// The shard does not read it.
    pub is_paused: bool,
    /// The client does not read.
    pub is_blocked: bool,
    /// The shard wants to hear when all is written.
    pub wants_drained: bool,
    /// The shard has ended it.
    pub closed: Option<CloseReason>,
}

/// All connections of a shard.
#[derive(Default, Debug)]
pub struct Sockets {
    /// By slot.
    pub open: BTreeMap<u32, Socket>,
}

impl Sockets {
    /// A connection that is open.
    pub fn get(&mut self, conn: ConnId) -> Option<&mut Socket> {
        self.open.get_mut(&conn.slot)
    }

    /// Writes out what can be, and gives the connections whose shard wants to hear of it.
    pub fn flush(&mut self) -> Vec<ConnId> {
        let mut drained = Vec::new();
        for (slot, socket) in &mut self.open {
            if socket.is_blocked {
                continue;
            }
            socket.written += socket.out.len() as u64;
            socket.received.append(&mut socket.out);
            if std::mem::take(&mut socket.wants_drained) {
                drained.push(ConnId { slot: *slot, generation: *slot });
            }
        }
        drained
    }
}

impl Outbox for Sockets {
    fn buffer(&mut self, conn: ConnId) -> Option<&mut Vec<u8>> {
        self.get(conn).filter(|socket| socket.closed.is_none()).map(|socket| &mut socket.out)
    }

    fn mark(&self, conn: ConnId) -> u64 {
        self.open.get(&conn.slot).map_or(0, |socket| socket.written + socket.out.len() as u64)
    }

    fn written(&self, conn: ConnId) -> u64 {
        self.open.get(&conn.slot).map_or(0, |socket| socket.written)
    }

    fn close(&mut self, conn: ConnId, reason: CloseReason) {
        if let Some(socket) = self.get(conn) {
            socket.closed.get_or_insert(reason);
        }
    }

    fn pause_reading(&mut self, conn: ConnId) {
        if let Some(socket) = self.get(conn) {
            socket.is_paused = true;
        }
    }

    fn resume_reading(&mut self, conn: ConnId) {
        if let Some(socket) = self.get(conn) {
            socket.is_paused = false;
        }
    }

    fn notify_drained(&mut self, conn: ConnId) {
        if let Some(socket) = self.get(conn) {
            socket.wants_drained = true;
        }
    }
}
