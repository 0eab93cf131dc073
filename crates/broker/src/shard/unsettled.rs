//! Subscriptions of durable sessions whose changes wait for their records: a change that is not stored is taken back.

use std::collections::BTreeMap;

use mqtt_session::SubscriptionRecord;
use mqtt_types::Address;

use super::Shard;
use super::restore::options_of;
use crate::control::SinkKind;
use crate::ids::SessionId;
use crate::mail::Began;
use crate::outbox::Outbox;

/// A subscription as it is stored; `None` when there is none.
pub(crate) type Stored = Option<AsStored>;

/// What a session has of a subscription, and the log too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AsStored {
    pub(crate) record: SubscriptionRecord,
    /// Whether deliveries bear metadata.
    pub(crate) has_metadata: bool,
    /// The group that it reads a stream for.
    pub(crate) group: Option<Box<str>>,
}

/// A subscription some of whose changes wait for their records. The session has the newest of them already.
struct Change {
    /// What the log has.
    stored: Stored,
    /// How many changes wait.
    waiting: usize,
    /// What changes that were not stored have made of readers of streams.
    began: Vec<Began>,
}

/// What is to be done when a change has come to an end.
#[derive(Default, PartialEq, Debug)]
struct Ended {
    /// What the subscription is again, if it was not stored and no later one waits.
    back_to: Option<Stored>,
    /// What of readers is to be taken back.
    put_back: Vec<Began>,
}

/// Those of one session.
#[derive(Default)]
pub(crate) struct Unsettled(BTreeMap<Box<str>, Change>);

impl Unsettled {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether changes of the subscription wait for their records.
    pub(super) fn waits(&self, address: &str) -> bool {
        self.0.contains_key(address)
    }

    /// A change begins; `before` is what the subscription was until now.
    fn begin(&mut self, address: &str, before: Stored) {
        match self.0.get_mut(address) {
            Some(change) => change.waiting += 1,
            None => {
                let change = Change { stored: before, waiting: 1, began: Vec::new() };
                self.0.insert(address.into(), change);
            }
        }
    }

    /// The oldest change has come to an end: it is stored as this, or not at all. `began` is what it has made of its reader;
    /// readers are seen to when no later change waits, whose subscription may be theirs.
    fn end(&mut self, address: &str, stored: Option<Stored>, began: Option<Began>) -> Ended {
        let failed = stored.is_none();
        let Some(change) = self.0.get_mut(address) else {
            let put_back = began.into_iter().filter(|_| failed).collect();
            return Ended { back_to: None, put_back };
        };
        change.waiting -= 1;
        match stored {
            None => change.began.extend(began),
            Some(stored) => change.stored = stored,
        }
        if change.waiting > 0 {
            return Ended::default();
        }
        let ended = self.0.remove(address).map(|change| Ended {
            back_to: failed.then_some(change.stored),
            put_back: change.began,
        });
        ended.unwrap_or_default()
    }
}

impl Shard {
    /// A subscription as the session has it now.
    pub(super) fn subscription_of(&self, id: SessionId, address: &str) -> Stored {
        let entry = self.sessions.get(id)?;
        let record = *entry.session.subscription(address)?;
        let extras = entry.extras.as_ref();
        let has_metadata =
            extras.is_some_and(|extras| extras.with_metadata.iter().any(|with| &**with == address));
        Some(AsStored { record, has_metadata, group: self.group_of(id, address) })
    }

    /// The session's subscription has been changed, and waits for its record; `before` is what it was.
    pub(super) fn change_begins(&mut self, id: SessionId, address: &str, before: Stored) {
        if let Some(entry) = self.sessions.get_mut(id).filter(|_| id.is_durable()) {
            entry.extras.get_or_insert_default().unsettled.begin(address, before);
        }
    }

