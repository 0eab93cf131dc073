//! Keys of the process.

use std::time::Duration;

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

/// Bytes of a server reference: it goes into a packet that every client must be able to take.
const REFERENCE_BYTES_MAX: usize = 1024;

/// Where else to go; `None` for nowhere.
fn reference(text: &str) -> Result<Option<String>, String> {
    match text {
        "none" => Ok(None),
        "" => Err("a server reference cannot be empty; `none` is none".to_owned()),
        _ if text.len() > REFERENCE_BYTES_MAX => {
            Err(format!("a server reference has {REFERENCE_BYTES_MAX} bytes at most"))
        }
        _ if text.contains(|character: char| character.is_control()) => {
            Err("a server reference cannot have control characters".to_owned())
        }
        _ => Ok(Some(text.to_owned())),
    }
}

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
            name: "server.reference",
            default: "none",
            doc: "Where 5.0 clients are sent when this broker shuts down, such as `mqtt-b.example.com:1883`, with reason \
                  0x9C in DISCONNECT and CONNACK (also `--server-reference`); with `none` they hear 0x8B.",
            slot: Slot::Text {
                what: "servers, divided by spaces, or `none`",
                set: |settings, text| {
                    settings.server.reference = reference(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "server.reference_is_permanent",
            default: "false",
            doc: "Whether clients shall stay at `server.reference`: they hear 0x9D, server moved.",
            slot: Slot::Switch(|settings| &mut settings.server.reference_is_permanent),
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
