//! Keys of queues that are made by themselves.

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

pub(super) const SECTION: Section<Settings> = Section {
    name: "queues.auto_create",
    doc: "Whether the first subscription to `$q/<filter>`, `$queue/<name>/<filter>`, `$s/<offset>/<filter>` or `$stream/<name>/<filter>` makes the queue or stream.",
    keys: &[
        Key {
            name: "queues.auto_create.enabled",
            default: "true",
            doc: "Whether it does.",
            slot: Slot::Switch(|settings| &mut settings.queues.auto_create.enabled),
        },
        Key {
            name: "queues.auto_create.max_queues",
            default: "10000",
            doc: "The most queues there may be, and the most streams; the next one is refused.",
            slot: Slot::Count32 {
                min: 1,
                max: 10_000_000,
                at: |settings| &mut settings.queues.auto_create.max_queues,
            },
        },
    ],
};
