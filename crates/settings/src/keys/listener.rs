//! Keys of each MQTT listener.

use std::path::PathBuf;
use std::time::Duration;

use super::Section;
use super::mqtt::LARGEST_PACKET;
use crate::key::{Key, Slot};
use crate::listener::{Draft, ListenerIdentity, ListenerKind};
use crate::value::{self, BadValue};

pub(super) const SECTION: Section<Draft> = Section {
    name: "listeners.<name>",
    doc: "One section for each MQTT listener. `<name>` is any name of letters, digits, `-` and `_`; the well-known \
          names `mqtt`, `mqtts`, `ws`, `wss` and `quic` have a kind and a port of their own. The listener `mqtt` is \
          there without being named. The kinds `tls`, `wss` and `quic` need `cert` and `key`.",
    keys: &[
        Key {
            name: "kind",
            default: "by the name",
            doc: "What is spoken; needed only when the name is not well known. `ws` is WebSocket, `wss` WebSocket over \
                  TLS, `quic` QUIC with one stream (ALPN `mqtt`), over UDP.",
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
            doc: "For `tls`, `wss` and `quic`: the PEM file of the certificate, followed by those between it and its root. Of \
                  several, a client is shown the one of the server name it asks for (SNI), and the first when none is of \
                  that name. SIGHUP reads it, `key`, `client_ca` and `client_crl` again, for the connections to come.",
            slot: Slot::List { what: "path", set: |draft, text| set_paths(&mut draft.certs, text) },
        },
        Key {
            name: "key",
            default: "none",
            doc: "For `tls`, `wss` and `quic`: the PEM file of the certificate's private key (PKCS #8, PKCS #1 or SEC 1), \
                  not encrypted; for several certificates as many, in their order.",
            slot: Slot::List { what: "path", set: |draft, text| set_paths(&mut draft.keys, text) },
        },
        Key {
            name: "client_ca",
            default: "none",
            doc: "For `tls`, `wss` and `quic`: the PEM file of the roots that clients' certificates are checked against. \
                  Without it no client is asked for a certificate.",
            slot: Slot::Text {
                what: "path",
                set: |draft, text| set_path(&mut draft.client_ca, text),
            },
        },
        Key {
            name: "client_crl",
            default: "none",
            doc: "For `tls`, `wss` and `quic`: the files (PEM or DER) of the lists of revoked client certificates. Once there is \
                  one, every authority between a client's certificate and its root in `client_ca`, the root too, needs \
                  one; a client of an authority without is refused.",
            slot: Slot::List {
                what: "path",
                set: |draft, text| set_paths(&mut draft.client_crl, text),
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
        Key {
            name: "dual_stack",
            default: "false",
            doc: "Whether a listener bound to `[::]` takes IPv4 too. Without it, `[::]:1883` is IPv6 alone, and \
                  `0.0.0.0:1883` can be a listener beside it.",
            slot: Slot::Switch(|draft| &mut draft.dual_stack),
        },
        Key {
            name: "proxy_protocol",
            default: "false",
            doc: "For `tcp`, `tls`, `ws` and `wss`: whether proxies say with a PROXY header (version 1 or 2) on whose \
                  behalf they connect. From `proxy_trusted` a header must come; from elsewhere none is taken.",
            slot: Slot::Switch(|draft| &mut draft.proxy_protocol),
        },
        Key {
            name: "proxy_trusted",
            default: "none",
            doc: "With `proxy_protocol`: the addresses or networks of the proxies, such as `10.0.0.0/8` or `::1`.",
            slot: Slot::List {
                what: "address or network",
                set: |draft, text| {
                    draft.proxy_trusted = value::networks(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "proxy_timeout",
            default: "3s",
            doc: "With `proxy_protocol`: how long the header may take to come.",
            slot: Slot::Span {
                min: Duration::from_millis(10),
                max: Duration::from_secs(3600),
                at: |draft| &mut draft.proxy_timeout,
            },
        },
        Key {
            name: "max_connections",
            default: "auto",
            doc: "Connections at once, with those that have not sent their CONNECT; more are closed at once. `auto` is one \
                  for each 16 KiB of memory that the process may use: 65,536 with 1 GiB.",
            slot: Slot::OptionalCount32 {
                none: "auto",
                at: |draft| &mut draft.limits.max_connections,
            },
        },
        Key {
            name: "max_connect_rate",
            default: "auto",
            doc: "New connections a second, after a second's worth at once; more are closed at once. `auto` is 1,000 where \
                  TLS is spoken, whose handshakes cost a millisecond each, and 20,000 elsewhere.",
            slot: Slot::OptionalCount32 {
                none: "auto",
                at: |draft| &mut draft.limits.max_connect_rate,
            },
        },
        Key {
            name: "connect_timeout",
            default: "default",
            doc: "How long a new connection may take for its whole CONNECT, with PROXY header and handshakes of TLS and \
                  WebSocket before it. `default` is `mqtt.connect_timeout`.",
            slot: Slot::OptionalSpan {
                none: "default",
                at: |draft| &mut draft.limits.connect_timeout,
            },
        },
        Key {
            name: "max_packet_size",
            default: "default",
            doc: "The largest packet taken from a client of this listener. `default` is `mqtt.max_packet_size`.",
            slot: Slot::Text {
                what: "size or `default`",
                set: |draft, text| {
                    let size = |text: &str| value::size(text, 128, LARGEST_PACKET);
                    draft.limits.max_packet_size =
                        value::optional(text, "default", size).map_err(|bad| bad.message)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "max_message_rate",
            default: "none",
            doc: "Messages a second that one connection may publish, after a second's worth at once. Beyond, it is not \
                  read for a while, and not disconnected. `none` leaves it to back-pressure, which bounds memory too.",
            slot: Slot::OptionalCount32 {
                none: "none",
                at: |draft| &mut draft.limits.max_message_rate,
            },
        },
        Key {
            name: "max_byte_rate",
            default: "none",
            doc: "Bytes a second that one connection may send, after a second's worth at once. Beyond, it is not read for \
                  a while. Allow the largest packet within the keep alive.",
            slot: Slot::OptionalSize { none: "none", at: |draft| &mut draft.limits.max_byte_rate },
        },
    ],
};

fn set_path(field: &mut Option<PathBuf>, text: &str) -> Result<(), String> {
    *field = Some(value::path(text).map_err(|bad| bad.message)?);
    Ok(())
}

fn set_paths(field: &mut Vec<PathBuf>, text: &str) -> Result<(), BadValue> {
    *field = value::paths(text)?;
    Ok(())
}
