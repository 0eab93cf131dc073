//! Keys of what the process says about itself.

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::{LogFormat, LogLevel, Settings};

pub(super) const SECTION: Section<Settings> = Section {
    name: "logging",
    doc: "What the process says about itself, on standard error.",
    keys: &[
        Key {
            name: "logging.level",
            default: "info",
            doc: "The least severe lines that are written: error = someone must act, warn = odd but fine, info = life \
                  cycle, debug = per connection, trace = per packet.",
            slot: Slot::Word {
                words: LogLevel::WORDS,
                set: |settings, word| settings.logging.level = LogLevel::ALL[word],
            },
        },
        Key {
            name: "logging.format",
            default: "text",
            doc: "How a line looks; `json` writes one object a line.",
            slot: Slot::Word {
                words: LogFormat::WORDS,
                set: |settings, word| settings.logging.format = LogFormat::ALL[word],
            },
        },
    ],
};
