//! What an operator asks for who sends dead letters back, and is answered. It must not know how that is done.

use mqtt_router::SinkId;
use queue_engine::Offset;

/// One page of a redrive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedriveRequest {
    /// The queue that has the dead letters.
    pub from: SinkId,
    /// From that message on.
    pub offset: Offset,
    /// Up to this one: what dies again meanwhile is not sent back twice. `None` is all that are there now.
    pub until: Option<Offset>,
    /// So many messages are looked at, at most; a page has its own limit besides.
    pub max: usize,
    /// Only those that this queue gave up.
    pub only: Option<Box<str>>,
    /// To this queue, instead of those that gave them up.
    pub to: Option<Box<str>>,
}

/// What a page came to. All that it counts is durable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RedrivePage {
    /// Messages that were sent back.
    pub redriven: u64,
    /// Where the next page begins, if there is more.
    pub next: Option<Offset>,
    /// Where the messages ended when it began, for [`RedriveRequest::until`] of the next.
    pub end: Offset,
    /// Why it ended early: what is left stays where it is.
    pub stopped: Option<String>,
}

/// Why a page was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RedriveError {
    /// The queue is no more.
    #[error("there is no such queue any more")]
    NotFound,
    /// The log does not take them now. Those of the page that had begun to leave will arrive when it does.
    #[error("the log takes no messages now")]
    NotStored,
}
