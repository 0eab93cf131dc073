//! Why a message goes where it goes, asked from outside: what routes and terms say is read here, the rest is asked of its
//! owners, so much at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use key_expression::{Facts, KeyExpression, KeySeed, Needs, Scratch};
use log_api::{LogState, ShardId};
use mqtt_router::{Match, Matches, SharedGroup, SinkId};
use mqtt_types::{ReasonCode, TopicName};
use parking_lot::Mutex;
use queue_engine::Key;
use stdx::UnixMillis;

use super::Handle;
use super::queues::name_all;
use crate::control::{Reply, SinkKind};
use crate::directory::Definition;
use crate::explain::{
    ExplainLetter, Explained, GroupExplained, Inquiry, KeyExplained, PublishExplained,
    SinkExplained, Subscribed, WouldPublish,
};
use crate::groups::{Presence, RouteGroup, is_home};
use crate::ids::SessionId;
use crate::mail::{Letter, Mail};
use crate::new_message::{MessageError, NewMessage};
use crate::operate::OperateError;
use crate::shard::{Kind, Leads, is_stored_for, leads};
use crate::terms::{Arriving, Terms, key_of};

impl Handle {
    /// What a publish to a topic would come to, of a message that says nothing; of each kind of thing that it leads to, so
    /// many at most.
    ///
    /// # Errors
    /// It is no topic that a client could name.
    pub fn explain_publish(
        &self,
        topic: &str,
        publisher: WouldPublish<'_>,
        (now, limit): (UnixMillis, usize),
    ) -> Result<PublishExplained, MessageError> {
        let new = NewMessage { topic: topic.to_owned(), ..NewMessage::default() };
        let message = new.check(&self.shared.config)?;
        let named = TopicName::new(message.topic())
            .map_err(|error| MessageError { field: "topic", message: error.to_string() })?;
        let mut explained = PublishExplained {
            topic: topic.to_owned(),
            delayed: None,
            reserved: None,
            refusal: None,
            subscribers: 0,
            sessions: Vec::new(),
            group_count: 0,
            groups: Vec::new(),
            sink_count: 0,
            sinks: Vec::new(),
            has_retained: false,
            may_retain: self.shared.config.limits.retain_available,
        };
        match leads(named) {
            Leads::Nowhere(why) => explained.reserved = Some(why),
            Leads::To(topic, seconds) => {
                topic.as_str().clone_into(&mut explained.topic);
                explained.delayed = seconds;
                explained.has_retained = self.shared.retained.find(topic, now.0).is_some();
                let is_stored = self.follow(topic, publisher, (now, limit), &mut explained);
                explained.refusal = self.refusal(is_stored || seconds.is_some());
            }
        }
        Ok(explained)
    }

    /// Finds out where a topic leads. True when a message at QoS 1 is stored for somebody.
    fn follow(
        &self,
        topic: TopicName<'_>,
        publisher: WouldPublish<'_>,
        (now, limit): (UnixMillis, usize),
        explained: &mut PublishExplained,
    ) -> bool {
        let mut matches = Matches::default();
        self.shared.routes.read(|router| router.matches(topic, &mut matches));
        explained.subscribers = matches.subscribers.len();
        let sessions = matches.subscribers.iter().take(limit);
        explained.sessions = sessions.map(|to| SessionId::from(to.subscriber)).collect();
        explained.group_count = matches.groups.len();
        let groups = matches.groups.iter().take(limit);
        explained.groups = groups.map(|group| self.group(group)).collect();
        let is_stored = |to: &Match| is_stored_for(SessionId::from(to.subscriber), to.qos);
        let homes = matches.groups.iter().flat_map(|group| group.members());
        let is_stored = !matches.sinks.is_empty()
            || matches.subscribers.iter().any(is_stored)
            || homes.into_iter().any(is_home);
        explained.sink_count = matches.sinks.len();
        let wanted = matches.sinks.get(..limit).unwrap_or(&matches.sinks);
        if wanted.is_empty() {
            return is_stored;
        }
        let (queues, streams) = (self.queues(), self.streams());
        let queues: HashMap<SinkId, _> = queues.iter().map(|one| (one.sink, one)).collect();
        let streams: HashMap<SinkId, _> = streams.iter().map(|one| (one.sink, one)).collect();
        let size = (topic.as_str().len() + COUNTED_BYTES) as u32;
        let sink = |sink: &SinkId| {
            let question = KeyQuestion { topic: topic.as_str(), publisher };
            let (explained, key) = match queues.get(sink) {
                Some(queue) => {
                    let config = &queue.properties.config;
                    let expression =
                        config.needs_keys().then_some(&queue.properties.key_expression);
                    named(queue, question.answer(expression, &queue.key_seed))
                }
                None => {
                    let stream = streams.get(sink)?;
                    let config = &stream.properties.config;
                    let expression =
                        config.needs_keys().then_some(&stream.properties.key_expression);
                    named(stream, question.answer(expression, &stream.key_seed))
                }
            };
            let arriving = Arriving { size, key, message_id: None, stored: now };
            let terms = self.shared.routes.terms(*sink)?;
            Some(with_room(explained, &terms, &arriving))
        };
        explained.sinks = wanted.iter().filter_map(sink).collect();
        is_stored
    }

