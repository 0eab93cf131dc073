//! What an operator does to other queues and to readers of streams, and what must come of it. It must not know how it is done.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use broker::{
    ControlError, DelayedError, DelayedId, DelayedMessage, OperateError, Page, QueueChange,
    QueueDefinition, RedriveError, RedrivePage, RedriveRequest, SeekTo,
};

use key_expression::KeyExpression;
use queue_engine::{DispatchStrategy, Offset};

use super::World;
use crate::client::{Client, Source};
use crate::plan::{LATER_TOPIC, MEMBER, READER, SHARER, Step, TOPICS};
use crate::queues::{DEAD, MOODY, QUEUES, REBOUND, TURNING, WAYS, WIDE};
use crate::streams::{READERS, READS_ON, STREAMS, TEAM};

/// More messages than wait to be published.
const DELAYED_MAX: usize = 10_000;

/// What was asked for and is not answered.
pub(super) enum Order {
    Redrive(Receiver<Result<RedrivePage, RedriveError>>),
    /// Whether the queue is to be paused, if that is what was asked for.
    Change(Option<bool>, Receiver<Result<Arc<QueueDefinition>, ControlError>>),
    /// A message that waits to be published is not wanted any more.
    Cancel(Receiver<Result<(), DelayedError>>),
    /// A binding.
    Bind(usize, Receiver<Result<Arc<QueueDefinition>, ControlError>>),
    /// Other keys.
    Turn(Receiver<Result<Arc<QueueDefinition>, ControlError>>),
    /// A reader, how often it had been asked to go elsewhere by then, and where to.
    Reader(usize, u64, u64, Receiver<Result<(), OperateError>>),
}

impl World {
    /// Does what an operator asks for.
    pub(super) fn order(&mut self, step: Step) {
        match step {
            Step::Redrive => self.redrive(),
            Step::Cancel { nth } => self.cancel(nth),
            Step::Rebind { is_wide } => self.rebind(is_wide),
            Step::Pause { is_paused } => self.pause(is_paused),
            Step::Reconfigure { strategy, max_inflight } => {
                self.reconfigure(strategy, max_inflight);
            }
            Step::TurnKeys { way } => self.turn_keys(way),
            Step::SeekReader { reader, hundredths } => self.seek_reader(reader, Some(hundredths)),
            Step::ForgetReader { reader } => self.seek_reader(reader, None),
            other => panic!("{other:?} is nothing that an operator asks for"),
        }
    }

    /// Sends dead letters back to the queue that gave them up.
    fn redrive(&mut self) {
        let Some(from) = self.node.handle.queue(QUEUES[DEAD].name) else { return };
        let request = RedriveRequest {
            from: from.sink,
            offset: Offset(0),
            until: None,
            max: 3,
            only: None,
            to: None,
        };
        let (tell, answer) = channel();
        self.node.handle.redrive(request, Box::new(move |page| drop(tell.send(page))));
        self.auditor.redrives();
        self.say("an operator sends dead letters back");
        self.orders.push(Order::Redrive(answer));
    }

    /// Cancels one of the messages that wait to be published.
    fn cancel(&mut self, nth: usize) {
        // Those that leave are not listed.
        let leaving = self.orders.iter().filter(|order| matches!(order, Order::Cancel(_))).count();
        let least = self.auditor.delayed_at_least(self.wall());
        let (tell, answer) = channel();
        let reply =
            Box::new(move |page: Page<DelayedMessage, DelayedId>| drop(tell.send(page.data)));
        self.node.handle.delayed(None, DELAYED_MAX, reply);
        self.run();
        // Bodies that are not read yet keep the answer back.
        let Ok(listed) = answer.try_recv() else { return };
        let count = listed.len() + leaving;
        assert!(count >= least, "{count} delayed messages are listed or leave, and {least} wait");
        let Some(one) = listed.get(nth % listed.len().max(1)) else { return };
        let has_topic = |topic: &String| topic == TOPICS[LATER_TOPIC];
        assert!(one.topic.as_ref().is_none_or(has_topic), "that was never delayed: {one:?}");
        let (tell, answer) = channel();
        let reply = Box::new(move |done| drop(tell.send(done)));
        self.node.handle.cancel_delayed(one.id, reply);
        self.say(format!("an operator cancels {one:?}"));
        self.orders.push(Order::Cancel(answer));
    }

    /// The process has ended: nobody hears what became of what was asked for.
    pub(super) fn forget_orders(&mut self) {
        for order in std::mem::take(&mut self.orders) {
            if let Order::Cancel(_) = order {
                self.auditor.may_be_cancelled();
            }
        }
    }

    /// Lets a queue deliver nothing any more, or deliver again.
    pub(super) fn pause(&mut self, is_paused: bool) {
        let (tell, answer) = channel();
        let reply = Box::new(move |changed| drop(tell.send(changed)));
        self.node.handle.set_queue_paused(QUEUES[MOODY].name, is_paused, reply);
        (self.pauses, self.is_paused) = (false, false);
        self.say(format!("an operator pauses: {is_paused}"));
        self.orders.push(Order::Change(Some(is_paused), answer));
    }

