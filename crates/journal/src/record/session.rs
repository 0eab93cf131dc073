//! The record of something that happened to a durable session.

use std::ops::Range;

use log_api::Position;
use mqtt_session::Will;
use mqtt_types::PacketId;
use stdx::UnixMillis;
use stream_engine::ReaderName;

use super::codec::{Reader, RecordError, put_ranges, put_text, put_varint};
use super::session_parts::{
    KeptLease, RetainedPage, StoredSubscription, put_owner, put_subscriptions, put_will,
    subscriptions, take_owner, take_will,
};
use super::stream::{put_reader, take_reader};
use crate::ids::SessionNumber;

/// Version 1 had no replays and no pages of retained messages, version 2 did not say what an end
/// knew of, nor what was sent on a connection, version 3 not since when a replay's subscription is there, version 4 not
/// for whom a message of a stream is received. That one is written where there is nothing of the kind to be said.
const VERSION: u8 = 5;
const BEFORE_READERS: u8 = 4;
/// In the place of no position.
const NOWHERE: Position = Position::from_u64(u64::MAX);

/// What happened.
///
/// ```text
/// version u8 | number u64 | event u8 | what the event has
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
    /// The session.
    pub number: SessionNumber,
    /// What happened to it.
    pub event: SessionEvent,
}

/// What a client that connects makes of its session.
///
/// ```text
/// client id text | owner | expiry interval u32 | will
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectedAs {
    /// The client's id.
    pub client_id: Box<str>,
    /// The user it belongs to.
    pub owner: Option<Box<str>>,
    /// Seconds that the session outlives its connection; `u32::MAX` is for ever.
    pub expiry_interval: u32,
    /// The will of that connection.
    pub will: Option<Box<Will>>,
}

impl ConnectedAs {
    fn encode(&self, out: &mut Vec<u8>) {
        put_text(out, &self.client_id);
        put_owner(out, self.owner.as_deref());
        out.extend_from_slice(&self.expiry_interval.to_le_bytes());
        put_will(out, self.will.as_deref());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            client_id: reader.text()?.into(),
            owner: take_owner(reader)?,
            expiry_interval: reader.u32()?,
            will: take_will(reader)?.map(Box::new),
        })
    }
}

/// Something that happened to a durable session. The numbers on disk are in [`SessionRecord::encode`], fixed and never reused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// A client connected; the session may be new.
    Connected(ConnectedAs),
    /// The connection ended. A will that is not kept has been published or forgotten.
    Disconnected {
        /// When it ended.
        at: UnixMillis,
        /// Seconds that the session lives on; DISCONNECT may have changed it.
        expiry_interval: u32,
        /// Whether the will is still to be published.
        keeps_will: bool,
        /// Messages of the inbox with numbers below have been sent; nothing is known of that in older records.
        sent_to: u64,
        /// Those with numbers below may have been, on a connection that ended with the process; `u64::MAX` in older records.
        unsure_to: u64,
    },
    /// The session is over, with all that it had but for one thing: messages of its shared groups that lie in the log at
    /// that place or behind it. Its shard had not heard of them, and goes on keeping them until others have them. `None` in
    /// records of brokers that stored them anew for others.
    Ended(Option<Position>),
    /// Subscriptions were made or changed.
    Subscribed(Vec<StoredSubscription>),
    /// The same, of a session whose [`SessionEvent::Connected`] may not have been stored: the subscriptions are worth nothing
    /// without it, so both are there or neither.
    ConnectedAndSubscribed(ConnectedAs, Vec<StoredSubscription>),
    /// Subscriptions were ended.
    Unsubscribed(Vec<Box<str>>),
    /// Messages left the inbox, or are the client's.
    Inbox {
        /// Numbers of messages that left it, as ranges in ascending order.
        left: Vec<Range<u64>>,
        /// Numbers of those that the client has at QoS 2 and has not completed.
        received: Vec<Range<u64>>,
        /// Messages with numbers below may have been sent, so the next time says so.
        sent_to: u64,
    },
    /// PUBREL freed the packet id of an incoming message.
    Released(PacketId),
    /// A queue's message goes to the client at QoS 2.
    Leased(KeptLease),
    /// The client has it: in its queue it is settled, or in its stream for that reader. Older records do not name the reader.
    LeaseReceived(KeptLease, Option<ReaderName>),
    /// Packet ids of such deliveries have come to their end.
    LeasesOver(Vec<PacketId>),
    /// Retained messages that a subscription asked for enter the inbox. Their bodies lie in the log already.
    Retained(RetainedPage),
    /// A subscription to a stream reads for that group, or for the client alone.
    ReadsFor {
        /// The subscription.
        address: Box<str>,
        /// The group.
        group: Option<Box<str>>,
    },
    /// Messages left the inbox of a session that is over but for what it keeps for others: where they lie, and which copies
    /// they were. Not by their numbers, for such a session may have come to be when its end was forgotten already.
    LeftEnding(Vec<(Position, u8)>),
}

