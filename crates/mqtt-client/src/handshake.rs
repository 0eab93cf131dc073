//! From an address to a connection that the server has accepted.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mqtt_codec::{Connect, Limits, Packet, Peer, Will, decode, encode};

use crate::reader::Inbox;
use crate::transport::{Opened, Outgoing, Socket, open};
use crate::{CloseReason, ConnAckInfo, ConnectOptions, Error};

/// A connection that the server has accepted.
pub struct Accepted {
    pub outgoing: Box<dyn Outgoing>,
    pub socket: Socket,
    /// What came behind CONNACK is in here.
    pub inbox: Inbox,
    pub connack: ConnAckInfo,
    pub limits: Limits,
}

/// Connects, sends CONNECT, waits for CONNACK.
pub fn handshake(options: &ConnectOptions) -> Result<Accepted, Error> {
    let deadline = Instant::now() + options.connect_timeout;
    let Opened { incoming, mut outgoing, socket } = open(options, deadline)?;
    let closed = |error: std::io::Error| Error::Closed(error.into());
    let mut out = Vec::new();
    encode_connect(options, &mut out)?;
    outgoing.write_all(&out).and_then(|()| outgoing.flush()).map_err(closed)?;

    let limits = Limits {
        max_packet_size: options.max_packet_bytes,
        max_topic_levels: u16::MAX,
        ..Limits::default().from(Peer::Server)
    };
    let mut inbox = Inbox::new(incoming);
    let connack = wait_for_connack(&socket, &mut inbox, options, &limits, deadline)?;
    socket.set_read_timeout(None).map_err(closed)?;
    Ok(Accepted { outgoing, socket, inbox, connack, limits })
}

fn encode_connect(options: &ConnectOptions, out: &mut Vec<u8>) -> Result<(), Error> {
    let will = options.will.as_ref().map(|will| Will {
        qos: will.qos,
        retain: will.retain,
        topic: &will.topic,
        payload: &will.payload,
        properties: will.properties.properties(),
    });
    let connect = Connect {
        version: options.version,
        clean_start: options.clean_start,
        keep_alive: options.keep_alive,
        client_id: &options.client_id,
        will,
        username: options.username.as_deref(),
        password: options.password.as_deref(),
        properties: options.properties.properties(),
    };
    Ok(encode(&Packet::Connect(connect), options.version, out)?)
}

fn wait_for_connack(
    socket: &Socket,
    inbox: &mut Inbox,
    options: &ConnectOptions,
    limits: &Limits,
    deadline: Instant,
) -> Result<ConnAckInfo, Error> {
    let timeout = || Error::Timeout { packet: "CONNACK", waited: options.connect_timeout };
    loop {
        let decoded =
            decode(inbox.bytes(), options.version, limits).map_err(CloseReason::Malformed)?;
        if let Some((packet, len)) = decoded {
            let Packet::ConnAck(connack) = packet else {
                return Err(CloseReason::Unexpected("another packet before CONNACK").into());
            };
            let info = ConnAckInfo::of(&connack);
            inbox.consume(len);
            return accepted(info);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Err(timeout());
        }
        socket.set_read_timeout(Some(left)).map_err(CloseReason::from)?;
        match inbox.fill() {
            Ok(true) => {}
            Ok(false) => return Err(CloseReason::Eof.into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(timeout());
            }
            Err(error) => return Err(CloseReason::from(error).into()),
        }
    }
}

fn accepted(info: ConnAckInfo) -> Result<ConnAckInfo, Error> {
    if info.reason_code.is_error() {
        return Err(Error::Refused {
            reason_code: info.reason_code,
            reason_string: info.reason_string,
        });
    }
    Ok(info)
}
