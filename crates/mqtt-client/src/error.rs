//! What can go wrong with a request.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mqtt_codec::EncodeError;
use mqtt_types::ReasonCode;

use crate::close_reason::{CloseReason, because};

/// Why a request of the client failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address names no server.
    #[error("address '{address}' cannot be resolved: {source}")]
    Resolve {
        /// The address.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// The server cannot be reached.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The address.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// TLS or WebSocket was not agreed on.
    #[error("{what} handshake with {address} failed: {why}")]
    Handshake {
        /// TLS or WebSocket.
        what: &'static str,
        /// The address.
        address: String,
        /// What was wrong, in words.
        why: String,
    },
    /// A file of TLS is of no use.
    #[error("cannot use {}: {why}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS cannot be spoken as asked for.
    #[error("cannot speak TLS: {0}")]
    Tls(String),
    /// The server answered CONNECT with a failure.
    #[error("server refused the connection: {reason_code}{}", because(.reason_string))]
    Refused {
        /// Its reason.
        reason_code: ReasonCode,
        /// Its reason in words.
        reason_string: Option<String>,
    },
    /// An exchange of SCRAM came to nothing: the server does not know the password, or not the rules.
    #[error("the server has not proved that it knows the password: {0}")]
    Exchange(policy::ScramError),
    /// The system has no random numbers.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
    /// The server did not answer in time.
    #[error("no {packet} from the server within {waited:?}")]
    Timeout {
        /// What was waited for.
        packet: &'static str,
        /// For how long.
        waited: Duration,
    },
    /// The connection has ended.
    #[error(transparent)]
    Closed(#[from] CloseReason),
    /// [`Client::interrupt`](crate::Client::interrupt) was called.
    #[error("interrupted")]
    Interrupted,
    /// What was to be sent is no packet.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The server does not take packets that large.
    #[error("packet of {len} bytes is larger than the {limit} that the server takes")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The server's Maximum Packet Size.
        limit: u32,
    },
    /// All packet identifiers are in use.
    #[error("all 65535 packet identifiers are in use")]
    NoPacketId,
    /// The system gives no thread.
    #[error("no thread from the system: {0}")]
    Thread(io::Error),
}
