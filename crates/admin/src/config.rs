//! What the server is built with. Everything has a limit, and the limit has a name.

use std::net::SocketAddr;
use std::time::Duration;

/// The HTTP server's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Where it listens.
    pub bind: SocketAddr,
    /// The version of the product, for the start page and `weir_build_info`.
    pub version: &'static str,
    /// Threads of its runtime.
    pub worker_threads: usize,
    /// Connections at once; more wait in the system's queue.
    pub max_connections: usize,
    /// Bytes of a request body.
    pub max_body_bytes: usize,
    /// Bytes of a request's line and headers.
    pub max_head_bytes: usize,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long a request may take, its body and the broker's answer included.
    pub request_timeout: Duration,
    /// How long a request may take that walks over all messages of a queue. What it began goes on after that.
    pub walk_timeout: Duration,
    /// How long requests under way may take to finish once the server is told to stop.
    pub shutdown_grace: Duration,
    /// How long a token from a login is good.
    pub token_lifetime: Duration,
    /// Tokens from logins kept; the oldest goes first.
    pub max_tokens: usize,
}

impl Config {
    /// The defaults, on that address.
    #[must_use]
    pub const fn new(bind: SocketAddr, version: &'static str) -> Self {
        Self {
            bind,
            version,
            worker_threads: 2,
            max_connections: 256,
            max_body_bytes: 1 << 20,
            max_head_bytes: 256 << 10,
            head_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            walk_timeout: Duration::from_secs(3_600),
            shutdown_grace: Duration::from_secs(5),
            token_lifetime: Duration::from_secs(12 * 3_600),
            max_tokens: 1_000,
        }
    }
}
