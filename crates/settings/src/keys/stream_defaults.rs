//! Keys of what a new stream has where nothing else is said.

use std::time::Duration;

use super::Section;
use super::queue_defaults::checked_expression;
use crate::key::{Key, Slot};
use crate::queue_defaults::Durability;
use crate::settings::Settings;
use crate::value::LONGEST;

pub(super) const SECTION: Section<Settings> = Section {
    name: "streams.defaults",
    doc: "What a stream has where nothing else is said when it is made.",
    keys: &[
        Key {
            name: "streams.defaults.retention",
            default: "7d",
            doc: "The age at which a message expires; `0` is never.",
            slot: Slot::OptionalSpan {
                none: "0",
                at: |settings| &mut settings.streams.defaults.retention,
            },
        },
        Key {
            name: "streams.defaults.max_messages",
            default: "none",
            doc: "The most messages; the oldest go first.",
            slot: Slot::OptionalCount64 {
                none: "none",
                at: |settings| &mut settings.streams.defaults.max_messages,
            },
        },
        Key {
            name: "streams.defaults.max_bytes",
            default: "none",
            doc: "The most bytes of those messages.",
            slot: Slot::OptionalSize {
                none: "none",
                at: |settings| &mut settings.streams.defaults.max_bytes,
            },
        },
        Key {
            name: "streams.defaults.last_value",
            default: "false",
            doc: "Keep only the newest message of each key.",
            slot: Slot::Switch(|settings| &mut settings.streams.defaults.last_value),
        },
        Key {
            name: "streams.defaults.key_expression",
            default: "none",
            doc: "What makes the keys of messages, by which groups keep order; `none` keeps no keys, but for `last_value`, by topic.",
            slot: Slot::Text {
                what: "key expression or `none`",
                set: |settings, text| {
                    let given = (text != "none").then(|| checked_expression(text));
                    settings.streams.defaults.key_expression = given.transpose()?;
                    Ok(())
                },
            },
        },
        Key {
            name: "streams.defaults.durability",
            default: "sync",
            doc: "What an acknowledgement promises, as for queues.",
            slot: Slot::Word {
                words: Durability::WORDS,
                set: |settings, word| settings.streams.defaults.durability = Durability::ALL[word],
            },
        },
        Key {
            name: "streams.defaults.max_inflight",
            default: "32",
            doc: "Unsettled messages for each subscription, never above its client's Receive Maximum.",
            slot: Slot::Count16 {
                min: 1,
                max: u16::MAX,
                at: |settings| &mut settings.streams.defaults.max_inflight,
            },
        },
        Key {
            name: "streams.defaults.retry_delay",
            default: "1s",
            doc: "The first back-off of a released message; it doubles with each attempt.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: LONGEST,
                at: |settings| &mut settings.streams.defaults.retry_delay,
            },
        },
        Key {
            name: "streams.defaults.retry_delay_max",
            default: "60s",
            doc: "The longest back-off; not below `retry_delay`.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: LONGEST,
                at: |settings| &mut settings.streams.defaults.retry_delay_max,
            },
        },
        Key {
            name: "streams.defaults.keep_positions",
            default: "7d",
            doc: "How long the position of a reader is kept that is away; `0` is for ever.",
            slot: Slot::OptionalSpan {
                none: "0",
                at: |settings| &mut settings.streams.defaults.keep_positions,
            },
        },
        Key {
            name: "streams.defaults.paused",
            default: "false",
            doc: "Store and do not deliver.",
            slot: Slot::Switch(|settings| &mut settings.streams.defaults.paused),
        },
    ],
};
