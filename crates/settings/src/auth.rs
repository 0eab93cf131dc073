//! What is set of signing in.

use std::time::Duration;

/// Signing in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuthSettings {
    /// Who may connect without saying who it is.
    pub anonymous: AnonymousAccess,
    /// How long a sign-in may take.
    pub timeout: Duration,
    /// Threads that hash passwords.
    pub verification_threads: u16,
    /// Clients whose password waits to be hashed.
    pub max_waiting: u32,
    /// How long a password that was right need not be hashed again.
    pub remember_verified: Duration,
    /// How many such passwords are remembered.
    pub max_remembered: u32,
    /// Sign-ins of one user from one address that may fail.
    pub max_failures_per_user: u32,
    /// Sign-ins from one address that may fail.
    pub max_failures_per_address: u32,
    /// The time in which failures are forgiven.
    pub failure_window: Duration,
    /// Addresses and users whose failures are remembered.
    pub max_failures_remembered: u32,
    /// Iterations of SCRAM keys.
    pub scram_iterations: u32,
    /// The most users there may be.
    pub max_users: u32,
}

/// Who may connect without saying who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AnonymousAccess {
    /// Nobody.
    Never,
    /// Who comes over loopback or a Unix socket, while there are no users.
    #[default]
    Loopback,
    /// Everybody.
    Always,
}

impl AnonymousAccess {
    pub(crate) const WORDS: &[&str] = &["never", "loopback", "always"];
    pub(crate) const ALL: &[Self] = &[Self::Never, Self::Loopback, Self::Always];
}
