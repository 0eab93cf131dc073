//! Lists for the operator: a bounded part of the shard's tables at a time.

use bytes::Bytes;
use log_api::ReadError;
use mqtt_session::{Inbox, SubscriptionRecord};
use mqtt_types::{Address, TopicName};
use slab::Slab;
use stdx::UnixMillis;

use super::Shard;
use super::delayed::look_token;
use super::session_log::Waiting;
use super::state::SessionEntry;
use crate::control::Reply;
use crate::ids::SessionId;
use crate::listing::{
    ClientError, ClientState, DelayedId, DelayedMessage, List, Step, SubscriptionState, Walked,
};
use crate::outbox::Outbox;
use crate::record::{Lying, PublishRecord};
use mqtt_types::ReasonCode;

/// Places for sessions that are looked at in one turn.
const SLOTS_MAX: usize = 1024;
/// Subscriptions that are looked at in one turn.
const SUBSCRIPTIONS_MAX: usize = 4096;

/// Looks at delayed messages whose bodies are being read.
pub(crate) type Looks = Slab<Look>;

/// One of them.
pub(crate) struct Look {
    /// What was asked for and has not come, the next one last.
    open: Vec<(DelayedId, Lying)>,
    found: Vec<DelayedMessage>,
    reply: Reply<Vec<DelayedMessage>>,
}

impl Shard {
    pub(super) fn list(&mut self, list: List) {
        match list {
            List::Delayed { after, limit, reply } => {
                let ids = self.delayed.after(after).map(|(id, lying)| (id, lying.size));
                reply(ids.take(limit).collect());
            }
            List::DelayedMessages { ids, reply } => self.look_at_delayed(&ids, reply),
            List::Retained { filter, after, limit, reply } => {
                self.list_retained(&filter, after.as_deref(), limit, reply);
            }
            List::Clients { step, connected, reply } => reply(self.clients(step, connected)),
            List::Client { client_id, reply } => {
                let entry = self.sessions.find(&client_id).and_then(|id| self.sessions.get(id));
                reply(entry.map(|entry| self.client(entry)));
            }
            List::Subscriptions { step, topic, reply } => {
                reply(self.subscriptions(step, topic.as_deref()));
            }
            List::SubscriptionsOf { client_id, skip, limit, topic, reply } => {
                let mut found = Vec::new();
                let entry = self.sessions.find(&client_id).and_then(|id| self.sessions.get(id));
                let next = entry.and_then(|entry| {
                    let topic = topic.as_deref();
                    subscriptions_of(entry, (skip as usize, limit), topic, &mut found).0
                });
                reply(Walked { found, next: next.map(|skip| (0, skip)) });
            }
        }
    }

    /// Reads the bodies of delayed messages, for somebody who looks.
    fn look_at_delayed(&mut self, ids: &[DelayedId], reply: Reply<Vec<DelayedMessage>>) {
        let find = |id: &DelayedId| Some((*id, self.delayed.find(*id)?));
        let mut open: Vec<_> = ids.iter().filter_map(find).collect();
        if open.is_empty() {
            return reply(Vec::new());
        }
        let positions = open.iter().map(|(_, lying)| lying.at).collect();
        open.reverse();
        let key = self.looks.insert(Look { open, found: Vec::new(), reply });
        self.turn.read(look_token(key as u64), positions);
    }

    /// Bodies for somebody who looks.
    pub(super) fn look_read(&mut self, key: u64, records: Vec<Result<Bytes, ReadError>>) {
        let Some(look) = usize::try_from(key).ok().and_then(|key| self.looks.get_mut(key)) else {
            return;
        };
        let mut again = Vec::new();
        for record in records {
            let Some((id, lying)) = look.open.pop() else { continue };
            if record.is_err()
                && let Some(now) = self.delayed.find(id).filter(|now| now.at != lying.at)
            {
                // It lies elsewhere since it was asked for.
                again.push((id, now));
                continue;
            }
            let record = record.ok().and_then(|body| PublishRecord::decode(body).ok());
            // It may have been published or cancelled meanwhile.
            if self.delayed.find(id).is_some() {
                look.found.push(delayed_message(id, lying, record.as_ref()));
            }
        }
        if !again.is_empty() {
            let positions = again.iter().map(|(_, lying)| lying.at).collect();
            again.reverse();
            look.open.append(&mut again);
            self.turn.read(look_token(key), positions);
        } else if look.open.is_empty() {
            let look = self.looks.remove(key as usize);
            (look.reply)(look.found);
        }
    }

    fn clients(&self, step: Step, connected: Option<bool>) -> Walked<ClientState> {
        let mut found = Vec::new();
        for (slot, entry) in self.sessions.slots(step.slot as usize, SLOTS_MAX) {
            if found.len() >= step.limit {
                return Walked { found, next: Some((slot, 0)) };
            }
            if let Some(entry) = entry.filter(|entry| !entry.is_ending())
                && connected.is_none_or(|wanted| wanted == entry.conn.is_some())
            {
                found.push(self.client(entry));
            }
        }
        Walked { found, next: self.next_slot(step) }
    }

    fn next_slot(&self, step: Step) -> Option<(u32, u32)> {
        let next = step.slot as usize + SLOTS_MAX;
        (next < self.sessions.slot_count()).then_some((next as u32, 0))
    }