    fn group(&self, group: &Arc<SharedGroup>) -> GroupExplained {
        let members = group.members();
        let present = members.iter().filter(|member| Presence::of(member).is_present());
        let config = &self.shared.config.shared_subscriptions;
        GroupExplained {
            name: group.name().to_owned(),
            filter: group.filter().to_owned(),
            strategy: RouteGroup::new(group, config).strategy,
            members: members.len(),
            present: present.count(),
        }
    }

    /// Why a message cannot be taken at this moment, whoever would get it.
    fn refusal(&self, is_stored: bool) -> Option<(u8, String)> {
        if self.shared.budgets.memory.is_over() {
            let message =
                "what waits for clients takes all the memory that it may (mqtt.max_buffered_bytes)";
            return Some((ReasonCode::QUOTA_EXCEEDED.0, message.to_owned()));
        }
        match self.shared.log.state() {
            _ if !is_stored => None,
            LogState::Writable => None,
            LogState::Full => {
                Some((ReasonCode::QUOTA_EXCEEDED.0, "the broker's disk is full".to_owned()))
            }
            LogState::Failed { reason } => Some((
                ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR.0,
                format!("the broker's log has failed: {reason}"),
            )),
        }
    }

    /// The subscriptions by which a topic leads to these sessions, so many of each shard at most.
    pub fn subscribed(
        &self,
        sessions: &[SessionId],
        topic: &str,
        limit: usize,
        reply: Reply<Vec<Subscribed>>,
    ) {
        let mut by_shard: BTreeMap<u16, Vec<SessionId>> = BTreeMap::new();
        for id in sessions {
            by_shard.entry(id.shard().0).or_default().push(*id);
        }
        if by_shard.is_empty() {
            return reply(Vec::new());
        }
        let topic: Arc<str> = topic.into();
        let open = Arc::new(AtomicUsize::new(by_shard.len()));
        let gathered = Arc::new(Mutex::new((Vec::new(), Some(reply))));
        for (shard, sessions) in by_shard {
            let (gathered, open) = (Arc::clone(&gathered), Arc::clone(&open));
            let take = move |part: Vec<Subscribed>| {
                gathered.lock().0.extend(part);
                if open.fetch_sub(1, Ordering::AcqRel) == 1 {
                    let (all, reply) = std::mem::take(&mut *gathered.lock());
                    if let Some(reply) = reply {
                        reply(sorted(all));
                    }
                }
            };
            let (topic, reply) = (Arc::clone(&topic), Box::new(take));
            let letter = ExplainLetter::Subscribed { sessions, topic, limit, reply };
            self.shared.post.send(ShardId(shard), Mail(Letter::Explain(letter)));
        }
    }

