//! Keys of each MQTT listener.

use std::path::PathBuf;

use super::Section;
use crate::key::{Key, Slot};
use crate::listener::{Draft, ListenerIdentity, ListenerKind};
use crate::value;

pub(super) const SECTION: Section<Draft> = Section {
    name: "listeners.<name>",
    doc: "One section for each MQTT listener. `<name>` is any name of letters, digits, `-` and `_`; the well-known \
          names `mqtt`, `mqtts`, `ws`, `wss` and `quic` have a kind and a port of their own. The listener `mqtt` is \
          there without being named. The kinds `tls` and `wss` need `cert` and `key`. This version does not serve the \
          kind `quic`.",
    keys: &[
        Key {
            name: "kind",
            default: "by the name",
            doc: "What is spoken; needed only when the name is not well known. `ws` is WebSocket, `wss` WebSocket over \
                  TLS.",
            slot: Slot::Word {
                words: ListenerKind::WORDS,
                set: |draft, word| draft.kind = Some(ListenerKind::ALL[word]),
            },
        },
        Key {
            name: "bind",
            default: "by the name",
            doc: "The address and port; for `mqtt` 127.0.0.1:1883. Port 0 takes any free port. A Unix socket is \
                  written `unix:/run/weir/mqtt.sock`, and makes the kind `unix`.",
            slot: Slot::Text {
                what: "address and port, or `unix:` and a path",
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
        Key {
            name: "cert",
            default: "none",
            doc: "For `tls` and `wss`: the PEM file of the certificate, followed by those between it and its root. \
                  SIGHUP reads it, `key` and `client_ca` again, for the connections to come.",
            slot: Slot::Text { what: "path", set: |draft, text| set_path(&mut draft.cert, text) },
        },
        Key {
            name: "key",
            default: "none",
            doc: "For `tls` and `wss`: the PEM file of the certificate's private key (PKCS #8, PKCS #1 or SEC 1), \
                  not encrypted.",
            slot: Slot::Text { what: "path", set: |draft, text| set_path(&mut draft.key, text) },
        },
        Key {
            name: "client_ca",
            default: "none",
            doc: "For `tls` and `wss`: the PEM file of the roots that clients' certificates are checked against. \
                  Without it no client is asked for a certificate.",
            slot: Slot::Text {
                what: "path",
                set: |draft, text| set_path(&mut draft.client_ca, text),
            },
        },
        Key {
            name: "require_client_cert",
            default: "false",
            doc: "Whether a client without a certificate of `client_ca` is refused. A wrong one always is.",
            slot: Slot::Switch(|draft| &mut draft.require_client_cert),
        },
        Key {
            name: "identity",
            default: "password",
            doc: "For `tls` and `wss`: what says who a client is. `certificate` takes the common name in its \
                  certificate as its user name, whatever CONNECT says, and asks for no password; a client without a \
                  certificate signs in as elsewhere. Needs `client_ca`.",
            slot: Slot::Word {
                words: ListenerIdentity::WORDS,
                set: |draft, word| draft.identity = ListenerIdentity::ALL[word],
            },
        },
        Key {
            name: "path",
            default: "/mqtt",
            doc: "For `ws` and `wss`: the path that clients ask for.",
            slot: Slot::Text {
                what: "path of a URL",
                set: |draft, text| {
                    let is_legal = text.starts_with('/') && !text.contains(['?', '#', ' ']);
                    draft.path = Some(text.to_owned());
                    is_legal
                        .then_some(())
                        .ok_or_else(|| format!("'{text}' is no path of a URL, such as /mqtt"))
                },
            },
        },
    ],
};

fn set_path(field: &mut Option<PathBuf>, text: &str) -> Result<(), String> {
    *field = Some(value::path(text).map_err(|bad| bad.message)?);
    Ok(())
}
