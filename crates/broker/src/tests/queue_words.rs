//! Words about queues: `create <name> <filter or -> [property=value …]`, `change <name> [property=value …]`. Durations are in
//! milliseconds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use key_expression::KeyExpression;
use queue_engine::{DispatchStrategy, Overflow};

use super::client::Words;
use super::world::World;
use crate::control::{NewQueue, QueueChange};
use crate::directory::{DeadLetter, Durability, QueueProperties};
use crate::redrive::{RedriveError, RedrivePage, RedriveRequest};

impl World {
    pub(super) fn create(&mut self, words: &Words<'_>) -> Vec<String> {
        let mut properties = self.queue_defaults();
        // What a test does not ask for it need not hear of.
        properties.dead_letter = DeadLetter::None;
        apply(&mut properties, words);
        let queue = NewQueue {
            name: words.at(1).to_owned(),
            topic_filter: Some(words.at(2).to_owned()).filter(|filter| filter != "-"),
            properties,
        };
        self.ask(|handle, reply| handle.create_queue(queue, Box::new(reply)))
    }

    pub(super) fn change(&mut self, words: &Words<'_>) -> Vec<String> {
        let Some(known) = self.handle.queue(words.at(1)) else {
            return vec!["no such queue".to_owned()];
        };
        let mut properties = known.properties.clone();
        apply(&mut properties, words);
        let topic_filter = words.value("filter").map(|filter| Some(filter.to_owned()));
        let properties = Some(properties);
        let change = QueueChange { properties, topic_filter, ..QueueChange::default() };
        let name = words.at(1).to_owned();
        self.ask(|handle, reply| handle.change_queue(name, change, Box::new(reply)))
    }

    /// `redrive <queue> [only=] [to=]`: one page.
    pub(super) fn redrive(&mut self, words: &Words<'_>) -> Vec<String> {
        let Some(queue) = self.handle.queue(words.at(1)) else {
            return vec!["no such queue".to_owned()];
        };
        let request = RedriveRequest {
            from: queue.sink,
            offset: queue_engine::Offset(0),
            until: None,
            max: 64,
            only: words.value("only").map(Box::from),
            to: words.value("to").map(Box::from),
        };
        let answers = Arc::clone(&self.answers);
        let reply = move |page: Result<RedrivePage, RedriveError>| {
            let line = match page {
                Ok(RedrivePage { redriven, stopped: None, .. }) => format!("redriven {redriven}"),
                Ok(RedrivePage { redriven, stopped: Some(why), .. }) => {
                    format!("redriven {redriven}, then: {why}")
                }
                Err(error) => error.to_string(),
            };
            answers.lock().expect("not poisoned").push(line);
        };
        self.handle.redrive(request, Box::new(reply));
        self.settle()
    }

    pub(super) fn ask<T, E: ToString>(
        &mut self,
        ask: impl FnOnce(&crate::Handle, Box<dyn FnOnce(Result<T, E>) + Send>),
    ) -> Vec<String> {
        let answer = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&answer);
        let reply = move |result: Result<T, E>| {
            let result = result.map(|_| ()).map_err(|error| error.to_string());
            *keep.lock().expect("not poisoned") = Some(result);
        };
        ask(&self.handle, Box::new(reply));
        let mut said = self.settle();
        match answer.lock().expect("not poisoned").take() {
            Some(Ok(())) => {}
            Some(Err(error)) => said.push(error),
            None => said.push("no answer yet".to_owned()),
        }
        said
    }
}

fn apply(properties: &mut QueueProperties, words: &Words<'_>) {
    let number = |key| words.value(key).map(|text| text.parse::<u64>().expect("a number"));
    let duration = |key| number(key).map(Duration::from_millis);
    let yes = |key| words.value(key).map(|text| text == "yes");
    let config = &mut properties.config;
    let set = |place: &mut Duration, value: Option<Duration>| *place = value.unwrap_or(*place);
    set(&mut config.ack_timeout, duration("ack_timeout"));
    set(&mut config.retry_delay, duration("retry_delay"));
    set(&mut config.retry_delay_max, duration("retry_delay_max"));
    set(&mut config.retention, duration("retention"));
    set(&mut config.dedup_window, duration("dedup_window"));
    set(&mut config.keep_settled, duration("keep_settled"));
    config.max_inflight = number("max_inflight").map_or(config.max_inflight, |n| n as u32);
    config.max_attempts = number("max_attempts").map_or(config.max_attempts, |n| n as u32);
    config.max_messages = number("max_messages").or(config.max_messages);
    config.max_bytes = number("max_bytes").or(config.max_bytes);
    config.paused = yes("paused").unwrap_or(config.paused);
    config.last_value = yes("last_value").unwrap_or(config.last_value);
    config.dead_letter_expired = yes("dead_expired").unwrap_or(config.dead_letter_expired);
    config.dead_letter_unkeyed = yes("dead_unkeyed").unwrap_or(config.dead_letter_unkeyed);
    config.dead_letter_dropped = yes("dead_dropped").unwrap_or(config.dead_letter_dropped);
    if let Some(number) = number("strategy") {
        config.dispatch_strategy = DispatchStrategy::from_number(number as u8).expect("a strategy");
    }
    match words.value("overflow") {
        None => {}
        Some("drop") => config.overflow = Overflow::DropOldest,
        Some("reject") => config.overflow = Overflow::RejectPublish,
        Some(other) => panic!("unknown overflow {other}"),
    }
    if let Some(key) = words.value("key") {
        properties.key_expression = KeyExpression::parse(key).expect("a key expression");
    }
    match words.value("durability") {
        None => {}
        Some("os") => properties.durability = Durability::Os,
        Some("memory") => properties.durability = Durability::Memory,
        Some(other) => panic!("unknown durability {other}"),
    }
    match words.value("dead_letter") {
        None => {}
        Some("own") => properties.dead_letter = DeadLetter::Own,
        Some("none") => properties.dead_letter = DeadLetter::None,
        Some(name) => properties.dead_letter = DeadLetter::Queue(name.into()),
    }
}
