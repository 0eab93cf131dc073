//! The reader thread: bytes from the socket to messages, outcomes and the answers that MQTT demands.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::sync::Arc;

use crossbeam_channel::Sender;
use mqtt_codec::{Ack, AckKind, Limits, Packet, Properties, Publish, decode, encode_ack};
use mqtt_types::{ProtocolVersion, ReasonCode};

use crate::in_flight::InFlight;
use crate::outbox::Outbox;
use crate::outcome::{FilterOutcomes, PublishOutcome};
use crate::transport::Incoming;
use crate::{CloseReason, Delivery};

const READ_BYTES: usize = 64 << 10;

/// What the reader needs of the connection.
pub struct Reader {
    pub version: ProtocolVersion,
    pub limits: Limits,
    pub in_flight: Arc<InFlight>,
    pub outbox: Arc<Outbox>,
    pub messages: Sender<Delivery>,
    /// Topic names by their alias, as the server has set them. `[MQTT-3.3.2-10]`
    pub aliases: HashMap<u16, String>,
}

/// Bytes that were read and not yet decoded.
pub struct Inbox {
    stream: Box<dyn Incoming>,
    buffer: Vec<u8>,
    /// What of the buffer holds bytes.
    start: usize,
    end: usize,
}

impl Inbox {
    pub fn new(stream: Box<dyn Incoming>) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, end: 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub fn consume(&mut self, len: usize) {
        self.start = (self.start + len).min(self.end);
    }

    /// Whether something has to be written in answer to what was read.
    pub fn owes_answer(&self) -> bool {
        self.stream.owes_answer()
    }

    /// Waits for more bytes, or for something to answer. `false` at the end of the stream.
    pub fn fill(&mut self) -> std::io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < READ_BYTES {
            self.buffer.resize(self.end + 2 * READ_BYTES, 0);
        }
        match self.stream.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
            Ok(count) => {
                self.end += count;
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Reader {
    /// Reads until the connection ends, then tells everyone who waits.
    pub fn run(mut self, mut inbox: Inbox) {
        let reason = loop {
            if let Err(reason) = self.drain(&mut inbox) {
                break reason;
            }
            match inbox.fill() {
                Ok(true) if inbox.owes_answer() => self.outbox.nudge(),
                Ok(true) => {}
                Ok(false) => break CloseReason::Eof,
                Err(error) => break error.into(),
            }
        };
        self.in_flight.close(reason);
        self.outbox.close();
    }

    fn drain(&mut self, inbox: &mut Inbox) -> Result<(), CloseReason> {
        loop {
            let decoded = decode(inbox.bytes(), self.version, &self.limits)
                .map_err(CloseReason::Malformed)?;
            let Some((packet, len)) = decoded else { return Ok(()) };
            self.on_packet(&packet)?;
            inbox.consume(len);
        }
    }

    fn on_packet(&mut self, packet: &Packet<'_>) -> Result<(), CloseReason> {
        let known = match packet {
            Packet::Publish(publish) => return self.on_publish(publish),
            Packet::PubAck(ack) => self.in_flight.on_puback(ack.packet_id, publish_outcome(ack)),
            Packet::PubRec(ack) => return self.on_pubrec(ack),
            Packet::PubComp(ack) => self.in_flight.on_pubcomp(ack.packet_id, publish_outcome(ack)),
            Packet::PubRel(ack) => {
                self.answer(AckKind::PubComp, ack);
                true
            }
            Packet::SubAck(ack) => {
                self.in_flight.on_filters(ack.packet_id, outcomes(ack.codes(), ack.properties))
            }
            Packet::UnsubAck(ack) => {
                self.in_flight.on_filters(ack.packet_id, outcomes(ack.codes(), ack.properties))
            }
            Packet::PingResp => {
                self.outbox.on_pong();
                true
            }
            Packet::Disconnect(disconnect) => {
                let reason_string = disconnect.properties.reason_string().map(str::to_owned);
                return Err(CloseReason::Server {
                    reason_code: disconnect.reason_code,
                    reason_string,
                });
            }
            _ => {
                return Err(CloseReason::Unexpected(
                    "a packet that only clients send, or at another time",
                ));
            }
        };
        if known {
            Ok(())
        } else {
            Err(CloseReason::Unexpected("an acknowledgement for what was not sent"))
        }
    }

    fn on_publish(&mut self, publish: &Publish<'_>) -> Result<(), CloseReason> {
        let topic = self.topic_of(publish)?;
        // Waits while there are too many, and fails when the client is gone.
        self.messages.send(Delivery::of(publish, topic)).map_err(|_| CloseReason::Ours)
    }

    fn topic_of(&mut self, publish: &Publish<'_>) -> Result<String, CloseReason> {
        match publish.properties.topic_alias {
            None => Ok(publish.topic.to_owned()),
            Some(alias) if publish.topic.is_empty() => {
                let unknown = CloseReason::Unexpected("a topic alias that it has not set");
                self.aliases.get(&alias).cloned().ok_or(unknown)
            }
            Some(alias) => {
                self.aliases.insert(alias, publish.topic.to_owned());
                Ok(publish.topic.to_owned())
            }
        }
    }

    fn on_pubrec(&self, ack: &Ack<'_>) -> Result<(), CloseReason> {
        match self.in_flight.on_pubrec(ack.packet_id, publish_outcome(ack)) {
            Some(true) => self.answer(AckKind::PubRel, ack),
            Some(false) => {}
            None => return Err(CloseReason::Unexpected("a PUBREC for what was not sent")),
        }
        Ok(())
    }

    fn answer(&self, kind: AckKind, to: &Ack<'_>) {
        let ack = |out: &mut Vec<u8>| {
            encode_ack(out, self.version, kind, to.packet_id, ReasonCode::SUCCESS, None)
        };
        self.outbox.push(ack).expect("an acknowledgement without words cannot be too long");
    }
}

fn publish_outcome(ack: &Ack<'_>) -> PublishOutcome {
    PublishOutcome {
        reason_code: ack.reason_code,
        reason_string: ack.properties.reason_string().map(str::to_owned),
    }
}

fn outcomes(codes: impl Iterator<Item = ReasonCode>, properties: Properties<'_>) -> FilterOutcomes {
    FilterOutcomes {
        reason_codes: codes.collect(),
        reason_string: properties.reason_string().map(str::to_owned),
    }
}
