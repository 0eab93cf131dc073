//! The key table: every row, by section.
//! It must not know how sources are read.

mod auth;
mod http;
mod listener;
mod log;
mod logging;
mod mqtt;
mod queue_defaults;
mod queue_watch;
mod queues;
mod server;
mod shared_subscriptions;
mod stream_defaults;
mod telemetry;
mod top;

use crate::key::Key;
use crate::listener::Draft;
use crate::settings::Settings;

/// The keys of one section, in the order of the reference.
pub(crate) struct Section<T: 'static> {
    /// The dotted name; empty for the top of the file.
    pub(crate) name: &'static str,
    /// What the section is about.
    pub(crate) doc: &'static str,
    /// Its rows.
    pub(crate) keys: &'static [Key<T>],
}

/// Every section with fixed names.
pub(crate) const SECTIONS: &[Section<Settings>] = &[
    top::SECTION,
    http::SECTION,
    auth::SECTION,
    mqtt::SECTION,
    shared_subscriptions::SECTION,
    queue_watch::SECTION,
    queues::SECTION,
    queue_defaults::SECTION,
    stream_defaults::SECTION,
    log::SECTION,
    server::SECTION,
    logging::SECTION,
    telemetry::SECTION,
];

/// The section that each listener has.
pub(crate) const LISTENER: Section<Draft> = listener::SECTION;

/// Where the listeners' sections stand.
pub(crate) const LISTENERS: &str = "listeners";

/// All rows with fixed names.
pub(crate) fn all() -> impl Iterator<Item = &'static Key<Settings>> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The row of that name.
pub(crate) fn find(name: &str) -> Option<&'static Key<Settings>> {
    all().find(|key| key.name == name)
}

/// The listener's row of that last name.
pub(crate) fn find_listener_key(name: &str) -> Option<&'static Key<Draft>> {
    LISTENER.keys.iter().find(|key| key.name == name)
}

/// Whether some key stands below that name.
pub(crate) fn is_section(name: &str) -> bool {
    let below = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    name == LISTENERS || listener_name(name).is_some() || all().any(|key| below(key.name))
}

/// The `<name>` of exactly `listeners.<name>`.
pub(crate) fn listener_name(section: &str) -> Option<&str> {
    let name = section.strip_prefix(LISTENERS)?.strip_prefix('.')?;
    (!name.contains('.')).then_some(name)
}
