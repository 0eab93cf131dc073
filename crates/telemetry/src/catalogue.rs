//! Every metric there is: name, kind, help. A name is `weir_<area>_<what>_<unit>`, a counter ends in `_total`.

#[cfg(test)]
mod tests;

/// What a metric's number means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricKind {
    /// It only grows, until the process starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
}

macro_rules! metrics {
    ($($metric:ident = $kind:ident $name:literal $label:expr, $help:literal;)*) => {
        /// A metric of the catalogue.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Metric {
            $(#[doc = concat!("`", $name, "`: ", $help, ".")] $metric,)*
        }

        impl Metric {
            /// All of them, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$metric),*];

            /// The full name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$metric => $name,)* }
            }

            /// What it counts, in words.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$metric => $help,)* }
            }

            /// What its number means.
            #[must_use]
            pub const fn kind(self) -> MetricKind {
                match self { $(Self::$metric => MetricKind::$kind,)* }
            }

            /// Its label, if it has one.
            #[must_use]
            pub const fn label(self) -> Option<&'static str> {
                match self { $(Self::$metric => $label,)* }
            }
        }
    };
}

const QUEUE: Option<&str> = Some("queue");
const STREAM: Option<&str> = Some("stream");
const NAME: Option<&str> = Some("name");
const LISTENER: Option<&str> = Some("listener");

