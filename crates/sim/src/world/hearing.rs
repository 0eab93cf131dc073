//! What clients hear, and what they say to it by themselves. It must not know what happens next.

use mqtt_codec::AckKind;
use mqtt_types::ReasonCode;

use super::World;
use crate::client::{Client, Lease, Role, Source};
use crate::plan::{CONSUMERS, PUBLISHERS, is_wanted};
use crate::queues::{
    BRIEF, DEAD, HASTE_MS, HASTY, Kind, LATER, MOODY, ONCE, OPERATED, QUEUES, TURNING, number_of,
};
use crate::wire::{self, Delivery, Heard};

/// The packet id of a client's standing subscription.
pub(super) const STANDING: u16 = 65_000;

impl World {
    /// Lets every client hear what has come.
    pub(super) fn listen(&mut self) {
        self.hear_operator();
        self.hear_orders();
        for n in 0..self.clients.len() {
            let Some(socket) = self.socket(n) else { continue };
            let mut received = std::mem::take(&mut socket.received);
            let is_read = socket.input.is_empty() && socket.unread.is_empty();
            let is_blocked = socket.is_blocked;
            let is_over = socket.closed.is_some() && (socket.out.is_empty() || is_blocked);
            let version = self.clients[n].version;
            for heard in wire::hear(&mut received, version) {
                self.hear(n, heard);
            }
            if is_read && !is_over {
                for (source, message) in std::mem::take(&mut self.clients[n].accepting) {
                    self.has_accepted(n, source, message);
                }
            }
            if is_over {
                let name = self.clients[n].name.clone();
                self.say(format!("{name} is disconnected"));
                if let Some((shard, conn)) = self.clients[n].at {
                    self.node.sockets[shard].open.remove(&conn.slot);
                }
                self.note_lost(n, is_blocked);
            }
        }
    }

    /// The broker has read that a client accepts a message.
    fn has_accepted(&mut self, n: usize, source: Source, message: u32) {
        match source {
            Source::Queue(HASTY, offset) if self.is_late(n, offset) => {
                self.auditor.accepts(HASTY, offset);
                self.auditor.may_have_accepted(HASTY, offset);
            }
            Source::Queue(queue, offset) => {
                self.auditor.accepted(queue, offset);
                if queue == OPERATED {
                    self.auditor.is_accepted_at(offset, self.wall());
                }
            }
            Source::Stream(reader, offset) => self.auditor.has_settled(reader, offset),
            Source::Group(group) => self.auditor.has_taken(group, message),
            Source::Topic => {}
        }
    }

