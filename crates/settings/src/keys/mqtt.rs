//! Keys of MQTT's limits and times.

use std::time::Duration;

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;
use crate::value::LONGEST;

/// The longest keep alive and the longest session expiry that MQTT can express.
const U32_SECONDS: Duration = Duration::from_secs(u32::MAX as u64);

/// The largest packet that MQTT can express.
pub(super) const LARGEST_PACKET: u32 = 268_435_460;

/// A template of response information; `None` for none.
fn response_information(text: &str) -> Result<Option<String>, String> {
    if text == "none" {
        return Ok(None);
    }
    let plain = text.replace("${client_id}", "");
    match text {
        "" => Err("response information cannot be empty; `none` tells nothing".to_owned()),
        _ if plain.contains(['+', '#', '\0']) => {
            Err("response information has a wildcard; it is the beginning of topics".to_owned())
        }
        _ if plain.contains("${") => {
            Err("response information knows `${client_id}` and nothing else".to_owned())
        }
        _ => Ok(Some(text.to_owned())),
    }
}

pub(super) const SECTION: Section<Settings> = Section {
    name: "mqtt",
    doc: "Limits and times of MQTT.",
    keys: &[
        Key {
            name: "mqtt.publisher_hold",
            default: "30s",
            doc: "How long a 3.x publisher is held (not read, not acknowledged) when a queue cannot take its message; \
                  then it is disconnected.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: LONGEST,
                at: |settings| &mut settings.mqtt.publisher_hold,
            },
        },
        Key {
            name: "mqtt.connect_timeout",
            default: "10s",
            doc: "How long a new connection may take to send its CONNECT, with all handshakes before it.",
            slot: Slot::Span {
                min: Duration::from_millis(100),
                max: Duration::from_secs(3600),
                at: |settings| &mut settings.mqtt.connect_timeout,
            },
        },
        Key {
            name: "mqtt.max_packet_size",
            default: "1MiB",
            doc: "The largest packet taken from a client.",
            slot: Slot::Size32 {
                min: 128,
                max: LARGEST_PACKET,
                at: |settings| &mut settings.mqtt.max_packet_size,
            },
        },
        Key {
            name: "mqtt.receive_maximum",
            default: "1024",
            doc: "Unacknowledged QoS 1 and 2 publishes that a client may have on the way to the broker.",
            slot: Slot::Count16 {
                min: 1,
                max: u16::MAX,
                at: |settings| &mut settings.mqtt.receive_maximum,
            },
        },
        Key {
            name: "mqtt.topic_alias_maximum",
            default: "64",
            doc: "Topic aliases that a client may use towards the broker; 0 allows none.",
            slot: Slot::Count16 {
                min: 0,
                max: u16::MAX,
                at: |settings| &mut settings.mqtt.topic_alias_maximum,
            },
        },
        Key {
            name: "mqtt.max_qos",
            default: "2",
            doc: "The highest QoS that clients may publish with, which CONNACK says; who publishes with more, or wills it, is \
                  sent away with 0x9B, and subscriptions are granted no more.",
            slot: Slot::Count16 { min: 0, max: 2, at: |settings| &mut settings.mqtt.maximum_qos },
        },
        Key {
            name: "mqtt.retain_available",
            default: "true",
            doc: "Whether clients may publish retained messages; who does where it is `false` is sent away with 0x9A. \
                  What was retained before stays.",
            slot: Slot::Switch(|settings| &mut settings.mqtt.retain_available),
        },
        Key {
            name: "mqtt.response_information",
            default: "none",
            doc: "What a 5.0 client that asks for response information is told, as the beginning of its response topics, \
                  such as `reply/${client_id}`; `none` tells nothing.",
            slot: Slot::Text {
                what: "topic with `${client_id}`, or `none`",
                set: |settings, text| {
                    settings.mqtt.response_information = response_information(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "mqtt.keep_alive_max",
            default: "none",
            doc: "The longest keep alive granted; `none` grants what the client asks, also no keep alive at all.",
            slot: Slot::OptionalSpan {
                none: "none",
                at: |settings| &mut settings.mqtt.keep_alive_max,
            },
        },
        Key {
            name: "mqtt.keep_alive_min",
            default: "0s",
            doc: "The shortest keep alive granted to a 5.0 client that asks for one; a client of 3.x cannot be told another than its own.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: Duration::from_secs(u16::MAX as u64),
                at: |settings| &mut settings.mqtt.keep_alive_min,
            },
        },
        Key {
            name: "mqtt.dead_peer_probe",
            default: "5m",
            doc: "How long a TCP client without keep alive may be silent before the system asks whether it is still there; four answers missed, each waited for a quarter of that time, 1 to 15 seconds, end its connection. `none` never asks.",
            slot: Slot::OptionalSpan {
                none: "none",
                at: |settings| &mut settings.mqtt.dead_peer_probe,
            },
        },
        Key {
            name: "mqtt.write_timeout",
            default: "2m",
            doc: "How long a client may take nothing of what waits for it before its connection ends.",
            slot: Slot::Span {
                min: Duration::from_millis(100),
                max: LONGEST,
                at: |settings| &mut settings.mqtt.write_timeout,
            },
        },
        Key {
            name: "mqtt.max_client_id_length",
            default: "1024",
            doc: "The longest client id in bytes; a longer one is refused with 0x85.",
            slot: Slot::Count16 {
                min: 23,
                max: u16::MAX,
                at: |settings| &mut settings.mqtt.max_client_id_length,
            },
        },
        Key {
            name: "mqtt.max_topic_length",
            default: "4096",
            doc: "The longest topic name or filter in bytes. A SUBSCRIBE is answered with 0x8F for a longer filter; a PUBLISH or a will with a longer name ends the connection with 0x90.",
            slot: Slot::Count16 {
                min: 1,
                max: u16::MAX,
                at: |settings| &mut settings.mqtt.max_topic_length,
            },
        },
        Key {
            name: "mqtt.max_will_size",
            default: "64KiB",
            doc: "The largest will (topic, properties, payload); a CONNECT with a larger one is refused with 0x97.",
            slot: Slot::Size32 {
                min: 128,
                max: LARGEST_PACKET,
                at: |settings| &mut settings.mqtt.max_will_size,
            },
        },
        Key {
            name: "mqtt.max_wills_bytes",
            default: "auto",
            doc: "Bytes of all wills together, of which one may take an eighth of what is left; beyond, CONNECT is refused with 0x97. `auto` is a 32nd of the memory that the process may use.",
            slot: Slot::OptionalSize {
                none: "auto",
                at: |settings| &mut settings.mqtt.max_wills_bytes,
            },
        },
        Key {
            name: "mqtt.max_sessions",
            default: "auto",
            doc: "Sessions, connected or not; a client that needs another one is refused with 0x97. `auto` is one for each 8 KiB of memory that the process may use.",
            slot: Slot::OptionalCount32 {
                none: "auto",
                at: |settings| &mut settings.mqtt.max_sessions,
            },
        },
        Key {
            name: "mqtt.max_subscription_bytes",
            default: "auto",
            doc: "What all subscriptions together may take, reckoned from their filters, about 300 bytes each; the next one is refused with 0x97. `auto` is an eighth of the memory that the process may use.",
            slot: Slot::OptionalSize {
                none: "auto",
                at: |settings| &mut settings.mqtt.max_subscription_bytes,
            },
        },
        Key {
            name: "mqtt.max_buffered_bytes",
            default: "auto",
            doc: "What may wait for clients in all: output that they do not read, messages of sessions and queues in memory. Each client is held to an eighth of what is left of it. `auto` is an eighth of the memory that the process may use.",
            slot: Slot::OptionalSize {
                none: "auto",
                at: |settings| &mut settings.mqtt.max_buffered_bytes,
            },
        },
        Key {
            name: "mqtt.max_incomplete_bytes",
            default: "auto",
            doc: "What packets that have not come whole may take in all. Each client is held to an eighth of what is left \
                  of it, and ended with 0x97 beyond. `auto` is a 16th of the memory that the process may use.",
            slot: Slot::OptionalSize {
                none: "auto",
                at: |settings| &mut settings.mqtt.max_incomplete_bytes,
            },
        },
        Key {
            name: "mqtt.max_output_bytes",
            default: "4MiB",
            doc: "Bytes that may wait in one connection's output before further QoS 0 messages are dropped and others wait in the session.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_output_bytes,
            },
        },
        Key {
            name: "mqtt.max_unwritten_bytes",
            default: "24MiB",
            doc: "Bytes that may wait in one connection's output, answers and all, before nothing more is read from it.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_unwritten_bytes,
            },
        },
        Key {
            name: "mqtt.max_waiting_answers",
            default: "10000",
            doc: "Answers to SUBSCRIBE and UNSUBSCRIBE that may wait for the log, for each shard, before clients that ask for more are not read.",
            slot: Slot::Count32 {
                min: 1,
                max: u32::MAX,
                at: |settings| &mut settings.mqtt.max_waiting_answers,
            },
        },
        Key {
            name: "mqtt.max_mailbox_bytes",
            default: "32MiB",
            doc: "Live messages on their way to one shard, before those who publish to it are not read.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_mailbox_bytes,
            },
        },
        Key {
            name: "mqtt.max_log_backlog_bytes",
            default: "16MiB",
            doc: "Messages on their way to the log, before those who publish them are not read.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_log_backlog_bytes,
            },
        },
        Key {
            name: "mqtt.session_expiry_max",
            default: "7d",
            doc: "The longest session expiry granted; also how long a session of a 3.x client without clean session \
                  lives on.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: U32_SECONDS,
                at: |settings| &mut settings.mqtt.session_expiry_max,
            },
        },
        Key {
            name: "mqtt.max_topic_levels",
            default: "128",
            doc: "The most levels of a topic name or filter.",
            slot: Slot::Count16 {
                min: 1,
                max: u16::MAX,
                at: |settings| &mut settings.mqtt.max_topic_levels,
            },
        },
        Key {
            name: "mqtt.max_outgoing_inflight",
            default: "128",
            doc: "Unacknowledged QoS 1 and 2 messages on the way to one client, however many it allows.",
            slot: Slot::Count16 {
                min: 1,
                max: u16::MAX,
                at: |settings| &mut settings.mqtt.max_outgoing_inflight,
            },
        },
        Key {
            name: "mqtt.max_pending_messages",
            default: "10000",
            doc: "Messages that may wait for one session; beyond it the oldest are dropped and counted.",
            slot: Slot::Count32 {
                min: 1,
                max: u32::MAX,
                at: |settings| &mut settings.mqtt.max_pending_messages,
            },
        },
        Key {
            name: "mqtt.max_pending_bytes",
            default: "16MiB",
            doc: "Bytes that may wait for one session; beyond it the oldest messages are dropped and counted.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_pending_bytes,
            },
        },
        Key {
            name: "mqtt.max_subscriptions",
            default: "10000",
            doc: "Subscriptions that one session may have; the next one is refused with 0x97.",
            slot: Slot::Count32 {
                min: 1,
                max: u32::MAX,
                at: |settings| &mut settings.mqtt.max_subscriptions,
            },
        },
        Key {
            name: "mqtt.max_retained_messages",
            default: "2000000",
            doc: "Retained messages kept; one for another topic is refused with 0x97, with an alarm, and at QoS 0 delivered \
                  but not kept.",
            slot: Slot::Count32 {
                min: 1,
                max: u32::MAX,
                at: |settings| &mut settings.mqtt.max_retained_messages,
            },
        },
        Key {
            name: "mqtt.max_retained_bytes",
            default: "1GiB",
            doc: "Bytes of retained messages kept on the disk (topic, properties, payload); one beyond it is refused as \
                  above, and the one before it stays.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_retained_bytes,
            },
        },
        Key {
            name: "mqtt.max_retained_memory",
            default: "256MiB",
            doc: "Memory for the topics of retained messages, some 130 bytes and its name for each, and for messages on \
                  their way to the disk; one beyond it is refused as above.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_retained_memory,
            },
        },
        Key {
            name: "mqtt.retained_cache",
            default: "128MiB",
            doc: "Memory for retained messages of up to 4 KiB, beside the disk; those for which there is no room are read \
                  when somebody subscribes.",
            slot: Slot::Size64 {
                min: 0,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.retained_cache,
            },
        },
        Key {
            name: "mqtt.sys_interval",
            default: "10s",
            doc: "How often the broker publishes what has changed of its status under `$SYS/broker/`; `0s` turns it off.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: Duration::from_secs(86_400),
                at: |settings| &mut settings.mqtt.sys_interval,
            },
        },
        Key {
            name: "mqtt.max_delayed_messages",
            default: "100000",
            doc: "Messages that wait to be published later (`$delayed/<seconds>/<topic>`); the next one is refused with 0x97.",
            slot: Slot::Count32 {
                min: 1,
                max: u32::MAX,
                at: |settings| &mut settings.mqtt.max_delayed_messages,
            },
        },
        Key {
            name: "mqtt.max_delayed_bytes",
            default: "1GiB",
            doc: "Bytes of messages that wait to be published later (topic, properties, payload, and 64 for each); beyond \
                  it they are refused with 0x97.",
            slot: Slot::Size64 {
                min: 1024,
                max: u64::MAX,
                at: |settings| &mut settings.mqtt.max_delayed_bytes,
            },
        },
    ],
};
