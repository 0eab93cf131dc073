//! Keys of shared subscriptions.

use std::time::Duration;

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;
use crate::shared_subscriptions::{SharedStrategy, group_strategies};

pub(super) const SECTION: Section<Settings> = Section {
    name: "mqtt.shared_subscriptions",
    doc: "Shared subscriptions, `$share/<share name>/<filter>`.",
    keys: &[
        Key {
            name: "mqtt.shared_subscriptions.strategy",
            default: "round_robin",
            doc: "Which member of a group gets the next message: each in turn, any, the one with the fewest on their way to \
                  it, the one of the topic, the one of the publisher's client id, or one until it is gone.",
            slot: Slot::Word {
                words: SharedStrategy::WORDS,
                set: |settings, at| {
                    settings.mqtt.shared_subscriptions.strategy =
                        SharedStrategy::ALL.get(at).copied().unwrap_or_default();
                },
            },
        },
        Key {
            name: "mqtt.shared_subscriptions.group_strategies",
            default: "none",
            doc: "The strategies of groups that have another one, each as `<share name>=<strategy>`; `none` is no group.",
            slot: Slot::List {
                what: "`<share name>=<strategy>`",
                set: |settings, text| {
                    settings.mqtt.shared_subscriptions.groups = group_strategies(text)?;
                    Ok(())
                },
            },
        },
        Key {
            name: "mqtt.shared_subscriptions.stall_timeout",
            default: "10s",
            doc: "How long a member may leave its oldest message unacknowledged, or read nothing, before other members get \
                  what it has; `0s` waits until its connection ends.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: Duration::from_secs(86_400),
                at: |settings| &mut settings.mqtt.shared_subscriptions.stall_timeout,
            },
        },
    ],
};
