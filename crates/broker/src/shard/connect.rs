//! CONNECT: negotiation, takeover, resumption.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mqtt_codec::{
    AckKind, ConnAck, Connect, ConnectProperties, Packet, PropertyBlock, WillProperties, encode,
};
use mqtt_session::{
    Closing, ConnectRefusal, ConnectRequest, Connection, Inbox, Negotiated, ServerLimits, Session,
    SubscriptionRecord, Will, WillRequest, negotiate,
};
use mqtt_types::{Address, Property, ProtocolVersion, ReasonCode};
use stdx::UnixMillis;

use super::Shard;
use super::publish::is_reserved;
use super::session_log::Waiting;
use super::sign_in::{CONNACK_BYTES, Entrant, SignedIn, proved};
use crate::control::SinkKind;
use crate::ids::{ConnId, SessionId, owner_of};
use crate::outbox::{CloseReason, Outbox};
use crate::peer::Peer;
use crate::record::SessionEvent;

impl Shard {
    /// Serves the first packet of a connection. The client id, if there is one, must be this shard's by [`owner_of`].
    pub fn connect<O: Outbox>(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        peer: &Peer,
        out: &mut O,
    ) {
        self.counts.connects_total += 1;
        if self.is_draining {
            let refusal = ConnectRefusal::new(connect.version, self.reason_to_turn_away());
            return self.refuse_connect(conn, connect, &refusal, None, out);
        }
        let assigned = connect.client_id.is_empty().then(|| self.new_client_id(conn));
        let properties = ConnectProperties::of(connect.properties);
        let will_block;
        let will = match &connect.will {
            None => None,
            Some(will) => {
                let of_will = WillProperties::of(will.properties);
                let mut block = Vec::new();
                of_will.forwardable.write_to(&mut block);
                will_block = block;
                Some(WillRequest {
                    topic: will.topic,
                    payload: will.payload,
                    qos: will.qos,
                    retain: will.retain,
                    delay_interval: of_will.will_delay_interval,
                    message_expiry_interval: of_will.message_expiry_interval,
                    properties: &will_block,
                })
            }
        };
        let request = request_of(connect, &properties, will);
        let outcome = negotiate(&request, &self.limits_for(peer), assigned.as_deref());
        let negotiated = match outcome {
            Ok(negotiated) => negotiated,
            Err(refusal) => return self.refuse_connect(conn, connect, &refusal, None, out),
        };
        if let Err((reason, words)) = self.check_limits(&request, &negotiated) {
            let refusal = ConnectRefusal::new(connect.version, reason);
            return self.refuse_connect(conn, connect, &refusal, Some(&words), out);
        }
        if request.will.is_some_and(|will| is_reserved(will.topic)) {
            let refusal = ConnectRefusal::new(connect.version, ReasonCode::TOPIC_NAME_INVALID);
            return self.refuse_connect(conn, connect, &refusal, None, out);
        }
        if connack_len(&negotiated) > negotiated.maximum_packet_size as usize {
            // The session is not touched for a client that could not be told so. `[MQTT-3.1.2-24]`
            let refusal = ConnectRefusal::new(connect.version, ReasonCode::PACKET_TOO_LARGE);
            return self.refuse_connect(conn, connect, &refusal, None, out);
        }
        let wills = &self.shared.budgets.wills;
        let will = request.will.as_ref().and_then(Will::new);
        let will = will.map(|will| Box::new(will.with_message(|message| wills.keep(message))));
        let entrant = Entrant::new(negotiated, will, peer.clone());
        self.sign_in(conn, &request, properties.authentication_data, entrant, out);
    }

