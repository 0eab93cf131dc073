//! A small client that spells out MQTT's bytes itself, so that a fault of our codec cannot hide in both ends.
//! It knows CONNECT, SUBSCRIBE, PUBLISH of QoS 0 and 1, PUBACK, PINGREQ and DISCONNECT; no properties but Receive Maximum
//! and Session Expiry.

mod bytes;

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::waiting::DEADLINE;
use bytes::{Inbox, Reader, packet, put_text};

/// 0x97, Quota exceeded.
pub const QUEUE_FULL: u8 = 0x97;

/// The version a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

/// What a CONNECT says.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The client id.
    pub client_id: String,
    /// The version.
    pub version: Version,
    /// Clean start, or clean session.
    pub clean: bool,
    /// Receive Maximum, for version 5.
    pub receive_maximum: Option<u16>,
    /// User name and password.
    pub user: Option<(String, String)>,
}

impl Connect {
    /// Version 5, with a clean start.
    #[must_use]
    pub fn new(client_id: &str) -> Self {
        let client_id = client_id.to_owned();
        Self { client_id, version: Version::V5, clean: true, receive_maximum: None, user: None }
    }

    /// The same in another version.
    #[must_use]
    pub fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// The same with a user name and a password.
    #[must_use]
    pub fn user(self, username: &str, password: &str) -> Self {
        Self { user: Some((username.to_owned(), password.to_owned())), ..self }
    }

    /// The same with a Receive Maximum.
    #[must_use]
    pub fn receive_maximum(self, messages: u16) -> Self {
        Self { receive_maximum: Some(messages), ..self }
    }
}

/// What a broker sends after the CONNACK.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// PUBLISH.
    Message {
        /// The topic name.
        topic: String,
        /// The payload.
        payload: Vec<u8>,
        /// The packet identifier, of QoS 1.
        id: Option<u16>,
    },
    /// PUBACK.
    Acked {
        /// The packet identifier.
        id: u16,
        /// The reason code; 0 in version 3.1.1.
        code: u8,
    },
    /// SUBACK.
    Subscribed {
        /// The reason code of the one filter.
        code: u8,
    },
    /// PINGRESP.
    Pong,
    /// DISCONNECT.
    Disconnected {
        /// The reason code.
        code: u8,
    },
    /// The connection is closed.
    Closed,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    version: Version,
    received: Inbox,
    /// Events that came while another was waited for.
    early: VecDeque<Event>,
    last_id: u16,
}

