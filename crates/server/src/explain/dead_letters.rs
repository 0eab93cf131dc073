//! Looks for a message among the dead letters of its queue: so many at a time, and so many in all.

use admin_api::{ApiError, ExplainReason, SinkName, SinkWord};
use broker::{Handle, Look, OperateError, QueueMessage};

use super::count_of;
use super::reasons::about;
use crate::answer::answer;
use crate::errors::of_operation;
use crate::message_properties::properties;

/// Dead letters that are read at once.
const PAGE: usize = 256;
/// Times that more are read.
const PAGES_MAX: usize = 16;

/// What was found.
pub(super) enum Found {
    /// It is there: which, and why.
    Yes(ExplainReason),
    /// It is not.
    No,
    /// It was not found among the first ones, and there are more.
    NotYet(ExplainReason),
}

/// Looks for the message of that queue and offset.
pub(super) async fn find(handle: &Handle, queue: &str, offset: u64) -> Result<Found, ApiError> {
    let Some(dead) = handle.dead_letter_queue(queue) else { return Ok(Found::No) };
    let (mut from, mut looked) = (0, 0);
    for _ in 0..PAGES_MAX {
        let look = Look { from, limit: PAGE, state: None };
        let page = match answer(|reply| handle.peek_queue(&dead, look, reply)).await? {
            Ok(page) => page,
            // It is made when it is needed first.
            Err(OperateError::NotFound(..)) => return Ok(Found::No),
            Err(error) => return Err(of_operation(error)),
        };
        looked += page.data.len();
        if let Some(found) = page.data.iter().find_map(|one| is_it(one, queue, offset, &dead)) {
            return Ok(Found::Yes(found));
        }
        match page.next {
            Some(next) => from = next,
            None => return Ok(Found::No),
        }
    }
    let message = format!(
        "it is not among the first {looked} dead letters in queue '{dead}', and there are more: \
         `weir queue peek` shows them, and their user property dead-offset"
    );
    Ok(Found::NotYet(about(&name_of(&dead), "dead_letters_not_all_seen", message)))
}

fn name_of(queue: &str) -> SinkName {
    SinkName { kind: SinkWord::Queue, name: queue.to_owned() }
}

/// Why a message of a dead-letter queue died, if it is the one.
fn is_it(one: &QueueMessage, queue: &str, offset: u64, dead: &str) -> Option<ExplainReason> {
    let properties = properties(one.message.as_ref()?).user_properties;
    let value = |wanted: &str| {
        let found = properties.iter().rev().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let is_it = value("dead-queue")? == queue && value("dead-offset")?.parse() == Ok(offset);
    is_it.then(|| {
        let why = value("dead-reason").unwrap_or("unknown");
        let attempts: u64 = value("dead-attempts").and_then(|text| text.parse().ok()).unwrap_or(0);
        let after = count_of(attempts, "delivery", "deliveries");
        let message = format!(
            "it was given up ({why}, after {after}) and is at offset {} of queue '{dead}'",
            one.offset
        );
        let mut reason = about(&name_of(dead), "dead_lettered", message);
        reason.details.offset = Some(one.offset);
        reason.details.count = Some(attempts);
        reason
    })
}