    /// What CONNACK promises to those who come from there.
    fn limits_for(&self, peer: &Peer) -> Cow<'_, ServerLimits> {
        let limits = &self.shared.config.limits;
        match peer.maximum_packet_size {
            None => Cow::Borrowed(limits),
            Some(maximum_packet_size) => {
                Cow::Owned(ServerLimits { maximum_packet_size, ..limits.clone() })
            }
        }
    }

    /// Gives a client that has signed in its session. `proof` is what an exchange told it last.
    pub(super) fn accept<O: Outbox>(
        &mut self,
        conn: ConnId,
        entrant: Entrant,
        signed_in: Option<SignedIn>,
        proof: Option<&[u8]>,
        out: &mut O,
    ) {
        let Entrant { negotiated, will, .. } = entrant;
        let negotiated = &negotiated;
        let now = UnixMillis(self.turn.unix_ms);
        let kept = self.find_session(negotiated, out);
        let session_present = kept.is_some();
        let id = kept.unwrap_or_else(|| {
            self.sessions.insert(Session::new(negotiated), negotiated.send_window)
        });
        let connection = Connection::new(negotiated, self.turn.now);
        if let Some(deadline) = connection.keep_alive_deadline() {
            self.watch_keep_alive(conn, deadline);
        }
        self.conns.insert(conn, connection, id, negotiated);
        let Some(entry) = self.sessions.get_mut(id) else { return };
        entry.conn = Some(conn);
        let owner = signed_in.as_ref().map(|signed_in| Arc::clone(&signed_in.identity.username));
        entry.owner = owner.or_else(|| entry.owner.take());
        entry.send_window = negotiated.send_window;
        let overdue = entry.session.attach(negotiated, will, now);
        if entry.seat_mut().is_some() {
            entry.tell_others();
            self.shared.members_come.fetch_add(1, Ordering::Relaxed);
        }
        self.log_connected(id);
        let block = connack_block(negotiated, proof);
        if let Some(state) = self.conns.get_mut(conn) {
            state.signed_in = signed_in.map(Box::new);
        }
        self.send_connack(conn, &welcome(session_present, &block), out);
        if let Some(will) = overdue {
            self.publish_message(&will.into_message(now), Some(id), out);
        }
        tracing::debug!(client_id = &*negotiated.client_id, version = ?negotiated.version, session_present, "connected");
        if session_present {
            self.resume_inbox(id, conn, out);
            self.store_received_again(id);
            self.pump(id, out);
            self.reattach_consumers(id);
            self.resume_leases(id, out);
        }
    }

    /// PUBREL for what the client has and was not let forget. `[MQTT-4.4.0-1]`
    fn resume_inbox<O: Outbox>(&mut self, id: SessionId, conn: ConnId, out: &mut O) {
        let inbox = self.sessions.get(id).and_then(|entry| entry.session.inbox());
        let pubrels: Vec<_> = inbox.into_iter().flat_map(Inbox::pubrels).collect();
        for packet_id in pubrels {
            self.send_ack(conn, AckKind::PubRel, packet_id, ReasonCode::SUCCESS, out);
        }
    }

    /// The session to go on with: an earlier connection is taken over, a clean start ends the earlier session.
    /// `[MQTT-3.1.4-3]`, `[MQTT-3.1.2-4]`, `[MQTT-3.1.2-5]`
    fn find_session<O: Outbox>(
        &mut self,
        negotiated: &Negotiated,
        out: &mut O,
    ) -> Option<SessionId> {
        let id = self.sessions.find(&negotiated.client_id)?;
        if let Some(old) = self.sessions.get(id).and_then(|entry| entry.conn) {
            self.say_goodbye(old, ReasonCode::SESSION_TAKEN_OVER, None, out);
            self.leave(old, Closing::WithWill, out);
        }
        // It may have ended with its connection.
        let entry = self.sessions.get(id)?;
        let is_over =
            negotiated.clean_start || entry.session.is_expired(UnixMillis(self.turn.unix_ms));
        if is_over {
            self.end_session(id, out);
            return None;
        }
        Some(id)
    }

    /// Subscriptions to queues and streams go on with the session: it becomes a consumer of each again.
    fn reattach_consumers(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get(id) else { return };
        // By the address: after a restart none of them has been a consumer yet.
        let consuming = entry.session.subscriptions().filter(|(address, _)| is_of_sink(address));
        let addresses: Vec<_> =
            consuming.map(|(address, record)| (address.to_owned(), *record)).collect();
        for (address, record) in addresses {
            if self.consume_as_before(id, &address, record) {
                continue;
            }
            tracing::warn!(
                address,
                "subscription ended: its queue or stream was deleted while the client was away"
            );
            self.remove_subscription(id, &address);
            let gone = SessionEvent::Unsubscribed(vec![address.into()]);
            self.log_session(id, gone, Waiting::Nobody);
        }
    }

    /// The queue that a subscription consumes, or the stream that it reads, if it is one of these.
    pub(super) fn sink_of<'a>(&self, address: &'a str) -> Option<(SinkKind, Cow<'a, str>)> {
        Some(match Address::parse(address).ok()? {
            Address::FilterQueue(filter) => (SinkKind::Queue, filter.as_str().into()),
            Address::Queue { name, .. } => (SinkKind::Queue, name.as_str().into()),
            Address::Dead(name) => (SinkKind::Queue, self.dead_letters_of(name).ok()?),
            Address::FilterStream { filter, .. } => (SinkKind::Stream, filter.as_str().into()),
            Address::Stream { name, .. } => (SinkKind::Stream, name.as_str().into()),
            Address::Live(_) | Address::Shared { .. } => return None,
        })
    }

    /// Consumes what a subscription names as it did before. False when that is not there any more.
    pub(super) fn consume_as_before(
        &mut self,
        id: SessionId,
        address: &str,
        record: SubscriptionRecord,
    ) -> bool {
        match self.sink_of(address) {
            Some((SinkKind::Queue, name)) => match self.shared.directory.get(&name) {
                Some(definition) => self.consume(id, address, record, &definition),
                None => return false,
            },
            Some((SinkKind::Stream, name)) => match self.shared.streams.get(&name) {
                Some(definition) => self.read_on(id, address, record, &definition),
                None => return false,
            },
            None => {}
        }
        true
    }

    /// What a client hears that connects while the broker shuts down. `[MQTT-3.2.2-21]`
    pub(super) fn reason_to_turn_away(&self) -> ReasonCode {
        match self.shared.config.reason_to_leave() {
            ReasonCode::SERVER_SHUTTING_DOWN => ReasonCode::SERVER_UNAVAILABLE,
            elsewhere => elsewhere,
        }
    }

    fn refuse_connect<O: Outbox>(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        refusal: &ConnectRefusal,
        words: Option<&str>,
        out: &mut O,
    ) {
        let version = connect.version;
        self.count_refused_connect(refusal.reason, words.is_some());
        let maximum = ConnectProperties::of(connect.properties).maximum_packet_size;
        let maximum = maximum.unwrap_or(u32::MAX);
        tracing::info!(reason = %refusal.reason, words, "connection refused");
        // `[MQTT-3.2.2-19]`
        let words = words.filter(|words| words.len() + CONNACK_BYTES <= maximum as usize);
        self.send_refusal(conn, (version, maximum), refusal, words, out);
    }

    /// A CONNACK that says no, where the version has one and the client takes a packet of its size, and the end.
    pub(super) fn send_refusal<O: Outbox>(
        &mut self,
        conn: ConnId,
        (version, maximum): (ProtocolVersion, u32),
        refusal: &ConnectRefusal,
        words: Option<&str>,
        out: &mut O,
    ) {
        if refusal.connack_code.is_some()
            && let Some(buffer) = out.buffer(conn)
        {
            let mut block = PropertyBlock::new();
            if let Some(reference) = self.shared.config.reference_of(refusal.reason)
                && version.is_v5()
            {
                let _ = block.push(&Property::ServerReference(reference));
            }
            if let Some(words) = words.filter(|_| version.is_v5()) {
                let _ = block.push(&Property::ReasonString(words));
            }
            let connack = ConnAck {
                session_present: false,
                reason_code: refusal.reason,
                properties: block.properties(),
            };
            let start = buffer.len();
            let _ = encode(&Packet::ConnAck(connack), version, buffer);
            if buffer.len() - start > maximum as usize {
                buffer.truncate(start); // `[MQTT-3.1.2-24]`
            }
        }
        out.close(conn, CloseReason::Server(refusal.reason));
    }

    /// A client id for a client that brings none, which this shard owns.
    fn new_client_id(&mut self, conn: ConnId) -> String {
        let mut salt = 0_u32;
        loop {
            let (now, slot) = (self.turn.unix_ms, conn.slot);
            let id = format!("weir-{now:x}-{}-{slot:x}-{:x}-{salt:x}", self.id.0, conn.generation);
            if owner_of(&id, self.shared.config.shards) == self.id
                && self.sessions.find(&id).is_none()
            {
                return id;
            }
            salt += 1;
        }
    }
}

