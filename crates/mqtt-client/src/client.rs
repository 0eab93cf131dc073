//! The client as its user sees it.

use std::net::Shutdown;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use mqtt_codec::{
    AckKind, Disconnect, OutgoingPublish, Packet, PropertyBlock, Subscribe, SubscribeFilters,
    SubscribeOptions, Unsubscribe, UnsubscribeFilters, encode, encode_ack, encode_publish,
    encoded_publish_len,
};
use mqtt_types::{PacketId, ProtocolVersion, QoS, ReasonCode};
use parking_lot::Mutex;

use crate::handshake::{Accepted, handshake};
use crate::in_flight::InFlight;
use crate::outbox::Outbox;
use crate::outcome::{FilterOutcomes, PublishOutcome, Ticket};
use crate::reader::Reader;
use crate::transport::Socket;
use crate::{
    Acknowledge, CloseReason, ConnAckInfo, ConnectOptions, Delivery, Error, Outgoing, writer,
};

/// How long the server may take to close the connection after our DISCONNECT.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection to an MQTT server. Every method may be called from any thread; an [`Arc`] shares it.
///
/// Dropped without [`Client::disconnect`], the connection is cut, so that the server publishes the will.
pub struct Client {
    version: ProtocolVersion,
    acknowledge: Acknowledge,
    connack: ConnAckInfo,
    socket: Socket,
    in_flight: Arc<InFlight>,
    outbox: Arc<Outbox>,
    messages: Receiver<Delivery>,
    writer: Mutex<Option<JoinHandle<CloseReason>>>,
    reader_alive: Receiver<()>,
    /// Nothing is ever sent on it; that the sender is gone interrupts.
    interrupted: Receiver<()>,
    interrupter: Mutex<Option<Sender<()>>>,
    timeout: Duration,
}