    fn hear(&mut self, n: usize, heard: Heard) {
        match heard {
            Heard::ConnAck { present } => self.greeted(n, present),
            Heard::Publish(delivery) => self.delivered(n, &delivery),
            Heard::SubAck { id: STANDING, code } => {
                self.clients[n].is_subscribed = code < 0x80;
                self.clients[n].is_joining = false;
                let name = self.clients[n].name.clone();
                self.say(format!("{name} suback {code:02x}"));
                if code < 0x80 {
                    self.has_begun_to_read(n);
                }
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
            match role {
                Role::Keeper => self.auditor.lost_keeper(),
                Role::ReadsOn => self.auditor.lost_reader(),
                _ => {}
            }
        }
        if self.clients[n].keeps_session() {
            self.say(format!("{name} connack, session present: {present}"));
        }
        match role {
            Role::Publisher => self.resend(n, present),
            _ => self.subscribe_standing(n),
        }
    }

    /// Who had been refused, when there was no room, asks again.
    pub(super) fn subscribe_again(&mut self) {
        for n in 0..self.clients.len() {
            let client = &self.clients[n];
            if client.is_greeted && !client.is_subscribed {
                self.subscribe_standing(n);
            }
        }
    }

    /// A client asks for what it always wants, unless it has it.
    fn subscribe_standing(&mut self, n: usize) {
        match self.clients[n].role {
            Role::Session { qos } if !self.clients[n].is_subscribed => {
                self.auditor.subscribes(n - PUBLISHERS - CONSUMERS);
                self.send(n, wire::subscribe(STANDING, "t/+", qos));
            }
            Role::Live => self.send(n, wire::subscribe(STANDING, "t/+", 1)),
            Role::Keeper if !self.clients[n].is_subscribed => {
                self.send(n, wire::subscribe(STANDING, &QUEUES[ONCE].address(), 2));
            }
            Role::Member => self.read_on(n),
            Role::ReadsOn if !self.clients[n].is_subscribed => self.read_on(n),
            Role::Sharer(sharer) => self.join(sharer),
            Role::Publisher | Role::Session { .. } | Role::Consumer | Role::Keeper => {}
            Role::Reads(_) | Role::ReadsOn => {}
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
            let timing = self.auditor.timing_of(open.message);
            let (said, address) = (wire::Said::of(open.message, timing), timing.address(topic));
            self.say(format!("p{n} sends {} again", open.message));
            self.send(
                n,
                wire::publish(
                    version,
                    (open.qos, open.id),
                    (true, retain),
                    &address,
                    (&payload, &said),
                ),
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
        self.auditor.is_answered(message, code);
        self.auditor.may_be_at_risk(message, self.machine.now_ms());
        let at = self.wall();
        self.auditor.timed_answered(message, at);
        let is_wanted = is_wanted(self.auditor.topic(message));
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
        self.note_log();
        let message = self.auditor.identify(delivery);
        let client = &mut self.clients[n];
        let Delivery { qos, id, is_retained, .. } = *delivery;
        let is_again = qos == 2 && !client.received.insert(id);
        let source = match (client.role, &delivery.from_stream) {
            (Role::Sharer(sharer), None) => {
                self.has_shared(sharer, qos, message, (is_retained, is_again))
            }
            (_, Some(from)) => self.has_read(n, message, from, is_again),
            _ => self.has_got(n, message, delivery, is_again),
        };
        let (granted_ms, heard_ms) = (self.granted_ms(n), self.machine.now_ms());
        let attempt = delivery.from_queue.as_ref().map_or(0, |(.., attempt)| *attempt);
        if let Source::Queue(HASTY, offset) = source {
            self.newest.insert((n, offset), attempt);
        }
        if qos > 0 {
            let leases = &mut self.clients[n].leases;
            leases.retain(|lease| lease.id != id);
            leases.push(Lease { id, qos, message, source, attempt, granted_ms, heard_ms });
        } else {
            // Written long ago, perhaps, and taken back since.
            if let Source::Queue(HASTY, offset) = source
                && self.clients[n].was_blocked
            {
                self.is_unsure.insert((n, offset));
            }
            self.has_accepted(n, source, message);
        }
    }

    /// A message has come from a queue, or to a client that is subscribed for itself.
    fn has_got(&mut self, n: usize, message: u32, delivery: &Delivery, is_again: bool) -> Source {
        let Client { name: client, role, connection, .. } = &self.clients[n];
        let (client, role, connection) = (client.clone(), *role, *connection);
        let Delivery { qos, id, is_retained, .. } = *delivery;
        if matches!(role, Role::Session { .. }) {
            self.say(format!("{client} gets {message} at QoS {qos} as {id}, again: {is_again}"));
        }
        match (role, &delivery.from_queue) {
            (Role::Session { .. }, None) if is_retained => {
                self.auditor.retained_of_session(n - PUBLISHERS - CONSUMERS, message);
            }
            (Role::Live, None) if is_retained => {}
            (Role::Session { qos: granted }, None) if !is_again => {
                self.auditor.of_session(n - PUBLISHERS - CONSUMERS, granted, message);
            }
            (Role::Reader, None) => self.auditor.kept(message, is_retained),
            (Role::Live, None) => self.auditor.live((n, connection), message),
            (Role::Keeper, Some((_, offset, _))) if is_again => {
                return Source::Queue(ONCE, *offset);
            }
            (Role::Consumer | Role::Keeper, Some((name, offset, attempt))) => {
                let queue = number_of(name);
                self.say(format!(
                    "{client} gets {message} of {name} at {offset}, attempt {attempt}"
                ));
                if queue == DEAD {
                    let died_at = delivery.died_at.expect("a dead letter says where it died");
                    self.auditor.died(message, *offset, died_at);
                    self.seen.note("dead letter comes", 1);
                }
                let is_prompt = (!self.clients[n].was_blocked, self.machine.now_ms());
                let what = (message, *offset, *attempt);
                self.auditor.consumed(queue, what, (n, connection), is_prompt);
                let accepting = self.clients.iter().flat_map(|client| &client.accepting);
                let accepting: Vec<Source> = accepting.map(|(source, _)| *source).collect();
                let now = self.wall();
                let since = self.turned_ms.map_or(0, |turned| self.machine.now_ms() - turned);
                let written = now.unix_ms - since;
                let written = Some(written).filter(|_| !self.clients[n].was_blocked);
                self.auditor.timed_comes(message, now, written);
                self.seen.note("delayed message comes", u64::from(queue == LATER));
                if queue == BRIEF {
                    // What a consumer has does not expire, also while its body is read.
                    let had = self.machine.now_ms() - self.granted_ms(n);
                    self.auditor.brief_comes(message, now, now.unix_ms - had);
                }
                assert!(
                    queue != MOODY || !self.is_paused || self.clients[n].was_blocked,
                    "message {message} comes from a queue that is paused"
                );
                self.comes_alone(queue, (message, *offset));
                let key_of = self.key_now.filter(|_| queue == TURNING);
                self.auditor.comes_in_order(queue, (message, *offset), key_of, |before| {
                    accepting.contains(&Source::Queue(queue, before))
                });
                return Source::Queue(queue, *offset);
            }
            (Role::Session { .. }, None) => {}
            other => panic!("{client} hears of {message}: {other:?}"),
        }
        Source::Topic
    }

    /// A client answers a message.
    pub(super) fn answer(&mut self, n: usize, nth: usize, code: u8) {
        if nth >= self.clients[n].leases.len() {
            return;
        }
        // A session that gets each message once answers them in their order.
        let nth = if self.clients[n].role == Role::ReadsOn { 0 } else { nth };
        let Lease { id, qos, message, source, attempt, granted_ms, .. } =
            self.clients[n].leases.remove(nth);
        let code = self.code_of(n, source, code);
        let is_newest = self.is_newest(n, source, attempt);
        if let Source::Queue(queue, offset) = source
            && code == 0x97
        {
            self.auditor.too_busy(queue, offset);
        }
        if matches!(source, Source::Queue(..)) {
            self.seen.note(if code == 0 { "consumer accepts" } else { "consumer refuses" }, 1);
            self.seen.note("consumer answers an older delivery", u64::from(!is_newest));
        }
        if let Source::Queue(HASTY, offset) = source
            && (is_newest || code == 0)
            && self.machine.now_ms() >= granted_ms + HASTE_MS
        {
            self.auditor.is_answered_late(offset);
        }
        match (source, code) {
            (Source::Queue(queue, offset), 0) => {
                self.auditor.accepts(queue, offset);
                self.note_deadline(n, offset, granted_ms);
                if !is_newest {
                    // The newer may have been given back, or have run out as well.
                    self.is_unsure.insert((n, offset));
                }
            }
            (Source::Queue(HASTY, offset), _) if is_newest => {
                let until = (n, granted_ms + HASTE_MS);
                self.auditor.is_released(offset, until, code == 0x97);
            }
            _ => {}
        }
        match source {
            // What a reader rejects it does without.
            Source::Stream(reader, offset) if !matches!(code, 0 | 0x99) => {
                self.auditor.gave_back(reader, offset, code == 0x97);
            }
            Source::Stream(..) => self.clients[n].accepting.push((source, message)),
            _ if code == 0 => self.clients[n].accepting.push((source, message)),
            _ => {}
        }
        if qos == 2 && code >= 0x80 {
            self.clients[n].received.remove(&id);
        }
        let kind = if qos == 1 { AckKind::PubAck } else { AckKind::PubRec };
        let version = self.clients[n].version;
        let name = self.clients[n].name.clone();
        let of = match source {
            Source::Queue(queue, _) => format!(" of {}", QUEUES[queue].name),
            Source::Stream(..) | Source::Group(_) | Source::Topic => String::new(),
        };
        self.say(format!("{name} answers {message}{of} with {code:02x}"));
        self.send(n, wire::ack(version, kind, id, code));
    }

    /// Whether no later delivery of the message has come to the client. An older one had run out: it gives nothing back.
    fn is_newest(&self, n: usize, source: Source, attempt: u32) -> bool {
        let Source::Queue(HASTY, offset) = source else { return true };
        self.newest.get(&(n, offset)).is_none_or(|newest| *newest <= attempt)
    }

    /// Only who takes from a queue or reads a stream refuses, and only one queue has dead letters.
    fn code_of(&self, n: usize, source: Source, code: u8) -> u8 {
        match source {
            Source::Topic | Source::Group(_) => 0,
            // A message that these refused would come again.
            Source::Stream(..) if self.clients[n].role == Role::ReadsOn => 0,
            Source::Stream(..) => code,
            Source::Queue(queue, _) => match QUEUES[queue].kind {
                Kind::Dying => code,
                Kind::Once => 0,
                _ if code == 0x99 => 0x80,
                _ => code,
            },
        }
    }
}
