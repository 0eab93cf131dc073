//! Parts of a session as bytes: subscriptions, the will, and the whole of it for a checkpoint.

use std::num::NonZeroU32;

use mqtt_router::SinkId;
use mqtt_session::{
    InboxEntryImage, InboxImage, Kept, RetainHandling, SessionImage, SubscriptionRecord, Will,
    WillRequest,
};
use mqtt_types::{PacketId, QoS};
use queue_engine::Offset;
use stdx::UnixMillis;

use super::codec::{Reader, RecordError, put_text, put_varint};
use crate::ids::SessionNumber;

const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const METADATA: u8 = 0b0100_0000;
const REPLAYS: u8 = 0b1000_0000;
const KEPT: u8 = 0;
/// What older versions wrote.
const RECEIVED: u8 = 1;
const GONE: u8 = 2;
const GONE_MANY: u8 = 3;
const RECEIVED_AT: u8 = 4;
/// No entry: a word on those that follow.
const UNSURE_TO: u8 = 5;
/// A client is connected.
const CONNECTED: u64 = 1 << 63;
/// No inbox comes so far.
const NUMBER_MAX: u64 = 1 << 60;
const RETAIN: u8 = 0b0000_0100;
const IDENTIFIERS: u8 = 0b0000_1000;
const WAS_SENT: u8 = 0b0001_0000;
const COPY: u8 = 0b0010_0000;
const SHARED: u8 = 0b0100_0000;
const HELD: u8 = 0b1000_0000;

/// A subscription as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSubscription {
    /// What the client subscribed to: a topic filter, a shared one, or a queue.
    pub address: Box<str>,
    /// Its options.
    pub record: SubscriptionRecord,
    /// Whether a queue's deliveries bear metadata.
    pub wants_metadata: bool,
    /// That retained messages are being sent for it.
    pub replay: Option<KeptReplay>,
}

/// How far the retained messages of a subscription have been sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptReplay {
    /// What is newer than this change came to the subscription when it was published, so it is not sent as retained.
    pub since: u64,
    /// The last topic whose message has got its turn; empty when none has.
    pub through: Box<str>,
}

impl KeptReplay {
    /// What versions of the records wrote that did not know `since`: all is sent that is there.
    const SINCE_UNKNOWN: u64 = u64::MAX;

    /// Where it begins, if that is known.
    pub(crate) fn known_since(&self) -> Option<u64> {
        Some(self.since).filter(|since| *since != Self::SINCE_UNKNOWN)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.since);
        put_text(out, &self.through);
    }

    fn decode(reader: &mut Reader<'_>, has_since: bool) -> Result<Self, RecordError> {
        let since = if has_since { reader.varint()? } else { Self::SINCE_UNKNOWN };
        Ok(Self { since, through: reader.text()?.into() })
    }
}

/// Retained messages on their way to a durable session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RetainedPage {
    /// The subscription that asked for them.
    pub address: Box<str>,
    /// The last topic whose message has got its turn.
    pub through: Box<str>,
    /// Whether it was the last of all.
    pub is_last: bool,
    /// What goes into the inbox.
    pub entries: Vec<Kept>,
}

/// A durable session as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSession {
    /// What the log calls it.
    pub number: SessionNumber,
    /// What the session knows.
    pub image: SessionImage,
    /// The user it belongs to.
    pub owner: Option<Box<str>>,
    /// Queue subscriptions whose deliveries bear metadata.
    pub with_metadata: Vec<Box<str>>,
    /// Subscriptions whose retained messages have not all been sent.
    pub replays: Vec<(Box<str>, KeptReplay)>,
    /// Queues' deliveries at QoS 2 that its client may have.
    pub leases: Vec<KeptLease>,
    /// Subscriptions to streams that read for a group, and which.
    pub groups: Vec<(Box<str>, Box<str>)>,
    /// When it was so, as far as that is known.
    pub as_of: UnixMillis,
}