    /// What a queue or a stream does now, and how a message of it stands.
    pub fn explain(
        &self,
        what: SinkKind,
        name: &str,
        inquiry: Inquiry,
        reply: Reply<Result<Explained, OperateError>>,
    ) {
        let found = match what {
            SinkKind::Queue => self.queue(name).map(|queue| (queue.sink, queue.owner)),
            SinkKind::Stream => self.stream(name).map(|stream| (stream.sink, stream.owner)),
        };
        let Some((sink, owner)) = found else {
            return reply(Err(OperateError::NotFound(what, name.to_owned())));
        };
        let again = Arc::clone(&self.shared);
        let answered = move |answer: Result<Box<_>, OperateError>| match answer {
            Err(error) => reply(Err(error)),
            Ok(found) => {
                let (mut explained, attached): (Explained, _) = *found;
                let named = move |consumers: Vec<_>| {
                    explained.consumers = consumers;
                    explained.consumers.sort_unstable_by_key(|consumer| consumer.number);
                    reply(Ok(explained));
                };
                name_all(&again, attached, Box::new(named));
            }
        };
        let (name, reply) = (Arc::from(name), Box::new(answered));
        let letter = ExplainLetter::Sink { what, sink, name, inquiry, reply };
        self.shared.post.send(owner, Mail(Letter::Explain(letter)));
    }
}

/// What a message counts beyond its topic, properties and payload (contract §3).
const COUNTED_BYTES: usize = 64;

fn sorted(mut all: Vec<Subscribed>) -> Vec<Subscribed> {
    all.sort_unstable_by(|a, b| (&a.client_id, &a.address).cmp(&(&b.client_id, &b.address)));
    all
}

/// A queue or a stream whose room is still to be looked at, and the number of the key.
fn named<P: Kind>(of: &Definition<P>, key: KeyExplained) -> (SinkExplained, Option<u64>) {
    let number = match &key {
        KeyExplained::Known { key, .. } => Some(key.0),
        KeyExplained::None | KeyExplained::Depends { .. } => None,
    };
    let explained = SinkExplained {
        what: P::WHAT,
        name: Arc::clone(&of.name),
        topic_filter: of.topic_filter.clone(),
        refusal: None,
        drops_oldest: false,
        key,
    };
    (explained, number)
}

fn with_room(explained: SinkExplained, terms: &Terms, arriving: &Arriving) -> SinkExplained {
    let refusal = terms.full_for(arriving).map(|full| full.to_string());
    let drops_oldest = refusal.is_none() && terms.drops_for(arriving);
    SinkExplained { refusal, drops_oldest, ..explained }
}

/// What key a message of that topic and publisher would have.
struct KeyQuestion<'a> {
    topic: &'a str,
    publisher: WouldPublish<'a>,
}

impl KeyQuestion<'_> {
    fn answer(&self, expression: Option<&KeyExpression>, seed: &KeySeed) -> KeyExplained {
        let Some(expression) = expression else { return KeyExplained::None };
        let on = self.depends_on(expression.needs());
        if !on.is_empty() {
            return KeyExplained::Depends { expression: expression.to_string(), on };
        }
        let WouldPublish { client_id, username, .. } = self.publisher;
        let facts = Facts { client_id, username, ..Facts::of_topic(self.topic) };
        let mut scratch = Scratch::default();
        let evaluation = expression.evaluate(&facts, &mut scratch);
        let Key(key) = key_of(seed, evaluation.key());
        KeyExplained::Known {
            text: evaluation.key().to_owned(),
            key: Key(key),
            problem: evaluation.problem().map(key_expression::Problem::name),
        }
    }

    /// What an expression asks for that only a message tells, or a publisher that is not named.
    fn depends_on(&self, needs: Needs) -> Vec<&'static str> {
        let WouldPublish { client_id, is_connected, .. } = self.publisher;
        let asked = [
            (needs.payload, "payload"),
            (needs.user_property, "user_property"),
            (needs.client_id && client_id.is_none(), "client_id"),
            (needs.username && !is_connected, "username"),
        ];
        asked.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, word)| word).collect()
    }
}
