//! Signing in: from a CONNECT that can be served to a client that may come in, by password, certificate or exchange;
//! and an exchange again on a connection that lives (§4.12).
//!
//! ```text
//! CONNECT ──▶ decided ────────────────────────────▶ CONNACK
//!        ├──▶ not read until the verdict's letter ▶ CONNACK
//!        └──▶ AUTH 0x18 … AUTH 0x18 ─────────────▶ CONNACK
//! AUTH 0x19 on a living connection ─▶ AUTH 0x18 … AUTH 0x18 ─▶ AUTH 0x00, or DISCONNECT
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use mqtt_codec::{Auth, Packet, PropertyBlock};
use mqtt_session::{ConnectRefusal, ConnectRequest, Negotiated, Will};
use mqtt_types::{Property, ProtocolVersion, ReasonCode};
use policy::{Attempt, Begun, Identity, Refusal, SCRAM_SHA_256, ScramServer, Verdict};
use stdx::UnixMillis;

use super::Shard;
use crate::ids::ConnId;
use crate::mail::{Letter, Mail};
use crate::outbox::{CloseReason, Outbox};
use crate::peer::Peer;
use crate::timers::Timer;

/// Bytes of a client id or a user name that the log shows.
const SHOWN_BYTES: usize = 128;

/// What a CONNACK has beside the text of its Reason String: headers, flags, code, lengths, identifier.
pub(super) const CONNACK_BYTES: usize = 16;

/// What a client is told whose client id names a session of another user.
const NOT_ITS_SESSION: &str = "the client id has a session of another user";

/// A client between CONNECT and CONNACK.
pub(crate) struct Entrant {
    pub(super) negotiated: Negotiated,
    pub(super) will: Option<Box<Will>>,
    peer: Peer,
    /// The user name of CONNECT, as much of it as the log shows.
    username: Option<Box<str>>,
    /// The exchange that it is in.
    exchange: Option<Box<ScramServer>>,
}

/// Who a connected client is.
pub(crate) struct SignedIn {
    pub(crate) identity: Arc<Identity>,
    /// Whether it proved so by an exchange, and may do so again.
    by_exchange: bool,
    address: Option<IpAddr>,
    /// The exchange that it is in again.
    exchange: Option<Box<ScramServer>>,
}

impl Entrant {
    pub(super) fn new(negotiated: Negotiated, will: Option<Box<Will>>, peer: Peer) -> Self {
        Self { negotiated, will, peer, username: None, exchange: None }
    }

    const fn version(&self) -> ProtocolVersion {
        self.negotiated.version
    }
}

/// What CONNACK and AUTH say at the end of an exchange. `[MQTT-4.12.0-5]`
pub(super) fn proved(data: &[u8]) -> [Property<'_>; 2] {
    [Property::AuthenticationMethod(SCRAM_SHA_256), Property::AuthenticationData(data)]
}

impl Shard {
    /// Asks whether the client may come in.
    pub(super) fn sign_in<O: Outbox>(
        &mut self,
        conn: ConnId,
        request: &ConnectRequest<'_>,
        data: Option<&[u8]>,
        mut entrant: Entrant,
        out: &mut O,
    ) {
        let attempt = Attempt {
            address: entrant.peer.address,
            certificate_common_name: entrant.peer.certificate_common_name.as_deref(),
            listener: &entrant.peer.listener,
            username: request.username,
            password: request.password,
            method: request.authentication_method,
            data: data.unwrap_or_default(),
        };
        entrant.username = request.username.map(|name| shown(name).into());
        let (post, shard) = (self.shared.post.clone(), self.id);
        let reply = move |verdict| post.send(shard, Mail(Letter::SignedIn { conn, verdict }));
        match self.shared.config.authenticator.begin(&attempt, Box::new(reply)) {
            Begun::Decided(verdict) => return self.decided(conn, entrant, verdict, out),
            // What it sends meanwhile waits, as it may before CONNACK (§3.1.4).
            Begun::Pending => out.pause_reading(conn),
            Begun::Challenge { exchange, data } => {
                entrant.exchange = Some(exchange);
                self.send_auth(conn, ReasonCode::CONTINUE_AUTHENTICATION, &data, out);
            }
        }
        self.timers.set(self.turn.now + self.shared.config.sign_in_timeout, Timer::SignIn(conn));
        self.entrants.insert(conn, Box::new(entrant));
    }

