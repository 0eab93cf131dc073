//! From an address to a connection that the server has accepted.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mqtt_codec::{Connect, Limits, Packet, Peer, Will, decode, encode};

use crate::exchange::Exchange;
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
    let exchange = Exchange::of(options)?;
    encode_connect(options, exchange.as_ref(), &mut out)?;
    outgoing.write_all(&out).and_then(|()| outgoing.flush()).map_err(closed)?;

    let limits = Limits {
        max_packet_size: options.max_packet_bytes,
        max_topic_levels: u16::MAX,
        ..Limits::default().from(Peer::Server)
    };
    let mut inbox = Inbox::new(incoming);
    let wait =
        Wait { socket: &socket, outgoing: &mut *outgoing, options, limits: &limits, deadline };
    let connack = wait.for_connack(&mut inbox, exchange)?;
    socket.set_read_timeout(None).map_err(closed)?;
    Ok(Accepted { outgoing, socket, inbox, connack, limits })
}

fn encode_connect(
    options: &ConnectOptions,
    exchange: Option<&Exchange>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut properties = options.properties.clone();
    if let Some(exchange) = exchange {
        exchange.begin(&mut properties)?;
    }
    let credentials = exchange.is_none().then_some(options);
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
        username: credentials.and_then(|options| options.username.as_deref()),
        password: credentials.and_then(|options| options.password.as_deref()),
        properties: properties.properties(),
    };
    Ok(encode(&Packet::Connect(connect), options.version, out)?)
}

/// What waiting for CONNACK needs.
struct Wait<'a> {
    socket: &'a Socket,
    outgoing: &'a mut dyn Outgoing,
    options: &'a ConnectOptions,
    limits: &'a Limits,
    deadline: Instant,
}

impl Wait<'_> {
    fn for_connack(
        mut self,
        inbox: &mut Inbox,
        mut exchange: Option<Exchange>,
    ) -> Result<ConnAckInfo, Error> {
        loop {
            let decoded = decode(inbox.bytes(), self.options.version, self.limits)
                .map_err(CloseReason::Malformed)?;
            let Some((packet, len)) = decoded else {
                self.fill(inbox)?;
                continue;
            };
            match (&packet, &mut exchange) {
                (Packet::ConnAck(connack), exchange) => {
                    let info = accepted(ConnAckInfo::of(connack))?;
                    if let Some(exchange) = exchange {
                        exchange.check(connack)?;
                    }
                    inbox.consume(len);
                    return Ok(info);
                }
                (Packet::Auth(auth), Some(exchange)) => {
                    let mut out = Vec::new();
                    exchange.answer(auth, &mut out)?;
                    let written = self.outgoing.write_all(&out);
                    written.and_then(|()| self.outgoing.flush()).map_err(CloseReason::from)?;
                    inbox.consume(len);
                }
                _ => return Err(CloseReason::Unexpected("another packet before CONNACK").into()),
            }
        }
    }

    /// Waits for more bytes.
    fn fill(&mut self, inbox: &mut Inbox) -> Result<(), Error> {
        let waited = self.options.connect_timeout;
        let timeout = || Error::Timeout { packet: "CONNACK", waited };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Err(timeout());
        }
        self.socket.set_read_timeout(Some(left)).map_err(CloseReason::from)?;
        match inbox.fill() {
            Ok(true) => Ok(()),
            Ok(false) => Err(CloseReason::Eof.into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(timeout())
            }
            Err(error) => Err(CloseReason::from(error).into()),
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
