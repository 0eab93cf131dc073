//! A topic as one sees it who tells apart what was retained before a moment and what since. It must not know subscriptions.

use mqtt_types::TopicName;

use super::entry::Entry;
use super::{Found, found};

/// What the log says to what subscribers see of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has it.
    Stored,
    /// It has not decided: if it takes it not, what it had before may be seen again.
    OnItsWay,
    /// It will not have it: it is gone with the process.
    Unlogged,
}

/// What there is to see of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// A message.
    Found(Found),
    /// None, by a change that the log does not have.
    Removed {
        /// The topic.
        topic: Box<str>,
    },
}

/// A topic that has a message, or had one in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sight {
    /// The change that made what is seen.
    pub version: u64,
    /// What the log says to it.
    pub standing: Standing,
    /// The newest change that the log has; 0 when it has none.
    pub stored: u64,
    /// What is seen.
    pub shown: Shown,
}

impl Sight {
    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        match &self.shown {
            Shown::Found(Found::Message(message)) => message.topic(),
            Shown::Found(Found::Stored { topic, .. }) | Shown::Removed { topic } => topic,
        }
    }

    pub(super) fn of(topic: TopicName<'_>, entry: &Entry, unix_ms: u64) -> Option<Self> {
        let (version, standing) = match &entry.fresh {
            None => (entry.version, Standing::Stored),
            Some(fresh) if entry.on_the_way > 0 => (fresh.version, Standing::OnItsWay),
            Some(fresh) => (fresh.version, Standing::Unlogged),
        };
        let shown = match entry.seen(unix_ms) {
            Some(_) => Shown::Found(found(topic, entry)?),
            None if entry.fresh.is_some() => Shown::Removed { topic: topic.as_str().into() },
            None => return None,
        };
        Some(Self { version, standing, stored: entry.version, shown })
    }
}

#[cfg(test)]
mod tests {
    use log_api::Position;
    use mqtt_types::{Message, MessageHead};

    use super::super::{Change, Holds, RetainedLimits, RetainedStore};
    use super::*;
    use crate::record::Kept;

    #[test]
    fn what_the_log_has_not_decided_is_told_from_what_it_has() {
        let limits =
            RetainedLimits { messages: 9, bytes: 1 << 20, memory: 1 << 20, bodies: 1 << 20 };
        let store = RetainedStore::new(limits);
        let topic = TopicName::new("a").expect("legal");
        let message = |payload| Message::new(MessageHead::default(), topic, &[], payload);
        let publish = |payload, change| {
            let message = message(payload).expect("small");
            store.publish(&message, change).expect("room").expect("a change")
        };
        let look = |expected: Option<(u64, Standing, u64, Option<&[u8]>)>| {
            let sight = store.look(topic, 0);
            let told = sight.as_ref().map(|sight| {
                assert_eq!(sight.topic(), "a");
                let payload = match &sight.shown {
                    Shown::Found(Found::Message(message)) => Some(message.payload()),
                    Shown::Found(Found::Stored { .. }) => panic!("it is at hand"),
                    Shown::Removed { .. } => None,
                };
                (sight.version, sight.standing, sight.stored, payload)
            });
            assert_eq!(told, expected);
            let mut paged = Vec::new();
            let filter = mqtt_types::TopicFilter::new("#").expect("legal");
            let visit = |sight| paged.push(sight);
            assert!(store.look_on(filter, &mqtt_router::Cursor::default(), 9, 0, visit).is_none());
            assert_eq!(paged, sight.into_iter().collect::<Vec<_>>());
        };
        look(None);
        assert_eq!(publish(b"one", Change::Logged), 1);
        look(Some((1, Standing::OnItsWay, 0, Some(b"one"))));
        let kept = Kept { at: Some(Position::new(1, 64)), size: 4, due_ms: 0 };
        store.stored(topic, 1, kept, &mut Holds::new());
        look(Some((1, Standing::Stored, 1, Some(b"one"))));
        assert_eq!(publish(b"", Change::Logged), 2);
        look(Some((2, Standing::OnItsWay, 1, None)));
        store.not_stored(topic, 2, false);
        look(Some((1, Standing::Stored, 1, Some(b"one"))));
        assert_eq!(publish(b"three", Change::Unlogged), 3);
        look(Some((3, Standing::Unlogged, 1, Some(b"three"))));
        assert_eq!(publish(b"", Change::Unlogged), 4);
        look(Some((4, Standing::Unlogged, 1, None)));
        assert_eq!((publish(b"", Change::Logged), store.newest()), (5, 5));
        store.stored(topic, 5, Kept { at: None, size: 0, due_ms: 0 }, &mut Holds::new());
        look(None);
    }
}
