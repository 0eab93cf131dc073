//! The broker's reasons as the edge has them.

use admin_api::{ExplainReason, ReasonDetails, SinkName, SinkWord, Timestamp};
use broker::{Explained, Reason, SinkKind};

/// The kind as the broker has it.
pub(super) const fn kind_of(word: SinkWord) -> SinkKind {
    match word {
        SinkWord::Queue => SinkKind::Queue,
        SinkWord::Stream => SinkKind::Stream,
    }
}

/// The kind as the edge has it.
pub(super) const fn word_of(kind: SinkKind) -> SinkWord {
    match kind {
        SinkKind::Queue => SinkWord::Queue,
        SinkKind::Stream => SinkWord::Stream,
    }
}

/// A reason about a queue or a stream.
pub(super) fn about(of: &SinkName, code: &str, message: impl Into<String>) -> ExplainReason {
    let name = Some(of.name.clone());
    let details = match of.kind {
        SinkWord::Queue => ReasonDetails { queue: name, ..ReasonDetails::default() },
        SinkWord::Stream => ReasonDetails { stream: name, ..ReasonDetails::default() },
    };
    ExplainReason { details, ..ExplainReason::new(code, message) }
}

/// A reason that the owner of a queue or a stream gave.
pub(super) fn reason(of: &SinkName, explained: &Explained, reason: &Reason) -> ExplainReason {
    let client = |number| {
        let consumers = explained.consumers.iter();
        let found = consumers.filter(|consumer| consumer.number == number);
        found.map(|consumer| consumer.client_id.clone()).next()
    };
    let known = about(of, reason.code, reason.message.clone());
    let details = ReasonDetails {
        client_id: reason.consumer.and_then(client),
        offset: reason.offset,
        until: reason.until.map(Timestamp),
        count: reason.count,
        ..known.details
    };
    ExplainReason { details, ..known }
}
