//! The numbers a broker gives for `/metrics`. Names and units are the telemetry catalogue's.

use crate::{QueueStats, StreamStats};

/// All numbers of one node at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeMetrics {
    /// Connections past CONNECT.
    pub connections: u64,
    /// CONNECTs accepted since the start.
    pub connects_total: u64,
    /// Sign-ins of MQTT clients.
    pub authentications: AuthenticationMetrics,
    /// Sessions, connected or not.
    pub sessions: u64,
    /// Subscriptions of all sessions.
    pub subscriptions: u64,
    /// Retained messages.
    pub retained_messages: u64,
    /// Bytes of retained messages.
    pub retained_bytes: u64,
    /// Bytes that they take in the log.
    pub retained_disk_bytes: u64,
    /// Bytes that they take in memory.
    pub retained_memory_bytes: u64,
    /// PUBLISH packets taken.
    pub messages_received_total: u64,
    /// PUBLISH packets sent.
    pub messages_sent_total: u64,
    /// Bytes read from clients.
    pub bytes_received_total: u64,
    /// Bytes written to clients.
    pub bytes_sent_total: u64,
    /// Live messages dropped for a slow reader, a full session or an expiry.
    pub live_dropped_total: u64,
    /// Messages refused to their publisher because they could not be stored.
    pub publishes_refused_total: u64,
    /// QoS 0 messages that a queue should have taken but the log could not store.
    pub qos0_unstored_total: u64,
    /// Messages that waited in sessions and were dropped for room.
    pub session_overflow_total: u64,
    /// Messages of shared subscriptions that went from one member to another.
    pub shared_handed_over_total: u64,
    /// Messages that were written anew so that a segment of the log could go.
    pub relocated_total: u64,
    /// Spans of traces.
    pub spans: SpanMetrics,
    /// Messages of shared subscriptions dropped because no member was left.
    pub shared_dropped_total: u64,
    /// Messages that a subscriber refused by a reason code of 0x80 or above.
    pub negative_acks_total: u64,
    /// Messages that are to be published later.
    pub delayed_messages: u64,
    /// Their bytes.
    pub delayed_bytes: u64,
    /// Sessions that outlive their connections.
    pub durable_sessions: u64,
    /// CONNECT packets refused for what they ask, by reason.
    pub connects_refused_total: [(&'static str, u64); 5],
    /// Subscriptions refused, by reason.
    pub subscriptions_refused_total: [(&'static str, u64); 3],
    /// Connections that the broker ended, by reason.
    pub connections_ended_total: [(&'static str, u64); 5],
    /// Bytes that wait for clients in memory.
    pub buffered_bytes: u64,
    /// Bytes of packets that have not come whole.
    pub incomplete_bytes: u64,
    /// Bytes of all wills.
    pub will_bytes: u64,
    /// What all subscriptions are reckoned to take.
    pub subscription_bytes: u64,
    /// Retained messages not kept because there are as many as may be.
    pub retained_refused_total: u64,
    /// Messages refused because a queue that takes them is full.
    pub publishes_queue_full_total: u64,
    /// Messages whose key expression had no value, by reason.
    pub keys_missing_total: [(&'static str, u64); 4],
    /// Connections ended for a malformed packet or a protocol error.
    pub protocol_errors_total: u64,
    /// Connections refused before the broker knew them, by reason.
    pub connections_refused_total: Vec<(&'static str, u64)>,
    /// Connections of each listener, by name.
    pub listener_connections: Vec<(String, u64)>,
    /// When the first certificate of each listener that speaks TLS ends, in seconds since 1970.
    pub certificate_expiries: Vec<(String, u64)>,
    /// The alarms of each name that was ever raised.
    pub alarms: Vec<AlarmMetrics>,
    /// The durable log.
    pub log: LogMetrics,
    /// Each queue's ledger.
    pub queues: Vec<QueueMetrics>,
    /// Each stream's ledger.
    pub streams: Vec<StreamMetrics>,
}

/// The alarms of one name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlarmMetrics {
    /// The label `name`.
    pub name: &'static str,
    /// That stand now.
    pub standing: u64,
    /// That were raised since the start.
    pub raised_total: u64,
    /// That stand without being listed, because too many of the name do.
    pub unlisted_total: u64,
}

/// Sign-ins of MQTT clients by what they came to, the label `result`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuthenticationMetrics {
    /// Signed in, or signed in again.
    pub accepted: u64,
    /// Let in without saying who they are.
    pub anonymous: u64,
    /// Refused for what they brought: password, proof, method.
    pub wrong: u64,
    /// Refused for who they are: anonymous, or not the session's owner.
    pub not_allowed: u64,
    /// Refused because too many from their address had failed.
    pub limited: u64,
    /// Refused because too many waited.
    pub busy: u64,
}

/// The numbers of the durable log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogMetrics {
    /// Records appended.
    pub appends_total: u64,
    /// Bytes appended.
    pub appended_bytes_total: u64,
    /// Syncs to disk.
    pub syncs_total: u64,
    /// Checkpoints written.
    pub checkpoints_total: u64,
    /// Appends that failed.
    pub failures_total: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes of segment files.
    pub disk_bytes: u64,
    /// Bytes handed over and not yet committed.
    pub backlog_bytes: u64,
}

/// One queue's numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueMetrics {
    /// The queue's name, the label `queue`.
    pub name: String,
    /// Its ledger.
    pub stats: QueueStats,
}

/// One stream's numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StreamMetrics {
    /// The stream's name, the label `stream`.
    pub name: String,
    /// Its ledger.
    pub stats: StreamStats,
}

/// What became of the spans of traces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpanMetrics {
    /// Taken by the collector.
    pub exported: u64,
    /// Not taken by it.
    pub failed: u64,
    /// Dropped before, for room.
    pub dropped: u64,
}
