//! What a CONNECT and the server's limits come to. It must not know sessions or whether the client may connect.

use mqtt_types::{Property, ProtocolVersion, QoS, ReasonCode, TopicName};

use crate::limits::{PACKET_SIZE_END, ServerLimits};
use crate::version;

/// What CONNECT asks for. Before 5.0 the fields without a counterpart hold the values of [`ConnectRequest::new`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectRequest<'a> {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The client id, empty to have one assigned.
    pub client_id: &'a str,
    /// Clean Start; Clean Session before 5.0.
    pub clean_start: bool,
    /// Keep alive in seconds, 0 for none.
    pub keep_alive: u16,
    /// Session Expiry Interval in seconds.
    pub session_expiry_interval: u32,
    /// How many PUBLISH packets at QoS 1 and 2 the client takes unacknowledged.
    pub receive_maximum: u16,
    /// The largest packet the client takes.
    pub maximum_packet_size: Option<u32>,
    /// How many topic aliases the client lets the server set.
    pub topic_alias_maximum: u16,
    /// Whether it would like Response Information.
    pub request_response_information: bool,
    /// Whether it would like Reason Strings and User Properties where something failed.
    pub request_problem_information: bool,
    /// The authentication method.
    pub authentication_method: Option<&'a str>,
    /// The will.
    pub will: Option<WillRequest<'a>>,
    /// The user name.
    pub username: Option<&'a str>,
    /// The password.
    pub password: Option<&'a [u8]>,
}

/// The will in a CONNECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WillRequest<'a> {
    /// The topic to publish to.
    pub topic: &'a str,
    /// The payload.
    pub payload: &'a [u8],
    /// The QoS to publish with.
    pub qos: QoS,
    /// Whether to publish it retained.
    pub retain: bool,
    /// Will Delay Interval in seconds.
    pub delay_interval: u32,
    /// Message Expiry Interval in seconds, counted from when it is published.
    pub message_expiry_interval: Option<u32>,
    /// The raw property block, without the two above.
    pub properties: &'a [u8],
}

impl<'a> ConnectRequest<'a> {
    /// A request with the values that hold when CONNECT does not give others.
    #[must_use]
    pub const fn new(version: ProtocolVersion, client_id: &'a str, clean_start: bool) -> Self {
        Self {
            version,
            client_id,
            clean_start,
            keep_alive: 0,
            session_expiry_interval: 0,
            receive_maximum: u16::MAX,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            authentication_method: None,
            will: None,
            username: None,
            password: None,
        }
    }
}

/// A CONNECT that is refused before anyone asks who the client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("connect refused: {reason}")]
pub struct ConnectRefusal {
    /// The reason.
    pub reason: ReasonCode,
    /// The byte for CONNACK in the client's version; `None` means close without one.
    pub connack_code: Option<u8>,
}

impl ConnectRefusal {
    /// A refusal as that version can say it.
    #[must_use]
    pub const fn new(version: ProtocolVersion, reason: ReasonCode) -> Self {
        Self { reason, connack_code: version::connack_code(version, reason) }
    }
}

/// What holds for the connection and the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Negotiated {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The client id, given or assigned.
    pub client_id: Box<str>,
    /// Whether the server assigned the client id.
    pub client_id_assigned: bool,
    /// Whether a session of that client id must be ended first. `[MQTT-3.1.2-4]`
    pub clean_start: bool,
    /// The keep alive in force, in seconds; 0 is none.
    pub keep_alive: u16,
    /// The session expiry interval in force, in seconds; `u32::MAX` is for ever.
    pub session_expiry_interval: u32,
    /// How many messages at QoS 1 and 2 may be in flight to the client.
    pub send_window: u16,
    /// How many messages at QoS 1 and 2 the client may have unacknowledged.
    pub receive_maximum: u16,
    /// The largest packet the client takes.
    pub maximum_packet_size: u32,
    /// How many topic aliases the client may set.
    pub topic_alias_maximum: u16,
    /// How many topic aliases the server may set.
    pub outgoing_topic_aliases: u16,
    /// Whether Reason Strings and User Properties may go along with failures. `[MQTT-3.1.2-29]`
    pub problem_information: bool,
    /// Whether messages at QoS 0 wait for the client while it is away.
    pub queue_qos0_offline: bool,
    told: Told,
}

/// What CONNACK must say because it differs from what the client asked for, or from what holds without a word.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Told {
    session_expiry_interval: Option<u32>,
    receive_maximum: Option<u16>,
    maximum_qos: Option<u8>,
    retain_available: Option<u8>,
    maximum_packet_size: Option<u32>,
    topic_alias_maximum: Option<u16>,
    server_keep_alive: Option<u16>,
    response_information: Option<Box<str>>,
}

impl Negotiated {
    /// The properties of a successful CONNACK, none before 5.0.
    pub fn connack_properties(&self) -> impl Iterator<Item = Property<'_>> {
        let told = &self.told;
        let assigned = self.client_id_assigned && self.version.is_v5();
        [
            told.session_expiry_interval.map(Property::SessionExpiryInterval),
            told.receive_maximum.map(Property::ReceiveMaximum),
            told.maximum_qos.map(Property::MaximumQoS),
            told.retain_available.map(Property::RetainAvailable),
            told.maximum_packet_size.map(Property::MaximumPacketSize),
            assigned.then_some(Property::AssignedClientIdentifier(&self.client_id)),
            told.topic_alias_maximum.map(Property::TopicAliasMaximum),
            told.server_keep_alive.map(Property::ServerKeepAlive),
            told.response_information.as_deref().map(Property::ResponseInformation),
        ]
        .into_iter()
        .flatten()
    }
}