    /// The verdict that a client was waiting for, if it still is.
    pub(super) fn signed_in<O: Outbox>(&mut self, conn: ConnId, verdict: Verdict, out: &mut O) {
        let Some(entrant) = self.entrants.remove(&conn) else { return };
        out.resume_reading(conn);
        self.decided(conn, *entrant, verdict, out);
    }

    /// A client has not signed in in time.
    pub(super) fn sign_in_due<O: Outbox>(&mut self, conn: ConnId, out: &mut O) {
        let Some(entrant) = self.entrants.remove(&conn) else { return };
        out.resume_reading(conn);
        let refusal = match entrant.exchange {
            Some(_) => Refusal::Unfinished,
            None => Refusal::Busy,
        };
        self.decided(conn, *entrant, Err(refusal), out);
    }

    /// Nobody is let in any more.
    pub(super) fn refuse_entrants<O: Outbox>(&mut self, out: &mut O) {
        let reason = self.reason_to_turn_away();
        for (conn, entrant) in std::mem::take(&mut self.entrants) {
            out.resume_reading(conn);
            self.refuse_entrant(conn, &entrant, reason, None, out);
        }
    }

    fn decided<O: Outbox>(
        &mut self,
        conn: ConnId,
        entrant: Entrant,
        verdict: Verdict,
        out: &mut O,
    ) {
        match verdict {
            Ok(identity) => self.enter(conn, entrant, identity, None, out),
            Err(refusal) => self.turn_away(conn, &entrant, refusal, out),
        }
    }

    /// Lets a client in whose identity is known, if it may have the session that it asks for.
    fn enter<O: Outbox>(
        &mut self,
        conn: ConnId,
        entrant: Entrant,
        identity: Option<Arc<Identity>>,
        proof: Option<&[u8]>,
        out: &mut O,
    ) {
        if !self.may_have_session(&entrant.negotiated.client_id, identity.as_deref()) {
            self.counts.sign_ins_not_allowed_total += 1;
            let reason = ReasonCode::NOT_AUTHORIZED;
            return self.refuse_entrant(conn, &entrant, reason, Some(NOT_ITS_SESSION), out);
        }
        match identity {
            Some(_) => self.counts.sign_ins_accepted_total += 1,
            None => self.counts.sign_ins_anonymous_total += 1,
        }
        let signed_in = identity.map(|identity| SignedIn {
            identity,
            by_exchange: proof.is_some(),
            address: entrant.peer.address,
            exchange: None,
        });
        self.accept(conn, entrant, signed_in, proof, out);
    }

    /// A session belongs to the user that made it: nobody else takes it over, goes on with it or ends it by a clean
    /// start. What an anonymous client made is anyone's.
    fn may_have_session(&self, client_id: &str, identity: Option<&Identity>) -> bool {
        let entry = self.sessions.find(client_id).and_then(|id| self.sessions.get(id));
        let living = entry.filter(|entry| {
            entry.conn.is_some() || !entry.session.is_expired(UnixMillis(self.turn.unix_ms))
        });
        let owner = living.and_then(|entry| entry.owner.as_ref());
        owner.is_none_or(|owner| identity.is_some_and(|identity| identity.username == *owner))
    }

    fn turn_away<O: Outbox>(
        &mut self,
        conn: ConnId,
        entrant: &Entrant,
        refusal: Refusal,
        out: &mut O,
    ) {
        self.count_refusal(refusal);
        self.refuse_entrant(conn, entrant, reason_of(refusal), Some(&refusal.to_string()), out);
    }

    fn count_refusal(&mut self, refusal: Refusal) {
        let counts = &mut self.counts;
        let count = match refusal {
            Refusal::WrongCredentials | Refusal::UnknownMethod | Refusal::BadExchange => {
                &mut counts.sign_ins_wrong_total
            }
            Refusal::AnonymousNotAllowed => &mut counts.sign_ins_not_allowed_total,
            Refusal::Busy | Refusal::Unfinished => &mut counts.sign_ins_busy_total,
            Refusal::TooManyFailures => &mut counts.sign_ins_limited_total,
        };
        *count += 1;
    }

