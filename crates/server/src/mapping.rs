//! Settings to the configurations of the components.

mod listeners;

use crate::limits::usable_memory;
use crate::queue_properties::{defaults, to_broker};
use crate::stream_properties;
use anyhow::{Result, anyhow, ensure};
use broker::{Budget, ServerReference};
use log_api::SHARDS_MAX;
use mqtt_codec::Limits;
use mqtt_session::ServerLimits;
use mqtt_types::QoS;
use policy::{Anonymous, FailureLimits, Rules};
use settings::{
    AnonymousAccess, ListenerIdentity, Settings, SharedStrategy, SharedSubscriptionSettings,
};

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
    Ok(broker::Config {
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
        queue_defaults: to_broker(&defaults(settings))
            .map_err(|error| anyhow!("queues.defaults.{error}"))?,
        stream_defaults: stream_properties::to_broker(
            &stream_properties::defaults(settings),
            &broker::StreamProperties::default(),
        )
        .map_err(|error| anyhow!("streams.defaults.{error}"))?,
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