impl SessionRecord {
    /// The first version that says all of it.
    const fn version(&self) -> u8 {
        match &self.event {
            SessionEvent::LeaseReceived(_, Some(_)) => VERSION,
            _ => BEFORE_READERS,
        }
    }

    /// Appends the body of the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.version());
        out.extend_from_slice(&self.number.0.to_le_bytes());
        match &self.event {
            SessionEvent::Connected(connected) => {
                out.push(1);
                connected.encode(out);
            }
            SessionEvent::Disconnected { at, expiry_interval, keeps_will, sent_to, unsure_to } => {
                out.push(2);
                out.extend_from_slice(&at.0.to_le_bytes());
                out.extend_from_slice(&expiry_interval.to_le_bytes());
                out.push(u8::from(*keeps_will));
                [*sent_to, *unsure_to].into_iter().for_each(|number| put_varint(out, number));
            }
            SessionEvent::Ended(heard_to) => {
                out.push(3);
                put_position(out, heard_to.unwrap_or(NOWHERE));
            }
            SessionEvent::Subscribed(subscriptions) => {
                out.push(4);
                put_subscriptions(out, subscriptions);
            }
            SessionEvent::Unsubscribed(addresses) => {
                out.push(5);
                put_texts(out, addresses);
            }
            SessionEvent::Inbox { left, received, sent_to } => {
                out.push(6);
                put_ranges(out, left);
                put_ranges(out, received);
                put_varint(out, *sent_to);
            }
            SessionEvent::Released(packet_id) => {
                out.push(7);
                out.extend_from_slice(&packet_id.get().to_le_bytes());
            }
            SessionEvent::Leased(lease) => {
                out.push(8);
                lease.encode(out);
            }
            SessionEvent::LeaseReceived(lease, reader) => {
                out.push(9);
                lease.encode(out);
                reader.iter().for_each(|reader| put_reader(out, reader));
            }
            SessionEvent::LeasesOver(packet_ids) => {
                out.push(10);
                put_packet_ids(out, packet_ids);
            }
            SessionEvent::ConnectedAndSubscribed(connected, subscriptions) => {
                out.push(11);
                connected.encode(out);
                put_subscriptions(out, subscriptions);
            }
            SessionEvent::Retained(page) => {
                out.push(12);
                page.encode(out);
            }
            SessionEvent::ReadsFor { address, group } => {
                out.push(13);
                put_text(out, address);
                put_text(out, group.as_deref().unwrap_or_default());
            }
            SessionEvent::LeftEnding(places) => {
                out.push(14);
                put_places(out, places);
            }
        }
    }

    /// Reads the body of a record.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader { record: "session", rest: body };
        let version = reader.version(VERSION)?;
        let has_since = version > 3;
        let number = SessionNumber(reader.u64()?);
        let event = match reader.u8()? {
            1 => SessionEvent::Connected(ConnectedAs::decode(&mut reader)?),
            2 => SessionEvent::Disconnected {
                at: UnixMillis(reader.u64()?),
                expiry_interval: reader.u32()?,
                keeps_will: reader.u8()? != 0,
                sent_to: if version < 3 { 0 } else { reader.varint()? },
                unsure_to: if version < 3 { u64::MAX } else { reader.varint()? },
            },
            3 if version < 3 => SessionEvent::Ended(None),
            3 => {
                let heard_to = Position::from_u64(reader.u64()?);
                SessionEvent::Ended(Some(heard_to).filter(|at| *at != NOWHERE))
            }
            4 => SessionEvent::Subscribed(subscriptions(&mut reader, has_since)?),
            5 => {
                let count = reader.varint()?;
                let mut addresses = Vec::new();
                for _ in 0..count {
                    addresses.push(reader.text()?.into());
                }
                SessionEvent::Unsubscribed(addresses)
            }
            6 => SessionEvent::Inbox {
                left: reader.ranges()?,
                received: reader.ranges()?,
                sent_to: reader.varint()?,
            },
            7 => SessionEvent::Released(reader.packet_id()?),
            8 => SessionEvent::Leased(KeptLease::decode(&mut reader)?),
            9 => {
                let lease = KeptLease::decode(&mut reader)?;
                let is_for = version > BEFORE_READERS;
                SessionEvent::LeaseReceived(
                    lease,
                    is_for.then(|| take_reader(&mut reader)).transpose()?,
                )
            }
            10 => SessionEvent::LeasesOver(packet_ids(&mut reader)?),
            11 => {
                let connected = ConnectedAs::decode(&mut reader)?;
                let subscriptions = subscriptions(&mut reader, has_since)?;
                SessionEvent::ConnectedAndSubscribed(connected, subscriptions)
            }
            12 => SessionEvent::Retained(RetainedPage::decode(&mut reader)?),
            13 => {
                let address = reader.text()?.into();
                let group = Some(reader.text()?).filter(|group| !group.is_empty());
                SessionEvent::ReadsFor { address, group: group.map(Into::into) }
            }
            14 => SessionEvent::LeftEnding(places(&mut reader)?),
            _ => return Err(reader.error("an event is unknown")),
        };
        Ok(Self { number, event })
    }
}

