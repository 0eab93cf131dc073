//! Messages of a queue or a stream for people and programs: looked at, never consumed.

use std::thread;
use std::time::Duration;

use admin_api::{MessageBody, Page, Timestamp};
use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::output;
use crate::rest::Rest;

/// Messages that are asked for at once.
const PAGE: u64 = 1_000;
/// How often a tail looks whether something has come.
const LOOK: Duration = Duration::from_millis(200);

/// A message that can be shown.
pub trait Message: DeserializeOwned + Serialize {
    fn offset(&self) -> u64;

    fn publish_ts(&self) -> Timestamp;

    /// Where it stands, with a space before; nothing where that says nothing.
    fn stands(&self) -> String;

    fn body(&self) -> &MessageBody;
}

/// Shows messages from an offset on, a line for each; those that the query leaves.
pub fn peek<M: Message>(
    rest: &Rest,
    path: &str,
    query: &str,
    (offset, limit): (u64, u64),
    json: bool,
) -> Result<()> {
    let mut from = Some(offset);
    let mut messages: Vec<M> = Vec::new();
    while let Some(offset) = from.filter(|_| (messages.len() as u64) < limit) {
        let page = page(rest, path, query, (offset, limit - messages.len() as u64))?;
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

/// Shows the newest messages of those that end there, and those that come, until there were `count`.
pub fn tail<M: Message>(
    rest: &Rest,
    path: &str,
    (end, newest): (u64, u64),
    count: Option<u64>,
    json: bool,
) -> Result<()> {
    let mut from = end.saturating_sub(newest);
    let mut shown = 0;
    loop {
        let left = count.map_or(PAGE, |count| count - shown);
        let Page { data, next } = page::<M>(rest, path, "", (from, left.min(PAGE)))?;
        for message in &data {
            if json { output::json_line(message)? } else { output::line(&line(message))? }
        }
        shown += data.len() as u64;
        if count.is_some_and(|count| shown >= count) {
            return Ok(());
        }
        let behind = data.last().map(|message| message.offset() + 1);
        match next.and_then(|next| next.parse().ok()) {
            Some(next) => from = next,
            None => {
                from = behind.unwrap_or(from);
                thread::sleep(LOOK);
            }
        }
    }
}

fn page<M: Message>(
    rest: &Rest,
    path: &str,
    query: &str,
    (offset, limit): (u64, u64),
) -> Result<Page<M>> {
    let limit = limit.clamp(1, PAGE);
    rest.get(&format!("{path}?offset={offset}&limit={limit}{query}"))
}

/// A message in one line: where it stands, then what it says.
pub fn line(message: &impl Message) -> String {
    let MessageBody { topic, payload, text, .. } = message.body();
    let payload = match text {
        Some(text) => text.escape_debug().to_string(),
        None => format!("base64:{}", payload.as_deref().unwrap_or_default()),
    };
    let says = match topic {
        None => "(cannot be read)".to_owned(),
        Some(topic) => format!("{topic} {payload}"),
    };
    format!("{} {}{} {says}", message.offset(), message.publish_ts(), message.stands())
}