metrics! {
    BuildInfo = Gauge "weir_build_info" Some("version"), "Always 1, with the version as label";
    NodeReady = Gauge "weir_node_ready" None, "1 when the node takes traffic, else 0";
    Connections = Gauge "weir_mqtt_connections" None, "Connections past CONNECT";
    Connects = Counter "weir_mqtt_connects_total" None, "CONNECT packets accepted";
    Authentications = Counter "weir_authentications_total" Some("result"), "Sign-ins of MQTT clients by what they came to: accepted, anonymous, wrong, not_allowed, limited, busy";
    ConnectionsRefused = Counter "weir_connections_refused_total" Some("reason"), "Connections refused before or in place of their CONNECT";
    ListenerConnections = Gauge "weir_listener_connections" LISTENER, "Connections of the listener, greeted or not";
    TlsCertificateExpiry = Gauge "weir_tls_certificate_expiry_timestamp_seconds" LISTENER, "When the first of the listener's certificates ends, in seconds since 1970";
    Sessions = Gauge "weir_mqtt_sessions" None, "Sessions, connected or not";
    Subscriptions = Gauge "weir_mqtt_subscriptions" None, "Subscriptions of all sessions";
    MessagesReceived = Counter "weir_mqtt_messages_received_total" None, "PUBLISH packets taken";
    MessagesSent = Counter "weir_mqtt_messages_sent_total" None, "PUBLISH packets sent";
    BytesReceived = Counter "weir_mqtt_received_bytes_total" None, "Bytes read from clients";
    BytesSent = Counter "weir_mqtt_sent_bytes_total" None, "Bytes written to clients";
    LiveDropped = Counter "weir_mqtt_live_dropped_total" None, "Live messages dropped for a slow reader, a full session or an expiry";
    PublishesRefused = Counter "weir_mqtt_publishes_refused_total" None, "Messages refused to their publisher because they could not be stored";
    Qos0Unstored = Counter "weir_mqtt_qos0_unstored_total" None, "QoS 0 messages that a queue should have taken but the log could not store";
    SessionOverflow = Counter "weir_mqtt_session_overflow_total" None, "Messages that waited in sessions and were dropped for room";
    Relocated = Counter "weir_log_relocated_messages_total" None, "Messages that were written anew so that a segment of the log could go";
    SharedHandedOver = Counter "weir_mqtt_shared_handed_over_total" None, "Messages of shared subscriptions that went from one member to another";
    SharedDropped = Counter "weir_mqtt_shared_dropped_total" None, "Messages of shared subscriptions dropped because no member was left";
    NegativeAcks = Counter "weir_mqtt_negative_acks_total" None, "Messages that a subscriber refused by a reason code of 0x80 or above, and that were discarded";
    DurableSessions = Gauge "weir_mqtt_durable_sessions" None, "Sessions that outlive their connections, connected or not";
    DelayedMessages = Gauge "weir_delayed_messages" None, "Messages that are to be published later";
    DelayedBytes = Gauge "weir_delayed_bytes" None, "Bytes of messages that are to be published later";
    ConnectsRefused = Counter "weir_mqtt_connects_refused_total" Some("reason"), "CONNECT packets refused for what they ask, by reason: client_id, will, max_sessions, memory, other";
    SubscriptionsRefused = Counter "weir_mqtt_subscriptions_refused_total" Some("reason"), "Subscriptions refused, by reason: quota, filter, other";
    ConnectionsEnded = Counter "weir_mqtt_connections_ended_total" Some("reason"), "Connections that the broker ended, by reason: keep_alive, taken_over, quota, slow_consumer, other";
    BufferedBytes = Gauge "weir_mqtt_buffered_bytes" None, "Bytes that wait for clients in memory";
    IncompleteBytes = Gauge "weir_mqtt_incomplete_bytes" None, "Bytes of packets that have not come whole";
    WillBytes = Gauge "weir_mqtt_will_bytes" None, "Bytes of all wills";
    SubscriptionBytes = Gauge "weir_mqtt_subscription_bytes" None, "What all subscriptions are reckoned to take";
    PublishesQueueFull = Counter "weir_mqtt_publishes_queue_full_total" None, "Messages refused because a queue that takes them is full";
    KeysMissing = Counter "weir_queue_keys_missing_total" Some("reason"), "Messages whose key expression had no value, by reason: missing, not_json, not_scalar, too_long";
    RetainedRefused = Counter "weir_retained_refused_total" None, "Retained messages refused or not kept because there are as many as may be";
    ProtocolErrors = Counter "weir_mqtt_protocol_errors_total" None, "Connections ended for a malformed packet or a protocol error";
    RetainedMessages = Gauge "weir_retained_messages" None, "Retained messages";
    RetainedBytes = Gauge "weir_retained_bytes" None, "Bytes of retained messages: topics, properties and payloads";
    RetainedDiskBytes = Gauge "weir_retained_disk_bytes" None, "Bytes that retained messages take in the durable log";
    RetainedMemoryBytes = Gauge "weir_retained_memory_bytes" None, "Bytes that retained messages take in memory";
    LogAppends = Counter "weir_log_appends_total" None, "Records appended to the durable log";
    LogAppendedBytes = Counter "weir_log_appended_bytes_total" None, "Bytes appended to the durable log";
    LogSyncs = Counter "weir_log_syncs_total" None, "Syncs of the durable log to disk";
    LogCheckpoints = Counter "weir_log_checkpoints_total" None, "Checkpoints of the durable log";
    LogFailures = Counter "weir_log_failures_total" None, "Appends to the durable log that failed";
    LogSegments = Gauge "weir_log_segments" None, "Segment files of the durable log";
    LogDiskBytes = Gauge "weir_log_disk_bytes" None, "Bytes of the durable log's segment files";
    LogBacklogBytes = Gauge "weir_log_backlog_bytes" None, "Bytes handed to the durable log and not yet committed";
    OtlpSpansExported = Counter "weir_otlp_spans_exported_total" None, "Spans of traces that the collector has taken";
    OtlpSpansFailed = Counter "weir_otlp_spans_failed_total" None, "Spans of traces that the collector has not taken";
    OtlpSpansDropped = Counter "weir_otlp_spans_dropped_total" None, "Spans of traces dropped because too many waited for the collector, or for a verdict";
    Alarms = Gauge "weir_alarms" NAME, "Alarms of the name that stand";
    AlarmsRaised = Counter "weir_alarms_raised_total" NAME, "Alarms of the name that were raised";
    AlarmsUnlisted = Counter "weir_alarms_unlisted_total" NAME, "Alarms of the name that could not be listed because too many stood";
    QueueEnqueued = Counter "weir_queue_enqueued_total" QUEUE, "Messages stored in the queue";
    QueueSettled = Counter "weir_queue_settled_total" QUEUE, "Messages accepted by a consumer";
    QueueExpired = Counter "weir_queue_expired_total" QUEUE, "Messages that grew too old";
    QueueDropped = Counter "weir_queue_dropped_total" QUEUE, "Messages dropped for room or without a dead-letter queue";
    QueueReplaced = Counter "weir_queue_replaced_total" QUEUE, "Messages replaced by a newer one of their key";
    QueueDeadLettered = Counter "weir_queue_dead_lettered_total" QUEUE, "Messages sent to the dead letters";
    QueuePurged = Counter "weir_queue_purged_total" QUEUE, "Messages purged by an operator";
    QueueRedelivered = Counter "weir_queue_redelivered_total" QUEUE, "Deliveries beyond the first";
    QueueReady = Gauge "weir_queue_ready" QUEUE, "Messages that wait for a consumer";
    QueueInFlight = Gauge "weir_queue_in_flight" QUEUE, "Messages with a consumer, unsettled";
    QueueDelayed = Gauge "weir_queue_delayed" QUEUE, "Messages that wait for their time";
    QueueBytes = Gauge "weir_queue_bytes" QUEUE, "Bytes of what is ready, in flight and delayed";
    QueueConsumers = Gauge "weir_queue_consumers" QUEUE, "Consumers connected";
    QueueOldestAge = Gauge "weir_queue_oldest_age_seconds" QUEUE, "Age of the oldest unsettled message";
    QueueLag = Gauge "weir_queue_lag_seconds" QUEUE, "How long the message that is next could have been delivered and was not";
    QueueTimeToDataLoss = Gauge "weir_queue_time_to_data_loss_seconds" QUEUE, "How long until the oldest unsettled message expires by retention; absent when there is none, or it never does";
    StreamAppended = Counter "weir_stream_appended_total" STREAM, "Messages stored in the stream";
    StreamExpired = Counter "weir_stream_expired_total" STREAM, "Messages that grew too old";
    StreamDropped = Counter "weir_stream_dropped_total" STREAM, "Messages dropped for room";
    StreamReplaced = Counter "weir_stream_replaced_total" STREAM, "Messages replaced by a newer one of their key";
    StreamPurged = Counter "weir_stream_purged_total" STREAM, "Messages purged by an operator";
    StreamRedelivered = Counter "weir_stream_redelivered_total" STREAM, "Deliveries beyond the first, of all readers";
    StreamKept = Gauge "weir_stream_kept" STREAM, "Messages that are here";
    StreamBytes = Gauge "weir_stream_bytes" STREAM, "Bytes of what is kept";
    StreamReaders = Gauge "weir_stream_readers" STREAM, "Readers whose positions are kept, there or away";
    StreamReadersBehind = Gauge "weir_stream_readers_behind" STREAM, "Readers, there or away, that have not settled all that is here";
    StreamMembers = Gauge "weir_stream_members" STREAM, "Subscriptions that read";
    StreamReaderLag = Gauge "weir_stream_reader_lag" STREAM, "The most messages that are here and that a reader, there or away, has not settled";
    StreamReaderLagBytes = Gauge "weir_stream_reader_lag_bytes" STREAM, "The most bytes of messages that are here and that a reader, there or away, has not settled";
    StreamReaderLagTime = Gauge "weir_stream_reader_lag_seconds" STREAM, "The age of the oldest message that is here and that a reader, there or away, has not settled";
    StreamTimeToDataLoss = Gauge "weir_stream_time_to_data_loss_seconds" STREAM, "How long until that one is lost to the reader, by the limit that takes it first; absent when none does";
    StreamRetentionLoss = Gauge "weir_stream_retention_time_to_data_loss_seconds" STREAM, "The same by retention alone";
    StreamMaxMessagesLoss = Gauge "weir_stream_max_messages_time_to_data_loss_seconds" STREAM, "The same by max_messages alone, at the pace of the last ten minutes";
    StreamMaxBytesLoss = Gauge "weir_stream_max_bytes_time_to_data_loss_seconds" STREAM, "The same by max_bytes alone, at the pace of the last ten minutes";
    StreamOldestAge = Gauge "weir_stream_oldest_age_seconds" STREAM, "Age of the oldest message that is here";
}
