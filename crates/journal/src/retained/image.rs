//! The retained messages' part of a checkpoint: where they lie, not what they are.

use std::collections::BTreeMap;

use log_api::Position;
use mqtt_router::{Cursor, RetainedIndex};
use mqtt_types::{Message, TopicError};

use super::RetainedStore;
use super::entry::Entry;
use crate::record::{Kept, PublishRecord, Reader, RecordError, put_positions, put_varint};

/// Topics looked at in one go, so that nobody who publishes waits for long.
const PAGE: usize = 256;
const END: u8 = 0;
const KEPT: u8 = 1;
const EXPIRES: u8 = 2;
const REMOVED: u8 = 3;

/// The retained messages, gathered while the broker goes on.
///
/// ```text
/// version u64 | topic ... | 0 u8 | holding u32 | position u64 ...
/// topic: what u8 (1 kept, 2 kept and expires, 3 removed)
///        | shared varint | rest_len varint | rest | version varint
///        | kept: position u64 | size varint | expires: due_ms varint
/// ```
/// A topic begins with so many bytes of the one before, and ends with the rest. Of each it has the newest change that was
/// in the log when it was looked at, which may be newer than the checkpoint; and what lies in the log from there on
/// brings any other that is newer still. A removal is there if an older change may come into the log after it. What was held
/// for sessions since the first shard answered is at the end, for those sessions may be in no part with it: before version 7 of
/// the part nothing was.
pub struct RetainedPart;

impl RetainedPart {
    /// Appends what the store has, and gives which bodies are held by that: by segment, how many.
    pub fn put(out: &mut Vec<u8>, store: &RetainedStore) -> Vec<(u32, u32)> {
        let version_at = out.len();
        out.extend_from_slice(&[0; 8]);
        let mut held = BTreeMap::<u32, u32>::new();
        let mut last = String::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let inner = store.inner.read();
            from = inner.index.page(
                &cursor,
                PAGE,
                |entry| entry.version > 0,
                |topic, entry| {
                    put_topic(out, &last, topic.as_str(), entry);
                    last.clear();
                    last.push_str(topic.as_str());
                    if let Some(at) = entry.at() {
                        *held.entry(at.segment()).or_default() += 1;
                    }
                },
            );
        }
        out.push(END);
        let mut inner = store.inner.write();
        put_positions(out, &inner.holding);
        for at in &inner.holding {
            *held.entry(at.segment()).or_default() += 1;
        }
        if let Some(place) = out.get_mut(version_at..version_at + 8) {
            place.copy_from_slice(&inner.version.to_le_bytes());
        }
        inner.end_gathering();
        held.into_iter().collect()
    }
}

fn put_topic(out: &mut Vec<u8>, last: &str, topic: &str, entry: &Entry) {
    out.push(match entry.at() {
        None => REMOVED,
        Some(_) if entry.due_ms == 0 => KEPT,
        Some(_) => EXPIRES,
    });
    let shared = last.bytes().zip(topic.bytes()).take_while(|(a, b)| a == b).count();
    let rest = topic.as_bytes().get(shared..).unwrap_or_default();
    put_varint(out, shared as u64);
    put_varint(out, rest.len() as u64);
    out.extend_from_slice(rest);
    put_varint(out, entry.version);
    if let Some(at) = entry.at() {
        out.extend_from_slice(&at.as_u64().to_le_bytes());
        put_varint(out, u64::from(entry.size));
        if entry.due_ms != 0 {
            put_varint(out, entry.due_ms);
        }
    }
}

/// The retained messages as read back. Nothing at all: the part of a shard that does not tell of them.
#[derive(Default)]
pub(crate) struct StoredRetained {
    /// Versions up to there have been given.
    pub(crate) version: u64,
    /// Changes up to this version are in it, or were overtaken by later ones.
    pub(crate) floor: u64,
    pub(crate) index: RetainedIndex<Entry>,
    /// Bodies that are held for sessions.
    pub(crate) holding: Vec<Position>,
    /// Messages that lie nowhere else: checkpoints before version 3 had them whole.
    pub(crate) whole: Vec<Message>,
}

impl StoredRetained {
    /// Reads the rest of a part; older ones hold nothing for sessions.
    pub(crate) fn take(reader: &mut Reader<'_>, has_holding: bool) -> Result<Self, RecordError> {
        if reader.rest.is_empty() {
            return Ok(Self::default());
        }
        let version = reader.u64()?;
        let mut last = Vec::new();
        let topics = std::iter::from_fn(|| take_topic(&mut last, reader).transpose());
        let index = RetainedIndex::from_topics(topics).map_err(|Illegal(error)| error)?;
        let holding = if has_holding { reader.positions()? } else { Vec::new() };
        Ok(Self { version, index, holding, ..Self::default() })
    }

    /// The same of a part before version 3.
    ///
    /// ```text
    /// version u64 | { body_len u32 | publish record } ... | 0 u32
    /// ```
    pub(crate) fn take_whole(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let mut stored = Self::default();
        if reader.rest.is_empty() {
            return Ok(stored);
        }
        stored.version = reader.u64()?;
        stored.floor = stored.version;
        loop {
            let len = reader.u32()? as usize;
            if len == 0 {
                return Ok(stored);
            }
            let record = PublishRecord::decode(reader.bytes(len)?)?;
            stored.whole.push(record.copy_message()?);
        }
    }
}

/// Why a topic cannot be read.
struct Illegal(RecordError);

impl From<TopicError> for Illegal {
    fn from(_: TopicError) -> Self {
        Self(RecordError { record: "checkpoint", what: "a retained message's topic is not legal" })
    }
}

impl From<RecordError> for Illegal {
    fn from(error: RecordError) -> Self {
        Self(error)
    }
}

/// The next topic; `last` is the one before.
fn take_topic(
    last: &mut Vec<u8>,
    reader: &mut Reader<'_>,
) -> Result<Option<(String, Entry)>, Illegal> {
    let what = reader.u8()?;
    if what == END {
        return Ok(None);
    }
    let shared = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    let rest_len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    if shared > last.len() {
        return Err(reader.error("a topic is longer than the one that it begins with").into());
    }
    last.truncate(shared);
    last.extend_from_slice(reader.bytes(rest_len)?);
    let text = std::str::from_utf8(last).map_err(|_| reader.error("a text is not UTF-8"))?;
    let version = reader.varint()?;
    let kept = match what {
        KEPT | EXPIRES => {
            let at = Some(Position::from_u64(reader.u64()?));
            let size = u32::try_from(reader.varint()?).unwrap_or(u32::MAX);
            let due_ms = if what == EXPIRES { reader.varint()? } else { 0 };
            Kept { at, size, due_ms }
        }
        REMOVED => Kept { at: None, size: 0, due_ms: 0 },
        _ => return Err(reader.error("a retained message is of a kind that is not known").into()),
    };
    Ok(Some((text.to_owned(), Entry::kept(version, kept))))
}
