//! What holds for sign-in. Everything has a limit, and the limit has a name.

use std::time::Duration;

use policy::{FailureLimits, Rules};

/// What sign-in is built with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Who may be anonymous, and where certificates count.
    pub rules: Rules,
    /// Threads that hash passwords; each takes a core and 19 MiB while it does.
    pub verification_threads: usize,
    /// Clients' sign-ins that wait for them; more are refused.
    pub max_waiting: usize,
    /// How long one may wait; then it is refused without being hashed.
    pub wait_max: Duration,
    /// Operators' requests that wait for them; they go before clients.
    pub max_waiting_operators: usize,
    /// How long a password that was right need not be hashed again; 0 is never.
    pub remember_verified: Duration,
    /// How many such passwords are remembered.
    pub max_remembered: usize,
    /// How many sign-ins may fail.
    pub failures: FailureLimits,
    /// Iterations of the SCRAM keys that are made with a password.
    pub scram_iterations: u32,
    /// Users there may be.
    pub max_users: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            verification_threads: 2,
            max_waiting: 256,
            wait_max: Duration::from_secs(10),
            max_waiting_operators: 8,
            remember_verified: Duration::from_secs(300),
            max_remembered: 10_000,
            failures: FailureLimits {
                per_user: 10,
                per_address: 100,
                window: Duration::from_secs(60),
                remembered_max: 10_000,
            },
            scram_iterations: 16_384,
            max_users: 10_000,
        }
    }
}