    fn refuse_entrant<O: Outbox>(
        &mut self,
        conn: ConnId,
        entrant: &Entrant,
        reason: ReasonCode,
        words: Option<&str>,
        out: &mut O,
    ) {
        let (peer, client_id) = (&entrant.peer, shown(&entrant.negotiated.client_id));
        tracing::info!(
            listener = &*peer.listener, %peer, client_id, username = entrant.username.as_deref(),
            %reason, why = words,
            "connection refused"
        );
        let refusal = ConnectRefusal::new(entrant.version(), reason);
        // `[MQTT-3.2.2-19]`
        let room = entrant.negotiated.maximum_packet_size as usize;
        let words = words.filter(|words| words.len() + CONNACK_BYTES <= room);
        let takes = (entrant.version(), entrant.negotiated.maximum_packet_size);
        self.send_refusal(conn, takes, &refusal, words, out);
    }

    /// A packet of a client that has no CONNACK yet: only AUTH and DISCONNECT may come. `[MQTT-3.1.2-30]`
    pub(super) fn packet_of_entrant<O: Outbox>(
        &mut self,
        conn: ConnId,
        packet: &Packet<'_>,
        out: &mut O,
    ) {
        let Some(entrant) = self.entrants.remove(&conn) else { return };
        let mut entrant = *entrant;
        match (packet, entrant.exchange.take()) {
            (Packet::Auth(auth), Some(exchange)) if is_answer(auth) => {
                let data = auth.properties.authentication_data().unwrap_or_default();
                let concluded = self.conclude(&exchange, entrant.peer.address, data);
                match concluded {
                    Ok((identity, proof)) => {
                        self.enter(conn, entrant, Some(identity), Some(&proof), out);
                    }
                    Err(refusal) => self.turn_away(conn, &entrant, refusal, out),
                }
            }
            (Packet::Disconnect(_), _) => out.close(conn, CloseReason::ClientDisconnect),
            _ => {
                self.counts.protocol_errors_total += 1;
                let words = "only AUTH and DISCONNECT may come before CONNACK";
                let reason = ReasonCode::PROTOCOL_ERROR;
                self.refuse_entrant(conn, &entrant, reason, Some(words), out);
            }
        }
    }

    /// AUTH on a living connection: the client proves anew who it is, by the method of its CONNECT.
    /// `[MQTT-4.12.0-7]`, `[MQTT-4.12.1-1]`
    pub(super) fn on_auth<O: Outbox>(&mut self, conn: ConnId, auth: &Auth<'_>, out: &mut O) {
        let Some(state) = self.conns.get_mut(conn) else { return };
        let signed_in = state.signed_in.as_mut().filter(|signed_in| signed_in.by_exchange);
        let (begins, answers) = (is_begin(auth), is_answer(auth));
        let Some(signed_in) = signed_in.filter(|_| begins || answers) else {
            return self.end_connection(conn, ReasonCode::PROTOCOL_ERROR, None, out);
        };
        let (exchange, address) = (signed_in.exchange.take(), signed_in.address);
        let identity = Arc::clone(&signed_in.identity);
        let data = auth.properties.authentication_data().unwrap_or_default();
        let outcome = match exchange {
            _ if begins => self.begin_again(conn, &identity, address, data, out),
            Some(exchange) => self.conclude_again(conn, &exchange, address, data, out),
            None => return self.end_connection(conn, ReasonCode::PROTOCOL_ERROR, None, out),
        };
        if let Err(refusal) = outcome {
            self.count_refusal(refusal);
            // `[MQTT-4.12.1-2]`; DISCONNECT has no 0x86.
            let words = refusal.to_string();
            self.end_connection(conn, ReasonCode::NOT_AUTHORIZED, Some(&words), out);
        }
    }