/// A queue's message that a client may have under that packet id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptLease {
    /// The packet id that it went out under.
    pub packet_id: PacketId,
    /// The queue.
    pub sink: SinkId,
    /// Which of the queue's messages.
    pub offset: Offset,
}

impl KeptLease {
    /// `packet_id u16 | sink u32 | offset varint`
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.packet_id.get().to_le_bytes());
        out.extend_from_slice(&self.sink.0.to_le_bytes());
        put_varint(out, self.offset.0);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let (packet_id, sink) = (reader.packet_id()?, SinkId(reader.u32()?));
        Ok(Self { packet_id, sink, offset: Offset(reader.varint()?) })
    }
}

/// ```text
/// count varint | { address | options u8 (QoS 0-1, no local 2, retain as published 3, retain handling 4-5, metadata 6,
///                  replay 7) | identifier varint, 0 for none | [replay: since varint | topic] } ...
/// ```
/// Older versions had no `since`, and still older ones no replays.
pub(super) fn put_subscriptions(out: &mut Vec<u8>, subscriptions: &[StoredSubscription]) {
    put_varint(out, subscriptions.len() as u64);
    for StoredSubscription { address, record, wants_metadata, replay } in subscriptions {
        put_text(out, address);
        let mut options = record.qos.as_u8();
        options |= if record.no_local { NO_LOCAL } else { 0 };
        options |= if record.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
        options |= (record.retain_handling as u8) << 4;
        options |= if *wants_metadata { METADATA } else { 0 };
        options |= if replay.is_some() { REPLAYS } else { 0 };
        out.push(options);
        let identifier = record.subscription_identifier.map_or(0, NonZeroU32::get);
        put_varint(out, u64::from(identifier));
        replay.iter().for_each(|replay| replay.encode(out));
    }
}

pub(super) fn subscriptions(
    reader: &mut Reader<'_>,
    has_since: bool,
) -> Result<Vec<StoredSubscription>, RecordError> {
    let count = reader.varint()?;
    let mut subscriptions = Vec::new();
    for _ in 0..count {
        let address = reader.text()?.into();
        let options = reader.u8()?;
        let identifier = reader.varint()?;
        let handling = RetainHandling::from_u8(options >> 4 & 0b11);
        let record = SubscriptionRecord {
            qos: QoS::from_u8(options & 0b11)
                .ok_or_else(|| reader.error("a subscription's QoS is 3"))?,
            no_local: options & NO_LOCAL != 0,
            retain_as_published: options & RETAIN_AS_PUBLISHED != 0,
            retain_handling: handling
                .ok_or_else(|| reader.error("a subscription's retain handling is 3"))?,
            subscription_identifier: u32::try_from(identifier).ok().and_then(NonZeroU32::new),
            consumer: 0,
        };
        let wants_metadata = options & METADATA != 0;
        let replay = match options & REPLAYS {
            0 => None,
            _ => Some(KeptReplay::decode(reader, has_since)?),
        };
        subscriptions.push(StoredSubscription { address, record, wants_metadata, replay });
    }
    Ok(subscriptions)
}

/// The name of the user that a session belongs to; empty for nobody, for no user is called that.
pub(super) fn put_owner(out: &mut Vec<u8>, owner: Option<&str>) {
    put_text(out, owner.unwrap_or_default());
}

pub(super) fn take_owner(reader: &mut Reader<'_>) -> Result<Option<Box<str>>, RecordError> {
    let owner = reader.text()?;
    Ok((!owner.is_empty()).then(|| owner.into()))
}