    /// The change is stored as this, or could not be stored: then the session goes back to what is, unless a later change
    /// waits, and so does the reader of which it has made something.
    pub(super) fn change_ends<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        (stored, began): (Option<Stored>, Option<Began>),
        out: &mut O,
    ) {
        let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
        let Ended { back_to, put_back } = match extras {
            Some(extras) => extras.unsettled.end(address, stored, began),
            None => Unsettled::default().end(address, stored, began),
        };
        match back_to {
            None => {}
            Some(Some(stored)) => self.go_back_to(id, address, stored, out),
            Some(None) => self.go_back_to_none(id, address, out),
        }
        put_back.into_iter().for_each(|began| self.put_reader_back(began));
        if self.subscription_of(id, address).is_none() && !self.is_unsettled(id, address) {
            self.end_replay(id, address);
        }
    }

    /// Whether changes of the session's subscription wait for their records.
    pub(super) fn is_unsettled(&self, id: SessionId, address: &str) -> bool {
        let extras = self.sessions.get(id).and_then(|entry| entry.extras.as_ref());
        extras.is_some_and(|extras| extras.unsettled.waits(address))
    }

    fn go_back_to_none<O: Outbox>(&mut self, id: SessionId, address: &str, out: &mut O) {
        let Some(entry) = self.sessions.get(id) else { return };
        let written = entry.conn.map_or(0, |conn| out.written(conn));
        if let Some(record) = self.remove_subscription(id, address) {
            self.set_group(id, address, None);
            self.let_go(id, address, record, written);
        }
    }

    /// The session's subscription is again what it was.
    pub(super) fn go_back_to<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        stored: AsStored,
        out: &O,
    ) {
        let record = stored.record;
        let options = options_of(&record);
        match Address::parse(address) {
            Ok(Address::Live(filter)) => {
                let newest = self.route_subscription(id, filter, options);
                self.resume_replay(id, address, newest);
            }
            Ok(Address::Shared { group, filter }) => {
                self.join_group(id, group, filter, options);
            }
            _ => return self.consume_again(id, address, stored, out),
        }
        self.add_subscription(id, address, record);
    }

    fn consume_again<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        stored: AsStored,
        out: &O,
    ) {
        let AsStored { record, has_metadata, group } = stored;
        let is_there = self.sink_of(address).is_some_and(|(what, name)| match what {
            SinkKind::Queue => self.shared.directory.get(&name).is_some(),
            SinkKind::Stream => self.shared.streams.get(&name).is_some(),
        });
        let Some(entry) = self.sessions.get(id).filter(|_| is_there) else { return };
        let is_connected = entry.conn.is_some();
        self.read_for(id, address, group, out);
        if is_connected {
            self.consume_as_before(id, address, record);
        } else {
            // It becomes a consumer when its client comes back.
            let record = SubscriptionRecord { consumer: 0, ..record };
            self.add_subscription(id, address, record);
        }
        self.set_metadata(id, address, has_metadata);
    }
}

#[cfg(test)]
mod tests {
    use log_api::ShardId;
    use mqtt_router::SinkId;
    use mqtt_types::QoS;
    use stream_engine::ReaderName;

    use super::*;
    use crate::mail::Moved;

    #[test]
    fn the_last_change_that_fails_goes_back_to_what_is_stored() {
        let of = |qos| {
            let record = SubscriptionRecord::plain(qos);
            Some(AsStored { record, has_metadata: false, group: None })
        };
        let (one, two) = (of(QoS::AtLeastOnce), of(QoS::ExactlyOnce));
        let mut unsettled = Unsettled::default();
        let end = |unsettled: &mut Unsettled, stored| unsettled.end("t", stored, None).back_to;
        unsettled.begin("t", None);
        unsettled.begin("t", one.clone());
        unsettled.begin("t", None);
        assert_eq!(end(&mut unsettled, Some(one.clone())), None, "later ones wait");
        assert_eq!(end(&mut unsettled, Some(None)), None);
        assert_eq!(end(&mut unsettled, None), Some(None), "what the second one made of it");
        assert!(unsettled.is_empty());
        unsettled.begin("t", one.clone());
        unsettled.begin("t", two);
        assert_eq!(end(&mut unsettled, None), None);
        assert_eq!(end(&mut unsettled, Some(None)), None, "a change that is stored stays");
        assert!(unsettled.is_empty());
        unsettled.begin("t", one.clone());
        assert_eq!(end(&mut unsettled, None), Some(one));
        assert_eq!(end(&mut unsettled, None), None, "there is none");
    }

    #[test]
    fn what_changes_that_are_not_stored_made_of_readers_is_taken_back_after_the_last() {
        let of = |name: &str| Began {
            owner: ShardId(0),
            sink: SinkId(1),
            moved: Moved { reader: ReaderName::client(name), before: None, to: None },
        };
        let stored = || Some(None);
        // What each change has made of readers, whether it is stored; and what is put back after the last one.
        let cases = [
            (vec![(Some(of("a")), false)], vec![of("a")]),
            (vec![(Some(of("a")), true)], vec![]),
            (vec![(Some(of("a")), false), (Some(of("b")), false)], vec![of("a"), of("b")]),
            (vec![(Some(of("a")), false), (None, true)], vec![of("a")]),
            (vec![(Some(of("a")), false), (Some(of("b")), true)], vec![of("a")]),
        ];
        for (changes, expected) in cases {
            let mut unsettled = Unsettled::default();
            changes.iter().for_each(|_| unsettled.begin("t", None));
            let ends = changes.iter().map(|(began, is_stored)| {
                unsettled.end("t", stored().filter(|_| *is_stored), began.clone()).put_back
            });
            let ends: Vec<Vec<Began>> = ends.collect();
            assert_eq!(ends.concat(), expected, "{changes:?}");
            assert_eq!(ends.last(), Some(&expected), "not before the last: {changes:?}");
        }
    }
}
