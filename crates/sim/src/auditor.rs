//! What has been promised, and whether it is kept. It sees what clients see and nothing else. A broken promise is a panic that
//! names it.

mod attempts;
mod binding;
mod delaying;
mod durability;
mod leasing;
mod operating;
mod ordering;
mod reading;
mod retaining;
mod sharing;
mod timing;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use crate::message;
use crate::plan::{PUBLISHERS, SESSIONS, TOPICS, leads_to};
use crate::queues::{DEAD, DYING, Kind, LATER, ONCE, OPERATED, QUEUES, REBOUND};
use crate::streams::{LOG, STREAMS, WRITTEN};
use crate::wire::Delivery;
use attempts::Untold;
use binding::Bindings;
use delaying::Delaying;
use durability::Durability;
pub(crate) use durability::Ends;
use leasing::Leasing;
use operating::Operated;
use ordering::Ordering;
pub(crate) use reading::Arrival;
use reading::Reading;
use sharing::Sharing;
use timing::Timings;
pub(crate) use timing::Wall;
use waiting::Waiting;

/// What became of a message's acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    None,
    /// The broker took it.
    Taken,
    Refused,
    /// Refused by a disk that failed and lost its power then, or when it was sent again: nobody knows.
    Unknown,
}

/// A message that was published.
#[derive(Debug)]
struct Message {
    publisher: usize,
    topic: usize,
    qos: u8,
    is_retained: bool,
    /// When it was sent, and when it was answered.
    sent: u64,
    answered: Option<u64>,
    answer: Answer,
    /// Sent more than once.
    is_resent: bool,
    /// How often it was sent.
    sent_times: u64,
    has_lost_session: bool,
    /// The durable sessions that were subscribed when it was sent.
    sessions: Vec<usize>,
}

impl Message {
    const fn publisher_is_v5(&self) -> bool {
        self.publisher < PUBLISHERS - 1
    }
}

/// What is known of a queue's messages.
#[derive(Default, Debug)]
struct Queue {
    /// Every offset that a message came with.
    offsets: BTreeMap<u32, BTreeSet<u64>>,
    /// Which message each offset is.
    by_offset: BTreeMap<u64, u32>,
    /// Offsets that were accepted, and whether that is surely recorded.
    accepted: BTreeMap<u64, bool>,
    /// Accepted shortly before a crash: may come again, or not.
    forgotten: BTreeSet<u64>,
    /// Consumers may have accepted these, now or ever.
    answered: BTreeSet<u64>,
    /// The highest offset that the present consumer, alone, has got first.
    newest_of_alone: Option<(usize, u32, u64)>,
}

/// Keeps account of what was promised.
#[derive(Debug)]
pub(crate) struct Auditor {
    messages: Vec<Message>,
    queues: Vec<Queue>,
    /// The dead letters that came: where they died, and where they are.
    dead: BTreeMap<u64, u64>,
    /// What each durable session has got, each time.
    of_sessions: Vec<BTreeMap<u32, u32>>,
    /// When each sent its newest SUBSCRIBE.
    subscribed: Vec<u64>,
    operated: Operated,
    /// Offsets that came to the keeper, while it has had its session.
    kept_once: BTreeSet<u64>,
    /// And those of the log that came to its reader with a session.
    read_once: BTreeSet<u64>,
    /// By listener and its connection, publisher and topic: the newest message.
    newest: BTreeMap<(usize, u32, usize, usize), u32>,
    /// Messages that came live.
    live: BTreeSet<u32>,
    reading: Reading,
    sharing: Sharing,
    ordering: Ordering,
    timings: Timings,
    bindings: Bindings,
    durability: Durability,
    waiting: Waiting,
    untold: Untold,
    leasing: Leasing,
    delaying: Delaying,
    /// When this life of the process began.
    begun_at_moment: u64,
    lives_before: u64,
    /// What is retained at the end, by topic.
    kept: BTreeMap<&'static str, u32>,
    moment: u64,
    /// A damaged message has been met in reading.
    pub(crate) has_met_damage: bool,
}