    fn begin_again<O: Outbox>(
        &mut self,
        conn: ConnId,
        identity: &Identity,
        address: Option<IpAddr>,
        data: &[u8],
        out: &mut O,
    ) -> Result<(), Refusal> {
        // As the same user: the session is its.
        let username = Some(&*identity.username);
        let attempt =
            Attempt { address, username, method: Some(SCRAM_SHA_256), data, ..Attempt::default() };
        match self.shared.config.authenticator.begin(&attempt, Box::new(|_| ())) {
            Begun::Challenge { exchange, data } => {
                if let Some(state) = self.conns.get_mut(conn)
                    && let Some(signed_in) = &mut state.signed_in
                {
                    signed_in.exchange = Some(exchange);
                }
                self.send_auth(conn, ReasonCode::CONTINUE_AUTHENTICATION, &data, out);
                Ok(())
            }
            Begun::Decided(verdict) => Err(verdict.err().unwrap_or(Refusal::UnknownMethod)),
            Begun::Pending => Err(Refusal::UnknownMethod),
        }
    }

    fn conclude_again<O: Outbox>(
        &mut self,
        conn: ConnId,
        exchange: &ScramServer,
        address: Option<IpAddr>,
        data: &[u8],
        out: &mut O,
    ) -> Result<(), Refusal> {
        let (identity, proof) = self.conclude(exchange, address, data)?;
        self.counts.sign_ins_accepted_total += 1;
        if let Some(state) = self.conns.get_mut(conn)
            && let Some(signed_in) = &mut state.signed_in
        {
            signed_in.identity = identity;
        }
        self.send_auth(conn, ReasonCode::SUCCESS, &proof, out);
        Ok(())
    }

    fn conclude(
        &self,
        exchange: &ScramServer,
        address: Option<IpAddr>,
        data: &[u8],
    ) -> Result<(Arc<Identity>, Vec<u8>), Refusal> {
        let attempt = Attempt { address, data, ..Attempt::default() };
        self.shared.config.authenticator.conclude(exchange, &attempt)
    }

    /// `[MQTT-4.12.0-2]`, `[MQTT-4.12.0-5]`
    fn send_auth<O: Outbox>(
        &mut self,
        conn: ConnId,
        reason_code: ReasonCode,
        data: &[u8],
        out: &mut O,
    ) {
        let Some(buffer) = out.buffer(conn) else { return };
        let block = PropertyBlock::of(&proved(data)).expect("our part of an exchange is short");
        let auth = Auth { reason_code, properties: block.properties() };
        let _ = mqtt_codec::encode(&Packet::Auth(auth), ProtocolVersion::V5, buffer);
    }

    /// Who signed in and is a user no more, goes; the others have the roles of now.
    pub(super) fn users_changed<O: Outbox>(&mut self, out: &mut O) {
        for conn in self.conns.ids() {
            let Some(state) = self.conns.get_mut(conn) else { continue };
            let Some(signed_in) = &mut state.signed_in else { continue };
            match self.shared.config.authenticator.renewed(&signed_in.identity) {
                Some(identity) => signed_in.identity = identity,
                None => {
                    let words = "the user was removed";
                    self.end_connection(conn, ReasonCode::NOT_AUTHORIZED, Some(words), out);
                }
            }
        }
    }
}

/// As much of a name as the log shows: both may be 64 KiB long.
fn shown(name: &str) -> &str {
    name.get(..name.floor_char_boundary(SHOWN_BYTES)).unwrap_or_default()
}

/// Whether an AUTH goes on with an exchange. `[MQTT-4.12.0-3]`
fn is_answer(auth: &Auth<'_>) -> bool {
    auth.reason_code == ReasonCode::CONTINUE_AUTHENTICATION && is_of_method(auth)
}

fn is_begin(auth: &Auth<'_>) -> bool {
    auth.reason_code == ReasonCode::REAUTHENTICATE && is_of_method(auth)
}

/// `[MQTT-4.12.0-5]`
fn is_of_method(auth: &Auth<'_>) -> bool {
    auth.properties.authentication_method() == Some(SCRAM_SHA_256)
}

const fn reason_of(refusal: Refusal) -> ReasonCode {
    match refusal {
        Refusal::WrongCredentials => ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        Refusal::AnonymousNotAllowed | Refusal::BadExchange | Refusal::Unfinished => {
            ReasonCode::NOT_AUTHORIZED
        }
        Refusal::UnknownMethod => ReasonCode::BAD_AUTHENTICATION_METHOD, // `[MQTT-4.12.0-1]`
        Refusal::Busy => ReasonCode::SERVER_BUSY,
        Refusal::TooManyFailures => ReasonCode::CONNECTION_RATE_EXCEEDED,
    }
}
