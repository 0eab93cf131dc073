//! What a shard says of why messages go where they go: of what is hosted here, and of the subscriptions of its sessions.

use std::sync::Arc;

use mqtt_types::{Address, TopicName};

use super::Shard;
use super::delayed;
use super::publish::{is_reserved, why_reserved};
use crate::explain::{ExplainLetter, Subscribed};
use crate::ids::SessionId;
use crate::operate::OperateError;

/// Subscriptions that are looked at in one turn.
const SUBSCRIPTIONS_MAX: usize = 8_192;

/// Where a publish to a topic leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leads<'a> {
    /// To that topic, so many seconds later if that is wanted.
    To(TopicName<'a>, Option<u32>),
    /// Nowhere: it is none that clients publish to, and why.
    Nowhere(&'static str),
}

/// Where a publish to a topic leads.
pub(crate) fn leads(topic: TopicName<'_>) -> Leads<'_> {
    match delayed::parse(topic.as_str()) {
        Some((seconds, topic)) => Leads::To(topic, Some(seconds)),
        None if is_reserved(topic.as_str()) => Leads::Nowhere(why_reserved(topic.as_str())),
        None => Leads::To(topic, None),
    }
}

impl Shard {
    pub(super) fn explain(&self, letter: ExplainLetter) {
        match letter {
            ExplainLetter::Sink { what, sink, name, inquiry, reply } => {
                let explained = self.hosting.explain(sink, inquiry, &self.turn).map(Box::new);
                reply(explained.ok_or_else(|| OperateError::NotFound(what, name.to_string())));
            }
            ExplainLetter::Subscribed { sessions, topic, limit, reply } => {
                reply(self.subscribed(&sessions, &topic, limit));
            }
        }
    }

    fn subscribed(
        &self,
        sessions: &[SessionId],
        topic: &Arc<str>,
        limit: usize,
    ) -> Vec<Subscribed> {
        let Ok(topic) = TopicName::new(topic) else { return Vec::new() };
        let matches = |address: &str| matches!(Address::parse(address), Ok(Address::Live(filter)) if filter.matches(topic));
        let entries = sessions.iter().filter_map(|id| self.sessions.get(*id));
        let all = entries.flat_map(|entry| {
            let subscriptions = entry.session.subscriptions();
            subscriptions.map(move |(address, record)| (entry, address, record))
        });
        let matching = all.take(SUBSCRIPTIONS_MAX).filter(|(_, address, _)| matches(address));
        let subscribed = matching.take(limit).map(|(entry, address, record)| Subscribed {
            client_id: entry.session.client_id().to_owned(),
            is_connected: entry.conn.is_some(),
            is_durable: entry.id.is_durable(),
            address: address.to_owned(),
            qos: record.qos,
            no_local: record.no_local,
        });
        subscribed.collect()
    }
}