/// Whether a subscription is to a queue or a stream.
fn is_of_sink(address: &str) -> bool {
    !matches!(Address::parse(address), Err(_) | Ok(Address::Live(_) | Address::Shared { .. }))
}

fn connack_block(negotiated: &Negotiated, proof: Option<&[u8]>) -> PropertyBlock {
    let mut block = PropertyBlock::new();
    for property in negotiated.connack_properties().chain(proof.into_iter().flat_map(proved)) {
        let _ = block.push(&property);
    }
    block
}

fn welcome(session_present: bool, block: &PropertyBlock) -> ConnAck<'_> {
    ConnAck { session_present, reason_code: ReasonCode::SUCCESS, properties: block.properties() }
}

/// Bytes of the CONNACK that a client will get.
fn connack_len(negotiated: &Negotiated) -> usize {
    let block = connack_block(negotiated, None);
    let mut bytes = Vec::new();
    match encode(&Packet::ConnAck(welcome(false, &block)), negotiated.version, &mut bytes) {
        Ok(()) => bytes.len(),
        Err(_) => usize::MAX,
    }
}

fn request_of<'a>(
    connect: &Connect<'a>,
    properties: &ConnectProperties<'a>,
    will: Option<WillRequest<'a>>,
) -> ConnectRequest<'a> {
    ConnectRequest {
        keep_alive: connect.keep_alive,
        session_expiry_interval: properties.session_expiry_interval,
        receive_maximum: properties.receive_maximum,
        maximum_packet_size: properties.maximum_packet_size,
        topic_alias_maximum: properties.topic_alias_maximum,
        request_response_information: properties.request_response_information,
        request_problem_information: properties.request_problem_information,
        authentication_method: properties.authentication_method,
        will,
        username: connect.username,
        password: connect.password,
        ..ConnectRequest::new(connect.version, connect.client_id, connect.clean_start)
    }
}
