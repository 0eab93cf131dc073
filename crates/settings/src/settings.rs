//! What the server is built from: plain values, all present, all within their ranges.
//! It must not know where a value came from.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::auth::AuthSettings;
use crate::listener::ListenerConfig;
use crate::queue_defaults::QueueDefaults;
use crate::shared_subscriptions::SharedSubscriptionSettings;
use crate::stream_defaults::StreamDefaults;

/// Everything that can be configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where all data of this node lies.
    pub data_dir: PathBuf,
    /// The MQTT listeners, by name.
    pub listeners: Vec<ListenerConfig>,
    /// The HTTP listener.
    pub http: HttpSettings,
    /// Signing in.
    pub auth: AuthSettings,
    /// Limits and times of MQTT.
    pub mqtt: MqttSettings,
    /// Queues: auto-create and defaults.
    pub queues: QueueSettings,
    /// Streams: defaults.
    pub streams: StreamSettings,
    /// The log on disk.
    pub log: LogSettings,
    /// The process.
    pub server: ServerSettings,
    /// What the process says about itself.
    pub logging: LoggingSettings,
    /// Where traces go.
    pub otlp: OtlpSettings,
}

/// Where traces go, by OTLP.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OtlpSettings {
    /// The collector; none: nothing is traced.
    pub endpoint: Option<String>,
    /// The share of publishes without a `traceparent` that begin a trace, in millionths.
    pub sample_millionths: u32,
    /// What this process is called.
    pub service_name: String,
    /// What each request says besides: names and values.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
}

/// Where HTTP is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpSettings {
    /// The address and port.
    pub bind: SocketAddr,
    /// Whether it is served at all.
    pub enabled: bool,
}

/// Limits and times of MQTT.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MqttSettings {
    /// How long a 3.x publisher is held when a queue cannot take its message.
    pub publisher_hold: Duration,
    /// How long a new connection may take to send its CONNECT.
    pub connect_timeout: Duration,
    /// The largest packet taken, in bytes.
    pub max_packet_size: u32,
    /// Unacknowledged QoS 1 and 2 publishes a client may have on the way to us.
    pub receive_maximum: u16,
    /// Topic aliases a client may use towards us.
    pub topic_alias_maximum: u16,
    /// The longest keep alive granted; none: as the client asks.
    pub keep_alive_max: Option<Duration>,
    /// The shortest keep alive granted, in seconds.
    pub keep_alive_min: Duration,
    /// How long a client with no keep alive may be silent before the system asks for it; none: it never asks.
    pub dead_peer_probe: Option<Duration>,
    /// How long a client may take nothing of what waits for it.
    pub write_timeout: Duration,
    /// The longest client id, in bytes.
    pub max_client_id_length: u16,
    /// The longest topic name or filter, in bytes.
    pub max_topic_length: u16,
    /// The largest will, in bytes.
    pub max_will_size: u32,
    /// Bytes of all wills; none: by the memory there is.
    pub max_wills_bytes: Option<u64>,
    /// Sessions, connected or not; none: by the memory there is.
    pub max_sessions: Option<u32>,
    /// What all subscriptions may take; none: by the memory there is.
    pub max_subscription_bytes: Option<u64>,
    /// What may wait for clients in all; none: by the memory there is.
    pub max_buffered_bytes: Option<u64>,
    /// What packets that have not come whole may take in all; none: by the memory there is.
    pub max_incomplete_bytes: Option<u64>,
    /// Bytes of output of one connection before live messages wait elsewhere or are dropped.
    pub max_output_bytes: u64,
    /// Bytes of output of one connection before it is not read.
    pub max_unwritten_bytes: u64,
    /// Answers that may wait for the log, for each shard.
    pub max_waiting_answers: u32,
    /// Live messages on their way from one shard to another, in bytes.
    pub max_mailbox_bytes: u64,
    /// Publishes on their way to the log, in bytes.
    pub max_log_backlog_bytes: u64,
    /// The longest session expiry granted.
    pub session_expiry_max: Duration,
    /// The most levels of a topic name or filter.
    pub max_topic_levels: u16,
    /// Unacknowledged QoS 1 and 2 messages on the way to one client, whatever it allows.
    pub max_outgoing_inflight: u16,
    /// Messages that wait for one session.
    pub max_pending_messages: u32,
    /// Bytes that wait for one session.
    pub max_pending_bytes: u64,
    /// Subscriptions of one session.
    pub max_subscriptions: u32,
    /// The highest QoS that clients may publish with.
    pub maximum_qos: u16,
    /// Whether clients may publish retained messages.
    pub retain_available: bool,
    /// What a client that asks for response information is told.
    pub response_information: Option<String>,
    /// Messages that wait to be published later.
    pub max_delayed_messages: u32,
    /// Their bytes.
    pub max_delayed_bytes: u64,
    /// How often the status is published.
    pub sys_interval: Duration,
    /// Retained messages kept.
    pub max_retained_messages: u32,
    /// Bytes of retained messages kept.
    pub max_retained_bytes: u64,
    /// Memory for the topics of retained messages.
    pub max_retained_memory: u64,
    /// Memory for retained messages that need not be read from the disk.
    pub retained_cache: u64,
    /// Shared subscriptions.
    pub shared_subscriptions: SharedSubscriptionSettings,
}

