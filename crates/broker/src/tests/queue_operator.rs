//! What an operator asks of a queue of the broker under test, and the words for what it answers.

use queue_engine::MessageState;
use stdx::UnixMillis;

use super::client::Words;
use super::world::{EPOCH_MS, World};
use crate::listing::Page;
use crate::operate::{Look, OperateError, QueueConsumer, QueueMessage, SeekTo, Sought};

impl World {
    /// Does one of an operator's commands about a queue; false when it is none. Answers are said when they come.
    pub(super) fn queue_command(&mut self, words: &Words<'_>) -> bool {
        let answers = self.answers.clone();
        let say = move |lines: Vec<String>| answers.lock().expect("not poisoned").extend(lines);
        let limit = words.value("limit").map_or(1_000, |limit| limit.parse().expect("a number"));
        match words.at(0) {
            "peek" => {
                let from = words.value("from").map_or(0, |from| from.parse().expect("an offset"));
                let state = words.value("state").map(state_of);
                let look = Look { from, limit, state };
                let lines = |page: Page<QueueMessage, u64>| {
                    let next = page.next.map(|next| format!("next {next}"));
                    page.data.iter().map(message_line).chain(next).collect()
                };
                let reply = Box::new(move |looked| say(told(looked, lines)));
                self.handle.peek_queue(words.at(1), look, reply);
            }
            "purge" => {
                let reply = Box::new(move |purged: Result<u64, OperateError>| {
                    say(told(purged, |purged| vec![format!("purged {purged}")]));
                });
                let meant = (words.value("filter"), words.value("key"));
                self.handle.purge_queue(words.at(1), meant, reply);
            }
            "seek" => {
                let to = match (words.value("offset"), words.value("time")) {
                    (Some(offset), _) => SeekTo::Offset(offset.parse().expect("an offset")),
                    (_, Some(ms)) => {
                        let ms: u64 = ms.parse().expect("milliseconds");
                        SeekTo::Time(UnixMillis(EPOCH_MS + ms))
                    }
                    _ if words.has("earliest") => SeekTo::Earliest,
                    _ => SeekTo::Latest,
                };
                let line = |sought: Sought| {
                    let Sought { offset, purged, restored } = sought;
                    vec![format!("at {offset} purged={purged} restored={restored}")]
                };
                let reply = Box::new(move |sought| say(told(sought, line)));
                self.handle.seek_queue(words.at(1), to, reply);
            }
            "pause" | "resume" => {
                let reply = Box::new(move |result: Result<_, crate::ControlError>| match result {
                    Ok(_) => say(vec!["done".to_owned()]),
                    Err(error) => say(vec![error.to_string()]),
                });
                self.handle.set_queue_paused(words.at(1), words.at(0) == "pause", reply);
            }
            "consumers" => {
                let after = words.value("after").map(|after| after.parse().expect("a number"));
                let lines = |page: Page<QueueConsumer, u64>| {
                    let next = page.next.map(|_| "more".to_owned());
                    page.data.iter().map(consumer_line).chain(next).collect()
                };
                let reply = Box::new(move |page| say(told(page, lines)));
                self.handle.queue_consumers(words.at(1), (after, limit), reply);
            }
            _ => return false,
        }
        true
    }
}

fn told<T>(result: Result<T, OperateError>, lines: impl FnOnce(T) -> Vec<String>) -> Vec<String> {
    result.map_or_else(|error| vec![error.to_string()], lines)
}

fn state_of(word: &str) -> MessageState {
    match word {
        "ready" => MessageState::Ready,
        "in_flight" => MessageState::InFlight,
        "delayed" => MessageState::Delayed,
        "settled" => MessageState::Settled,
        other => panic!("unknown state {other}"),
    }
}

fn message_line(message: &QueueMessage) -> String {
    let QueueMessage { offset, state, attempts, stored, message, key } = message;
    let body = message.as_ref().map_or("-".to_owned(), |message| {
        let payload = String::from_utf8_lossy(message.payload());
        format!("{} {payload} qos={}", message.topic(), message.head().qos.as_u8())
    });
    let at = stored.0 - EPOCH_MS;
    let key = key.as_ref().map(|key| format!(" key={key}")).unwrap_or_default();
    format!("{offset} {state:?} {body} at={at} attempts={attempts}{key}")
}

fn consumer_line(consumer: &QueueConsumer) -> String {
    let QueueConsumer { client_id, address, qos, in_flight, max_inflight, is_resting, .. } =
        consumer;
    let since = consumer.since.0 - EPOCH_MS;
    let rests = if *is_resting { " rests" } else { "" };
    let qos = qos.as_u8();
    format!(
        "{client_id} {address} qos={qos} in_flight={in_flight}/{max_inflight} since={since}{rests}"
    )
}
