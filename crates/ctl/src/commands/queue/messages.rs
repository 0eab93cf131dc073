//! Messages of a queue for people and programs: looked at, never consumed.

use std::thread;
use std::time::Duration;

use admin_api::{Page, QueueMessageView, QueueView};
use anyhow::Result;
use clap::ValueEnum;

use super::path;
use crate::output;
use crate::rest::Rest;

/// Messages that are asked for at once.
const PAGE: u64 = 1_000;
/// How often a tail looks whether something has come.
const LOOK: Duration = Duration::from_millis(200);

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum State {
    /// It waits for a consumer
    Ready,
    /// A consumer has it, unsettled
    InFlight,
    /// It waits for its time
    Delayed,
    /// It was settled and is kept for a while
    Settled,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::InFlight => "in_flight",
            Self::Delayed => "delayed",
            Self::Settled => "settled",
        }
    }
}

/// Shows messages from an offset on, a line for each.
pub fn peek(
    rest: &Rest,
    name: &str,
    offset: u64,
    limit: u64,
    state: Option<State>,
    json: bool,
) -> Result<()> {
    let mut from = Some(offset);
    let mut messages: Vec<QueueMessageView> = Vec::new();
    while let Some(offset) = from.filter(|_| (messages.len() as u64) < limit) {
        let page = page(rest, name, offset, limit - messages.len() as u64, state)?;
        messages.extend(page.data);
        from = page.next.and_then(|next| next.parse().ok());
    }
    if json {
        return output::json(&messages);
    }
    if messages.is_empty() {
        return output::line("no messages");
    }
    messages.iter().try_for_each(|message| output::line(&line(message)))
}

/// Shows the newest messages, and those that come, until there were `count`.
pub fn tail(rest: &Rest, name: &str, newest: u64, count: Option<u64>, json: bool) -> Result<()> {
    let view: QueueView = rest.get(&path(name))?;
    let mut from = view.stats.enqueued.saturating_sub(newest);
    let mut shown = 0;
    loop {
        let left = count.map_or(PAGE, |count| count - shown);
        let Page { data, next } = page(rest, name, from, left.min(PAGE), None)?;
        for message in &data {
            if json { output::json_line(message)? } else { output::line(&line(message))? }
        }
        shown += data.len() as u64;
        if count.is_some_and(|count| shown >= count) {
            return Ok(());
        }
        let behind = data.last().map(|message| message.offset + 1);
        match next.and_then(|next| next.parse().ok()) {
            Some(next) => from = next,
            None => {
                from = behind.unwrap_or(from);
                thread::sleep(LOOK);
            }
        }
    }
}

fn page(
    rest: &Rest,
    name: &str,
    offset: u64,
    limit: u64,
    state: Option<State>,
) -> Result<Page<QueueMessageView>> {
    let limit = limit.clamp(1, PAGE);
    let state = state.map(|state| format!("&state={}", state.word())).unwrap_or_default();
    rest.get(&format!("{}/messages?offset={offset}&limit={limit}{state}", path(name)))
}

/// A message in one line: where it stands, then what it says.
fn line(message: &QueueMessageView) -> String {
    let QueueMessageView { offset, state, attempts, publish_ts, .. } = message;
    let state = serde_json::to_value(state).expect("a state is JSON");
    let state = state.as_str().unwrap_or_default();
    let tried = if *attempts > 0 { format!(" attempts={attempts}") } else { String::new() };
    let payload = match (&message.text, &message.payload) {
        (Some(text), _) => text.escape_debug().to_string(),
        (None, payload) => format!("base64:{}", payload.as_deref().unwrap_or_default()),
    };
    let says = match &message.topic {
        None => "(cannot be read)".to_owned(),
        Some(topic) => format!("{topic} {payload}"),
    };
    format!("{offset} {publish_ts} {state}{tried} {says}")
}

#[cfg(test)]
mod tests {
    use admin_api::{MessageProperties, MessageState, Timestamp};

    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_says() {
        let view = |payload: Option<&[u8]>, attempts| {
            let state = MessageState::InFlight;
            let view = QueueMessageView::new(7, state, attempts, Timestamp::default());
            match payload {
                Some(payload) => view.with_body("a/b", payload, 1, MessageProperties::default()),
                None => view,
            }
        };
        for (view, expected) in [
            (view(Some(b"hi"), 0), "7 1970-01-01T00:00:00.000Z in_flight a/b hi"),
            (
                view(Some(b"two\nlines \x1b[2J"), 3),
                "7 1970-01-01T00:00:00.000Z in_flight attempts=3 a/b two\\nlines \\u{1b}[2J",
            ),
            (view(Some(&[0, 255]), 0), "7 1970-01-01T00:00:00.000Z in_flight a/b base64:AP8="),
            (view(None, 0), "7 1970-01-01T00:00:00.000Z in_flight (cannot be read)"),
        ] {
            assert_eq!(line(&view), expected);
        }
    }
}
