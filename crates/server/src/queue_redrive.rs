//! Dead letters that an operator sends back: page by page between the edge and the broker.

use std::sync::Arc;
use std::time::Duration;

use admin_api::{ApiError, RedriveBody, RedriveResult};
use broker::{Handle, QueueDefinition, RedriveError, RedrivePage, RedriveRequest};
use queue_engine::Offset;

use crate::answer::{RETRY_AFTER, answer};

/// Messages of a page at most.
const PAGE_MAX: usize = 64;
/// Pages in a second, when there is a rate: so that it is even.
const PAGES_A_SECOND: u32 = 10;

pub(crate) async fn redrive(
    handle: &Handle,
    name: String,
    body: RedriveBody,
) -> Result<RedriveResult, ApiError> {
    if let Some(to) = &body.to
        && handle.queue(to).is_none()
    {
        return Err(ApiError::invalid("to", format!("there is no queue '{to}'")));
    }
    let Some((from, only)) = dead_letters_of(handle, &name)? else {
        return Ok(RedriveResult::default());
    };
    let mut request = RedriveRequest {
        from: from.sink,
        offset: Offset(0),
        until: None,
        max: 0,
        only: only.map(Box::from),
        to: body.to.as_deref().map(Box::from),
    };
    let mut result = RedriveResult::default();
    loop {
        let left = body.limit.map_or(u64::MAX, |limit| limit - result.redriven);
        let per_page = body.rate.map_or(u32::MAX, |rate| (rate / PAGES_A_SECOND).max(1));
        request.max =
            PAGE_MAX.min(per_page as usize).min(usize::try_from(left).unwrap_or(PAGE_MAX));
        let page = answer(|reply| handle.redrive(request.clone(), reply)).await?;
        let RedrivePage { redriven, next, end, stopped } =
            page.map_err(|error| fault(error, &name))?;
        result.redriven += redriven;
        if stopped.is_some() && result.redriven == 0 {
            return Err(ApiError::Conflict { message: stopped.unwrap_or_default() });
        }
        result.stopped = stopped;
        match next {
            Some(next) if body.limit.is_none_or(|limit| result.redriven < limit) => {
                (request.offset, request.until) = (next, Some(end));
            }
            _ => return Ok(result),
        }
        if let Some(rate) = body.rate {
            tokio::time::sleep(Duration::from_secs(redriven) / rate).await;
        }
    }
}

/// A queue that has dead letters, and whose they must be to be meant.
type Grave = (Arc<QueueDefinition>, Option<String>);

/// The queue that has a queue's dead letters, and whose they are if it may have others'. `None` when there are none yet.
fn dead_letters_of(handle: &Handle, name: &str) -> Result<Option<Grave>, ApiError> {
    let known = handle.queue(name);
    if known.is_none() || name.starts_with(broker::DEAD_LETTERS_PREFIX) {
        return match known {
            Some(dead) => Ok(Some((dead, None))),
            None => Err(ApiError::no_queue(name.to_owned())),
        };
    }
    match handle.dead_letter_queue(name) {
        None => {
            Err(ApiError::Conflict { message: format!("queue '{name}' keeps no dead letters") })
        }
        Some(target) => Ok(handle.queue(&target).map(|dead| (dead, Some(name.to_owned())))),
    }
}

fn fault(error: RedriveError, name: &str) -> ApiError {
    match error {
        RedriveError::NotFound => ApiError::no_queue(name.to_owned()),
        RedriveError::NotStored => {
            ApiError::Unavailable { message: error.to_string(), retry_after: RETRY_AFTER }
        }
    }
}
