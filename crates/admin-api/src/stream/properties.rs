//! The properties of a stream with their defaults, and what their values must keep to.

use key_expression::KeyExpression;

use crate::definition::{NUMBER, check_rules, is_number, properties};
use crate::{ApiError, Durability, DurationText, SizeText};

properties! {
    /// What a stream does, every property with its value.
    StreamProperties, StreamBody, STREAM_PROPERTY_NAMES, "stream", "StreamPatch", None;
    /// Age at which a message expires; zero is never.
    retention: DurationText = DurationText::from_secs(7 * 86_400),
    /// Messages kept at most; the oldest go first.
    #[schema(minimum = 1)]
    max_messages: Option<u64> = None,
    /// Bytes kept at most; the oldest messages go first.
    max_bytes: Option<SizeText> = None,
    /// Whether only the newest message of each key is kept.
    last_value: bool = false,
    /// What makes the keys of messages, by which groups keep order; none keeps no keys, but for last-value, by topic.
    key_expression: Option<String> = None,
    /// What an acknowledgement to the publisher stands for.
    durability: Durability = Durability::Sync,
    /// Unsettled messages per subscription.
    #[schema(minimum = 1, maximum = 65_535)]
    max_inflight: u16 = 32,
    /// The first back-off of a message that was released.
    retry_delay: DurationText = DurationText::from_secs(1),
    /// The longest back-off.
    retry_delay_max: DurationText = DurationText::from_secs(60),
    /// How long the position of a reader is kept that is away; zero is for ever.
    keep_positions: DurationText = DurationText::from_secs(7 * 86_400),
    /// Whether the stream stores but does not deliver.
    paused: bool = false,
}

impl StreamProperties {
    fn check_values(&self) -> Result<(), ApiError> {
        if let Some(Err(error)) = self.key_expression.as_deref().map(KeyExpression::parse) {
            return Err(ApiError::invalid("key_expression", error.to_string()));
        }
        let retries = self.retry_delay <= self.retry_delay_max;
        check_rules(&[
            ("max_messages", is_number(self.max_messages), NUMBER),
            (
                "max_bytes",
                self.max_bytes != Some(SizeText(0)),
                "must be at least 1, or null for no limit",
            ),
            ("max_inflight", self.max_inflight >= 1, "must be from 1 to 65535"),
            ("retry_delay_max", retries, "must not be shorter than retry_delay"),
        ])
    }
}
