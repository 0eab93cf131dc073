//! What holds guessers back: sign-ins that failed, by address and by user. It must not know what failed about them.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;
use stdx::Instant;

/// Bytes of a username by which it is told from others here.
const USERNAME_BYTES: usize = 64;

/// How many sign-ins may fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailureLimits {
    /// For one user from one address, within the window.
    pub per_user: u32,
    /// For all users together from one address, within the window.
    pub per_address: u32,
    /// The time in which all of them are forgiven, one after the other.
    pub window: Duration,
    /// Addresses and users that are remembered; the one that is forgiven soonest goes first.
    pub remembered_max: usize,
}

/// Sign-ins that failed and are not forgiven yet.
///
/// Each failure costs its address, and the pair of address and user, one step of `window / limit`; time pays back. Who
/// owes the whole window must wait for a step. So a device with a wrong password behind an address that others share
/// stops itself first, and is asked at once again when it is put right.
#[derive(Debug)]
pub struct Failures {
    limits: FailureLimits,
    /// When all is paid back.
    debts: HashMap<Key, Instant>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    address: IpAddr,
    username: Option<Box<str>>,
}

impl Failures {
    /// Nothing has failed.
    #[must_use]
    pub fn new(limits: FailureLimits) -> Self {
        Self { limits, debts: HashMap::new() }
    }

    /// Whether that user must wait before it is tried again from that address. Unix sockets have none and never wait.
    #[must_use]
    pub fn must_wait(&self, address: Option<IpAddr>, username: &str, now: Instant) -> bool {
        self.keys(address, username).any(|(key, step)| {
            let debt = self.debts.get(&key).map_or(Duration::ZERO, |until| until.since(now));
            debt + step > self.limits.window
        })
    }

    /// A sign-in has failed.
    pub fn note(&mut self, address: Option<IpAddr>, username: &str, now: Instant) {
        let keys: Vec<_> = self.keys(address, username).collect();
        for (key, step) in keys {
            if !self.debts.contains_key(&key) {
                self.make_room(now);
            }
            let until = self.debts.entry(key).or_insert(now);
            *until = (*until).max(now) + step;
        }
    }

    fn keys(
        &self,
        address: Option<IpAddr>,
        username: &str,
    ) -> impl Iterator<Item = (Key, Duration)> + use<> {
        let FailureLimits { per_user, per_address, window, .. } = self.limits;
        let username = username.get(..username.floor_char_boundary(USERNAME_BYTES));
        let username: Box<str> = username.unwrap_or_default().into();
        let of = move |address| {
            [
                (Key { address, username: None }, window / per_address.max(1)),
                (Key { address, username: Some(username) }, window / per_user.max(1)),
            ]
        };
        address.map(network).map(of).into_iter().flatten()
    }

    fn make_room(&mut self, now: Instant) {
        if self.debts.len() < self.limits.remembered_max.max(2) {
            return;
        }
        self.debts.retain(|_, until| *until > now);
        if self.debts.len() >= self.limits.remembered_max.max(2) {
            let soonest = self.debts.iter().min_by_key(|(_, until)| **until);
            if let Some(key) = soonest.map(|(key, _)| key.clone()) {
                self.debts.remove(&key);
            }
        }
    }
}

/// Of an IPv6 address the 64 bits that a site has; it may choose the others freely.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FailureLimits = FailureLimits {
        per_user: 2,
        per_address: 5,
        window: Duration::from_secs(60),
        remembered_max: 100,
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_user_waits_and_others_of_its_address_do_not() {
        let mut failures = Failures::new(LIMITS);
        let here = address("10.0.0.1");
        failures.note(here, "ada", at(0));
        assert!(!failures.must_wait(here, "ada", at(0)));
        failures.note(here, "ada", at(0));
        assert!(failures.must_wait(here, "ada", at(0)) && !failures.must_wait(here, "bob", at(0)));
        assert!(!failures.must_wait(address("10.0.0.2"), "ada", at(0)));
        assert!(
            failures.must_wait(here, "ada", at(29)) && !failures.must_wait(here, "ada", at(30))
        );
    }

    #[test]
    fn an_address_that_tries_many_users_waits_for_all() {
        let mut failures = Failures::new(LIMITS);
        let here = address("2001:db8::1");
        for n in 0..5 {
            assert!(!failures.must_wait(here, "new", at(0)), "{n}");
            failures.note(here, &format!("user{n}"), at(0));
        }
        assert!(failures.must_wait(address("2001:db8::ffff"), "new", at(0)), "the same site");
        assert!(!failures.must_wait(address("2001:db8:0:1::1"), "new", at(0)));
        assert!(!failures.must_wait(here, "new", at(12)), "one step is paid back");
    }

    #[test]
    fn who_has_no_address_never_waits() {
        let mut failures = Failures::new(LIMITS);
        for _ in 0..10 {
            failures.note(None, "ada", at(0));
        }
        assert!(!failures.must_wait(None, "ada", at(0)));
    }

    #[test]
    fn memory_is_bounded_and_the_worst_stay() {
        let mut failures = Failures::new(FailureLimits { remembered_max: 10, ..LIMITS });
        for _ in 0..5 {
            failures.note(address("10.0.0.1"), "ada", at(0));
        }
        for n in 0..1_000_u32 {
            failures.note(Some(IpAddr::from(n.to_be_bytes())), "x", at(0));
            assert!(failures.debts.len() <= 10);
        }
        assert!(failures.must_wait(address("10.0.0.1"), "ada", at(0)));
    }
}
