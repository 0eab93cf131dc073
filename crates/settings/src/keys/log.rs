//! Keys of the log on disk.

use std::time::Duration;

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

pub(super) const SECTION: Section<Settings> = Section {
    name: "log",
    doc: "The log on disk.",
    keys: &[
        Key {
            name: "log.segment_size",
            default: "64MiB",
            doc: "The size of one segment file; space is given back by whole segments.",
            slot: Slot::Size64 {
                min: 1 << 20,
                max: 4 << 30,
                at: |settings| &mut settings.log.segment_size,
            },
        },
        Key {
            name: "log.checkpoint_every",
            default: "256MiB",
            doc: "How much log is written between two checkpoints; a restart reads at most about that much.",
            slot: Slot::Size64 {
                min: 1 << 20,
                max: 1 << 40,
                at: |settings| &mut settings.log.checkpoint_every,
            },
        },
        Key {
            name: "log.reserve",
            default: "16MiB",
            doc: "Room kept aside so that a queue can be purged on a full disk; 0 keeps none.",
            slot: Slot::Size64 { min: 0, max: 1 << 40, at: |settings| &mut settings.log.reserve },
        },
        Key {
            name: "log.sync_interval",
            default: "100ms",
            doc: "How long a message of durability `os` may wait for its sync.",
            slot: Slot::Span {
                min: Duration::from_millis(1),
                max: Duration::from_secs(60),
                at: |settings| &mut settings.log.sync_interval,
            },
        },
    ],
};
