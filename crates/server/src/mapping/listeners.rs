//! Settings of one listener to its configuration, with the files of TLS read.

use std::num::NonZeroU64;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use settings::{ListenAddress, ListenerConfig, ListenerKind, TlsSettings};

use crate::limits::usable_memory;

/// New connections a second where each costs a handshake of TLS, a millisecond of one core.
const TLS_CONNECT_RATE: u32 = 1_000;
/// New connections a second elsewhere.
const CONNECT_RATE: u32 = 20_000;
/// The memory that a connection is reckoned to cost, with the kernel's part: TLS at rest takes about that much.
const CONNECTION_BYTES: u64 = 16 * 1024;
/// Connections allowed where nobody knows how much memory there is.
const MAX_CONNECTIONS: u64 = 65_536;

/// # Errors
/// A file of TLS cannot be used.
pub(super) fn listener(settings: &ListenerConfig) -> Result<net::ListenerConfig> {
    let tls = settings.tls.as_ref().map(|tls| {
        files(tls).load().map_err(|error| anyhow!("listener {}: {error}", settings.name))
    });
    let websocket = settings.kind.is_websocket().then(|| net::WebSocketConfig {
        path: settings.path.clone(),
        ..net::WebSocketConfig::default()
    });
    let proxy = settings.proxy.as_ref().map(|proxy| net::ProxyConfig {
        trusted: proxy.trusted.clone(),
        timeout: proxy.timeout,
        ..net::ProxyConfig::default()
    });
    Ok(net::ListenerConfig {
        name: settings.name.clone(),
        bind: match &settings.bind {
            ListenAddress::Ip(address) => net::Address::Ip(*address),
            ListenAddress::Unix(path) => net::Address::Unix(path.clone()),
        },
        dual_stack: settings.dual_stack,
        quic: settings.kind == ListenerKind::Quic,
        tls: tls.transpose()?,
        websocket,
        proxy,
        limits: limits(settings),
    })
}

fn files(settings: &TlsSettings) -> net::TlsFiles {
    let TlsSettings { certs, keys, client_ca, client_crl, require_client_cert } = settings;
    let identity =
        |(cert, key): (&PathBuf, &PathBuf)| net::Identity { cert: cert.clone(), key: key.clone() };
    net::TlsFiles {
        identities: certs.iter().zip(keys).map(identity).collect(),
        client_ca: client_ca.clone(),
        client_crl: client_crl.clone(),
        require_client_cert: *require_client_cert,
    }
}

fn limits(settings: &ListenerConfig) -> net::ListenerLimits {
    let of = &settings.limits;
    let by_kind = if settings.tls.is_some() { TLS_CONNECT_RATE } else { CONNECT_RATE };
    let by_memory = || usable_memory().map_or(MAX_CONNECTIONS, |bytes| bytes / CONNECTION_BYTES);
    let rate = |rate: u32| NonZeroU64::new(rate.into());
    net::ListenerLimits {
        max_connections: usize::try_from(of.max_connections.map_or_else(by_memory, u64::from))
            .unwrap_or(usize::MAX),
        max_connect_rate: rate(of.max_connect_rate.unwrap_or(by_kind)),
        connect_timeout: of.connect_timeout,
        max_packet_size: of.max_packet_size,
        max_message_rate: of.max_message_rate.and_then(rate),
        max_byte_rate: of.max_byte_rate.and_then(NonZeroU64::new),
    }
}
