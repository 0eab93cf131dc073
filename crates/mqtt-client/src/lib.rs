//! A small blocking MQTT client (3.1, 3.1.1, 5.0) over TCP, TLS, WebSocket, QUIC and Unix sockets, for the command
//! line, tests and benches.
//! It must not know the broker, and it does not reconnect: what happens on the wire is what its user sees.
//!
//! ```text
//!  caller ──▶ Outbox ──▶ writer thread ──▶ socket      pings when nothing else is written
//!  caller ◀── messages, outcomes ◀── reader thread ◀── socket
//! ```

mod client;
mod close_reason;
mod connack_info;
mod delivery;
mod error;
mod exchange;
mod handshake;
mod in_flight;
mod options;
mod outbox;
mod outcome;
mod reader;
mod transport;
mod writer;

pub use client::Client;
pub use close_reason::CloseReason;
pub use connack_info::ConnAckInfo;
pub use delivery::Delivery;
pub use error::Error;
pub use mqtt_codec::{PropertyBlock, RetainHandling, SubscribeOptions};
pub use options::{
    Acknowledge, ConnectOptions, Network, Outgoing, TlsOptions, TlsVersion, Transport, Will,
};
pub use outcome::{FilterOutcomes, PublishOutcome, Ticket};
