//! Keys of the HTTP listener.

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

pub(super) const SECTION: Section<Settings> = Section {
    name: "http",
    doc: "The HTTP listener: REST, metrics, health.",
    keys: &[
        Key {
            name: "http.bind",
            default: "127.0.0.1:18083",
            doc: "The address and port that HTTP is served on.",
            slot: Slot::Address(|settings| &mut settings.http.bind),
        },
        Key {
            name: "http.enabled",
            default: "true",
            doc: "Whether HTTP is served.",
            slot: Slot::Switch(|settings| &mut settings.http.enabled),
        },
    ],
};
