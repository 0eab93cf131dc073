//! Subscriptions of durable sessions whose changes wait for their records: a change that is not stored is taken back.

use std::collections::BTreeMap;

use mqtt_session::SubscriptionRecord;
use mqtt_types::Address;

use super::Shard;
use super::restore::options_of;
use crate::control::SinkKind;
use crate::ids::SessionId;
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
                self.0.insert(address.into(), Change { stored: before, waiting: 1 });
            }
        }
    }

    /// The oldest change has come to an end: it is stored as this, or not at all. Gives what to go back to when it is not
    /// and no later one waits.
    fn end(&mut self, address: &str, stored: Option<Stored>) -> Option<Stored> {
        let change = self.0.get_mut(address)?;
        change.waiting -= 1;
        let is_last = change.waiting == 0;
        let failed = stored.is_none();
        if let Some(stored) = stored {
            change.stored = stored;
        }
        if !is_last {
            return None;
        }
        self.0.remove(address).map(|change| change.stored).filter(|_| failed)
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
    /// waits.
    pub(super) fn change_ends<O: Outbox>(
        &mut self,
        id: SessionId,
        address: &str,
        stored: Option<Stored>,
        out: &mut O,
    ) {
        let extras = self.sessions.get_mut(id).and_then(|entry| entry.extras.as_mut());
        match extras.and_then(|extras| extras.unsettled.end(address, stored)) {
            None => {}
            Some(Some(stored)) => self.go_back_to(id, address, stored),
            Some(None) => self.go_back_to_none(id, address, out),
        }
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
    pub(super) fn go_back_to(&mut self, id: SessionId, address: &str, stored: AsStored) {
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
            _ => return self.consume_again(id, address, stored),
        }
        self.add_subscription(id, address, record);
    }

    fn consume_again(&mut self, id: SessionId, address: &str, stored: AsStored) {
        let AsStored { record, has_metadata, group } = stored;
        let is_there = self.sink_of(address).is_some_and(|(what, name)| match what {
            SinkKind::Queue => self.shared.directory.get(&name).is_some(),
            SinkKind::Stream => self.shared.streams.get(&name).is_some(),
        });
        let Some(entry) = self.sessions.get(id).filter(|_| is_there) else { return };
        let is_connected = entry.conn.is_some();
        self.read_for(id, address, group);
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
    use mqtt_types::QoS;

    use super::*;

    #[test]
    fn the_last_change_that_fails_goes_back_to_what_is_stored() {
        let of = |qos| {
            let record = SubscriptionRecord::plain(qos);
            Some(AsStored { record, has_metadata: false, group: None })
        };
        let (one, two) = (of(QoS::AtLeastOnce), of(QoS::ExactlyOnce));
        let mut unsettled = Unsettled::default();
        unsettled.begin("t", None);
        unsettled.begin("t", one.clone());
        unsettled.begin("t", None);
        assert_eq!(unsettled.end("t", Some(one.clone())), None, "later ones wait");
        assert_eq!(unsettled.end("t", Some(None)), None);
        assert_eq!(unsettled.end("t", None), Some(None), "what the second one made of it");
        assert!(unsettled.is_empty());
        unsettled.begin("t", one.clone());
        unsettled.begin("t", two);
        assert_eq!(unsettled.end("t", None), None);
        assert_eq!(unsettled.end("t", Some(None)), None, "a change that is stored stays");
        assert!(unsettled.is_empty());
        unsettled.begin("t", one.clone());
        assert_eq!(unsettled.end("t", None), Some(one));
        assert_eq!(unsettled.end("t", None), None, "there is none");
    }
}
