//! What queues and streams ask of a message before it is stored for them: that its properties are legal, that there is room in all of
//! them, a key. All agree, or none takes it (contract, promise 2).

use std::sync::Arc;

use key_expression::{Facts, Scratch};
use mqtt_codec::Properties;
use mqtt_router::SinkId;
use mqtt_types::{Message, ReasonCode, TopicName};
use queue_engine::MessageId;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use stdx::{UnixMillis, parse_duration};

use super::Shard;
use super::live::Live;
use crate::ids::SessionId;
use crate::record::{MoreTargets, SinkKey};
use crate::routes::Route;
use crate::terms::{Arriving, Full, Load, Missing, Terms};

/// Bytes of a `message-id`.
const MESSAGE_ID_BYTES_MAX: usize = 1024;
/// The longest `delay`, in milliseconds: ten years.
const DELAY_MS_MAX: u64 = 10 * 366 * 86_400_000;
/// What a message counts beyond its topic, properties and payload (contract §3).
const COUNTED_BYTES: usize = 64;

/// Why queues do not take a message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Disagreement {
    /// One of them is full.
    #[error(transparent)]
    Full(#[from] Full),
    /// A property that queues act on makes no sense.
    #[error("message not stored: user property '{name}' is '{value}', {wants}")]
    Property { name: &'static str, value: String, wants: &'static str },
}

impl Disagreement {
    /// Whether it is the message that is wrong: it would be refused again.
    pub(super) const fn is_wrong(&self) -> bool {
        matches!(self, Self::Property { .. })
    }

    pub(super) const fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Full(_) => ReasonCode::QUOTA_EXCEEDED,
            Self::Property { .. } => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        }
    }
}

/// What its publisher says to queues.
#[derive(Default)]
pub(super) struct Wishes {
    delay_ms: Option<u64>,
    message_id: Option<u128>,
}

/// What a message counts in a queue.
pub(super) fn counted_bytes(live: &Live<'_>) -> u32 {
    let bytes = live.topic.as_str().len() + live.properties.len() + live.payload.len();
    u32::try_from(bytes + COUNTED_BYTES).unwrap_or(u32::MAX)
}

impl Shard {
    /// Takes room in all queues of a route, and notes what they are to be told of the message. What was taken is given
    /// back when the record is not stored; who does not write one uses [`Shard::part`].
    ///
    /// # Errors
    /// One of them does not take the message: nothing has changed.
    #[inline]
    pub(super) fn agree(
        &mut self,
        route: &Route,
        live: &Live<'_>,
        more: &mut Option<MoreTargets>,
    ) -> Result<(), Box<Disagreement>> {
        if route.terms.is_empty() {
            return Ok(());
        }
        let wishes = if live.properties.is_empty() { Wishes::default() } else { wishes(live)? };
        let (keys, missing) = self.keys_of(route, live);
        let arriving = self.arriving(counted_bytes(live), &wishes);
        for (n, terms) in route.terms.iter().enumerate() {
            let key = key_for(&keys, terms.sink);
            if let Err(full) = terms.reserve(&Arriving { key, ..arriving }) {
                give_back(route.terms.iter().take(n), &keys, arriving.size);
                self.counts.publishes_queue_full_total += 1;
                return Err(Box::new(full.into()));
            }
        }
        self.count_missing(missing);
        if let Some(delay_ms) = wishes.delay_ms {
            let not_before = self.turn.unix_ms.saturating_add(delay_ms);
            more.get_or_insert_default().not_before_ms = Some(not_before);
        }
        if wishes.message_id.is_some() {
            more.get_or_insert_default().message_id = wishes.message_id;
        }
        if !keys.is_empty() {
            more.get_or_insert_default().keys = keys;
        }
        Ok(())
    }

    fn arriving(&self, size: u32, wishes: &Wishes) -> Arriving {
        Arriving {
            size,
            key: None,
            message_id: wishes.message_id.map(MessageId::new),
            stored: UnixMillis(self.turn.unix_ms),
        }
    }

    /// Gives back what [`Shard::agree`] has taken.
    pub(super) fn part(&self, route: &Route, live: &Live<'_>, more: Option<&MoreTargets>) {
        let keys = more.map_or(&[][..], |more| &more.keys);
        give_back(route.terms.iter(), keys, counted_bytes(live));
    }

    /// Takes room in all queues of a route for a message that they took before.
    pub(super) fn agree_again(&mut self, route: &Route, live: &Live<'_>) -> Option<MoreTargets> {
        let load = Load::of_one(counted_bytes(live));
        for terms in &route.terms {
            terms.room.take(load);
        }
        let wishes = wishes(live).unwrap_or_default();
        let (keys, missing) = self.keys_of(route, live);
        self.count_missing(missing);
        let says_something =
            wishes.delay_ms.is_some() || wishes.message_id.is_some() || !keys.is_empty();
        says_something.then(|| MoreTargets {
            not_before_ms: wishes.delay_ms.map(|delay| live.head.received_at_ms + delay),
            message_id: wishes.message_id,
            keys,
            ..MoreTargets::default()
        })
    }