    fn client(&self, entry: &SessionEntry) -> ClientState {
        let session = &entry.session;
        let inbox = session.inbox();
        let conn = entry.conn.and_then(|conn| self.conns.get(conn));
        let signed_in = conn.and_then(|state| state.signed_in.as_ref());
        ClientState {
            client_id: session.client_id().to_owned(),
            connected_with: conn.map(|state| state.connection.version()),
            username: entry.owner.clone(),
            roles: signed_in.map_or_else(Vec::new, |one| one.identity.roles.to_vec()),
            is_durable: entry.id.is_durable(),
            session_expiry_interval: session.expiry_interval(),
            subscriptions: session.subscription_count() as u64,
            waiting_messages: (session.pending_len() + inbox.map_or(0, Inbox::messages)) as u64,
            waiting_bytes: session.pending_bytes() as u64 + inbox.map_or(0, Inbox::bytes),
            in_flight: (session.in_flight_len() + inbox.map_or(0, Inbox::outstanding)) as u64,
            disconnected_at: conn.is_none().then(|| session.disconnected_at()),
        }
    }

    fn subscriptions(&self, step: Step, topic: Option<&str>) -> Walked<SubscriptionState> {
        let mut found = Vec::new();
        let mut looks = 0;
        let mut skip = step.skip as usize;
        for (slot, entry) in self.sessions.slots(step.slot as usize, SLOTS_MAX) {
            if found.len() >= step.limit || looks >= SUBSCRIPTIONS_MAX {
                return Walked { found, next: Some((slot, 0)) };
            }
            let Some(entry) = entry.filter(|entry| !entry.is_ending()) else { continue };
            let (next, looked) =
                subscriptions_of(entry, (skip, step.limit - found.len()), topic, &mut found);
            if let Some(skip) = next {
                return Walked { found, next: Some((slot, skip)) };
            }
            (skip, looks) = (0, looks + looked);
        }
        Walked { found, next: self.next_slot(step) }
    }

    /// Sends a client away, and ends its session if that is wanted.
    pub(super) fn end_client<O: Outbox>(
        &mut self,
        client_id: &str,
        ends_session: bool,
        reply: Reply<Result<(), ClientError>>,
        out: &mut O,
    ) {
        let Some(id) = self.sessions.find(client_id) else {
            return reply(Err(ClientError::NotFound));
        };
        if let Some(conn) = self.sessions.get(id).and_then(|entry| entry.conn) {
            let text = "ended by an operator";
            self.end_connection(conn, ReasonCode::ADMINISTRATIVE_ACTION, Some(text), out);
        }
        self.end_known_session(id, ends_session, reply, out);
    }

    fn end_known_session<O: Outbox>(
        &mut self,
        id: SessionId,
        ends_session: bool,
        reply: Reply<Result<(), ClientError>>,
        out: &mut O,
    ) {
        if ends_session && id.is_durable() && self.sessions.get(id).is_some() {
            self.end_session_for(id, Waiting::Ended(reply), out);
        } else {
            // A session that is not durable has ended with its connection.
            reply(Ok(()));
        }
    }
}

/// The subscriptions of a session behind the first ones. Gives how many of them to skip the next time, if there are more,
/// and how many were looked at.
fn subscriptions_of(
    entry: &SessionEntry,
    (skip, limit): (usize, usize),
    topic: Option<&str>,
    found: &mut Vec<SubscriptionState>,
) -> (Option<u32>, usize) {
    let end = found.len() + limit;
    let mut looked = 0;
    for (address, record) in entry.session.subscriptions().skip(skip) {
        if found.len() >= end || looked >= SUBSCRIPTIONS_MAX {
            return (Some((skip + looked) as u32), looked);
        }
        looked += 1;
        if topic.is_none_or(|topic| is_about(address, topic)) {
            found.push(subscription(entry.session.client_id(), address, record));
        }
    }
    (None, looked)
}

fn subscription(client_id: &str, address: &str, record: &SubscriptionRecord) -> SubscriptionState {
    SubscriptionState {
        client_id: client_id.to_owned(),
        address: address.to_owned(),
        qos: record.qos,
        no_local: record.no_local,
        retain_as_published: record.retain_as_published,
        retain_handling: record.retain_handling as u8,
        subscription_identifier: record.subscription_identifier,
    }
}

/// Whether a subscription is the one of that address, or matches that topic.
fn is_about(address: &str, topic: &str) -> bool {
    if address == topic {
        return true;
    }
    let filter = match Address::parse(address) {
        Ok(Address::Live(filter) | Address::Shared { filter, .. }) => Some(filter),
        Ok(Address::FilterQueue(filter)) => Some(filter),
        Ok(Address::Queue { filter, .. }) => filter,
        _ => None,
    };
    match (filter, TopicName::new(topic)) {
        (Some(filter), Ok(topic)) => filter.matches(topic),
        _ => false,
    }
}

fn delayed_message(
    id: DelayedId,
    lying: Lying,
    record: Option<&PublishRecord<Bytes>>,
) -> DelayedMessage {
    let message = record.and_then(|record| record.message().ok());
    let head = message.as_ref().map(|message| *message.head()).unwrap_or_default();
    let size = message.as_ref().map_or(lying.size as usize, |message| message.bytes().len());
    let more = record.and_then(|record| record.more().ok().flatten());
    DelayedMessage {
        id,
        due: UnixMillis(id.due_ms),
        topic: message.map(|message| message.topic().to_owned()),
        qos: head.qos,
        retain: head.retain,
        size: size as u64,
        publisher: more.and_then(|more| more.delayed_by).map(String::from),
    }
}
