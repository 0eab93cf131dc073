//! What clients hear, and what they say to it by themselves. It must not know what happens next.

use mqtt_codec::AckKind;
use mqtt_types::ReasonCode;

use super::World;
use crate::client::{Lease, Role};
use crate::plan::{CONSUMERS, PUBLISHERS, leads_to};
use crate::queues::{DEAD, Kind, ONCE, QUEUES, number_of};
use crate::wire::{self, Delivery, Heard};

/// The packet id of a client's standing subscription.
const STANDING: u16 = 65_000;

impl World {
    /// Lets every client hear what has come.
    pub(super) fn listen(&mut self) {
        self.hear_operator();
        for n in 0..self.clients.len() {
            let Some(socket) = self.socket(n) else { continue };
            let mut received = std::mem::take(&mut socket.received);
            let is_read = socket.input.is_empty() && socket.unread.is_empty();
            let is_over = socket.closed.is_some() && (socket.out.is_empty() || socket.is_blocked);
            let version = self.clients[n].version;
            for heard in wire::hear(&mut received, version) {
                self.hear(n, heard);
            }
            if is_read && !is_over {
                for (queue, offset) in std::mem::take(&mut self.clients[n].accepting) {
                    self.auditor.accepted(queue, offset);
                }
            }
            if is_over {
                let name = self.clients[n].name.clone();
                self.say(format!("{name} is disconnected"));
                if let Some((shard, conn)) = self.clients[n].at {
                    self.node.sockets[shard].open.remove(&conn.slot);
                }
                self.clients[n].lose();
            }
        }
    }

    fn hear(&mut self, n: usize, heard: Heard) {
        match heard {
            Heard::ConnAck { present } => self.greeted(n, present),
            Heard::Publish(delivery) => self.delivered(n, &delivery),
            Heard::SubAck { id: STANDING, code } => {
                self.clients[n].is_subscribed = code < 0x80;
                let name = self.clients[n].name.clone();
                self.say(format!("{name} suback {code:02x}"));
            }
            Heard::SubAck { .. } | Heard::Other => {}
            Heard::Ack { kind: AckKind::PubRel, id, .. } => {
                self.clients[n].received.remove(&id);
                let version = self.clients[n].version;
                self.send(n, wire::ack(version, AckKind::PubComp, id, 0));
            }
            Heard::Ack { kind, id, code } => self.acknowledged(n, kind, id, code),
        }
    }

    fn greeted(&mut self, n: usize, present: bool) {
        let client = &mut self.clients[n];
        client.is_greeted = true;
        let (name, role) = (client.name.clone(), client.role);
        if !present {
            client.received.clear();
            client.is_subscribed = false;
            if client.role == Role::Keeper {
                self.auditor.lost_keeper();
            }
        }
        if self.clients[n].keeps_session() {
            self.say(format!("{name} connack, session present: {present}"));
        }
        match role {
            Role::Publisher => self.resend(n, present),
            Role::Session { qos } if !self.clients[n].is_subscribed => {
                self.auditor.subscribes(n - PUBLISHERS - CONSUMERS);
                self.send(n, wire::subscribe(STANDING, "t/+", qos));
            }
            Role::Live => self.send(n, wire::subscribe(STANDING, "t/+", 1)),
            Role::Keeper if !self.clients[n].is_subscribed => {
                self.send(n, wire::subscribe(STANDING, &QUEUES[ONCE].address(), 2));
            }
            Role::Session { .. } | Role::Consumer | Role::Keeper => {}
            Role::Reader => self.send(n, wire::subscribe(STANDING, "t/+", 1)),
        }
    }

    /// A publisher says again what was not acknowledged. `[MQTT-4.4.0-1]`
    fn resend(&mut self, n: usize, present: bool) {
        let version = self.clients[n].version;
        for open in self.clients[n].open.clone() {
            if open.is_released && present {
                self.send(n, wire::ack(version, AckKind::PubRel, open.id, 0));
                continue;
            }
            if open.is_released {
                // The session is gone, and the message had been taken.
                self.clients[n].open.retain(|other| other.id != open.id);
                continue;
            }
            self.auditor.resent(open.message);
            self.seen.note("message resent", 1);
            if !present {
                self.auditor.lost_session(open.message);
            }
            let (bytes, topic) =
                (self.sizes[open.message as usize], self.auditor.topic(open.message));
            let retain = self.auditor.is_retained(open.message);
            let payload = crate::message::payload(open.message, topic, bytes);
            self.say(format!("p{n} sends {} again", open.message));
            self.send(
                n,
                wire::publish(version, (open.qos, open.id), (true, retain), topic, &payload),
            );
        }
    }

