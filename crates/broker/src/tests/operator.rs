//! What an operator asks of the broker under test, and the words for what it answers.

use super::client::Words;
use super::world::{EPOCH_MS, World};
use crate::listing::{ClientState, DelayedMessage, Page, SubscriptionState, WalkCursor};
use crate::new_message::NewMessage;

impl World {
    /// Does one of an operator's commands; false when it is none. Answers are said when they come.
    pub(super) fn operator_command(&mut self, words: &Words<'_>) -> bool {
        let answers = self.answers.clone();
        let say = move |lines: Vec<String>| answers.lock().expect("not poisoned").extend(lines);
        let limit = words.value("limit").map_or(1_000, |limit| limit.parse().expect("a number"));
        let topic = words.value("topic").map(str::to_owned);
        match words.at(0) {
            "delayed" => {
                let after = words.value("after").map(|id| id.parse().expect("an id"));
                let lines = |page: Page<DelayedMessage, _>| {
                    page.data.iter().map(delayed_line).chain(next(page.next)).collect()
                };
                self.handle.delayed(after, limit, Box::new(move |page| say(lines(page))));
            }
            "cancel" => {
                let id = words.at(1).parse().expect("an id");
                self.handle.cancel_delayed(id, Box::new(move |result| say(vec![told(result)])));
            }
            "retained" => {
                let after = words.value("after").map(str::to_owned);
                let line = |message: &mqtt_types::Message| {
                    let payload = String::from_utf8_lossy(message.payload()).into_owned();
                    format!("{} qos={} {payload}", message.topic(), message.head().qos.as_u8())
                };
                let lines = move |page: Page<_, String>| {
                    page.data.iter().map(line).chain(next(page.next)).collect()
                };
                let reply = Box::new(move |page| say(lines(page)));
                self.handle.retained(words.at(1).to_owned(), after, limit, reply);
            }
            "unretain" => {
                let said = |result: Result<u64, crate::RemoveError>| match result {
                    Ok(count) => format!("removed {count}"),
                    Err(error) => error.to_string(),
                };
                let reply = Box::new(move |result| say(vec![said(result)]));
                self.handle.remove_retained(words.at(1).to_owned(), reply);
            }
            "clients" => {
                let from = cursor(words);
                let connected = words.value("connected").map(|word| word == "yes");
                let lines = |page: Page<ClientState, _>| {
                    page.data.iter().map(client_line).chain(next(page.next)).collect()
                };
                let reply = Box::new(move |page| say(lines(page)));
                self.handle.clients(from, limit, connected, reply);
            }
            "client" => {
                let line = |client: Option<ClientState>| client.as_ref().map(client_line);
                let reply = Box::new(move |client| {
                    say(vec![line(client).unwrap_or_else(|| "no such client".to_owned())]);
                });
                self.handle.client(words.at(1), reply);
            }
            "subs" => {
                let lines = |page: Page<SubscriptionState, _>| {
                    page.data.iter().map(subscription_line).chain(next(page.next)).collect()
                };
                let reply = Box::new(move |page| say(lines(page)));
                match words.value("client") {
                    Some(client_id) => {
                        let part = (cursor(words), limit);
                        self.handle.subscriptions_of(client_id, part, topic, reply);
                    }
                    None => self.handle.subscriptions(cursor(words), limit, topic, reply),
                }
            }
            "kick" => {
                let ends_session = !words.has("keep");
                let reply = Box::new(move |result| say(vec![told(result)]));
                self.handle.end_client(words.at(1), ends_session, reply);
            }
            "put" => {
                let message = NewMessage {
                    qos: super::client::qos(words.at(1)),
                    topic: words.at(2).to_owned(),
                    payload: words.at(3).as_bytes().to_vec(),
                    retain: words.has("retain"),
                    ..NewMessage::default()
                };
                let tell = say.clone();
                let reply = Box::new(move |published: crate::Published| {
                    let crate::Published { reason, words, is_wrong } = published;
                    let words = words.map(|words| format!(" {words:?}")).unwrap_or_default();
                    let wrong = if is_wrong { " wrong" } else { "" };
                    tell(vec![format!("put {:02x}{words}{wrong}", reason.0)]);
                });
                match self.handle.check(&message) {
                    Ok(message) => self.handle.publish(message, reply),
                    Err(error) => say(vec![error.to_string()]),
                }
            }
            _ => return false,
        }
        true
    }
}

fn cursor(words: &Words<'_>) -> WalkCursor {
    words.value("after").map(|text| text.parse().expect("a cursor")).unwrap_or_default()
}

fn next<C: ToString>(cursor: Option<C>) -> Option<String> {
    cursor.map(|cursor| format!("next {}", cursor.to_string()))
}

fn told<E: ToString>(result: Result<(), E>) -> String {
    match result {
        Ok(()) => "done".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn delayed_line(message: &DelayedMessage) -> String {
    let DelayedMessage { id, due, topic, qos, retain, size, publisher } = message;
    let due = due.0 - EPOCH_MS;
    let topic = topic.as_deref().unwrap_or("-");
    let by = publisher.as_deref().unwrap_or("-");
    let retain = if *retain { " retain" } else { "" };
    format!("{id} due={due} {topic} qos={}{retain} size={size} by={by}", qos.as_u8())
}

fn client_line(client: &ClientState) -> String {
    let mut line = client.client_id.clone();
    match (client.connected_with, client.disconnected_at) {
        (Some(version), _) => line += &format!(" {version:?}"),
        (None, since) => line += &format!(" away={}", since.unwrap_or_default().0 - EPOCH_MS),
    }
    line += if client.is_durable { " durable" } else { "" };
    for (what, number) in [
        ("expiry", u64::from(client.session_expiry_interval)),
        ("subs", client.subscriptions),
        ("waiting", client.waiting_messages),
        ("in_flight", client.in_flight),
    ] {
        if number > 0 {
            line += &format!(" {what}={number}");
        }
    }
    line
}

fn subscription_line(subscription: &SubscriptionState) -> String {
    let SubscriptionState { client_id, address, qos, .. } = subscription;
    let mut line = format!("{client_id} {address} qos={}", qos.as_u8());
    line += if subscription.no_local { " nl" } else { "" };
    line += if subscription.retain_as_published { " rap" } else { "" };
    if let Some(identifier) = subscription.subscription_identifier {
        line += &format!(" sid={identifier}");
    }
    line
}
