//! Why a connection ended.

use std::io;
use std::sync::Arc;

use mqtt_codec::DecodeError;
use mqtt_types::ReasonCode;

/// Why a connection ended. The first reason found stays.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CloseReason {
    /// We said DISCONNECT, or dropped the connection.
    #[error("connection was closed by this side")]
    Ours,
    /// The server said DISCONNECT.
    #[error("server disconnected: {reason_code}{}", because(.reason_string))]
    Server {
        /// Its reason.
        reason_code: ReasonCode,
        /// Its reason in words.
        reason_string: Option<String>,
    },
    /// The server closed the connection without a word.
    #[error("server closed the connection without a reason")]
    Eof,
    /// The network failed.
    #[error("connection failed: {0}")]
    Io(Arc<io::Error>),
    /// The server sent what is no MQTT.
    #[error("server broke the protocol: {0}")]
    Malformed(DecodeError),
    /// The server sent a packet that it must not send.
    #[error("server broke the protocol: it sent {0}")]
    Unexpected(&'static str),
    /// The server did not answer a ping.
    #[error("server did not answer a ping within the keep alive")]
    KeepAlive,
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// `: text` when there is one.
pub fn because(reason_string: &Option<String>) -> String {
    reason_string.as_ref().map(|text| format!(": {text}")).unwrap_or_default()
}