/// Works out what holds between client and server. `assigned_client_id` is used when the client gives none.
///
/// # Errors
/// The client id is not acceptable, or the client asks for what the server does not do.
pub fn negotiate(
    request: &ConnectRequest<'_>,
    limits: &ServerLimits,
    assigned_client_id: Option<&str>,
) -> Result<Negotiated, ConnectRefusal> {
    let version = request.version;
    let refuse = |reason| ConnectRefusal::new(version, reason);
    let client_id = effective_client_id(request, limits, assigned_client_id).map_err(refuse)?;
    check_request(request, limits).map_err(refuse)?;
    let keep_alive = effective_keep_alive(request, limits);
    let session_expiry_interval = version::session_expiry(
        version,
        request.clean_start,
        request.session_expiry_interval,
        limits.session_expiry_max,
    );
    let aliases = if version.is_v5() { limits.topic_alias_maximum } else { 0 };
    Ok(Negotiated {
        version,
        client_id: client_id.into(),
        client_id_assigned: request.client_id.is_empty(),
        clean_start: request.clean_start,
        keep_alive,
        session_expiry_interval,
        send_window: request.receive_maximum.min(limits.max_outgoing_inflight).max(1),
        receive_maximum: limits.receive_maximum.max(1),
        maximum_packet_size: request.maximum_packet_size.unwrap_or(u32::MAX),
        topic_alias_maximum: aliases,
        outgoing_topic_aliases: request.topic_alias_maximum.min(limits.outgoing_topic_aliases_max),
        problem_information: request.request_problem_information,
        queue_qos0_offline: limits.queue_qos0_offline,
        told: told(request, limits, client_id, (session_expiry_interval, keep_alive)),
    })
}

fn effective_client_id<'a>(
    request: &ConnectRequest<'a>,
    limits: &ServerLimits,
    assigned: Option<&'a str>,
) -> Result<&'a str, ReasonCode> {
    let rejected = ReasonCode::CLIENT_IDENTIFIER_NOT_VALID;
    if !request.client_id.is_empty() {
        return Some(request.client_id)
            .filter(|id| id.len() <= limits.client_id_bytes_max)
            .ok_or(rejected);
    }
    if !version::may_assign_client_id(request.version, request.clean_start) {
        return Err(rejected);
    }
    assigned.filter(|id| !id.is_empty()).ok_or(rejected)
}

fn check_request(request: &ConnectRequest<'_>, limits: &ServerLimits) -> Result<(), ReasonCode> {
    // §3.1.2.11.3, §3.1.2.11.4: 0 is a protocol error for both.
    if request.receive_maximum == 0 || request.maximum_packet_size == Some(0) {
        return Err(ReasonCode::PROTOCOL_ERROR);
    }
    if request.authentication_method.is_some() && !limits.enhanced_authentication {
        return Err(ReasonCode::BAD_AUTHENTICATION_METHOD); // `[MQTT-4.12.0-1]`
    }
    if let Some(will) = &request.will {
        if will.qos > limits.maximum_qos {
            return Err(ReasonCode::QOS_NOT_SUPPORTED); // `[MQTT-3.2.2-12]`
        }
        if will.retain && !limits.retain_available {
            return Err(ReasonCode::RETAIN_NOT_SUPPORTED); // `[MQTT-3.2.2-13]`
        }
    }
    Ok(())
}

/// Only a 5.0 client can be told another keep alive than its own, so only there one is imposed. `[MQTT-3.1.2-21]`
fn effective_keep_alive(request: &ConnectRequest<'_>, limits: &ServerLimits) -> u16 {
    if !request.version.is_v5() {
        return request.keep_alive;
    }
    let asked = Some(request.keep_alive).filter(|asked| *asked > 0);
    let bounded = match (asked, limits.keep_alive_max) {
        (None, max) => max,
        (Some(asked), max) => Some(asked.max(limits.keep_alive_min).min(max.unwrap_or(u16::MAX))),
    };
    bounded.unwrap_or(0)
}

fn told(
    request: &ConnectRequest<'_>,
    limits: &ServerLimits,
    client_id: &str,
    (session_expiry_interval, keep_alive): (u32, u16),
) -> Told {
    if !request.version.is_v5() {
        return Told::default();
    }
    let expiry_differs = session_expiry_interval != request.session_expiry_interval;
    Told {
        session_expiry_interval: expiry_differs.then_some(session_expiry_interval),
        receive_maximum: Some(limits.receive_maximum.max(1)).filter(|max| *max < u16::MAX),
        maximum_qos: Some(limits.maximum_qos).filter(|max| *max < QoS::ExactlyOnce).map(QoS::as_u8),
        retain_available: (!limits.retain_available).then_some(0),
        maximum_packet_size: Some(limits.maximum_packet_size)
            .filter(|size| *size < PACKET_SIZE_END),
        topic_alias_maximum: Some(limits.topic_alias_maximum).filter(|max| *max > 0),
        server_keep_alive: (keep_alive != request.keep_alive).then_some(keep_alive),
        // `[MQTT-3.1.2-28]`: only who requests it hears it.
        response_information: limits
            .response_information
            .as_deref()
            .filter(|_| request.request_response_information)
            .and_then(|template| response_information(template, client_id)),
    }
}

/// What a client may make its response topics of. `None` for a client id that makes no topic: it would be told of one
/// that it can neither publish to nor subscribe to for itself alone.
fn response_information(template: &str, client_id: &str) -> Option<Box<str>> {
    let told = template.replace("${client_id}", client_id);
    TopicName::new(&told).ok()?;
    Some(told.into_boxed_str())
}

#[cfg(test)]
mod tests;