    /// Binds a queue to more, or back to what it was bound to.
    fn rebind(&mut self, is_wide: bool) {
        let of = QUEUES[REBOUND];
        let filter = if is_wide { WIDE } else { of.filter };
        let topic_filter = Some(Some(filter.to_owned()));
        let change = QueueChange { topic_filter, ..QueueChange::default() };
        let (tell, answer) = channel();
        let reply = Box::new(move |changed| drop(tell.send(changed)));
        self.node.handle.change_queue(of.name.to_owned(), change, reply);
        self.say(format!("an operator binds {} to {filter}", of.name));
        let binding = self.auditor.binds(is_wide);
        self.orders.push(Order::Bind(binding, answer));
    }

    /// Lets a living queue dispatch in another way.
    fn reconfigure(&mut self, strategy: usize, max_inflight: u32) {
        let Some(queue) = self.node.handle.queue(QUEUES[MOODY].name) else { return };
        let mut properties = queue.properties.clone();
        properties.config.dispatch_strategy = DispatchStrategy::ALL[strategy];
        properties.config.max_inflight = max_inflight;
        let change = QueueChange { properties: Some(properties), ..QueueChange::default() };
        let (tell, answer) = channel();
        let reply = Box::new(move |changed| drop(tell.send(changed)));
        self.node.handle.change_queue(QUEUES[MOODY].name.to_owned(), change, reply);
        self.say(format!("an operator asks for strategy {strategy}, {max_inflight} in flight"));
        (self.pauses, self.is_paused) = (false, false);
        self.orders.push(Order::Change(None, answer));
    }

    /// Lets a living queue go by other keys, or by none.
    fn turn_keys(&mut self, way: usize) {
        let Some(queue) = self.node.handle.queue(QUEUES[TURNING].name) else { return };
        let mut properties = queue.properties.clone();
        properties.config.dispatch_strategy = match WAYS[way] {
            None => DispatchStrategy::RoundRobin,
            Some((expression, _)) => {
                properties.key_expression = KeyExpression::parse(expression).expect("legal");
                DispatchStrategy::KeyOrdered
            }
        };
        let change = QueueChange { properties: Some(properties), ..QueueChange::default() };
        let (tell, answer) = channel();
        let reply = Box::new(move |changed| drop(tell.send(changed)));
        self.node.handle.change_queue(QUEUES[TURNING].name.to_owned(), change, reply);
        self.say(format!("an operator lets a queue go by {:?}", WAYS[way].map(|way| way.0)));
        // Until all is at rest nobody knows by which keys a message comes.
        self.key_now = None;
        self.orders.push(Order::Turn(answer));
    }

    /// Everything is at rest, or has begun anew: from here on messages come by the keys that are known now.
    pub(super) fn note_keys(&mut self) {
        let is_turning = self.orders.iter().any(|order| matches!(order, Order::Turn(_)));
        let queue = self.node.handle.queue(QUEUES[TURNING].name).filter(|_| !is_turning);
        let keyed = queue.filter(|queue| {
            queue.properties.config.dispatch_strategy == DispatchStrategy::KeyOrdered
        });
        let key_now = keyed.and_then(|queue| {
            let expression = queue.properties.key_expression.as_str();
            WAYS.into_iter().flatten().find(|(text, _)| *text == expression)
        });
        let key_now = key_now.map(|(_, key_of)| key_of);
        if self.key_now.is_none() && key_now.is_some() {
            self.auditor.goes_by_other_keys(TURNING);
        }
        self.key_now = key_now;
    }

    /// No other message of its key may be with anybody who has not answered it.
    pub(super) fn comes_alone(&mut self, queue: usize, (message, offset): (u32, u64)) {
        let Some(key_of) = self.key_now.filter(|_| queue == TURNING) else { return };
        let key = key_of(self.auditor.topic_of(message));
        self.seen.note("message comes by other keys", 1);
        for client in &self.clients {
            let socket =
                client.at.and_then(|(shard, conn)| self.node.sockets[shard].open.get(&conn.slot));
            let is_there = socket.is_some_and(|socket| socket.closed.is_none());
            if !is_there || !client.consumes.contains(&queue) {
                continue;
            }
            for lease in &client.leases {
                let Source::Queue(of, other) = lease.source else { continue };
                let is_alone = of != queue
                    || other == offset
                    || key_of(self.auditor.topic_of(lease.message)) != key;
                assert!(
                    is_alone,
                    "{offset} comes while {} has {other}, of the same key '{key}'",
                    client.name
                );
            }
        }
    }

