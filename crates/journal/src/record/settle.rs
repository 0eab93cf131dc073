//! The record of what a queue's consumers have settled, and of deliveries that were tried.

use mqtt_router::SinkId;
use queue_engine::{Departure, Offset, Queue, StoredAt};
use stdx::UnixMillis;

use super::codec::{Reader, RecordError, put_ranges, put_varint};

/// What is written when a message waits before it is tried again.
const VERSION: u8 = 3;
/// What is written otherwise of what bears a rewind. Everything else is written as version 1, which has none.
const VERSION_2: u8 = 2;
const VERSION_1: u8 = 1;
/// The first byte after the queue, in version 3: what a record bears. The bits are on disk and never reused.
const REWOUND: u8 = 1;

/// How a message left its queue. The numbers are on disk and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Left {
    /// A consumer accepted it.
    Settled = 1,
    /// It went to a dead-letter queue.
    DeadLettered = 2,
    /// It was given up and counted.
    Dropped = 3,
    /// Its time ran out.
    Expired = 4,
    /// A newer message of its key took its place.
    Replaced = 5,
    /// An operator removed it.
    Purged = 6,
    /// A consumer accepted it, and its body stays.
    Kept = 7,
    /// Its body, which had stayed, is not needed any more.
    Forgotten = 8,
}

impl Left {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Settled,
        Self::DeadLettered,
        Self::Dropped,
        Self::Expired,
        Self::Replaced,
        Self::Purged,
        Self::Kept,
        Self::Forgotten,
    ];

    /// Tells an engine what was logged. Gives where the body is that is not needed any more.
    pub(crate) fn replay(self, offset: Offset, engine: &mut Queue) -> Option<StoredAt> {
        let departure = match self {
            Self::Settled => Departure::Settled,
            Self::DeadLettered => Departure::DeadLettered,
            Self::Dropped => Departure::Dropped,
            Self::Expired => Departure::Expired,
            Self::Replaced => Departure::Replaced,
            Self::Purged => Departure::Purged,
            Self::Kept => {
                engine.replay_kept(offset);
                return None;
            }
            Self::Forgotten => return engine.replay_forgotten(offset),
        };
        engine.replay_left(offset, departure)
    }

    fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|left| *left as u8 == number)
    }
}

/// Deliveries of a message that stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tried {
    /// The message.
    pub offset: Offset,
    /// How many count.
    pub attempts: u32,
    /// Until when it waits before it is tried again; never the beginning of time.
    pub until: Option<UnixMillis>,
}

/// What happened to a queue's messages since its last such record.
///
/// ```text
/// version u8 | sink u32 | bears u8 (version 3 only) | rewound_to varint (version 2, or as version 3 bears)
/// | groups varint | { left u8 | runs varint | { gap varint | length varint } ... } ...
/// | dispatched_to varint | attempts varint | { offset varint | attempts varint | until varint (version 3 only; 0: none) } ...
/// ```
/// Runs are of consecutive offsets in ascending order; a gap counts from the end of the run before. A rewind comes before all
/// else that a record tells of, and after all that earlier ones do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettleRecord {
    /// The queue.
    pub sink: SinkId,
    /// Messages from here on that were settled and kept are ready again.
    pub rewound: Option<Offset>,
    /// Offsets that left, by how, as ranges in ascending order.
    pub left: Vec<(Left, Vec<std::ops::Range<u64>>)>,
    /// Offsets below were handed to a consumer: after a crash that delivery counts, so that the next one says so.
    pub dispatched_to: Offset,
    /// Deliveries counted of messages that stay. The last word on one holds.
    pub attempts: Vec<Tried>,
}

/// Turns offsets in any order into ascending ranges.
pub fn ranges(mut offsets: Vec<u64>) -> Vec<std::ops::Range<u64>> {
    offsets.sort_unstable();
    offsets.dedup();
    let mut ranges: Vec<std::ops::Range<u64>> = Vec::new();
    for offset in offsets {
        match ranges.last_mut() {
            Some(last) if last.end == offset => last.end = offset + 1,
            _ => ranges.push(offset..offset + 1),
        }
    }
    ranges
}

