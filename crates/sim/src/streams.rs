//! The streams of a simulation and who reads them. It must not know what happens to them.

use broker::{Durability, ReaderName, StreamProperties};

/// A stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamOf {
    pub(crate) name: &'static str,
    pub(crate) filter: &'static str,
    durability: Durability,
    /// Keeps the newest message of each topic.
    is_last_value: bool,
}

const fn stream(name: &'static str, filter: &'static str, durability: Durability) -> StreamOf {
    StreamOf { name, filter, durability, is_last_value: false }
}

/// All streams. The first two take what the first queue does, the others what queues of their durability take.
pub(crate) const STREAMS: [StreamOf; 4] = [
    stream("log", "t/+", Durability::Sync),
    StreamOf { is_last_value: true, ..stream("newest", "t/+", Durability::Sync) },
    stream("written", "+/both", Durability::Os),
    stream("fleeting", "+/both", Durability::Memory),
];
/// The places of all.
pub(crate) const LOG: usize = 0;
pub(crate) const NEWEST: usize = 1;
pub(crate) const WRITTEN: usize = 2;
pub(crate) const FLEETING: usize = 3;
/// What the log keeps in every other simulation, so that segments can go.
pub(crate) const LOG_MESSAGES: u64 = 20;

/// Somebody who has a position in a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReaderOf {
    pub(crate) name: &'static str,
    pub(crate) stream: usize,
    /// Clients share it.
    pub(crate) is_group: bool,
}

/// All readers: clients without a session but for one, which has a durable session at QoS 2, and a group.
pub(crate) const READERS: [ReaderOf; 6] = [
    ReaderOf { name: "r0", stream: LOG, is_group: false },
    ReaderOf { name: "r1", stream: NEWEST, is_group: false },
    ReaderOf { name: "r2", stream: LOG, is_group: false },
    ReaderOf { name: "r3", stream: WRITTEN, is_group: false },
    ReaderOf { name: "r4", stream: FLEETING, is_group: false },
    ReaderOf { name: "team", stream: LOG, is_group: true },
];
/// The reader with a session.
pub(crate) const READS_ON: usize = 2;
/// The group.
pub(crate) const TEAM: usize = 5;
/// Those without a session.
pub(crate) const PLAIN_READERS: [usize; 4] = [0, 1, 3, 4];
/// Those that an operator sets elsewhere: all.
pub(crate) const OPERATED_READERS: [usize; 6] = [0, 1, READS_ON, 3, 4, TEAM];

impl StreamOf {
    /// What a client subscribes to.
    pub(crate) fn address(self) -> String {
        format!("$stream/{}", self.name)
    }

    /// Its properties, in a simulation of that seed.
    pub(crate) fn properties(self, seed: u64) -> StreamProperties {
        let mut properties = StreamProperties::default();
        properties.config.max_inflight = 5;
        properties.config.last_value = self.is_last_value;
        properties.durability = self.durability;
        if self.name == STREAMS[LOG].name {
            properties.config.max_messages = log_messages_max(seed);
        }
        properties
    }
}

/// How many messages the log keeps, if not all.
pub(crate) const fn log_messages_max(seed: u64) -> Option<u64> {
    if seed.is_multiple_of(2) { None } else { Some(LOG_MESSAGES) }
}

impl ReaderOf {
    /// As the broker calls it.
    pub(crate) fn reader_name(self) -> ReaderName {
        if self.is_group { ReaderName::group(self.name) } else { ReaderName::client(self.name) }
    }
}