impl Client {
    /// Connects, and waits for a CONNACK that says yes.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn connect(to: SocketAddr, connect: &Connect) -> Self {
        let mut client = Self::knock(to, connect);
        let code = client.connack(DEADLINE).expect("a CONNACK comes");
        assert_eq!(code, 0, "refused");
        client
    }

    /// Connects, and gives the code of the CONNACK.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn connack_code(to: SocketAddr, connect: &Connect) -> u8 {
        Self::knock(to, connect).connack(DEADLINE).expect("a CONNACK comes")
    }

    /// Sends a CONNECT and does not wait.
    ///
    /// # Panics
    /// The broker does not listen.
    #[must_use]
    pub fn knock(to: SocketAddr, connect: &Connect) -> Self {
        Self::open(to, connect).expect("the broker listens")
    }

    /// Connects to a broker that may be gone, or go, meanwhile.
    ///
    /// # Errors
    /// It is.
    pub fn try_connect(to: SocketAddr, connect: &Connect) -> io::Result<Self> {
        let mut client = Self::open(to, connect)?;
        match client.packet(DEADLINE)? {
            Some((0x20, body)) if body.get(1) == Some(&0) => Ok(client),
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn open(to: SocketAddr, connect: &Connect) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        let version = connect.version;
        let mut client = Self {
            stream,
            version,
            received: Inbox::default(),
            early: VecDeque::new(),
            last_id: 0,
        };
        client.send(&connect_packet(connect))?;
        Ok(client)
    }

    /// The code of the CONNACK; none when none comes in time.
    ///
    /// # Panics
    /// Something else comes, or the end.
    pub fn connack(&mut self, within: Duration) -> Option<u8> {
        let (first, body) = self.packet(within).expect("a CONNACK comes")?;
        assert_eq!(first, 0x20, "no CONNACK: {body:x?}");
        Some(body[1])
    }

    /// Subscribes to one filter and gives the reason code.
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        self.try_subscribe(filter, qos).expect("a SUBACK comes")
    }

    /// The same at a broker that may go meanwhile.
    ///
    /// # Errors
    /// It is gone.
    pub fn try_subscribe(&mut self, filter: &str, qos: u8) -> io::Result<u8> {
        let id = self.next_id();
        let mut body = id.to_be_bytes().to_vec();
        if self.version == Version::V5 {
            body.push(0);
        }
        put_text(&mut body, filter);
        body.push(qos);
        self.send(&packet(0x82, &body))?;
        let mut others = VecDeque::new();
        loop {
            match self.next(DEADLINE) {
                Some(Event::Subscribed { code }) => {
                    self.early.extend(others);
                    return Ok(code);
                }
                Some(message @ Event::Message { .. }) => others.push_back(message),
                Some(Event::Closed) => return Err(io::ErrorKind::UnexpectedEof.into()),
                other => panic!("wanted SUBACK, got {other:?}"),
            }
        }
    }

    /// Sends a PUBLISH of QoS 1 and gives its packet identifier, without waiting.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> io::Result<u16> {
        let id = self.next_id();
        self.send(&publish_packet(self.version, topic, payload, Some(id)))?;
        Ok(id)
    }

    /// Sends a PUBLISH of QoS 0.
    pub fn publish_qos0(&mut self, topic: &str, payload: &[u8]) {
        self.try_publish_qos0(topic, payload).expect("PUBLISH can be sent");
    }

    /// The same at a broker that may go meanwhile.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn try_publish_qos0(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        self.send(&publish_packet(self.version, topic, payload, None))
    }

    /// Publishes with QoS 1 and waits for the reason code of the PUBACK.
    pub fn publish_acked(&mut self, topic: &str, payload: &[u8]) -> u8 {
        let wanted = self.publish(topic, payload).expect("PUBLISH can be sent");
        self.wait_for_puback(wanted)
    }

    /// The same with RETAIN.
    pub fn publish_retained(&mut self, topic: &str, payload: &[u8]) -> u8 {
        let id = self.next_id();
        let mut bytes = publish_packet(self.version, topic, payload, Some(id));
        bytes[0] |= 1;
        self.send(&bytes).expect("PUBLISH can be sent");
        self.wait_for_puback(id)
    }

    fn wait_for_puback(&mut self, wanted: u16) -> u8 {
        let acked = |event: &Event| matches!(event, Event::Acked { id, .. } if *id == wanted);
        match self.wait_for("PUBACK", acked) {
            Event::Acked { code, .. } => code,
            other => unreachable!("{other:?} was not waited for"),
        }
    }

    /// Publishes all with QoS 1, `window` at a time, and wants success for each.
    pub fn publish_all<'a>(
        &mut self,
        window: usize,
        messages: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        self.publish_window(window, 0, messages);
    }

    /// The same with RETAIN.
    pub fn retain_all<'a>(
        &mut self,
        window: usize,
        messages: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        self.publish_window(window, 1, messages);
    }

    fn publish_window<'a>(
        &mut self,
        window: usize,
        retain: u8,
        messages: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        let mut messages = messages.into_iter().peekable();
        let mut on_the_way = 0;
        while on_the_way > 0 || messages.peek().is_some() {
            let mut bytes = Vec::new();
            for (topic, payload) in messages.by_ref().take(window - on_the_way) {
                let id = self.next_id();
                let mut packet = publish_packet(self.version, topic, payload, Some(id));
                packet[0] |= retain;
                bytes.append(&mut packet);
                on_the_way += 1;
            }
            self.send(&bytes).expect("PUBLISH can be sent");
            let first = self.next(DEADLINE).expect("a PUBACK comes");
            for event in std::iter::once(first).chain(self.ready()) {
                match event {
                    Event::Acked { code, .. } if code < 0x80 => on_the_way -= 1,
                    other => panic!("wanted PUBACK, got {other:?}"),
                }
            }
        }
    }

    /// Accepts a message.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn ack(&mut self, id: u16) -> io::Result<()> {
        self.send(&packet(0x40, &id.to_be_bytes()))
    }

    /// Settles a message with a reason code, which version 5 has.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn settle(&mut self, id: u16, code: u8) -> io::Result<()> {
        let [high, low] = id.to_be_bytes();
        self.send(&packet(0x40, &[high, low, code]))
    }

    /// Comes back when the broker has taken all that was sent before.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn ping(&mut self) -> io::Result<()> {
        self.send(&packet(0xC0, &[]))
    }

    /// The next event; none when nothing comes in time.
    pub fn next(&mut self, within: Duration) -> Option<Event> {
        if let Some(event) = self.early.pop_front() {
            return Some(event);
        }
        match self.packet(within) {
            Ok(Some((first, body))) => Some(self.event(first, &body)),
            Ok(None) => None,
            Err(_) => Some(Event::Closed),
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// Something else comes, or nothing.
    pub fn message(&mut self) -> (String, Vec<u8>, Option<u16>) {
        match self.next(DEADLINE) {
            Some(Event::Message { topic, payload, id }) => (topic, payload, id),
            other => panic!("wanted a message, got {other:?}"),
        }
    }

    /// Ends the connection in order.
    pub fn disconnect(mut self) {
        let _ = self.send(&packet(0xE0, &[]));
    }

    /// The events that have arrived whole already.
    fn ready(&mut self) -> Vec<Event> {
        let mut events: Vec<Event> = self.early.drain(..).collect();
        while let Some((first, body)) = self.received.take_packet() {
            events.push(self.event(first, &body));
        }
        events
    }

    fn wait_for(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut others = VecDeque::new();
        loop {
            match self.next(DEADLINE) {
                Some(event) if wanted(&event) => {
                    self.early.extend(others);
                    return event;
                }
                Some(Event::Message { topic, payload, id }) => {
                    others.push_back(Event::Message { topic, payload, id });
                }
                other => panic!("wanted {what}, got {other:?}"),
            }
        }
    }

    fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next packet's first byte and body; none when none comes in time.
    fn packet(&mut self, within: Duration) -> io::Result<Option<(u8, Vec<u8>)>> {
        self.stream.set_read_timeout(Some(within))?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Some(packet) = self.received.take_packet() {
                return Ok(Some(packet));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.received.put(&chunk[..count]),
                Err(error) if is_timeout(&error) => return Ok(None),
                // A read with a timeout is not begun again by the system after a signal.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn event(&self, first: u8, body: &[u8]) -> Event {
        let v5 = self.version == Version::V5;
        let mut reader = Reader(body);
        match first >> 4 {
            3 => {
                let topic = reader.text();
                let id = (first & 0b110 != 0).then(|| reader.u16());
                if v5 {
                    reader.skip_properties();
                }
                Event::Message { topic, payload: reader.0.to_vec(), id }
            }
            4 => Event::Acked { id: reader.u16(), code: reader.byte_or(0) },
            9 => Event::Subscribed { code: body.last().copied().expect("SUBACK has a code") },
            13 => Event::Pong,
            14 => Event::Disconnected { code: reader.byte_or(0) },
            other => panic!("a packet of type {other} was not asked for: {body:x?}"),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn connect_packet(connect: &Connect) -> Vec<u8> {
    let mut body = Vec::new();
    put_text(&mut body, "MQTT");
    body.push(if connect.version == Version::V5 { 5 } else { 4 });
    let user = if connect.user.is_some() { 0xC0 } else { 0 };
    body.push(u8::from(connect.clean) << 1 | user);
    body.extend([0, 0]);
    if connect.version == Version::V5 {
        let mut properties = Vec::new();
        if !connect.clean {
            properties.extend([0x11, 0, 0, 0x0E, 0x10]);
        }
        if let Some(maximum) = connect.receive_maximum {
            properties.push(0x21);
            properties.extend(maximum.to_be_bytes());
        }
        body.push(u8::try_from(properties.len()).expect("two properties are short"));
        body.extend(properties);
    }
    put_text(&mut body, &connect.client_id);
    if let Some((username, password)) = &connect.user {
        put_text(&mut body, username);
        put_text(&mut body, password);
    }
    packet(0x10, &body)
}

fn publish_packet(version: Version, topic: &str, payload: &[u8], id: Option<u16>) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 8);
    put_text(&mut body, topic);
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    if version == Version::V5 {
        body.push(0);
    }
    body.extend_from_slice(payload);
    packet(if id.is_some() { 0x32 } else { 0x30 }, &body)
}
