//! One hostile connection: what it has sent, and what it may therefore be told.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_codec::{AckKind, ConnectProperties, Limits, Packet, Peer, decode, encode_ack};
use mqtt_types::{PacketId, ProtocolVersion, QoS, ReasonCode};

use super::super::World;
use stdx::testing::Dice;

/// Kinds of answers, each to a packet of the client's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Answer {
    PubAck(u16),
    PubRec(u16),
    PubComp(u16),
    SubAck(u16),
    UnsubAck(u16),
    Pong,
}

pub(super) struct Hostile {
    pub(super) name: String,
    pub(super) version: ProtocolVersion,
    maximum_packet_size: usize,
    receive_maximum: usize,
    topic_alias_maximum: u16,
    /// What it sent and is no whole packet yet; nothing counts after damage.
    sent: Vec<u8>,
    is_damaged: bool,
    /// Answers that may come.
    due: BTreeMap<Answer, usize>,
    /// Packet ids of the broker that the client has not let go; of this connection's messages the more.
    open: BTreeSet<u16>,
    window: BTreeSet<u16>,
    /// Acknowledgements of nothing that it knew of: perhaps of what is on its way.
    early: BTreeMap<u16, usize>,
    /// Packet ids that it said PUBREC for.
    received: BTreeSet<u16>,
    /// Messages to answer, with their QoS.
    unanswered: Vec<(PacketId, QoS)>,
    is_greeted: bool,
    is_over: bool,
    /// All that was said: whether by the broker, and the bytes.
    history: Vec<(bool, Vec<u8>)>,
}

impl Hostile {
    /// Opens a connection with bytes that should be a CONNECT. The network layer takes no other first packet.
    pub(super) fn open(world: &mut World, name: String, bytes: &[u8]) -> Option<Self> {
        let limits = world.limits();
        let Ok(Some((Packet::Connect(connect), _))) = decode(bytes, ProtocolVersion::V5, &limits)
        else {
            return None;
        };
        let properties = ConnectProperties::of(connect.properties);
        let is_v5 = connect.version.is_v5();
        let this = Self {
            name,
            version: connect.version,
            maximum_packet_size: properties.maximum_packet_size.map_or(usize::MAX, |n| n as usize),
            receive_maximum: if is_v5 { properties.receive_maximum.into() } else { usize::MAX },
            topic_alias_maximum: properties.topic_alias_maximum,
            sent: Vec::new(),
            is_damaged: false,
            due: BTreeMap::new(),
            open: BTreeSet::new(),
            window: BTreeSet::new(),
            early: BTreeMap::new(),
            received: BTreeSet::new(),
            unanswered: Vec::new(),
            is_greeted: false,
            is_over: false,
            history: vec![(false, bytes.to_vec())],
        };
        world.open(&this.name, connect.client_id, connect.version, bytes.to_vec());
        Some(this)
    }

    pub(super) fn send(&mut self, world: &mut World, bytes: &[u8]) {
        self.history.push((false, bytes.to_vec()));
        self.sent.extend_from_slice(bytes);
        self.count_sent(&world.limits());
        world.send(&self.name, bytes.to_vec());
    }

    /// What the packets it sent entitle it to.
    fn count_sent(&mut self, limits: &Limits) {
        let sent = std::mem::take(&mut self.sent);
        let mut at = 0;
        while !self.is_damaged {
            match decode(&sent[at..], self.version, limits) {
                Ok(Some((packet, len))) => {
                    at += len;
                    self.count(&packet);
                }
                Ok(None) => break,
                Err(_) => self.is_damaged = true,
            }
        }
        self.sent = sent[at..].to_vec();
    }

