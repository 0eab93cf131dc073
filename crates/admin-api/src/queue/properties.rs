//! The properties of a queue with their defaults, and what their values must keep to.

use key_expression::KeyExpression;

use super::{DeadLetter, DispatchStrategy, Durability, Overflow};
use crate::definition::{NUMBER, check_name, check_rules, is_number, properties};
use crate::{ApiError, DurationText, SizeText};

properties! {
    /// What a queue does, every property with its value.
    QueueProperties, QueueBody, PROPERTY_NAMES, "queue", "QueuePatch",
    Some(("dead:", "names that start with 'dead:' are those of dead-letter queues"));
    /// Which consumer gets the next message.
    dispatch_strategy: DispatchStrategy = DispatchStrategy::RoundRobin,
    /// What makes the key for `key_ordered` and last-value.
    key_expression: String = "topic".to_owned(),
    /// Messages of one key that may be in flight.
    #[schema(minimum = 1)]
    key_inflight: u32 = 1,
    /// Whether only the newest message of each key is kept.
    last_value: bool = false,
    /// What an acknowledgement to the publisher stands for.
    durability: Durability = Durability::Sync,
    /// Age at which an unsettled message expires; zero is never.
    retention: DurationText = DurationText::from_secs(7 * 86_400),
    /// Messages kept at most.
    #[schema(minimum = 1)]
    max_messages: Option<u64> = None,
    /// Bytes kept at most.
    max_bytes: Option<SizeText> = None,
    /// What happens to a publish when the queue is full.
    overflow: Overflow = Overflow::RejectPublish,
    /// Unsettled messages per consumer.
    #[schema(minimum = 1, maximum = 65_535)]
    max_inflight: u16 = 32,
    /// How long a message may stay unsettled before another consumer gets it.
    ack_timeout: DurationText = DurationText::from_secs(300),
    /// Deliveries before a message is dead-lettered; zero is no limit.
    max_attempts: u32 = 16,
    /// The first back-off of a message that was released.
    retry_delay: DurationText = DurationText::from_secs(1),
    /// The longest back-off.
    retry_delay_max: DurationText = DurationText::from_secs(60),
    /// Where dead letters go.
    dead_letter: DeadLetter = DeadLetter::Own,
    /// Whether expired messages are dead-lettered.
    dead_letter_expired: bool = false,
    /// Whether dropped messages are dead-lettered.
    dead_letter_dropped: bool = false,
    /// Whether messages whose key expression has no value are dead-lettered; otherwise their topic is their key.
    dead_letter_unkeyed: bool = false,
    /// How long a `message-id` is remembered; none is off.
    dedup_window: Option<DurationText> = None,
    /// How long settled messages stay replayable.
    keep_settled: DurationText = DurationText::from_secs(0),
    /// Whether the queue stores but does not deliver.
    paused: bool = false,
}

impl QueueProperties {
    fn check_values(&self) -> Result<(), ApiError> {
        if let Err(error) = KeyExpression::parse(&self.key_expression) {
            return Err(ApiError::invalid("key_expression", error.to_string()));
        }
        check_rules(&[
            ("key_inflight", self.key_inflight >= 1, "must be at least 1"),
            ("max_messages", is_number(self.max_messages), NUMBER),
            (
                "max_bytes",
                self.max_bytes != Some(SizeText(0)),
                "must be at least 1, or null for no limit",
            ),
            ("max_inflight", self.max_inflight >= 1, "must be from 1 to 65535"),
            ("ack_timeout", !self.ack_timeout.0.is_zero(), "must be longer than 0"),
            (
                "retry_delay_max",
                self.retry_delay <= self.retry_delay_max,
                "must not be shorter than retry_delay",
            ),
            (
                "dedup_window",
                self.dedup_window != Some(DurationText::default()),
                "must be longer than 0, or null for off",
            ),
        ])?;
        self.check_dead_letter()
    }

    fn check_dead_letter(&self) -> Result<(), ApiError> {
        match &self.dead_letter {
            DeadLetter::Queue(name) => check_name(name).map_err(|cause| {
                ApiError::invalid(
                    "dead_letter",
                    format!("is none of own, none, a queue's name: {cause}"),
                )
            }),
            DeadLetter::Own | DeadLetter::None => Ok(()),
        }
    }
}