    /// Whether a queue would refuse a held message now.
    pub(super) fn queues_full_for(&mut self, held: &Message, publisher: Option<SessionId>) -> bool {
        let Ok(topic) = TopicName::new(held.topic()) else { return false };
        let live = Live::new(*held.head(), topic, held.properties(), held.payload(), publisher);
        let route = self.routes.route(&self.shared.routes, topic);
        let wishes = wishes(&live).unwrap_or_default();
        let (keys, _) = self.keys_of(&route, &live);
        let arriving = self.arriving(counted_bytes(&live), &wishes);
        let arriving_at = |terms: &Terms| Arriving { key: key_for(&keys, terms.sink), ..arriving };
        route.terms.iter().any(|terms| terms.is_full_for(&arriving_at(terms)))
    }

    /// The keys of a message, and in how many queues there was none, and why.
    fn keys_of(&mut self, route: &Route, live: &Live<'_>) -> (Keys, Missing) {
        let (mut keys, mut missing) = (Keys::new(), Missing::default());
        if !route.terms.iter().any(|terms| terms.is_keyed()) {
            return (keys, missing);
        }
        let entry = live.publisher.and_then(|id| self.sessions.get(id));
        let properties = live.properties;
        let facts = Facts {
            topic: live.topic.as_str(),
            client_id: entry.map(|entry| entry.session.client_id()),
            username: entry.and_then(|entry| entry.owner.as_deref()),
            user_property: &|name| Properties::trusted(properties).user_property(name),
            payload: live.payload,
        };
        let mut scratch = std::mem::take(&mut self.key_scratch);
        for terms in &route.terms {
            if let Some((key, problem)) = terms.key_for(&facts, &mut scratch) {
                if let Some(count) = problem.and_then(|one| missing.get_mut(one as usize)) {
                    *count += 1;
                }
                keys.push(terms.made(key));
            }
        }
        self.key_scratch = scratch;
        (keys, missing)
    }

    pub(super) fn count_missing(&mut self, [missing, not_json, not_scalar, too_long]: Missing) {
        self.counts.keys_missing_total += missing;
        self.counts.keys_not_json_total += not_json;
        self.counts.keys_not_scalar_total += not_scalar;
        self.counts.keys_too_long_total += too_long;
    }
}

/// Keys of one message, each as a queue makes it.
type Keys = SmallVec<[SinkKey; 1]>;

fn key_for(keys: &[SinkKey], sink: SinkId) -> Option<u64> {
    keys.iter().find(|made| made.sink == sink).map(|made| made.key)
}

fn give_back<'a>(terms: impl Iterator<Item = &'a Arc<Terms>>, keys: &[SinkKey], size: u32) {
    terms.for_each(|terms| terms.room.does_not_come(key_for(keys, terms.sink), size));
}

pub(super) fn wishes(live: &Live<'_>) -> Result<Wishes, Box<Disagreement>> {
    let mut wishes = Wishes::default();
    for (name, value) in Properties::trusted(live.properties).user_properties() {
        match name {
            "delay" if wishes.delay_ms.is_none() => {
                let delay = parse_duration(value).ok();
                let delay = delay.and_then(|delay| u64::try_from(delay.as_millis()).ok());
                let Some(delay_ms) = delay.filter(|delay| *delay <= DELAY_MS_MAX) else {
                    let wants = "not a duration such as 30s, at most ten years";
                    return Err(disagree("delay", value, wants));
                };
                wishes.delay_ms = Some(delay_ms);
            }
            "message-id" if wishes.message_id.is_none() => {
                if value.is_empty() || value.len() > MESSAGE_ID_BYTES_MAX {
                    let wants = "not from 1 to 1024 bytes";
                    return Err(disagree("message-id", value, wants));
                }
                wishes.message_id = Some(id_of(value));
            }
            _ => {}
        }
    }
    Ok(wishes)
}

/// 128 bits of SHA-256: nobody can choose an id that makes another's message a duplicate. On disk, so the same for ever.
fn id_of(value: &str) -> u128 {
    let hash = Sha256::digest(value.as_bytes());
    u128::from_le_bytes(*hash.first_chunk().expect("32 bytes"))
}

fn disagree(name: &'static str, value: &str, wants: &'static str) -> Box<Disagreement> {
    let value = value.chars().take(64).collect();
    Box::new(Disagreement::Property { name, value, wants })
}

/// Room for keys that have to be put together.
pub(crate) type KeyScratch = Scratch;
