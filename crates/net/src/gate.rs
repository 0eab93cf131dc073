//! A listener as its connections know it: its limits, how many there are, whom it lets in. It must not know what is
//! spoken.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mqtt_codec::Limits;
use parking_lot::Mutex;
use stdx::Instant;

use crate::config::{Config, ListenerConfig, ProxyConfig};
use crate::refusal::{Refusal, Refusals};
use crate::token_bucket::TokenBucket;

/// How often refusals for want of a place are said; each is counted.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Lines about single refusals that are written in a second; all are counted.
const LINES_PER_SECOND: u32 = 10;

/// A listener's name, limits and counts.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) name: Arc<str>,
    /// Limits of packets.
    pub(crate) limits: Limits,
    /// The largest packet, where the listener has a limit of its own.
    pub(crate) maximum_packet_size: Option<u32>,
    pub(crate) connect_timeout: Duration,
    /// What comes from a proxy, if anything does.
    pub(crate) proxy: Option<ProxyConfig>,
    pub(crate) message_rate: Option<NonZeroU64>,
    pub(crate) byte_rate: Option<NonZeroU64>,
    /// How long a client with no keep alive may be silent before the system asks for it.
    pub(crate) dead_peer_probe: Option<Duration>,
    max_connections: usize,
    connections: AtomicUsize,
    connects: Mutex<Option<TokenBucket>>,
    /// When a refusal for want of a place is worth a line again.
    say_at: Mutex<Instant>,
    /// Lines about other refusals in this second, and which second that is.
    lines: Mutex<(u64, u32)>,
    refusals: Arc<Refusals>,
}

impl Gate {
    pub(crate) fn new(config: &ListenerConfig, of_all: &Config, refusals: Arc<Refusals>) -> Self {
        let limits = &config.limits;
        let packet_size = limits.max_packet_size.unwrap_or(of_all.limits.max_packet_size);
        Self {
            name: config.name.as_str().into(),
            limits: Limits { max_packet_size: packet_size, ..of_all.limits },
            maximum_packet_size: limits.max_packet_size,
            connect_timeout: limits.connect_timeout.unwrap_or(of_all.connect_timeout),
            proxy: config.proxy.clone(),
            message_rate: limits.max_message_rate,
            byte_rate: limits.max_byte_rate,
            dead_peer_probe: of_all.dead_peer_probe,
            max_connections: limits.max_connections,
            connections: AtomicUsize::new(0),
            connects: Mutex::new(limits.max_connect_rate.map(TokenBucket::new)),
            say_at: Mutex::new(Instant::ZERO),
            lines: Mutex::new((0, 0)),
            refusals,
        }
    }

    /// Gives a connection a place, if there is one.
    pub(crate) fn admit(self: &Arc<Self>, now: Instant) -> Result<Place, Refusal> {
        if self.connections.load(Ordering::Relaxed) >= self.max_connections {
            return Err(Refusal::MaxConnections);
        }
        if self.connects.lock().as_mut().is_some_and(|bucket| !bucket.try_take(now)) {
            return Err(Refusal::ConnectRate);
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Place(Arc::clone(self)))
    }

    /// Counts a connection that was not admitted, and says so now and then.
    pub(crate) fn refuse(&self, refusal: Refusal, now: Instant) {
        self.count(refusal);
        let mut say_at = self.say_at.lock();
        if now >= *say_at {
            *say_at = now + SAY_EVERY;
            let (listener, reason) = (&*self.name, refusal.as_str());
            tracing::warn!(
                listener,
                reason,
                "connection refused: the listener is at its limit; weir_connections_refused_total counts them"
            );
        }
    }

    /// Whether one more refusal in that second is worth a line: a flood of them must not become one of lines.
    pub(crate) fn takes_line(&self, unix_second: u64) -> bool {
        let mut lines = self.lines.lock();
        if lines.0 != unix_second {
            *lines = (unix_second, 0);
        }
        lines.1 = lines.1.saturating_add(1);
        lines.1 <= LINES_PER_SECOND
    }

    /// Counts a connection that came to nothing.
    pub(crate) fn count(&self, refusal: Refusal) {
        self.refusals.count(refusal);
    }

    /// Connections that are there now, greeted or not.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Whether that address may speak for others.
    pub(crate) fn trusts(&self, address: SocketAddr) -> bool {
        let trusted = self.proxy.iter().flat_map(|proxy| &proxy.trusted);
        trusted.into_iter().any(|network| network.contains(address.ip()))
    }
}

/// A connection's place among those of its listener. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place(Arc<Gate>);

impl Place {
    pub(crate) const fn gate(&self) -> &Arc<Gate> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ListenerLimits;

    fn gate(limits: ListenerLimits) -> Arc<Gate> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = ListenerConfig { limits, ..ListenerConfig::plain("mqtt", any) };
        Arc::new(Gate::new(&config, &Config::default(), Arc::default()))
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let gate = gate(ListenerLimits { max_connections: 2, ..ListenerLimits::default() });
        let admit = || gate.admit(Instant::ZERO);
        let first = admit().expect("a place");
        let _second = admit().expect("another");
        assert_eq!(admit().expect_err("full"), Refusal::MaxConnections);
        assert_eq!(gate.connections(), 2);
        drop(first);
        let _third = admit().expect("free again");
    }

    #[test]
    fn a_flood_of_refusals_is_no_flood_of_lines() {
        let gate = gate(ListenerLimits::default());
        assert_eq!((0..100).filter(|_| gate.takes_line(7)).count(), 10);
        assert!(gate.takes_line(8));
    }

    #[test]
    fn who_comes_too_fast_is_refused_for_a_while() {
        let max_connect_rate = NonZeroU64::new(5);
        let gate = gate(ListenerLimits { max_connect_rate, ..ListenerLimits::default() });
        let at = |now| (0..10).map(|_| gate.admit(now)).filter(Result::is_ok).count();
        assert_eq!(at(Instant::ZERO), 5);
        assert_eq!(at(Instant::from_millis(200)), 1);
        assert_eq!(gate.connections(), 0, "no place is lost");
    }
}
