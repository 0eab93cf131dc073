//! What QUIC promises its clients, and the limits of each of its connections.

use std::sync::Arc;
use std::time::Duration;

use quinn_proto::crypto::rustls::{NoInitialCipherSuite, QuicServerConfig};
use quinn_proto::{ServerConfig, TransportConfig, VarInt};
use rustls::ServerConfig as TlsConfig;

/// The protocol that clients ask for (ALPN), as other brokers have it.
const ALPN: &[u8] = b"mqtt";
/// What a client may send before the shard has taken it.
const RECEIVE_WINDOW: u32 = 128 * 1024;
/// What waits for acknowledgement by a client.
const SEND_WINDOW: u64 = 256 * 1024;
/// How often a silent client is asked whether it lives. Who is killed says nothing over UDP, many
/// clients' QUIC ends after 30 seconds of silence, and so do the ways back through routers.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long a client may not answer, in milliseconds.
const IDLE_TIMEOUT: VarInt = VarInt::from_u32(60_000);
/// Connections whose first packet has come and which are not looked at yet; and their bytes.
const INCOMING_MAX: usize = 1024;
const INCOMING_BYTES_MAX: u64 = 4 << 20;

/// The configuration with these certificates.
pub(super) fn server_config(
    tls: &Arc<TlsConfig>,
) -> Result<Arc<ServerConfig>, NoInitialCipherSuite> {
    let mut tls = TlsConfig::clone(tls);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // A CONNECT that anyone could send a second time is none.
    tls.max_early_data_size = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(PING_INTERVAL))
        .max_idle_timeout(Some(IDLE_TIMEOUT.into()));
    config
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX);
    Ok(Arc::new(config))
}

/// Whether QUIC can be spoken with these certificates.
pub(crate) fn can_serve(tls: &Arc<TlsConfig>) -> bool {
    server_config(tls).is_ok()
}