/// ```text
/// 0 for none, or 1 | delay u32 | flags u8 (QoS 0-1, RETAIN 2, has expiry 3) | expiry u32 | topic
/// | properties_len u32 | properties | payload_len u32 | payload
/// ```
pub(super) fn put_will(out: &mut Vec<u8>, will: Option<&Will>) {
    let Some(will) = will else { return out.push(0) };
    let message = will.message();
    let head = message.head();
    out.push(1);
    out.extend_from_slice(&will.delay_interval().to_le_bytes());
    let mut flags = head.qos.as_u8();
    flags |= if head.retain { RETAIN } else { 0 };
    flags |= if head.expiry_interval.is_some() { IDENTIFIERS } else { 0 };
    out.push(flags);
    out.extend_from_slice(&head.expiry_interval.unwrap_or(0).to_le_bytes());
    put_text(out, message.topic());
    for part in [message.properties(), message.payload()] {
        out.extend_from_slice(&(part.len() as u32).to_le_bytes());
        out.extend_from_slice(part);
    }
}

pub(super) fn take_will(reader: &mut Reader<'_>) -> Result<Option<Will>, RecordError> {
    if reader.u8()? == 0 {
        return Ok(None);
    }
    let delay_interval = reader.u32()?;
    let flags = reader.u8()?;
    let expiry = reader.u32()?;
    let topic = reader.text()?;
    let properties_len = reader.u32()? as usize;
    let properties = reader.bytes(properties_len)?;
    let payload_len = reader.u32()? as usize;
    let payload = reader.bytes(payload_len)?;
    let request = WillRequest {
        topic,
        payload,
        qos: QoS::from_u8(flags & 0b11).ok_or_else(|| reader.error("a will's QoS is 3"))?,
        retain: flags & RETAIN != 0,
        delay_interval,
        message_expiry_interval: (flags & IDENTIFIERS != 0).then_some(expiry),
        properties,
    };
    let will = Will::new(&request).ok_or_else(|| reader.error("a will's topic is not legal"))?;
    Ok(Some(will))
}

impl StoredSession {
    /// ```text
    /// number u64 | client id | owner | expiry_interval u32 | disconnected_at u64, see below | will
    /// | subscriptions | incoming varint | packet_id u16 ... | first u64 | entries varint | entry ...
    /// | leases varint | lease ... | groups varint | { address | group } ...
    /// ```
    /// While a client is connected, the highest bit is set and the rest is the moment of the checkpoint; older versions
    /// wrote 0 then.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let image = &self.image;
        out.extend_from_slice(&self.number.0.to_le_bytes());
        put_text(out, &image.client_id);
        put_owner(out, self.owner.as_deref());
        out.extend_from_slice(&image.expiry_interval.to_le_bytes());
        let at = image.disconnected_at.map_or(CONNECTED | self.as_of.0, |at| at.0);
        out.extend_from_slice(&at.to_le_bytes());
        put_will(out, image.will.as_ref());
        let stored = |(address, record): &(Box<str>, SubscriptionRecord)| StoredSubscription {
            address: address.clone(),
            record: *record,
            wants_metadata: self.with_metadata.contains(address),
            replay: self.replay_of(address),
        };
        put_subscriptions(out, &image.subscriptions.iter().map(stored).collect::<Vec<_>>());
        put_varint(out, image.incoming_qos2.len() as u64);
        for id in &image.incoming_qos2 {
            out.extend_from_slice(&id.get().to_le_bytes());
        }
        put_inbox(out, &image.inbox);
        put_varint(out, self.leases.len() as u64);
        self.leases.iter().for_each(|lease| lease.encode(out));
        put_varint(out, self.groups.len() as u64);
        for (address, group) in &self.groups {
            put_text(out, address);
            put_text(out, group);
        }
    }

    fn replay_of(&self, address: &str) -> Option<KeptReplay> {
        let replay = self.replays.iter().find(|(of, _)| &**of == address);
        replay.map(|(_, replay)| replay.clone())
    }

    /// Reads one from a checkpoint's part of that version.
    pub(crate) fn decode(reader: &mut Reader<'_>, version: u8) -> Result<Self, RecordError> {
        let (has_leases, has_groups) = (version > 3, version > 7);
        let (has_since, has_sets) = (version > 8, version > 8);
        let number = SessionNumber(reader.u64()?);
        let client_id = reader.text()?.into();
        let owner = take_owner(reader)?;
        let expiry_interval = reader.u32()?;
        let at = reader.u64()?;
        let as_of = UnixMillis(at & !CONNECTED);
        let disconnected_at = Some(as_of).filter(|_| at != 0 && at & CONNECTED == 0);
        let will = take_will(reader)?;
        let stored = subscriptions(reader, has_since)?;
        let mut incoming_qos2 = Vec::new();
        for _ in 0..reader.varint()? {
            incoming_qos2.push(reader.packet_id()?);
        }
        let with_metadata = stored.iter().filter(|one| one.wants_metadata);
        let with_metadata = with_metadata.map(|one| one.address.clone()).collect();
        let replays = stored.iter();
        let replays = replays.filter_map(|one| Some((one.address.clone(), one.replay.clone()?)));
        let replays = replays.collect();
        let image = SessionImage {
            client_id,
            expiry_interval,
            subscriptions: stored.into_iter().map(|one| (one.address, one.record)).collect(),
            inbox: inbox(reader, has_sets)?,
            incoming_qos2,
            will,
            disconnected_at,
        };
        let mut leases = Vec::new();
        if has_leases {
            for _ in 0..reader.varint()? {
                leases.push(KeptLease::decode(reader)?);
            }
        }
        let mut groups = Vec::new();
        for _ in 0..if has_groups { reader.varint()? } else { 0 } {
            groups.push((reader.text()?.into(), reader.text()?.into()));
        }
        Ok(Self { number, image, owner, with_metadata, replays, leases, groups, as_of })
    }
}

