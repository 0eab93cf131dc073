//! Keys of the process.

use std::time::Duration;

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

pub(super) const SECTION: Section<Settings> = Section {
    name: "server",
    doc: "The process.",
    keys: &[
        Key {
            name: "server.shards",
            default: "auto",
            doc: "How many threads serve connections; `auto` takes one for each core.",
            slot: Slot::OptionalCount16 {
                none: "auto",
                at: |settings| &mut settings.server.shards,
            },
        },
        Key {
            name: "server.shutdown_timeout",
            default: "10s",
            doc: "How long SIGTERM may take to drain before the process ends all the same; nothing acknowledged is \
                  lost either way.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: Duration::from_secs(3600),
                at: |settings| &mut settings.server.shutdown_timeout,
            },
        },
    ],
};
