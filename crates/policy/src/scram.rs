//! SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: keys, messages, both sides. Nonces and salts come in as
//! data.

mod client;
mod keys;
mod message;
mod server;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use client::ScramClient;
pub use keys::ScramKeys;
pub use message::{ClientFirst, ScramError};
pub use server::ScramServer;