    fn count(&mut self, packet: &Packet<'_>) {
        let answer = match packet {
            Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => Answer::PubAck(id.get()),
                (QoS::ExactlyOnce, Some(id)) => Answer::PubRec(id.get()),
                _ => return,
            },
            Packet::PubRel(ack) => Answer::PubComp(ack.packet_id.get()),
            Packet::Subscribe(subscribe) => Answer::SubAck(subscribe.packet_id.get()),
            Packet::Unsubscribe(unsubscribe) => Answer::UnsubAck(unsubscribe.packet_id.get()),
            Packet::PingReq => Answer::Pong,
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                self.let_go(ack.packet_id);
                return;
            }
            Packet::PubRec(ack) => {
                self.received.insert(ack.packet_id.get());
                if ack.reason_code.is_error() {
                    self.let_go(ack.packet_id);
                }
                return;
            }
            _ => return,
        };
        *self.due.entry(answer).or_default() += 1;
    }

    fn let_go(&mut self, id: PacketId) {
        if !self.open.remove(&id.get()) {
            *self.early.entry(id.get()).or_default() += 1;
        }
        self.window.remove(&id.get());
    }

    /// The broker has seen all that was sent, and all that it said was heard.
    pub(super) fn is_even(&mut self) {
        self.early.clear();
    }

    /// Decent answers to some of the messages it has got.
    pub(super) fn answers(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..=dice.below(4) {
            if self.unanswered.is_empty() {
                break;
            }
            let (id, qos) = self.unanswered.remove(dice.below(self.unanswered.len()));
            let kind = if qos == QoS::AtLeastOnce { AckKind::PubAck } else { AckKind::PubRec };
            let code = ReasonCode(*dice.one_of(&[0, 0, 0, 0, 0x80, 0x97]));
            encode_ack(&mut out, self.version, kind, id, code, None).expect("legal");
        }
        out
    }

    /// Holds what the broker said against what it may say.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.history.push((true, bytes.to_vec()));
        let limits = Limits { max_packet_size: u32::MAX, ..Limits::default() }.from(Peer::Server);
        let mut at = 0;
        while let Some((packet, len)) = decode(&bytes[at..], self.version, &limits).expect("legal")
        {
            at += len;
            let is_connack = matches!(packet, Packet::ConnAck(_));
            self.hold(!self.is_over, "a packet after the last word [MQTT-3.14.4-1]");
            self.hold(len <= self.maximum_packet_size, "too large a packet [MQTT-3.1.2-24]");
            self.hold(self.is_greeted != is_connack, "one CONNACK [MQTT-3.2.0-1] [MQTT-3.2.0-2]");
            self.is_greeted = true;
            self.hear_packet(&packet);
        }
        self.hold(at == bytes.len(), "whole packets leave the shard");
    }

    fn hear_packet(&mut self, packet: &Packet<'_>) {
        let answer = match packet {
            Packet::ConnAck(connack) => {
                self.is_over = connack.reason_code.is_error();
                return;
            }
            Packet::Disconnect(_) => {
                self.hold(self.version.is_v5(), "DISCONNECT from a server before 5.0");
                self.is_over = true;
                return;
            }
            Packet::Publish(publish) => {
                let alias = publish.properties.topic_alias.unwrap_or(0);
                self.hold(alias <= self.topic_alias_maximum, "too high an alias [MQTT-3.1.2-26]");
                if let Some(id) = publish.packet_id {
                    self.unanswered.push((id, publish.qos));
                    if let Some(early) = self.early.get_mut(&id.get()).filter(|early| **early > 0) {
                        *early -= 1;
                        return;
                    }
                    let is_free = self.open.insert(id.get());
                    self.hold(is_free, "the packet id is in use [MQTT-2.2.1-4]");
                    self.window.insert(id.get());
                    let fits = self.window.len() <= self.receive_maximum;
                    self.hold(fits, "more than the client takes [MQTT-3.3.4-9]");
                }
                return;
            }
            // It answers a PUBREC, be it of nothing, or comes of an earlier connection.
            Packet::PubRel(ack) => {
                if !self.received.contains(&ack.packet_id.get()) {
                    self.open.insert(ack.packet_id.get());
                }
                return;
            }
            Packet::PubAck(ack) => Answer::PubAck(ack.packet_id.get()),
            Packet::PubRec(ack) => Answer::PubRec(ack.packet_id.get()),
            Packet::PubComp(ack) => Answer::PubComp(ack.packet_id.get()),
            Packet::SubAck(ack) => Answer::SubAck(ack.packet_id.get()),
            Packet::UnsubAck(ack) => Answer::UnsubAck(ack.packet_id.get()),
            Packet::PingResp => Answer::Pong,
            _ => return self.hold(false, "nothing that a server sends"),
        };
        let due = self.due.entry(answer).or_default();
        let is_due = *due > 0;
        *due = due.saturating_sub(1);
        self.hold(is_due, "an answer to nothing");
    }

    /// Panics with all that was said on this connection unless it holds.
    fn hold(&self, holds: bool, rule: &str) {
        if holds {
            return;
        }
        let mut streams = [Vec::new(), Vec::new()];
        for (is_brokers, bytes) in &self.history {
            let (who, from) = match is_brokers {
                true => ("broker", Peer::Server),
                false => ("client", Peer::Client),
            };
            let stream = &mut streams[usize::from(*is_brokers)];
            stream.extend_from_slice(bytes);
            let limits = Limits::default().from(from);
            while let Ok(Some((packet, len))) = decode(stream, self.version, &limits) {
                eprintln!("{who}: {packet:?}");
                stream.drain(..len);
            }
            if !stream.is_empty() {
                eprintln!("{who}: {stream:02x?}");
            }
        }
        panic!("{}: {rule}", self.name);
    }
}