impl SettleRecord {
    /// Appends the body of the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let waits = self.attempts.iter().any(|tried| tried.until.is_some());
        let version = match (waits, self.rewound) {
            (true, _) => VERSION,
            (false, Some(_)) => VERSION_2,
            (false, None) => VERSION_1,
        };
        out.push(version);
        out.extend_from_slice(&self.sink.0.to_le_bytes());
        if version == VERSION {
            out.push(if self.rewound.is_some() { REWOUND } else { 0 });
        }
        if let Some(to) = self.rewound {
            put_varint(out, to.0);
        }
        put_varint(out, self.left.len() as u64);
        for (left, ranges) in &self.left {
            out.push(*left as u8);
            put_ranges(out, ranges);
        }
        put_varint(out, self.dispatched_to.0);
        put_varint(out, self.attempts.len() as u64);
        for Tried { offset, attempts, until } in &self.attempts {
            put_varint(out, offset.0);
            put_varint(out, u64::from(*attempts));
            if version == VERSION {
                put_varint(out, until.map_or(0, |until| until.0));
            }
        }
    }

    /// Reads the body of a record.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader { record: "settle", rest: body };
        let version = reader.version(VERSION)?;
        let sink = SinkId(reader.u32()?);
        let is_rewound = match version {
            VERSION => match reader.u8()? {
                bears @ 0..=REWOUND => bears == REWOUND,
                _ => return Err(reader.error("what it bears is unknown")),
            },
            version => version > VERSION_1,
        };
        let rewound = if is_rewound { Some(Offset(reader.varint()?)) } else { None };
        let groups = reader.varint()?;
        let mut left = Vec::new();
        for _ in 0..groups {
            let how = Left::from_u8(reader.u8()?)
                .ok_or_else(|| reader.error("a way to leave is unknown"))?;
            let ranges = reader.ranges()?;
            left.push((how, ranges));
        }
        let dispatched_to = Offset(reader.varint()?);
        let count = reader.varint()?;
        let mut attempts = Vec::new();
        for _ in 0..count {
            let offset = Offset(reader.varint()?);
            let number = reader.varint()?;
            let until = if version == VERSION { reader.varint()? } else { 0 };
            attempts.push(Tried {
                offset,
                attempts: u32::try_from(number).unwrap_or(u32::MAX),
                until: Some(UnixMillis(until)).filter(|until| until.0 > 0),
            });
        }
        Ok(Self { sink, rewound, left, dispatched_to, attempts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settlements_come_out_as_they_went_in() {
        for rewound in [None, Some(Offset(0)), Some(Offset(u64::MAX))] {
            for until in [None, Some(UnixMillis(1)), Some(UnixMillis(u64::MAX))] {
                check(rewound, until);
            }
        }
    }

    const fn tried(offset: u64, attempts: u32, until: Option<UnixMillis>) -> Tried {
        Tried { offset: Offset(offset), attempts, until }
    }

    fn check(rewound: Option<Offset>, until: Option<UnixMillis>) {
        let record = SettleRecord {
            sink: SinkId(7),
            rewound,
            left: vec![
                (Left::Settled, vec![0..3, 5..6, 1000..5000]),
                (Left::Dropped, vec![3..4, 9..11]),
                (Left::Forgotten, vec![4..5, 7..8]),
            ],
            dispatched_to: Offset(5001),
            attempts: vec![tried(4, 2, None), tried(u64::MAX, u32::MAX, until)],
        };
        let mut body = Vec::new();
        record.encode(&mut body);
        assert_eq!(SettleRecord::decode(&body), Ok(record));
        for cut in 0..body.len() {
            assert!(SettleRecord::decode(&body[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_said_newly_has_a_form_of_its_own() {
        let record = SettleRecord {
            sink: SinkId(7),
            rewound: None,
            left: vec![(Left::Purged, vec![2..3, 4..7])],
            dispatched_to: Offset(5),
            attempts: vec![],
        };
        let mut body = Vec::new();
        record.encode(&mut body);
        assert_eq!(body, [1, 7, 0, 0, 0, 1, 6, 2, 2, 1, 1, 3, 5, 0]);
        let rewound = SettleRecord { rewound: Some(Offset(300)), ..record };
        body.clear();
        rewound.encode(&mut body);
        assert_eq!(body, [2, 7, 0, 0, 0, 0xAC, 2, 1, 6, 2, 2, 1, 1, 3, 5, 0]);
        let attempts = vec![tried(9, 1, None), tried(8, 2, Some(UnixMillis(300)))];
        let both = SettleRecord { attempts: attempts.clone(), ..rewound };
        body.clear();
        both.encode(&mut body);
        let said = [5, 2, 9, 1, 0, 8, 2, 0xAC, 2];
        let left = [1, 6, 2, 2, 1, 1, 3];
        assert_eq!(body, [&[3, 7, 0, 0, 0, 1, 0xAC, 2], &left[..], &said].concat());
        let waits = SettleRecord { rewound: None, ..both };
        body.clear();
        waits.encode(&mut body);
        assert_eq!(body, [&[3, 7, 0, 0, 0, 0], &left[..], &said].concat());
        body[5] = 2;
        assert!(SettleRecord::decode(&body).is_err());
    }

    #[test]
    fn offsets_in_any_order_become_ranges() {
        assert_eq!(ranges(vec![5, 1, 2, 2, 3, 9]), [1..4, 5..6, 9..10]);
        assert_eq!(ranges(vec![]), []);
    }
}