fn put_texts(out: &mut Vec<u8>, texts: &[Box<str>]) {
    put_varint(out, texts.len() as u64);
    texts.iter().for_each(|text| put_text(out, text));
}

fn put_position(out: &mut Vec<u8>, at: Position) {
    out.extend_from_slice(&at.as_u64().to_le_bytes());
}

/// `count varint | packet_id u16 ...`
fn put_packet_ids(out: &mut Vec<u8>, packet_ids: &[PacketId]) {
    put_varint(out, packet_ids.len() as u64);
    for packet_id in packet_ids {
        out.extend_from_slice(&packet_id.get().to_le_bytes());
    }
}

fn packet_ids(reader: &mut Reader<'_>) -> Result<Vec<PacketId>, RecordError> {
    let count = reader.varint()?;
    let mut packet_ids = Vec::new();
    for _ in 0..count {
        packet_ids.push(reader.packet_id()?);
    }
    Ok(packet_ids)
}

/// `count varint | { position u64 | copy u8 } ...`
fn put_places(out: &mut Vec<u8>, places: &[(Position, u8)]) {
    put_varint(out, places.len() as u64);
    for (at, copy) in places {
        put_position(out, *at);
        out.push(*copy);
    }
}

fn places(reader: &mut Reader<'_>) -> Result<Vec<(Position, u8)>, RecordError> {
    let count = reader.varint()?;
    let mut places = Vec::new();
    for _ in 0..count {
        places.push((Position::from_u64(reader.u64()?), reader.u8()?));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use mqtt_router::SinkId;
    use mqtt_session::{Kept, SubscriptionRecord};
    use mqtt_types::QoS;
    use queue_engine::Offset;

    use super::super::session_parts::{KeptReplay, tests::will};
    use super::*;

    #[test]
    fn events_come_out_as_they_went_in() {
        let subscription = StoredSubscription {
            address: "$share/g/a/+".into(),
            record: SubscriptionRecord::plain(QoS::AtLeastOnce),
            wants_metadata: true,
            replay: None,
        };
        let replay = Some(KeptReplay { since: 1 << 40, through: "".into() });
        let replaying = StoredSubscription { replay, ..subscription.clone() };
        let kept = Kept {
            at: 1 << 40,
            size: 70,
            qos: QoS::ExactlyOnce,
            retain: true,
            has_identifiers: false,
            copy: 0,
            set: None,
            is_shared: false,
            is_held: true,
            identifier: None,
        };
        let page = RetainedPage {
            address: "a/#".into(),
            through: "a/b".into(),
            is_last: false,
            entries: vec![kept, Kept { identifier: NonZeroU32::new(7), ..kept }],
        };
        let lease =
            KeptLease { packet_id: PacketId::MIN, sink: SinkId(7), offset: Offset(u64::MAX) };
        let connected = ConnectedAs {
            client_id: "sensor".into(),
            owner: Some("fleet".into()),
            expiry_interval: u32::MAX,
            will: Some(Box::new(will())),
        };
        let nobody =
            ConnectedAs { client_id: "".into(), owner: None, expiry_interval: 0, will: None };
        let events = [
            SessionEvent::ConnectedAndSubscribed(connected.clone(), vec![subscription.clone()]),
            SessionEvent::ConnectedAndSubscribed(nobody.clone(), Vec::new()),
            SessionEvent::Connected(connected),
            SessionEvent::Connected(nobody),
            SessionEvent::Disconnected {
                at: UnixMillis(1_700_000_000_000),
                expiry_interval: 60,
                keeps_will: true,
                sent_to: 300,
                unsure_to: 7,
            },
            SessionEvent::Ended(None),
            SessionEvent::Ended(Some(Position::new(3, 64))),
            SessionEvent::LeftEnding(vec![(Position::new(1, 8), 0), (Position::new(2, 64), 255)]),
            SessionEvent::Subscribed(vec![subscription.clone()]),
            SessionEvent::Subscribed(vec![replaying, subscription]),
            SessionEvent::Retained(RetainedPage { is_last: true, ..RetainedPage::default() }),
            SessionEvent::Retained(page),
            SessionEvent::Unsubscribed(vec!["a/#".into(), "$q/b".into()]),
            SessionEvent::Inbox {
                left: vec![3..5, 9..10],
                received: vec![6..7, 8..9],
                sent_to: 12,
            },
            SessionEvent::Released(PacketId::MIN),
            SessionEvent::Leased(lease),
            SessionEvent::LeaseReceived(lease, None),
            SessionEvent::LeaseReceived(lease, Some(ReaderName::client("a"))),
            SessionEvent::LeaseReceived(lease, Some(ReaderName::group("workers"))),
            SessionEvent::LeasesOver(vec![PacketId::MIN, PacketId::MIN.next()]),
        ];
        for event in events {
            let record = SessionRecord { number: SessionNumber(0x7_0001), event };
            let mut body = Vec::new();
            record.encode(&mut body);
            assert_eq!(SessionRecord::decode(&body).as_ref(), Ok(&record));
            for cut in 0..body.len() {
                assert!(SessionRecord::decode(&body[..cut]).is_err(), "{record:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_record_of_version_1_is_read() {
        let subscription = StoredSubscription {
            address: "a/+".into(),
            record: SubscriptionRecord::plain(QoS::AtLeastOnce),
            wants_metadata: false,
            replay: None,
        };
        let mut body = vec![1];
        body.extend_from_slice(&7_u64.to_le_bytes());
        body.extend_from_slice(&[4, 1, 3, 0, b'a', b'/', b'+', 1, 0]);
        let event = SessionEvent::Subscribed(vec![subscription]);
        let record = SessionRecord { number: SessionNumber(7), event };
        assert_eq!(SessionRecord::decode(&body), Ok(record));
    }
}
