//! A message of a queue in a line.

use admin_api::{MessageBody, QueueMessageView, Timestamp};
use clap::ValueEnum;

use crate::commands::messages::Message;

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
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::InFlight => "in_flight",
            Self::Delayed => "delayed",
            Self::Settled => "settled",
        }
    }
}

impl Message for QueueMessageView {
    fn offset(&self) -> u64 {
        self.offset
    }

    fn publish_ts(&self) -> Timestamp {
        self.publish_ts
    }

    fn stands(&self) -> String {
        let state = serde_json::to_value(self.state).expect("a state is JSON");
        let state = state.as_str().unwrap_or_default();
        match self.attempts {
            0 => format!(" {state}"),
            attempts => format!(" {state} attempts={attempts}"),
        }
    }

    fn body(&self) -> &MessageBody {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use admin_api::{MessageProperties, MessageState};

    use super::*;
    use crate::commands::messages::line;

    #[test]
    fn a_message_is_one_line_whatever_it_says() {
        let view = |payload: Option<&[u8]>, attempts| {
            let state = MessageState::InFlight;
            let view = QueueMessageView::new(7, state, attempts, Timestamp::default());
            match payload {
                Some(payload) => {
                    let body = MessageBody::new("a/b", payload, 1, MessageProperties::default());
                    QueueMessageView { body, ..view }
                }
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
