//! The limits and defaults of a broker. Everything has a limit, and the limit has a name.

use std::sync::Arc;
use std::time::Duration;

use mqtt_session::ServerLimits;
use mqtt_types::ReasonCode;
use policy::{Authenticator, Everyone};
use telemetry::Tracer;

use crate::directory::{QueueProperties, StreamProperties};
use crate::groups::SharedSubscriptions;

/// What a broker is built with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Number of shards, at least 1.
    pub shards: u16,
    /// What CONNACK promises and sessions are held to.
    pub limits: ServerLimits,
    /// Who may connect.
    pub authenticator: Arc<dyn Authenticator>,
    /// How long a client may take to sign in, from its CONNECT.
    pub sign_in_timeout: Duration,
    /// Where clients of 5.0 are sent when this broker shuts down.
    pub server_reference: Option<ServerReference>,
    /// What takes the spans of traced messages; none: no message is traced.
    pub tracer: Option<Tracer>,
    /// How long a 3.x publisher is held when its message cannot be stored, before it is disconnected.
    pub publisher_hold: Duration,
    /// Whether a subscription may create the queue or stream it names.
    pub auto_create: bool,
    /// How many queues there may be, and how many streams.
    pub max_queues: usize,
    /// Properties of queues that do not say otherwise.
    pub queue_defaults: QueueProperties,
    /// Properties of streams that do not say otherwise.
    pub stream_defaults: StreamProperties,
    /// Subscriptions one session may have.
    pub max_subscriptions: usize,
    /// Bytes that all subscriptions may take, reckoned from their filters; one beyond is refused.
    pub max_subscription_bytes: usize,
    /// Sessions, connected or not; a client that needs another one is refused.
    pub max_sessions: usize,
    /// Bytes of one will: topic, properties, payload.
    pub max_will_bytes: usize,
    /// Bytes of all wills; a client whose will has no room is refused.
    pub max_wills_bytes: usize,
    /// Bytes that may wait for clients in all: in output buffers, in packets that have not come whole, in sessions. Each
    /// client is held to an eighth of what is left.
    pub max_buffered_bytes: usize,
    /// Bytes of a topic filter.
    pub max_topic_length: usize,
    /// How shared subscriptions work.
    pub shared_subscriptions: SharedSubscriptions,
    /// Levels a topic name or filter may have.
    pub max_topic_levels: usize,
    /// Bytes that may wait in a connection's output buffer before live messages wait in the session, or at QoS 0 are
    /// dropped.
    pub max_output_buffer_bytes: usize,
    /// Bytes handed to the log and not yet committed, beyond which publishers to queues are not read.
    pub max_log_backlog_bytes: u64,
    /// Answers of a shard that may wait for the log, beyond which clients that subscribe and unsubscribe are not read.
    pub max_waiting_answers: usize,
    /// Bytes of live messages that may wait for another shard before their publishers are not read. A publisher's packets
    /// of one read come on top.
    pub max_mailbox_bytes: usize,
    /// Retained messages kept.
    pub max_retained_messages: usize,
    /// Bytes of retained messages kept on the disk (topic, properties, payload).
    pub max_retained_bytes: u64,
    /// Memory for the topics of retained messages, and for messages on their way to the disk.
    pub max_retained_memory: u64,
    /// Memory for short retained messages that need not be read from the disk.
    pub retained_cache: u64,
    /// How long settlements may wait for a record of theirs; durable within 50 ms with the sync that follows.
    pub settle_interval: Duration,
    /// Messages kept to publish them later.
    pub max_delayed_messages: usize,
    /// Bytes of messages kept to publish them later (topic, properties, payload).
    pub max_delayed_bytes: u64,
    /// How often the status under `$SYS/` is told; zero for never.
    pub status_interval: Duration,
    /// How often it is looked whether the log has more than is needed, at first; longer after a look that found nothing to do.
    pub relocation_look: Duration,
    /// The version that it names.
    pub version: &'static str,
    /// Topics whose route a shard remembers.
    pub route_cache_topics: usize,
    /// How long a queue with messages, consumers and credit may do nothing before an alarm says so; zero for never.
    pub stall_alarm_after: Duration,
    /// Messages a queue reads ahead of its consumers.
    pub read_ahead_messages: usize,
    /// Bytes of messages a queue keeps in memory ahead of its consumers.
    pub read_ahead_bytes: usize,
}

/// Another server for the clients of one that shuts down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerReference {
    /// Where it is, as clients understand it (§4.11).
    pub text: Box<str>,
    /// Whether clients shall go there for good.
    pub is_permanent: bool,
}

impl Config {
    /// Why clients are sent away at the end.
    pub(crate) fn reason_to_leave(&self) -> ReasonCode {
        match &self.server_reference {
            None => ReasonCode::SERVER_SHUTTING_DOWN,
            Some(ServerReference { is_permanent: false, .. }) => ReasonCode::USE_ANOTHER_SERVER,
            Some(ServerReference { is_permanent: true, .. }) => ReasonCode::SERVER_MOVED,
        }
    }

    /// Where else to go, if the reason says that.
    pub(crate) fn reference_of(&self, reason: ReasonCode) -> Option<&str> {
        let reference = self.server_reference.as_ref()?;
        matches!(reason, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED)
            .then_some(&*reference.text)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shards: 1,
            limits: ServerLimits::default(),
            authenticator: Arc::new(Everyone),
            sign_in_timeout: Duration::from_secs(10),
            server_reference: None,
            tracer: None,
            publisher_hold: Duration::from_secs(30),
            auto_create: true,
            max_queues: 10_000,
            queue_defaults: QueueProperties::default(),
            stream_defaults: StreamProperties::default(),
            max_subscriptions: 10_000,
            max_subscription_bytes: 1 << 30,
            max_sessions: 1_000_000,
            max_will_bytes: 64 << 10,
            max_wills_bytes: 256 << 20,
            max_buffered_bytes: 256 << 20,
            max_topic_length: 65_535,
            shared_subscriptions: SharedSubscriptions::default(),
            max_topic_levels: 128,
            max_output_buffer_bytes: 4 << 20,
            max_log_backlog_bytes: 16 << 20,
            max_waiting_answers: 10_000,
            max_mailbox_bytes: 32 << 20,
            max_retained_messages: 2_000_000,
            max_retained_bytes: 1 << 30,
            max_retained_memory: 256 << 20,
            retained_cache: 128 << 20,
            settle_interval: Duration::from_millis(15),
            max_delayed_messages: 100_000,
            max_delayed_bytes: 1 << 30,
            status_interval: Duration::ZERO,
            relocation_look: Duration::from_secs(10),
            version: "",
            route_cache_topics: 65_536,
            stall_alarm_after: Duration::from_secs(30),
            read_ahead_messages: 2_048,
            read_ahead_bytes: 2 << 20,
        }
    }
}
