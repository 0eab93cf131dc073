//! Settings to the configurations of the components, and queue properties between the edge and the engine.

mod listeners;

use std::time::Duration;

use crate::limits::usable_memory;
use admin_api::{ApiError, DeadLetter, DispatchStrategy, DurationText, QueueProperties};
use anyhow::{Result, anyhow, ensure};
use broker::{Budget, QueueDefinition, ServerReference};
use log_api::SHARDS_MAX;
use mqtt_codec::Limits;
use mqtt_session::ServerLimits;
use mqtt_types::QoS;
use policy::{Anonymous, FailureLimits, Rules};
use queue_engine::QueueConfig;
use settings::{
    AnonymousAccess, ListenerIdentity, Settings, SharedStrategy, SharedSubscriptionSettings,
};

/// The properties that this version gives effect to. Any other must have its default.
const SUPPORTED: [&str; 8] = [
    "dispatch_strategy",
    "max_inflight",
    "ack_timeout",
    "max_attempts",
    "retry_delay",
    "retry_delay_max",
    "paused",
    "dead_letter",
];

/// Number of shards; when nothing is said a core each, but one for the log and the operator's side.
fn shards(settings: &Settings) -> Result<u16> {
    if let Some(shards) = settings.server.shards {
        ensure!(
            shards <= SHARDS_MAX,
            "server.shards: {shards} is too many; give {SHARDS_MAX} at most, or auto"
        );
        return Ok(shards);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(u16::try_from(cores.saturating_sub(1)).unwrap_or(SHARDS_MAX).clamp(1, SHARDS_MAX))
}

/// The memory taken as given where the system does not say how much there is.
const MEMORY: u64 = 1 << 30;

/// A limit as it is set, or else that part of the memory.
fn of_memory(set: Option<u64>, part: u64) -> usize {
    bytes(set.unwrap_or_else(|| usable_memory().unwrap_or(MEMORY) / part))
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// The broker's configuration.
///
/// # Errors
/// The settings ask for what this version does not have, or for too much.
pub(crate) fn broker(settings: &Settings) -> Result<broker::Config> {
    let mqtt = &settings.mqtt;
    let session_expiry = u32::try_from(mqtt.session_expiry_max.as_secs()).unwrap_or(u32::MAX);
    let limits = ServerLimits {
        receive_maximum: mqtt.receive_maximum,
        topic_alias_maximum: mqtt.topic_alias_maximum,
        maximum_packet_size: mqtt.max_packet_size,
        keep_alive_max: mqtt
            .keep_alive_max
            .map(|max| u16::try_from(max.as_secs()).unwrap_or(u16::MAX)),
        session_expiry_max: session_expiry,
        keep_alive_min: u16::try_from(mqtt.keep_alive_min.as_secs()).unwrap_or(u16::MAX),
        client_id_bytes_max: usize::from(mqtt.max_client_id_length),
        max_outgoing_inflight: mqtt.max_outgoing_inflight,
        max_pending_messages: mqtt.max_pending_messages as usize,
        max_pending_bytes: bytes(mqtt.max_pending_bytes),
        maximum_qos: u8::try_from(mqtt.maximum_qos).ok().and_then(QoS::from_u8).unwrap_or_default(),
        retain_available: mqtt.retain_available,
        response_information: mqtt.response_information.as_deref().map(Box::from),
        enhanced_authentication: true,
        ..ServerLimits::default()
    };
    let defaults = defaults(settings);
    Ok(broker::Config {
        drops_dead_letters: drops_dead_letters(&defaults),
        shards: shards(settings)?,
        limits,
        sign_in_timeout: settings.auth.timeout,
        server_reference: settings.server.reference.as_deref().map(|text| ServerReference {
            text: text.into(),
            is_permanent: settings.server.reference_is_permanent,
        }),
        publisher_hold: mqtt.publisher_hold,
        auto_create: settings.queues.auto_create.enabled,
        stall_alarm_after: settings.queues.stall_alarm_after,
        max_queues: settings.queues.auto_create.max_queues as usize,
        queue_defaults: engine_config(&defaults)
            .map_err(|error| anyhow!("queues.defaults.{error}"))?,
        max_topic_levels: usize::from(mqtt.max_topic_levels),
        max_topic_length: usize::from(mqtt.max_topic_length),
        max_will_bytes: mqtt.max_will_size as usize,
        max_wills_bytes: of_memory(mqtt.max_wills_bytes, 32),
        max_sessions: of_memory(mqtt.max_sessions.map(u64::from), 8 * 1024),
        max_subscription_bytes: of_memory(mqtt.max_subscription_bytes, 8),
        max_buffered_bytes: of_memory(mqtt.max_buffered_bytes, 8),
        max_output_buffer_bytes: bytes(mqtt.max_output_bytes),
        max_log_backlog_bytes: mqtt.max_log_backlog_bytes,
        max_waiting_answers: mqtt.max_waiting_answers as usize,
        max_mailbox_bytes: bytes(mqtt.max_mailbox_bytes),
        max_subscriptions: mqtt.max_subscriptions as usize,
        max_retained_messages: mqtt.max_retained_messages as usize,
        max_retained_bytes: mqtt.max_retained_bytes,
        max_retained_memory: mqtt.max_retained_memory,
        retained_cache: mqtt.retained_cache,
        status_interval: mqtt.sys_interval,
        max_delayed_messages: mqtt.max_delayed_messages as usize,
        max_delayed_bytes: mqtt.max_delayed_bytes,
        shared_subscriptions: shared_subscriptions(&mqtt.shared_subscriptions),
        ..broker::Config::default()
    })
}

fn shared_subscriptions(settings: &SharedSubscriptionSettings) -> broker::SharedSubscriptions {
    let strategy = |of: SharedStrategy| match of {
        SharedStrategy::RoundRobin => broker::SharedStrategy::RoundRobin,
        SharedStrategy::Random => broker::SharedStrategy::Random,
        SharedStrategy::LeastInflight => broker::SharedStrategy::LeastInflight,
        SharedStrategy::HashTopic => broker::SharedStrategy::HashTopic,
        SharedStrategy::HashClientid => broker::SharedStrategy::HashClientid,
        SharedStrategy::SingleActive => broker::SharedStrategy::SingleActive,
    };
    let groups = settings.groups.iter().map(|(name, of)| (name.clone(), strategy(*of)));
    broker::SharedSubscriptions {
        strategy: strategy(settings.strategy),
        groups: groups.collect(),
        stall_timeout: settings.stall_timeout,
    }
}

/// The configuration of sign-in.
pub(crate) fn sign_in(settings: &Settings) -> policy_backends::Config {
    let auth = &settings.auth;
    let by_certificate = settings
        .listeners
        .iter()
        .filter(|listener| listener.enabled && listener.identity == ListenerIdentity::Certificate);
    policy_backends::Config {
        rules: Rules {
            anonymous: match auth.anonymous {
                AnonymousAccess::Never => Anonymous::Never,
                AnonymousAccess::Loopback => Anonymous::Loopback,
                AnonymousAccess::Always => Anonymous::Always,
            },
            certificate_listeners: by_certificate.map(|listener| listener.name.clone()).collect(),
        },
        verification_threads: usize::from(auth.verification_threads),
        max_waiting: auth.max_waiting as usize,
        wait_max: auth.timeout,
        remember_verified: auth.remember_verified,
        max_remembered: auth.max_remembered as usize,
        failures: FailureLimits {
            per_user: auth.max_failures_per_user,
            per_address: auth.max_failures_per_address,
            window: auth.failure_window,
            remembered_max: auth.max_failures_remembered as usize,
        },
        scram_iterations: auth.scram_iterations,
        max_users: auth.max_users as usize,
        ..policy_backends::Config::default()
    }
}

/// The network side's configuration, with the files of TLS read.
///
/// # Errors
/// A file of TLS cannot be used.
pub(crate) fn net(settings: &Settings) -> Result<net::Config> {
    let enabled = settings.listeners.iter().filter(|listener| listener.enabled);
    Ok(net::Config {
        listeners: enabled.map(listeners::listener).collect::<Result<_>>()?,
        limits: Limits {
            max_packet_size: settings.mqtt.max_packet_size,
            max_topic_levels: settings.mqtt.max_topic_levels,
            max_topic_length: settings.mqtt.max_topic_length,
            // SUBACK answers for a filter that is not legal.
            check_filters: false,
            ..Limits::default()
        },
        connect_timeout: settings.mqtt.connect_timeout,
        unwritten_bytes_max: bytes(settings.mqtt.max_unwritten_bytes),
        write_timeout: settings.mqtt.write_timeout,
        incomplete: Budget::new(of_memory(settings.mqtt.max_incomplete_bytes, 16)),
        dead_peer_probe: settings.mqtt.dead_peer_probe,
        ..net::Config::default()
    })
}

/// The properties a queue has that says nothing, as the edge shows them.
pub(crate) fn defaults(settings: &Settings) -> QueueProperties {
    use ::settings as from;
    use admin_api::{Durability, Overflow, SizeText};
    let of = &settings.queues.defaults;
    QueueProperties {
        dispatch_strategy: match of.dispatch_strategy {
            from::DispatchStrategy::RoundRobin => DispatchStrategy::RoundRobin,
            from::DispatchStrategy::Random => DispatchStrategy::Random,
            from::DispatchStrategy::LeastInflight => DispatchStrategy::LeastInflight,
            from::DispatchStrategy::KeyOrdered => DispatchStrategy::KeyOrdered,
            from::DispatchStrategy::SingleActive => DispatchStrategy::SingleActive,
        },
        key_expression: of.key_expression.clone(),
        key_inflight: of.key_inflight,
        last_value: of.last_value,
        durability: match of.durability {
            from::Durability::Sync => Durability::Sync,
            from::Durability::Os => Durability::Os,
            from::Durability::Memory => Durability::Memory,
        },
        retention: DurationText(of.retention.unwrap_or(Duration::ZERO)),
        max_messages: of.max_messages,
        max_bytes: of.max_bytes.map(SizeText),
        overflow: match of.overflow {
            from::Overflow::RejectPublish => Overflow::RejectPublish,
            from::Overflow::DropOldest => Overflow::DropOldest,
        },
        max_inflight: of.max_inflight,
        ack_timeout: DurationText(of.ack_timeout),
        max_attempts: of.max_attempts.unwrap_or(0),
        retry_delay: DurationText(of.retry_delay),
        retry_delay_max: DurationText(of.retry_delay_max),
        dead_letter: match &of.dead_letter {
            from::DeadLetter::Own => DeadLetter::Own,
            from::DeadLetter::None => DeadLetter::None,
            from::DeadLetter::Queue(name) => DeadLetter::Queue(name.clone()),
        },
        dead_letter_expired: of.dead_letter_expired,
        dead_letter_dropped: of.dead_letter_dropped,
        dedup_window: of.dedup_window.map(DurationText),
        keep_settled: DurationText(of.keep_settled),
        paused: of.paused,
    }
}

/// Whether a queue with these properties drops what it gives up.
pub(crate) fn drops_dead_letters(properties: &QueueProperties) -> bool {
    properties.dead_letter == DeadLetter::None
}

/// The engine's configuration of a queue with these properties.
///
/// # Errors
/// A property asks for what this version does not have.
pub(crate) fn engine_config(properties: &QueueProperties) -> Result<QueueConfig, ApiError> {
    properties.refuse_unsupported(&SUPPORTED)?;
    if matches!(properties.dead_letter, DeadLetter::Queue(_)) {
        let message =
            "this version has no dead-letter queues: own keeps a message for ever, none drops it";
        return Err(ApiError::unsupported("dead_letter", message));
    }
    let dispatch_strategy = match properties.dispatch_strategy {
        DispatchStrategy::RoundRobin => queue_engine::DispatchStrategy::RoundRobin,
        DispatchStrategy::Random => queue_engine::DispatchStrategy::Random,
        DispatchStrategy::LeastInflight => queue_engine::DispatchStrategy::LeastInflight,
        DispatchStrategy::KeyOrdered | DispatchStrategy::SingleActive => {
            let message = "this version has round_robin, random and least_inflight";
            return Err(ApiError::unsupported("dispatch_strategy", message));
        }
    };
    Ok(QueueConfig {
        dispatch_strategy,
        max_inflight: u32::from(properties.max_inflight),
        ack_timeout: properties.ack_timeout.0,
        max_attempts: properties.max_attempts,
        retry_delay: properties.retry_delay.0,
        retry_delay_max: properties.retry_delay_max.0,
        paused: properties.paused,
        ..QueueConfig::default()
    })
}

/// A queue's properties as the edge shows them.
pub(crate) fn properties(definition: &QueueDefinition) -> QueueProperties {
    let config = &definition.config;
    let dispatch_strategy = match config.dispatch_strategy {
        queue_engine::DispatchStrategy::RoundRobin => DispatchStrategy::RoundRobin,
        queue_engine::DispatchStrategy::Random => DispatchStrategy::Random,
        queue_engine::DispatchStrategy::LeastInflight => DispatchStrategy::LeastInflight,
        queue_engine::DispatchStrategy::KeyOrdered => DispatchStrategy::KeyOrdered,
        queue_engine::DispatchStrategy::SingleActive => DispatchStrategy::SingleActive,
    };
    QueueProperties {
        dispatch_strategy,
        max_inflight: u16::try_from(config.max_inflight).unwrap_or(u16::MAX),
        ack_timeout: DurationText(config.ack_timeout),
        max_attempts: config.max_attempts,
        retry_delay: DurationText(config.retry_delay),
        retry_delay_max: DurationText(config.retry_delay_max),
        paused: config.paused,
        dead_letter: if definition.drops_dead_letters { DeadLetter::None } else { DeadLetter::Own },
        ..QueueProperties::default()
    }
}