/// Queues: auto-create and defaults.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueSettings {
    /// How long a queue may stand still though it could move, before an alarm says so; zero for never.
    pub stall_alarm_after: Duration,
    /// Whether a subscription may make a queue.
    pub auto_create: AutoCreateSettings,
    /// What a new queue has where nothing else is said.
    pub defaults: QueueDefaults,
}

/// Streams: defaults. Whether a subscription may make one is as for queues.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StreamSettings {
    /// What a new stream has where nothing else is said.
    pub defaults: StreamDefaults,
}

/// Whether a subscription may make a queue or a stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AutoCreateSettings {
    /// Whether it may.
    pub enabled: bool,
    /// The most queues there may be, and the most streams.
    pub max_queues: u32,
}

/// The log on disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogSettings {
    /// The size of one segment file.
    pub segment_size: u64,
    /// How many bytes of log are written between two checkpoints.
    pub checkpoint_every: u64,
    /// Room kept for the operator when the disk is full.
    pub reserve: u64,
    /// How long a message of durability `os` may wait for its sync.
    pub sync_interval: Duration,
}

/// The process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerSettings {
    /// How many shards; none: one for each core.
    pub shards: Option<u16>,
    /// Where clients are sent at a shutdown.
    pub reference: Option<String>,
    /// Whether they shall stay there.
    pub reference_is_permanent: bool,
    /// How long a shutdown may take to drain.
    pub shutdown_timeout: Duration,
}

/// What the process says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoggingSettings {
    /// The least severe lines that are written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// How severe a line of the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// Odd but fine.
    Warn,
    /// Life cycle.
    #[default]
    Info,
    /// Per connection.
    Debug,
    /// Per packet.
    Trace,
}

impl LogLevel {
    pub(crate) const WORDS: &[&str] = &["error", "warn", "info", "debug", "trace"];

    pub(crate) const ALL: &[Self] =
        &[Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(crate) const WORDS: &[&str] = &["text", "json"];
    pub(crate) const ALL: &[Self] = &[Self::Text, Self::Json];
}

impl Settings {
    /// Every field empty: what the rows fill, first with their defaults.
    pub(crate) fn blank() -> Self {
        Self {
            data_dir: PathBuf::new(),
            listeners: Vec::new(),
            http: HttpSettings { bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), enabled: false },
            auth: AuthSettings::default(),
            mqtt: MqttSettings::default(),
            queues: QueueSettings::default(),
            streams: StreamSettings::default(),
            log: LogSettings::default(),
            server: ServerSettings::default(),
            logging: LoggingSettings::default(),
            otlp: OtlpSettings::default(),
        }
    }
}