/// An entry: `0 | what was kept`, or `1` for one that the client has (older versions), or `2` for one that is gone, or `3 | count varint` for so many, or
/// `4 | place varint` for one that the client has, with the place of its PUBREC among others. In front of all may stand `5 |
/// number varint`, counted as one: those with numbers below may have been sent (not before version 8 of the part).
///
/// If identifiers go along with what was kept, it is followed by which of the inbox's combinations, from 1 on, or 0 when it is in
/// the message's list: varint. Those follow all entries: `combinations varint | { count varint | identifier varint ... } ...`
/// (neither before version 9).
fn put_inbox(out: &mut Vec<u8>, inbox: &InboxImage) {
    out.extend_from_slice(&inbox.first.to_le_bytes());
    put_varint(out, inbox.entries.len() as u64 + u64::from(inbox.unsure_to > 0));
    if inbox.unsure_to > 0 {
        out.push(UNSURE_TO);
        put_varint(out, inbox.unsure_to);
    }
    for entry in &inbox.entries {
        match entry {
            InboxEntryImage::Kept { kept, was_sent } => {
                out.push(KEPT);
                put_kept(out, kept, *was_sent);
                if kept.has_identifiers {
                    put_varint(out, kept.set.map_or(0, |set| u64::from(set) + 1));
                }
            }
            InboxEntryImage::Received(place) => {
                out.push(RECEIVED_AT);
                put_varint(out, *place);
            }
            InboxEntryImage::Gone(1) => out.push(GONE),
            InboxEntryImage::Gone(count) => {
                out.push(GONE_MANY);
                put_varint(out, *count);
            }
        }
    }
    put_varint(out, inbox.identifiers.len() as u64);
    for set in &inbox.identifiers {
        put_varint(out, set.len() as u64);
        set.iter().for_each(|identifier| put_varint(out, u64::from(*identifier)));
    }
}