    /// Lets a reader that nobody reads for go on elsewhere, or forgets it. The one with a session goes before.
    fn seek_reader(&mut self, reader: usize, hundredths: Option<u64>) {
        let of = READERS[reader];
        if reader == READS_ON {
            self.lose(READER + READS_ON);
        }
        let clients =
            if reader == TEAM { MEMBER..SHARER } else { READER + reader..READER + reader + 1 };
        if self.clients[clients].iter().any(|client: &Client| client.at.is_some()) {
            return;
        }
        let (tell, answer) = channel();
        let to = hundredths.map_or(0, |hundredths| self.appended(of.stream) * hundredths / 100);
        let stream = STREAMS[of.stream].name;
        if hundredths.is_some() {
            let reply = move |done: Result<u64, _>| drop(tell.send(done.map(drop)));
            let to = SeekTo::Offset(to);
            self.node.handle.seek_stream(stream, of.reader_name(), to, Box::new(reply));
        } else {
            let reply = move |done| drop(tell.send(done));
            self.node.handle.forget_reader(stream, of.reader_name(), Box::new(reply));
        }
        self.sought[reader] += 1;
        self.auditor.is_to_read_from(reader, to, None);
        self.say(format!("an operator sets {} to {to}: {hundredths:?}", of.name));
        self.orders.push(Order::Reader(reader, self.sought[reader], to, answer));
    }

    /// Hears what has been answered.
    pub(super) fn hear_orders(&mut self) {
        let mut pauses = None;
        for order in std::mem::take(&mut self.orders) {
            match order {
                Order::Redrive(answer) => match answer.try_recv() {
                    Ok(page) => self.has_redriven(page),
                    Err(_) => self.orders.push(Order::Redrive(answer)),
                },
                Order::Change(is_paused, answer) => match answer.try_recv() {
                    Ok(changed) => pauses = self.has_changed(is_paused, &changed),
                    Err(_) => self.orders.push(Order::Change(is_paused, answer)),
                },
                Order::Cancel(answer) => match answer.try_recv() {
                    Ok(done) => self.has_cancelled(&done),
                    Err(_) => self.orders.push(Order::Cancel(answer)),
                },
                Order::Turn(answer) => match answer.try_recv() {
                    Ok(changed) => self.has_turned(&changed),
                    Err(_) => self.orders.push(Order::Turn(answer)),
                },
                Order::Bind(binding, answer) => match answer.try_recv() {
                    Ok(bound) => self.has_bound(binding, &bound),
                    Err(_) => self.orders.push(Order::Bind(binding, answer)),
                },
                Order::Reader(reader, sought, to, answer) => match answer.try_recv() {
                    Ok(done) => self.has_set_reader((reader, sought, to), &done),
                    Err(_) => self.orders.push(Order::Reader(reader, sought, to, answer)),
                },
            }
        }
        // Another change that is under way may undo it.
        if let Some(pauses) = pauses
            && !self.orders.iter().any(|order| matches!(order, Order::Change(..)))
        {
            self.pauses = pauses;
        }
    }

    fn has_redriven(&mut self, page: Result<RedrivePage, RedriveError>) {
        self.say(format!("the operator hears {page:?}"));
        if let Ok(page) = page {
            self.auditor.redriven(page.redriven);
            self.seen.note("dead letter is sent back", page.redriven);
        }
    }

    fn has_cancelled(&mut self, done: &Result<(), DelayedError>) {
        self.say(format!("the operator hears {done:?} of what was delayed"));
        if done.is_ok() {
            self.auditor.is_cancelled();
            self.seen.note("delayed message is cancelled", 1);
        }
    }

    fn has_bound(&mut self, binding: usize, bound: &Result<Arc<QueueDefinition>, ControlError>) {
        self.say(format!("the operator hears that it is bound: {}", bound.is_ok()));
        if bound.is_ok() {
            self.auditor.is_bound(binding);
            self.seen.note("queue is bound anew", 1);
        }
    }

    fn has_turned(&mut self, changed: &Result<Arc<QueueDefinition>, ControlError>) {
        let is_done = changed.is_ok();
        self.say(format!("the operator hears that it goes by other keys: {is_done}"));
        self.seen.note("queue goes by other keys", u64::from(is_done));
    }

    /// Gives whether the queue is paused now, if it was changed.
    fn has_changed(
        &mut self,
        is_paused: Option<bool>,
        changed: &Result<Arc<QueueDefinition>, ControlError>,
    ) -> Option<bool> {
        let is_done = changed.is_ok();
        self.say(format!("the operator hears that it is changed: {is_done}"));
        self.seen.note("queue is changed", u64::from(is_done));
        let pauses = changed.as_ref().ok()?.properties.config.paused;
        assert!(is_paused.is_none_or(|asked| asked == pauses), "paused: {pauses}");
        self.seen.note("queue is paused", u64::from(pauses));
        Some(pauses)
    }

    fn has_set_reader(
        &mut self,
        (reader, sought, to): (usize, u64, u64),
        done: &Result<(), OperateError>,
    ) {
        self.say(format!("the operator hears {done:?} of {}", READERS[reader].name));
        if self.sought[reader] != sought {
            return;
        }
        if done.is_ok() {
            self.auditor.reads_from(reader, to);
            self.seen.note("operator sets a reader", 1);
        } else {
            self.auditor.was_put_back(reader);
            // What its clients have stays with them.
            self.is_put_back = true;
        }
    }
}