    fn acknowledged(&mut self, n: usize, kind: AckKind, id: u16, code: u8) {
        let name = self.clients[n].name.clone();
        let Some(at) = self.clients[n].open.iter().position(|open| open.id == id) else {
            panic!("{name} hears {kind:?} {id}, which it does not wait for");
        };
        let open = &mut self.clients[n].open[at];
        let message = open.message;
        match kind {
            AckKind::PubRec if code < 0x80 => open.is_released = true,
            _ => {
                self.clients[n].open.remove(at);
            }
        }
        if kind == AckKind::PubComp {
            return;
        }
        self.say(format!("{name} hears {kind:?} {code:02x} of {message}"));
        self.auditor.answered(message, code);
        let is_wanted = leads_to(self.auditor.topic(message), "t/+");
        self.check_answer(n, message, code, is_wanted);
        self.seen.note("message for nobody", u64::from(!is_wanted));
        self.seen.note(if code < 0x80 { "acknowledged" } else { "message refused" }, 1);
        if kind == AckKind::PubRec && code < 0x80 {
            let version = self.clients[n].version;
            self.send(n, wire::ack(version, AckKind::PubRel, id, 0));
        }
    }

    /// Success says that somebody takes it, or that nobody does, and is never said of what could not be stored.
    fn check_answer(&self, n: usize, message: u32, code: u8, is_wanted: bool) {
        if code >= 0x80 {
            return;
        }
        assert!(
            !is_wanted || self.failed_at.is_none_or(|published| message < published),
            "message {message} was sent to a disk that had failed, and is acknowledged"
        );
        let says_nobody = code == ReasonCode::NO_MATCHING_SUBSCRIBERS.0;
        // Of a message that has come before the broker need not remember who wanted it.
        let may_differ = !self.clients[n].version.is_v5() || self.auditor.is_resent(message);
        assert!(
            !(says_nobody && is_wanted) && (says_nobody || is_wanted || may_differ),
            "message {message} is acknowledged with {code:#04x}"
        );
    }

    fn delivered(&mut self, n: usize, delivery: &Delivery) {
        let message = self.auditor.identify(delivery);
        let client = &mut self.clients[n];
        let connection = client.connection;
        let Delivery { qos, id, .. } = *delivery;
        let is_again = qos == 2 && !client.received.insert(id);
        if matches!(client.role, Role::Session { .. }) {
            let name = client.name.clone();
            self.say(format!("{name} gets {message} at QoS {qos} as {id}, again: {is_again}"));
        }
        let mut queue = None;
        match (self.clients[n].role, &delivery.from_queue) {
            (Role::Session { .. }, None) if delivery.is_retained => {
                self.auditor.retained_of_session(n - PUBLISHERS - CONSUMERS, message);
            }
            (Role::Live, None) if delivery.is_retained => {}
            (Role::Session { qos: granted }, None) if !is_again => {
                self.auditor.of_session(n - PUBLISHERS - CONSUMERS, granted, message);
            }
            (Role::Reader, None) => self.auditor.kept(message, delivery.is_retained),
            (Role::Live, None) => self.auditor.live((n, connection), message),
            (Role::Keeper, Some((_, offset, _))) if is_again => queue = Some((ONCE, *offset)),
            (Role::Consumer | Role::Keeper, Some((name, offset, attempt))) => {
                let number = number_of(name);
                let of = &self.clients[n].name;
                let said = format!("{of} gets {message} of {name} at {offset}, attempt {attempt}");
                self.say(said);
                if number == DEAD {
                    let died_at = delivery.died_at.expect("a dead letter says where it died");
                    self.auditor.died(message, *offset, died_at);
                    self.seen.note("dead letter comes", 1);
                }
                self.auditor.consumed(number, (message, *offset, *attempt), (n, connection));
                queue = Some((number, *offset));
            }
            (Role::Session { .. }, None) => {}
            other => panic!("{} hears of {message}: {other:?}", self.clients[n].name),
        }
        match (qos, queue) {
            (0, Some((queue, offset))) => self.auditor.accepted(queue, offset),
            (0, None) => {}
            _ => {
                let leases = &mut self.clients[n].leases;
                leases.retain(|lease| lease.id != id);
                leases.push(Lease { id, qos, message, queue });
            }
        }
    }

    /// A client answers a message.
    pub(super) fn answer(&mut self, n: usize, nth: usize, code: u8) {
        if nth >= self.clients[n].leases.len() {
            return;
        }
        let Lease { id, qos, message, queue } = self.clients[n].leases.remove(nth);
        // Only a queue's consumer refuses, and only one queue has dead letters.
        let code = match queue.map(|(queue, _)| QUEUES[queue].kind) {
            None => 0,
            Some(Kind::Dying) => code,
            // A message that it refused would come again.
            Some(Kind::Once) => 0,
            Some(_) if code == 0x99 => 0x80,
            Some(_) => code,
        };
        if queue.is_some() {
            self.seen.note(if code == 0 { "consumer accepts" } else { "consumer refuses" }, 1);
        }
        self.clients[n].accepting.extend(queue.filter(|_| code == 0));
        if qos == 2 && code >= 0x80 {
            self.clients[n].received.remove(&id);
        }
        let kind = if qos == 1 { AckKind::PubAck } else { AckKind::PubRec };
        let version = self.clients[n].version;
        let name = self.clients[n].name.clone();
        self.say(format!("{name} answers {message} with {code:02x}"));
        self.send(n, wire::ack(version, kind, id, code));
    }
}
