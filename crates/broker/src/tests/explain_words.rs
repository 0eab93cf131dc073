//! Words for why messages go where they go: `would <topic> [client=] [user=]` is a publish that would come now, `why queue|stream
//! <name> [offset=] [since=] [limit=]` a queue or a stream and one of its messages.

use stdx::UnixMillis;

use super::client::Words;
use super::world::{EPOCH_MS, World};
use crate::control::SinkKind;
use crate::explain::{
    Explained, Inquiry, KeyExplained, MessageExplained, PublishExplained, Reason, SinkExplained,
    Subscribed, WouldPublish,
};

impl World {
    /// Does one of these commands; false when it is none. Answers are said when they come.
    pub(super) fn explain_command(&mut self, words: &Words<'_>) -> bool {
        let answers = self.answers.clone();
        let say = move |lines: Vec<String>| answers.lock().expect("not poisoned").extend(lines);
        let number = |key| words.value(key).map(|text| text.parse::<u64>().expect("a number"));
        let limit = number("limit").map_or(100, |limit| limit as usize);
        match words.at(0) {
            "would" => {
                let publisher = WouldPublish {
                    client_id: words.value("client"),
                    is_connected: words.value("user").is_some(),
                    username: words.value("user"),
                };
                let now = UnixMillis(EPOCH_MS);
                match self.handle.explain_publish(words.at(1), publisher, (now, limit)) {
                    Err(error) => say(vec![error.to_string()]),
                    Ok(explained) => {
                        let (sessions, topic) = (&explained.sessions, &explained.topic);
                        let lines = publish_lines(&explained);
                        let reply = move |subscribed: Vec<Subscribed>| {
                            say(lines);
                            say(subscribed.iter().map(subscribed_line).collect());
                        };
                        self.handle.subscribed(sessions, topic, limit, Box::new(reply));
                    }
                }
            }
            "why" => {
                let what = match words.at(1) {
                    "queue" => SinkKind::Queue,
                    _ => SinkKind::Stream,
                };
                let inquiry = Inquiry {
                    offset: number("offset"),
                    since: number("since").map(|ms| UnixMillis(EPOCH_MS + ms)),
                    key: None,
                    limit,
                };
                let reply = move |explained: Result<Explained, crate::OperateError>| {
                    say(explained.map_or_else(|error| vec![error.to_string()], |one| lines(&one)));
                };
                self.handle.explain(what, words.at(2), inquiry, Box::new(reply));
            }
            _ => return false,
        }
        true
    }
}

fn publish_lines(explained: &PublishExplained) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(why) = explained.reserved {
        lines.push(format!("reserved: {why}"));
    }
    if let Some(seconds) = explained.delayed {
        lines.push(format!("to {} in {seconds}s", explained.topic));
    }
    if let Some((code, why)) = &explained.refusal {
        lines.push(format!("{code:02x}: {why}"));
    }
    if explained.has_retained {
        lines.push("a retained message stands".to_owned());
    }
    let counts = (explained.subscribers, explained.group_count, explained.sink_count);
    lines.push(format!("sessions={} groups={} sinks={}", counts.0, counts.1, counts.2));
    for group in &explained.groups {
        let (name, filter, members, present) =
            (&group.name, &group.filter, group.members, group.present);
        lines.push(format!("group {name} {filter} {present}/{members} {:?}", group.strategy));
    }
    lines.extend(explained.sinks.iter().map(sink_line));
    lines
}

fn sink_line(sink: &SinkExplained) -> String {
    let key = match &sink.key {
        KeyExplained::None => String::new(),
        KeyExplained::Known { text, problem: None, .. } => format!(" key={text}"),
        KeyExplained::Known { text, problem: Some(problem), .. } => {
            format!(" key={text} ({problem})")
        }
        KeyExplained::Depends { expression, on } => {
            format!(" key by {expression} of {}", on.join("+"))
        }
    };
    let filter = sink.topic_filter.as_deref().unwrap_or("-");
    let drops = if sink.drops_oldest { " drops the oldest" } else { "" };
    let refusal = sink.refusal.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{} {} {filter}{key}{drops}{refusal}", sink.what, sink.name)
}

fn subscribed_line(one: &Subscribed) -> String {
    let Subscribed { client_id, address, .. } = one;
    let away = if one.is_connected { "" } else { " away" };
    let durable = if one.is_durable { " durable" } else { "" };
    let no_local = if one.no_local { " nl" } else { "" };
    format!("{client_id} {address} qos={}{away}{durable}{no_local}", one.qos.as_u8())
}

fn lines(explained: &Explained) -> Vec<String> {
    let name = |number: u64| {
        let found = explained.consumers.iter().find(|consumer| consumer.number == number);
        found.map_or("nobody", |consumer| &consumer.client_id).to_owned()
    };
    let reason = |reason: &Reason| {
        let mut line = format!("{}: {}", reason.code, reason.message);
        if let Some(offset) = reason.offset {
            line += &format!(" offset={offset}");
        }
        if let Some(consumer) = reason.consumer {
            line += &format!(" at={}", name(consumer));
        }
        if let Some(until) = reason.until {
            line += &format!(" until={}", until.0 - EPOCH_MS);
        }
        line
    };
    let counts = explained.counts.iter().chain(&explained.left_as);
    let counts: Vec<String> = counts.map(|(what, count)| format!("{what}={count}")).collect();
    let since = explained.first_since.map(|at| format!(" since={at}")).unwrap_or_default();
    let (earliest, next) = (explained.earliest, explained.next_offset);
    let mut lines = vec![format!("{earliest}..{next} {}{since}", counts.join(" "))];
    lines.extend(explained.held.iter().map(|one| format!("held {}", reason(one))));
    if let Some(message) = &explained.message {
        lines.push(message_line(message, name));
        lines.extend(message.reasons.iter().map(reason));
    }
    for reader in &explained.readers {
        let stands = reader.reason.as_ref().map_or("settled".to_owned(), reason);
        lines.push(format!("{} at {} {stands}", reader.name, reader.position));
    }
    lines
}

fn message_line(message: &MessageExplained, name: impl Fn(u64) -> String) -> String {
    let MessageExplained { offset, stands, attempts, .. } = message;
    let mut line = format!("{offset} {stands:?} attempts={attempts}");
    for (what, time) in
        [("stored", message.stored), ("expires", message.expires), ("since", message.since)]
    {
        if let Some(time) = time {
            line += &format!(" {what}={}", time.0 - EPOCH_MS);
        }
    }
    message.consumer.map_or(line.clone(), |consumer| format!("{line} at={}", name(consumer)))
}