fn inbox(reader: &mut Reader<'_>, has_sets: bool) -> Result<InboxImage, RecordError> {
    let first = reader.u64()?;
    let mut end = first;
    let count = reader.varint()?;
    let mut entries = Vec::new();
    let mut unsure_to = 0;
    for _ in 0..count {
        entries.push(match reader.u8()? {
            UNSURE_TO => {
                unsure_to = reader.varint()?;
                continue;
            }
            KEPT => {
                let (mut kept, was_sent) = take_kept(reader)?;
                if has_sets && kept.has_identifiers {
                    let set = reader.varint()?.checked_sub(1);
                    kept.set = set.and_then(|set| u16::try_from(set).ok());
                }
                InboxEntryImage::Kept { kept, was_sent }
            }
            RECEIVED => InboxEntryImage::Received(0),
            RECEIVED_AT => InboxEntryImage::Received(reader.varint()?),
            GONE => InboxEntryImage::Gone(1),
            GONE_MANY => InboxEntryImage::Gone(reader.varint()?),
            _ => return Err(reader.error("an entry of an inbox is unknown")),
        });
        end = end.saturating_add(match entries.last() {
            Some(InboxEntryImage::Gone(count)) => *count,
            _ => 1,
        });
    }
    if end > NUMBER_MAX {
        return Err(reader.error("a number of an inbox is too large"));
    }
    let sets = if has_sets { reader.varint()? } else { 0 };
    let identifiers = (0..sets).map(|_| set(reader)).collect::<Result<_, RecordError>>()?;
    Ok(InboxImage { first, entries, identifiers, unsure_to })
}

fn set(reader: &mut Reader<'_>) -> Result<Box<[u32]>, RecordError> {
    let count = reader.varint()?;
    let one = |_| Ok(u32::try_from(reader.varint()?).unwrap_or(u32::MAX));
    (0..count).map(one).collect()
}

/// What is kept: `at u64 | size varint | flags u8 (QoS 0-1, RETAIN 2, identifiers 3, sent 4, copy 5, shared 6, held 7)
/// | [copy u8] | [held: identifier varint, 0 for none]`. Older versions held nothing.
fn put_kept(out: &mut Vec<u8>, kept: &Kept, was_sent: bool) {
    out.extend_from_slice(&kept.at.to_le_bytes());
    put_varint(out, u64::from(kept.size));
    let mut flags = kept.qos.as_u8();
    flags |= if kept.retain { RETAIN } else { 0 };
    flags |= if kept.has_identifiers { IDENTIFIERS } else { 0 };
    flags |= if was_sent { WAS_SENT } else { 0 };
    flags |= if kept.copy > 0 { COPY } else { 0 };
    flags |= if kept.is_shared { SHARED } else { 0 };
    flags |= if kept.is_held { HELD } else { 0 };
    out.push(flags);
    out.extend((kept.copy > 0).then_some(kept.copy));
    if kept.is_held {
        put_varint(out, u64::from(kept.identifier.map_or(0, NonZeroU32::get)));
    }
}

fn take_kept(reader: &mut Reader<'_>) -> Result<(Kept, bool), RecordError> {
    let at = reader.u64()?;
    let size = u32::try_from(reader.varint()?).unwrap_or(u32::MAX);
    let flags = reader.u8()?;
    let qos = QoS::from_u8(flags & 0b11).filter(|qos| *qos > QoS::AtMostOnce);
    let is_held = flags & HELD != 0;
    let kept = Kept {
        at,
        size,
        qos: qos.ok_or_else(|| reader.error("a kept message has no QoS 1 or 2"))?,
        retain: flags & RETAIN != 0,
        has_identifiers: flags & IDENTIFIERS != 0,
        copy: if flags & COPY != 0 { reader.u8()? } else { 0 },
        set: None,
        is_shared: flags & SHARED != 0,
        is_held,
        identifier: match is_held {
            true => u32::try_from(reader.varint()?).ok().and_then(NonZeroU32::new),
            false => None,
        },
    };
    Ok((kept, flags & WAS_SENT != 0))
}