impl Auditor {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            messages: Vec::new(),
            queues: QUEUES.iter().map(|_| Queue::default()).collect(),
            dead: BTreeMap::new(),
            operated: Operated::default(),
            kept_once: BTreeSet::new(),
            read_once: BTreeSet::new(),
            of_sessions: vec![BTreeMap::new(); SESSIONS],
            subscribed: vec![0; SESSIONS],
            newest: BTreeMap::new(),
            live: BTreeSet::new(),
            reading: Reading::default(),
            sharing: Sharing::new(seed),
            ordering: Ordering::default(),
            timings: Timings::new(seed),
            bindings: Bindings::default(),
            durability: Durability::default(),
            waiting: Waiting::default(),
            untold: Untold::default(),
            leasing: Leasing::default(),
            delaying: Delaying::default(),
            begun_at_moment: 0,
            lives_before: 0,
            kept: BTreeMap::new(),
            moment: 0,
            has_met_damage: false,
        }
    }

    /// A message is sent for the first time. Gives its number.
    pub(crate) fn publish(
        &mut self,
        publisher: usize,
        topic: usize,
        (qos, is_retained): (u8, bool),
        sessions: Vec<usize>,
    ) -> u32 {
        self.moment += 1;
        self.messages.push(Message {
            publisher,
            topic,
            qos,
            is_retained,
            sent: self.moment,
            answered: None,
            answer: Answer::None,
            is_resent: false,
            sent_times: 1,
            has_lost_session: false,
            sessions,
        });
        self.messages.len() as u32 - 1
    }

    pub(crate) fn topic(&self, message: u32) -> &'static str {
        TOPICS[self.messages[message as usize].topic]
    }

    /// The broker does not know the publisher's session any more: at QoS 2 the message may be stored once more.
    pub(crate) fn lost_session(&mut self, message: u32) {
        self.messages[message as usize].has_lost_session = true;
    }

    pub(crate) fn resent(&mut self, message: u32) {
        let message = &mut self.messages[message as usize];
        (message.is_resent, message.sent_times) = (true, message.sent_times + 1);
    }

    /// The publisher of a message has been answered.
    pub(crate) fn is_answered(&mut self, message: u32, code: u8) {
        self.moment += 1;
        let message = &mut self.messages[message as usize];
        message.answered = Some(self.moment);
        message.answer = match code {
            0..0x80 => Answer::Taken,
            // What was sent before and never answered may have been stored.
            _ if message.is_resent => Answer::Unknown,
            _ => Answer::Refused,
        };
    }

    /// Which message has been delivered: one that is exactly as it was published.
    pub(crate) fn identify(&self, delivery: &Delivery) -> u32 {
        let number = message::number(&delivery.topic, &delivery.payload);
        let number = number.unwrap_or_else(|| panic!("altered: {delivery:?}"));
        let known = self.messages.get(number as usize);
        assert!(
            known.is_some_and(|message| TOPICS[message.topic] == delivery.topic),
            "never published: {delivery:?}"
        );
        number
    }

    /// A queue's message has come to a consumer. `is_prompt` says whether it was written just now, at that time.
    pub(crate) fn consumed(
        &mut self,
        queue: usize,
        (number, offset, attempt): (u32, u64, u32),
        consumer: (usize, u32),
        (is_prompt, now_ms): (bool, u64),
    ) {
        let name = QUEUES[queue].name;
        self.check_may_come(queue, (number, offset, attempt));
        self.newest_comes(queue, (number, offset), is_prompt);
        self.is_leased(queue, (offset, attempt), consumer, (is_prompt, now_ms));
        let may_come_again = queue == LATER && self.may_come_again(number);
        let message = &self.messages[number as usize];
        let known = &mut self.queues[queue];
        known.forgotten.remove(&offset);
        let before = known.by_offset.insert(offset, number);
        assert!(
            before.is_none_or(|before| before == number),
            "offset {offset} of queue {name} was message {before:?} and is {number}"
        );
        let is_first = before.is_none();
        known.offsets.entry(number).or_default().insert(offset);
        let copies = known.offsets[&number].len();
        let may_be_twice = match QUEUES[queue].kind {
            Kind::Dying | Kind::Dead if self.operated.redrives => true,
            Kind::Later if may_come_again => true,
            // Only a client of 5.0 says which message it is.
            Kind::Dedup => !message.publisher_is_v5() || self.has_met_damage,
            _ => message.is_resent && message.qos < 2 || message.has_lost_session,
        };
        assert!(
            copies == 1 || may_be_twice,
            "message {number} at QoS {} is stored {copies} times in queue {name}",
            message.qos
        );
        assert!(
            queue != DYING || !self.dead.contains_key(&offset),
            "message {number} at {offset} was given up, and comes again (attempt {attempt})"
        );
        self.check_attempt(queue, (offset, attempt), (is_first, is_prompt, now_ms));
        match QUEUES[queue].kind {
            // It has what died in the order of dying, or what was due in its order.
            Kind::Dead | Kind::Later => {}
            // What was sent back comes behind others.
            Kind::Dying if self.operated.redrives => {}
            _ if !is_first => {}
            Kind::Alone => {
                self.check_order(queue, number, offset);
                self.check_first_deliveries(queue, offset, consumer);
            }
            _ => self.check_order(queue, number, offset),
        }
    }

    /// A message was not refused, purged, or settled for sure, when it comes from a queue.
    fn check_may_come(&mut self, queue: usize, (number, offset, attempt): (u32, u64, u32)) {
        let name = QUEUES[queue].name;
        let message = &self.messages[number as usize];
        assert!(
            message.answer != Answer::Refused,
            "message {number} was refused, and comes from queue {name}"
        );
        assert!(
            queue != REBOUND || self.bindings.takes(message) != Some(false),
            "message {number} comes from queue {name}, which was not bound to {}",
            TOPICS[message.topic]
        );
        assert!(
            self.queues[queue].accepted.get(&offset) != Some(&true),
            "message {number} of queue {name} at {offset} was settled and recorded, and comes again (attempt {attempt})"
        );
        assert!(
            queue != OPERATED || !self.operated.swept.contains(&offset),
            "message {number} at {offset} was purged, and comes (attempt {attempt})"
        );
        assert!(
            queue != ONCE || self.kept_once.insert(offset) || self.has_met_damage,
            "message {number} at {offset} comes twice to a session at QoS 2 (attempt {attempt})"
        );
        self.check_memory(queue, offset);
    }

    /// The broker does not know the keeper's session any more.
    pub(crate) fn lost_keeper(&mut self) {
        self.kept_once.clear();
    }

    /// A message of the log has come to its reader with a session.
    pub(crate) fn reads_once(&mut self, offset: u64) {
        assert!(
            self.read_once.insert(offset) || self.has_met_damage,
            "offset {offset} of the log comes twice to a session at QoS 2"
        );
    }

    /// The broker does not know that reader's session any more.
    pub(crate) fn lost_reader(&mut self) {
        self.read_once.clear();
    }

    /// A dead letter has come, which says where it died.
    pub(crate) fn died(&mut self, number: u32, offset: u64, died_at: u64) {
        let known = &self.queues[DYING];
        let was = known.by_offset.get(&died_at);
        assert!(
            was.is_none_or(|was| *was == number),
            "message {number} died at {died_at}, where {was:?} was"
        );
        assert!(
            known.accepted.get(&died_at) != Some(&true),
            "message {number} at {died_at} was settled and recorded, and is a dead letter"
        );
        let before = self.dead.insert(died_at, offset);
        assert!(
            before.is_none_or(|before| before == offset),
            "message {number} died once and is a dead letter at {before:?} and at {offset}"
        );
    }

    /// Whether a message has come from that queue.
    pub(crate) fn has_come_from(&self, queue: usize) -> bool {
        !self.queues[queue].by_offset.is_empty()
    }

    /// Per publisher and topic, a queue keeps publish order.
    fn check_order(&self, queue: usize, number: u32, offset: u64) {
        let mine = &self.messages[number as usize];
        let known = &self.queues[queue];
        for (other, offsets) in &known.offsets {
            let message = &self.messages[*other as usize];
            let Some(first) = offsets.first().filter(|_| {
                (message.publisher, message.topic) == (mine.publisher, mine.topic)
                    && !message.is_resent
                    && !mine.is_resent
            }) else {
                continue;
            };
            assert!(
                *other == number || (*other < number) == (*first < offset),
                "queue {} has message {number} at {offset} and {other} at {first}: out of order",
                QUEUES[queue].name
            );
        }
    }

    /// A queue's first deliveries follow its order, where one consumer gets them all.
    fn check_first_deliveries(&mut self, queue: usize, offset: u64, consumer: (usize, u32)) {
        let newest = &mut self.queues[queue].newest_of_alone;
        if let Some((client, connection, newest)) = *newest
            && (client, connection) == consumer
        {
            assert!(newest < offset, "offset {offset} comes first after {newest} did");
        }
        *newest = Some((consumer.0, consumer.1, offset));
    }

    /// A consumer accepts a message.
    pub(crate) fn accepts(&mut self, queue: usize, offset: u64) {
        self.queues[queue].answered.insert(offset);
    }

    /// So many messages can have been accepted at most.
    pub(crate) fn answered(&self, queue: usize) -> u64 {
        self.queues[queue].answered.len() as u64
    }

    /// And the broker has read that.
    pub(crate) fn accepted(&mut self, queue: usize, offset: u64) {
        self.accepts(queue, offset);
        self.queues[queue].accepted.entry(offset).or_insert(false);
        if queue == OPERATED {
            self.operated.awaited.remove(&offset);
        }
    }

    /// What has been accepted so far: queues and offsets.
    pub(crate) fn accepted_by_now(&self) -> Vec<(usize, u64)> {
        let of = |(n, queue): (usize, &Queue)| {
            queue.accepted.keys().map(|offset| (n, *offset)).collect::<Vec<_>>()
        };
        self.queues.iter().enumerate().flat_map(of).collect()
    }

    /// That is recorded by now.
    pub(crate) fn recorded(&mut self, accepted: &[(usize, u64)]) {
        for (queue, offset) in accepted {
            if let Some(is_recorded) = self.queues[*queue].accepted.get_mut(offset) {
                *is_recorded = true;
            }
        }
    }

    /// The process has ended.
    pub(crate) fn crashed(&mut self, has_power_gone: bool) {
        for queue in &mut self.queues {
            let forgotten = queue.accepted.iter().filter(|(_, recorded)| !**recorded);
            queue.forgotten.extend(forgotten.map(|(offset, _)| *offset));
            queue.accepted.retain(|_, recorded| *recorded);
            queue.newest_of_alone = None;
        }
        self.ordering.crashed();
        self.waiting.crashed();
        self.leasing.crashed();
        self.readers_crashed();
        self.sharers_crashed();
        if has_power_gone {
            // What was refused by a disk that failed may be there all the same.
            for message in &mut self.messages {
                if message.answer == Answer::Refused {
                    message.answer = Answer::Unknown;
                }
            }
        }
    }

    /// A durable session's client has got a message that it did not know yet.
    pub(crate) fn of_session(&mut self, session: usize, qos: u8, number: u32) {
        let message = &self.messages[number as usize];
        let times = self.of_sessions[session].entry(number).or_default();
        *times += 1;
        // What a session gave up because it was damaged comes back with the files that are restored.
        let is_once =
            qos == 2 && message.qos == 2 && !message.has_lost_session && !self.has_met_damage;
        assert!(*times == 1 || !is_once, "session s{session} gets message {number} twice at QoS 2");
        if *times == 1 && !self.has_met_damage {
            self.check_live_order((100 + session, 0), number);
        }
    }

    /// A durable session's client subscribes.
    pub(crate) fn subscribes(&mut self, session: usize) {
        self.moment += 1;
        self.subscribed[session] = self.moment;
    }

    /// A durable session's client gets a message as retained: one that was there before it subscribed.
    pub(crate) fn retained_of_session(&self, session: usize, number: u32) {
        let message = &self.messages[number as usize];
        let is_live = message.qos > 0
            && message.sessions.contains(&session)
            && message.sent > self.subscribed[session];
        assert!(
            !is_live || self.has_met_damage,
            "session s{session} gets message {number} as retained, which was sent after it had subscribed"
        );
    }

    /// A message has come live.
    pub(crate) fn live(&mut self, listener: (usize, u32), number: u32) {
        self.live.insert(number);
        self.check_live_order(listener, number);
    }

    /// So many messages have been published.
    pub(crate) fn published(&self) -> u32 {
        self.messages.len() as u32
    }

    pub(crate) fn is_resent(&self, message: u32) -> bool {
        self.messages[message as usize].is_resent
    }

    pub(crate) fn is_refused(&self, message: u32) -> bool {
        self.messages[message as usize].answer == Answer::Refused
    }

    pub(crate) fn is_taken(&self, message: u32) -> bool {
        self.messages[message as usize].answer == Answer::Taken
    }

    pub(crate) fn has_come_live(&self, message: u32) -> bool {
        self.live.contains(&message)
    }

    /// Per publisher and topic, each connection gets messages in the order of publishing.
    fn check_live_order(&mut self, (listener, connection): (usize, u32), number: u32) {
        let message = &self.messages[number as usize];
        if message.is_resent {
            return;
        }
        // At QoS 0 a session gets what runs live, which overtakes what is stored.
        let road = usize::from(message.qos > 0) * 1000;
        let key = (listener + road, connection, message.publisher, message.topic);
        let newest = self.newest.insert(key, number);
        assert!(
            newest.is_none_or(|newest| newest < number),
            "listener {listener} gets message {number} after {newest:?}: out of order"
        );
    }

    /// Every queue and session has been drained: all is there that was taken, and in all of them or none.
    pub(crate) fn check_complete(&self) {
        for (number, message) in self.messages.iter().enumerate() {
            let number = number as u32;
            let has_come = |n: usize| self.queues[n].offsets.contains_key(&number);
            let mut came: Vec<(String, bool)> = Vec::new();
            for (n, of) in QUEUES.iter().enumerate() {
                // What the ring has dropped does not come, nor does what was purged, or in memory.
                let is_kept = !of.kind.may_lose() && n != LATER;
                if is_kept && self.takes(n, message) == Some(true) {
                    let has_died = n == DYING && has_come(DEAD);
                    came.push((format!("queue {}", of.name), has_come(n) || has_died));
                }
            }
            for stream in [LOG, WRITTEN] {
                if leads_to(TOPICS[message.topic], STREAMS[stream].filter) {
                    let known = self.is_in_stream(stream, number);
                    let name = format!("stream {}", STREAMS[stream].name);
                    came.extend(known.map(|is_there| (name, is_there)));
                }
            }
            // A session goes on behind a damaged message, which it says in the log; a queue stops before it.
            if message.qos > 0 && !self.has_met_damage {
                came.extend(message.sessions.iter().map(|session| {
                    let got = self.of_sessions[*session].contains_key(&number);
                    (format!("session s{session}"), got)
                }));
            }
            if message.answer == Answer::Taken && message.qos > 0 && !self.may_expire(number) {
                for (place, came) in &came {
                    assert!(*came, "message {number} was acknowledged and is lost in {place}");
                }
            }
            let all = came.iter().all(|(_, came)| *came);
            let none = came.iter().all(|(_, came)| !*came);
            assert!(all || none, "message {number} is in some and not in others: {came:?}");
        }
    }

    /// Whether a queue takes a message, if that is sure.
    fn takes(&self, queue: usize, message: &Message) -> Option<bool> {
        if queue == REBOUND {
            return self.bindings.takes(message);
        }
        Some(leads_to(TOPICS[message.topic], QUEUES[queue].filter))
    }

    /// How many messages were acknowledged, and how many of a queue were accepted for sure.
    pub(crate) fn least(&self, queue: usize) -> (u64, u64) {
        let is_of = |message: &&Message| self.takes(queue, message) == Some(true);
        let taken = self
            .messages
            .iter()
            .filter(|message| message.answer == Answer::Taken && message.qos > 0 && is_of(message));
        // What is published later may not be there yet.
        let taken = if queue == LATER { 0 } else { taken.count() as u64 };
        let recorded = self.queues[queue].accepted.values().filter(|recorded| **recorded);
        (taken, recorded.count() as u64)
    }

    /// A queue has taken no more messages than were sent.
    pub(crate) fn most(&self, queue: usize) -> u64 {
        let queue = if queue == DEAD { DYING } else { queue };
        let is_of = |message: &&Message| self.takes(queue, message) != Some(false);
        let sent: u64 = self.messages.iter().filter(is_of).map(|message| message.sent_times).sum();
        // In each moment in which a process ends, what is published later may be published and not known to be.
        if queue == LATER { sent * (1 + self.lives_before) } else { sent }
    }
}
