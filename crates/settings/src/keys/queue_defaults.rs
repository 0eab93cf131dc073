//! Keys of what a new queue has where nothing else is said.

use std::time::Duration;

use key_expression::KeyExpression;

use super::Section;
use crate::key::{Key, Slot};
use crate::queue_defaults::{DeadLetter, DispatchStrategy, Durability, Overflow};
use crate::settings::Settings;
use crate::value::LONGEST;

/// A key expression that is one.
pub(super) fn checked_expression(text: &str) -> Result<String, String> {
    KeyExpression::parse(text)
        .map_err(|error| format!("{}, at column {}", error.problem(), error.column()))?;
    Ok(text.to_owned())
}

pub(super) const SECTION: Section<Settings> = Section {
    name: "queues.defaults",
    doc: "What a queue has where nothing else is said when it is made.",
    keys: &[
        Key {
            name: "queues.defaults.dispatch_strategy",
            default: "round_robin",
            doc: "Which consumer gets the next message.",
            slot: Slot::Word {
                words: DispatchStrategy::WORDS,
                set: |settings, word| {
                    settings.queues.defaults.dispatch_strategy = DispatchStrategy::ALL[word]
                },
            },
        },
        Key {
            name: "queues.defaults.key_expression",
            default: "topic",
            doc: "The key for `key_ordered` and `last_value`.",
            slot: Slot::Text {
                what: "key expression",
                set: |settings, text| {
                    settings.queues.defaults.key_expression = checked_expression(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "queues.defaults.key_inflight",
            default: "1",
            doc: "Messages of one key in flight at once, under `key_ordered`.",
            slot: Slot::Count32 {
                min: 1,
                max: u32::MAX,
                at: |settings| &mut settings.queues.defaults.key_inflight,
            },
        },
        Key {
            name: "queues.defaults.last_value",
            default: "false",
            doc: "Keep only the newest message of each key.",
            slot: Slot::Switch(|settings| &mut settings.queues.defaults.last_value),
        },
        Key {
            name: "queues.defaults.durability",
            default: "sync",
            doc: "What an acknowledgement promises: synced, written (synced within `log.sync_interval`), or gone with the process.",
            slot: Slot::Word {
                words: Durability::WORDS,
                set: |settings, word| settings.queues.defaults.durability = Durability::ALL[word],
            },
        },
        Key {
            name: "queues.defaults.retention",
            default: "7d",
            doc: "The age at which an unsettled message expires; `0` is never.",
            slot: Slot::OptionalSpan {
                none: "0",
                at: |settings| &mut settings.queues.defaults.retention,
            },
        },
        Key {
            name: "queues.defaults.max_messages",
            default: "none",
            doc: "The most messages, ready, in flight and delayed together.",
            slot: Slot::OptionalCount64 {
                none: "none",
                at: |settings| &mut settings.queues.defaults.max_messages,
            },
        },
        Key {
            name: "queues.defaults.max_bytes",
            default: "none",
            doc: "The most bytes of those messages.",
            slot: Slot::OptionalSize {
                none: "none",
                at: |settings| &mut settings.queues.defaults.max_bytes,
            },
        },
        Key {
            name: "queues.defaults.overflow",
            default: "reject_publish",
            doc: "What happens at the limit: the publisher is refused, or the oldest message goes.",
            slot: Slot::Word {
                words: Overflow::WORDS,
                set: |settings, word| settings.queues.defaults.overflow = Overflow::ALL[word],
            },
        },
        Key {
            name: "queues.defaults.max_inflight",
            default: "32",
            doc: "Unsettled messages for each consumer, never above its Receive Maximum.",
            slot: Slot::Count16 {
                min: 1,
                max: u16::MAX,
                at: |settings| &mut settings.queues.defaults.max_inflight,
            },
        },
        Key {
            name: "queues.defaults.ack_timeout",
            default: "5m",
            doc: "How long a message may be unsettled before another consumer gets it.",
            slot: Slot::Span {
                min: Duration::from_millis(100),
                max: LONGEST,
                at: |settings| &mut settings.queues.defaults.ack_timeout,
            },
        },
        Key {
            name: "queues.defaults.max_attempts",
            default: "16",
            doc: "Deliveries before a message is dead-lettered; `0` sets no limit.",
            slot: Slot::OptionalCount32 {
                none: "0",
                at: |settings| &mut settings.queues.defaults.max_attempts,
            },
        },
        Key {
            name: "queues.defaults.retry_delay",
            default: "1s",
            doc: "The first back-off of a released message; it doubles with each attempt.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: LONGEST,
                at: |settings| &mut settings.queues.defaults.retry_delay,
            },
        },
        Key {
            name: "queues.defaults.retry_delay_max",
            default: "60s",
            doc: "The longest back-off; not below `retry_delay`.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: LONGEST,
                at: |settings| &mut settings.queues.defaults.retry_delay_max,
            },
        },
        Key {
            name: "queues.defaults.dead_letter",
            default: "own",
            doc: "Where dead letters go: `own` (the queue `dead:<name>`, made on first use), the name of a queue, or `none`.",
            slot: Slot::Text {
                what: "`own`, `none` or a queue's name",
                set: |settings, text| {
                    settings.queues.defaults.dead_letter = DeadLetter::parse(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "queues.defaults.dead_letter_expired",
            default: "false",
            doc: "Dead-letter expired messages too.",
            slot: Slot::Switch(|settings| &mut settings.queues.defaults.dead_letter_expired),
        },
        Key {
            name: "queues.defaults.dead_letter_dropped",
            default: "false",
            doc: "Dead-letter messages dropped at the limit too.",
            slot: Slot::Switch(|settings| &mut settings.queues.defaults.dead_letter_dropped),
        },
        Key {
            name: "queues.defaults.dead_letter_unkeyed",
            default: "false",
            doc: "Dead-letter messages whose key expression has no value; otherwise their topic is their key.",
            slot: Slot::Switch(|settings| &mut settings.queues.defaults.dead_letter_unkeyed),
        },
        Key {
            name: "queues.defaults.dedup_window",
            default: "off",
            doc: "How long a `message-id` is remembered; the same one again is acknowledged and not stored.",
            slot: Slot::OptionalSpan {
                none: "off",
                at: |settings| &mut settings.queues.defaults.dedup_window,
            },
        },
        Key {
            name: "queues.defaults.keep_settled",
            default: "0",
            doc: "How long settled messages stay replayable by seek.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: LONGEST,
                at: |settings| &mut settings.queues.defaults.keep_settled,
            },
        },
        Key {
            name: "queues.defaults.paused",
            default: "false",
            doc: "Store and do not deliver.",
            slot: Slot::Switch(|settings| &mut settings.queues.defaults.paused),
        },
    ],
};