impl Client {
    /// Connects and waits for CONNACK.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer in time, or refuses.
    pub fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        let Accepted { outgoing, socket, inbox, connack, limits } = handshake(options)?;
        let keep_alive = connack.server_keep_alive.unwrap_or(options.keep_alive);
        // A little before the server would miss us. [MQTT-3.1.2-20]
        let ping_after =
            (keep_alive > 0).then(|| Duration::from_millis(u64::from(keep_alive) * 800));
        let in_flight = Arc::new(InFlight::new(connack.receive_maximum));
        let outbox = Arc::new(Outbox::new(options.max_outbox_bytes, ping_after));
        let (to_messages, messages) = bounded(options.max_waiting_messages);
        let (alive, reader_alive) = bounded(0);
        let (interrupter, interrupted) = bounded(0);
        let reader = Reader {
            version: options.version,
            limits,
            in_flight: Arc::clone(&in_flight),
            outbox: Arc::clone(&outbox),
            messages: to_messages,
            aliases: std::collections::HashMap::new(),
        };
        let writer_socket = socket.try_clone().map_err(CloseReason::from)?;
        let (writer_outbox, writer_in_flight) = (Arc::clone(&outbox), Arc::clone(&in_flight));
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        let read = move || {
            // Nothing is ever sent on it; that it is gone says that the reader has ended.
            let _alive = alive;
            reader.run(inbox);
        };
        thread("mqtt-read").spawn(read).map_err(Error::Thread)?;
        let write =
            move || writer::run(outgoing, &writer_socket, &writer_outbox, &writer_in_flight);
        let writer = thread("mqtt-write").spawn(write).map_err(Error::Thread)?;
        Ok(Self {
            version: options.version,
            acknowledge: options.acknowledge,
            connack,
            socket,
            in_flight,
            outbox,
            messages,
            writer: Mutex::new(Some(writer)),
            reader_alive,
            interrupted,
            interrupter: Mutex::new(Some(interrupter)),
            timeout: options.write_timeout,
        })
    }

    /// What the server said in CONNACK.
    #[must_use]
    pub const fn connack(&self) -> &ConnAckInfo {
        &self.connack
    }

    /// Publishes and does not wait for the answer, only for room: the server's Receive Maximum and the outbox. At
    /// QoS 0 the ticket is done at once.
    ///
    /// # Errors
    /// The message is no packet or too large for the server, there is no room in time, or the connection has ended.
    pub fn send(&self, message: &Outgoing<'_>) -> Result<Ticket<PublishOutcome>, Error> {
        let mut publish = OutgoingPublish {
            qos: message.qos,
            retain: message.retain,
            topic: message.topic,
            properties: message.properties.map_or(&[], |block| block.properties().raw()),
            payload: message.payload,
            ..OutgoingPublish::default()
        };
        self.check_len(encoded_publish_len(self.version, &publish)?)?;
        if !self.outbox.wait_for_room(Instant::now() + self.timeout) {
            return Err(Error::Timeout { packet: "room to write", waited: self.timeout });
        }
        if message.qos == QoS::AtMostOnce {
            self.still_open()?;
            self.outbox.push(|out| encode_publish(out, self.version, &publish).map(|_| ()))?;
            let (tell, outcome) = bounded(1);
            let _ = tell.send(Ok(PublishOutcome::success()));
            return Ok(Ticket { outcome, packet: "PUBACK" });
        }
        let (packet_id, ticket) = self.in_flight.add_publish(message.qos, self.timeout)?;
        publish.packet_id = Some(packet_id);
        let pushed =
            self.outbox.push(|out| encode_publish(out, self.version, &publish).map(|_| ()));
        pushed.inspect_err(|_| self.in_flight.forget(packet_id))?;
        Ok(ticket)
    }

    /// Publishes and waits for the answer.
    ///
    /// # Errors
    /// As for [`Client::send`], or no answer came in time.
    pub fn publish(
        &self,
        message: &Outgoing<'_>,
        timeout: Duration,
    ) -> Result<PublishOutcome, Error> {
        self.send(message)?.wait(timeout)
    }

    /// Subscribes and waits for SUBACK. Refusals are in the outcome, filter by filter.
    ///
    /// # Errors
    /// No answer came in time, or the connection has ended.
    pub fn subscribe(
        &self,
        filters: &[(&str, SubscribeOptions)],
        properties: &PropertyBlock,
        timeout: Duration,
    ) -> Result<FilterOutcomes, Error> {
        self.ask("SUBACK", timeout, |packet_id| {
            let filters = SubscribeFilters::of(filters);
            Packet::Subscribe(Subscribe { packet_id, properties: properties.properties(), filters })
        })
    }

    /// Unsubscribes and waits for UNSUBACK.
    ///
    /// # Errors
    /// No answer came in time, or the connection has ended.
    pub fn unsubscribe(
        &self,
        filters: &[&str],
        timeout: Duration,
    ) -> Result<FilterOutcomes, Error> {
        let none = PropertyBlock::new();
        self.ask("UNSUBACK", timeout, |packet_id| {
            let filters = UnsubscribeFilters::of(filters);
            Packet::Unsubscribe(Unsubscribe { packet_id, properties: none.properties(), filters })
        })
    }

    /// The next message, `None` when none came in time. What came before the connection ended is still handed out.
    ///
    /// # Errors
    /// The connection has ended, or [`Client::interrupt`] was called.
    pub fn next(&self, timeout: Duration) -> Result<Option<Delivery>, Error> {
        let received = select_biased! {
            recv(self.interrupted) -> _ => return Err(Error::Interrupted),
            recv(self.messages) -> received => received,
            default(timeout) => return Ok(None),
        };
        let Ok(delivery) = received else {
            return Err(self.in_flight.closed().unwrap_or(CloseReason::Eof).into());
        };
        if self.acknowledge == Acknowledge::Automatically {
            self.settle(&delivery, ReasonCode::SUCCESS, None)?;
        }
        Ok(Some(delivery))
    }

    /// Ends what waits for the server, now and from now on: [`Client::next`], [`Client::subscribe`] and
    /// [`Client::unsubscribe`] fail with [`Error::Interrupted`]. The connection stays, so that what was handed out can
    /// be settled before [`Client::disconnect`]. May be called from any thread, several times.
    pub fn interrupt(&self) {
        self.interrupter.lock().take();
        self.in_flight.interrupt();
    }

    /// Answers a message with PUBACK or PUBREC and that reason code; a queue takes it as accept (below 0x80), busy
    /// (0x97), reject (0x99) or release (other failures). Before 5.0 there is only accept. At QoS 0 it does nothing.
    ///
    /// # Errors
    /// The reason string is too long.
    pub fn settle(
        &self,
        delivery: &Delivery,
        reason_code: ReasonCode,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let Some(packet_id) = delivery.packet_id else { return Ok(()) };
        let kind = if delivery.qos == QoS::ExactlyOnce { AckKind::PubRec } else { AckKind::PubAck };
        Ok(self
            .outbox
            .push(|out| encode_ack(out, self.version, kind, packet_id, reason_code, reason))?)
    }

    /// How many publishes wait for an answer.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.in_flight.publishes()
    }

    /// Why the connection has ended, if it has.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        self.in_flight.closed()
    }

    /// Writes what waits, says DISCONNECT and closes the connection. May be called from another thread to end a
    /// [`Client::next`] that waits. A second call does nothing.
    ///
    /// # Errors
    /// The connection had ended for another reason before.
    pub fn disconnect(&self, reason_code: ReasonCode) -> Result<(), Error> {
        let Some(writer) = self.writer.lock().take() else { return Ok(()) };
        // First, so that the server's end of the connection, which follows ours, is not taken for the reason.
        let reason = self.in_flight.close(CloseReason::Ours);
        let packet = Packet::Disconnect(Disconnect::new(reason_code));
        self.outbox.push(|out| encode(&packet, self.version, out))?;
        self.outbox.close();
        let written = writer.join().expect("the writer does not panic");
        // Ends with an error either way: the reader has ended, or the server does not close.
        let _ = self.reader_alive.recv_timeout(CLOSE_TIMEOUT);
        match [reason, written].into_iter().find(|reason| !matches!(reason, CloseReason::Ours)) {
            None => Ok(()),
            Some(reason) => Err(reason.into()),
        }
    }

    fn ask<'a>(
        &self,
        answer: &'static str,
        timeout: Duration,
        packet: impl FnOnce(PacketId) -> Packet<'a>,
    ) -> Result<FilterOutcomes, Error> {
        let (packet_id, ticket) = self.in_flight.add_filters(answer)?;
        let packet = packet(packet_id);
        let pushed = self.outbox.push(|out| encode(&packet, self.version, out));
        pushed.inspect_err(|_| self.in_flight.forget(packet_id))?;
        ticket.wait(timeout)
    }

    fn check_len(&self, len: usize) -> Result<(), Error> {
        match self.connack.maximum_packet_size {
            Some(limit) if len > limit as usize => Err(Error::TooLarge { len, limit }),
            _ => Ok(()),
        }
    }

    fn still_open(&self) -> Result<(), Error> {
        self.in_flight.closed().map_or(Ok(()), |reason| Err(reason.into()))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.in_flight.close(CloseReason::Ours);
        self.outbox.close();
        self.socket.shutdown(Shutdown::Both);
    }
}
