//! A message of a stream in a line.

use admin_api::{MessageBody, StreamMessageView, Timestamp};

use crate::commands::messages::Message;

impl Message for StreamMessageView {
    fn offset(&self) -> u64 {
        self.offset
    }

    fn publish_ts(&self) -> Timestamp {
        self.publish_ts
    }

    fn stands(&self) -> String {
        self.key.as_ref().map(|key| format!(" key={}", key.escape_debug())).unwrap_or_default()
    }

    fn body(&self) -> &MessageBody {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use admin_api::MessageProperties;

    use super::*;
    use crate::commands::messages::line;

    #[test]
    fn a_message_is_one_line_with_its_key() {
        let view = |key: Option<&str>, body| StreamMessageView {
            offset: 7,
            publish_ts: Timestamp::default(),
            body,
            key: key.map(str::to_owned),
        };
        let body = || MessageBody::new("a/b", b"hi", 1, MessageProperties::default());
        for (view, expected) in [
            (view(None, body()), "7 1970-01-01T00:00:00.000Z a/b hi"),
            (view(Some("k\n"), body()), "7 1970-01-01T00:00:00.000Z key=k\\n a/b hi"),
            (view(None, MessageBody::UNREADABLE), "7 1970-01-01T00:00:00.000Z (cannot be read)"),
        ] {
            assert_eq!(line(&view), expected);
        }
    }
}
