//! What the operator may ask of the network side while it runs. Cheap to clone.

use std::sync::Arc;

use broker::Budget;

use crate::gate::Gate;
use crate::refusal::Refusals;
use crate::tls_server::{TlsFileError, TlsServer};

/// A handle on the network side.
#[derive(Clone)]
pub struct Handle {
    pub(crate) gates: Arc<[Arc<Gate>]>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) incomplete: Budget,
    pub(crate) tls: Arc<[(String, TlsServer)]>,
}

impl Handle {
    /// How many connections each listener has.
    pub fn connections(&self) -> impl Iterator<Item = (&str, u64)> {
        self.gates.iter().map(|gate| (&*gate.name, gate.connections() as u64))
    }

    /// Bytes of packets that have not come whole.
    #[must_use]
    pub fn incomplete_bytes(&self) -> u64 {
        self.incomplete.used() as u64
    }

    /// How often connections were refused before the broker knew them, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.refusals.read()
    }

    /// When the first of the certificates of each listener that speaks TLS ends, in seconds since 1970.
    pub fn certificate_expiries(&self) -> impl Iterator<Item = (&str, i64)> {
        self.tls.iter().filter_map(|(listener, tls)| {
            tls.certificate_expiry().map(|expiry| (listener.as_str(), expiry))
        })
    }

    /// What somebody should do something about, in words, with the listener that it concerns.
    pub fn concerns(&self, unix_seconds: i64) -> impl Iterator<Item = (&str, String)> {
        self.tls.iter().flat_map(move |(listener, tls)| {
            tls.concerns(unix_seconds).into_iter().map(|concern| (listener.as_str(), concern))
        })
    }

    /// The same, but only what is so near that it is an alarm.
    pub fn urgent_concerns(&self, unix_seconds: i64) -> impl Iterator<Item = (&str, String)> {
        self.tls.iter().flat_map(move |(listener, tls)| {
            tls.urgent_concerns(unix_seconds)
                .into_iter()
                .map(|concern| (listener.as_str(), concern))
        })
    }

    /// Reads the files of TLS of all listeners again, for the connections to come.
    pub fn reload_tls(&self) -> impl Iterator<Item = (&str, Result<(), TlsFileError>)> {
        self.tls.iter().map(|(listener, tls)| (listener.as_str(), tls.reload()))
    }
}