impl RetainedPage {
    /// `address | topic | last u8 | count varint | what was kept ...`
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_text(out, &self.address);
        put_text(out, &self.through);
        out.push(u8::from(self.is_last));
        put_varint(out, self.entries.len() as u64);
        self.entries.iter().for_each(|kept| put_kept(out, kept, false));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let (address, through) = (reader.text()?.into(), reader.text()?.into());
        let is_last = reader.u8()? != 0;
        let count = reader.varint()?;
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(take_kept(reader)?.0);
        }
        Ok(Self { address, through, is_last, entries })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mqtt_types::PacketId;

    use super::*;

    pub(in super::super) fn will() -> Will {
        let request = WillRequest {
            topic: "gone/a",
            payload: b"offline",
            qos: QoS::ExactlyOnce,
            retain: true,
            delay_interval: 9,
            message_expiry_interval: Some(77),
            properties: &[1, 1],
        };
        Will::new(&request).expect("legal")
    }

    #[test]
    fn a_session_comes_out_as_it_went_in() {
        let subscription = SubscriptionRecord {
            qos: QoS::ExactlyOnce,
            no_local: true,
            retain_as_published: true,
            retain_handling: RetainHandling::DoNotSend,
            subscription_identifier: NonZeroU32::new(268_435_455),
            consumer: 0,
        };
        let kept = Kept {
            at: u64::MAX,
            size: 300,
            qos: QoS::ExactlyOnce,
            retain: true,
            has_identifiers: true,
            copy: 255,
            set: None,
            is_shared: true,
            is_held: true,
            identifier: NonZeroU32::new(268_435_455),
        };
        let other = Kept {
            at: 1,
            qos: QoS::AtLeastOnce,
            retain: false,
            copy: 0,
            set: Some(1),
            is_shared: false,
            is_held: false,
            identifier: None,
            ..kept
        };
        let session = StoredSession {
            number: SessionNumber(1 << 55),
            image: SessionImage {
                client_id: "sensor-17".into(),
                expiry_interval: 3600,
                subscriptions: vec![
                    ("$q/a".into(), SubscriptionRecord::plain(QoS::AtMostOnce)),
                    ("b/#".into(), subscription),
                ],
                inbox: InboxImage {
                    first: 12,
                    entries: vec![
                        InboxEntryImage::Kept { kept, was_sent: true },
                        InboxEntryImage::Gone(1),
                        InboxEntryImage::Received(7),
                        InboxEntryImage::Gone(1 << 40),
                        InboxEntryImage::Kept { kept: other, was_sent: false },
                    ],
                    identifiers: vec![[7].into(), [1, 268_435_455].into()],
                    unsure_to: 1 << 41,
                },
                incoming_qos2: vec![PacketId::MIN],
                will: Some(will()),
                disconnected_at: Some(UnixMillis(5)),
            },
            owner: Some("fleet".into()),
            with_metadata: vec!["$q/a".into()],
            replays: vec![("b/#".into(), KeptReplay { since: 300, through: "b/c".into() })],
            leases: vec![KeptLease {
                packet_id: PacketId::MIN,
                sink: SinkId(3),
                offset: Offset(1 << 40),
            }],
            groups: vec![("$stream/a".into(), "workers".into())],
            as_of: UnixMillis(5),
        };
        let mut body = Vec::new();
        session.encode(&mut body);
        let read = |body: &[u8]| {
            StoredSession::decode(&mut Reader { record: "checkpoint", rest: body }, 9)
        };
        assert_eq!(read(&body), Ok(session.clone()));
        for cut in 0..body.len() {
            assert!(read(&body[..cut]).is_err(), "cut at {cut}");
        }
        let image = SessionImage { disconnected_at: None, ..session.image };
        let session = StoredSession { image, as_of: UnixMillis(7), ..session };
        body.clear();
        session.encode(&mut body);
        assert_eq!(read(&body), Ok(session), "while connected");
    }
}
