//! Keys of each MQTT listener.

use super::Section;
use crate::key::{Key, Slot};
use crate::listener::{Draft, ListenerKind};

pub(super) const SECTION: Section<Draft> = Section {
    name: "listeners.<name>",
    doc: "One section for each MQTT listener. `<name>` is any name of letters, digits, `-` and `_`; the well-known \
          names `mqtt`, `mqtts`, `ws`, `wss` and `quic` have a kind and a port of their own. The listener `mqtt` is \
          there without being named. This version serves only the kind `tcp`.",
    keys: &[
        Key {
            name: "kind",
            default: "by the name",
            doc: "What is spoken; needed only when the name is not well known.",
            slot: Slot::Word {
                words: ListenerKind::WORDS,
                set: |draft, word| draft.kind = Some(ListenerKind::ALL[word]),
            },
        },
        Key {
            name: "bind",
            default: "by the name",
            doc: "The address and port; for `mqtt` 127.0.0.1:1883. Port 0 takes any free port.",
            slot: Slot::Text {
                what: "address and port",
                set: |draft, text| {
                    draft.bind = Some(text.to_owned());
                    Ok(())
                },
            },
        },
        Key {
            name: "enabled",
            default: "true",
            doc: "Whether it is served.",
            slot: Slot::Switch(|draft| &mut draft.enabled),
        },
    ],
};
