//! Keys of the watch over queues.

use std::time::Duration;

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

pub(super) const SECTION: Section<Settings> = Section {
    name: "queues",
    doc: "What holds for all queues.",
    keys: &[Key {
        name: "queues.stall_alarm_after",
        default: "30s",
        doc: "How long a queue may have messages, consumers and credit while nothing moves, before the alarm `queue_stalled` \
              says why; `0s` is never.",
        slot: Slot::Span {
            min: Duration::ZERO,
            max: Duration::from_secs(86_400),
            at: |settings| &mut settings.queues.stall_alarm_after,
        },
    }],
};
