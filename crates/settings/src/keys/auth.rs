//! Keys of sign-in.

use std::time::Duration;

use super::Section;
use crate::auth::AnonymousAccess;
use crate::key::{Key, Slot};
use crate::settings::Settings;

const A_DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) const SECTION: Section<Settings> = Section {
    name: "auth",
    doc: "Signing in, of MQTT clients and at REST. See [signing in](sign-in.md).",
    keys: &[
        Key {
            name: "auth.anonymous",
            default: "loopback",
            doc: "Who may connect without saying who it is: nobody, everybody, or who comes over loopback or a Unix \
                  socket while there are no users beside `admin`.",
            slot: Slot::Word {
                words: AnonymousAccess::WORDS,
                set: |settings, word| settings.auth.anonymous = AnonymousAccess::ALL[word],
            },
        },
        Key {
            name: "auth.timeout",
            default: "10s",
            doc: "How long a sign-in may take, from CONNECT to CONNACK.",
            slot: Slot::Span {
                min: Duration::from_millis(100),
                max: Duration::from_secs(3600),
                at: |settings| &mut settings.auth.timeout,
            },
        },
        Key {
            name: "auth.verification_threads",
            default: "2",
            doc: "Threads that hash passwords. Each takes a core, and 19 MiB while it does.",
            slot: Slot::Count16 {
                min: 1,
                max: 64,
                at: |settings| &mut settings.auth.verification_threads,
            },
        },
        Key {
            name: "auth.max_waiting",
            default: "256",
            doc: "Clients whose password waits to be hashed; the next is refused with 0x89, server busy.",
            slot: Slot::Count32 {
                min: 1,
                max: 1_000_000,
                at: |settings| &mut settings.auth.max_waiting,
            },
        },
        Key {
            name: "auth.remember_verified",
            default: "5m",
            doc: "How long a password that was right need not be hashed again; 0 is never. A change of the user ends \
                  it at once.",
            slot: Slot::Span {
                min: Duration::ZERO,
                max: A_DAY,
                at: |settings| &mut settings.auth.remember_verified,
            },
        },
        Key {
            name: "auth.max_remembered",
            default: "10000",
            doc: "How many such passwords are remembered, each as a keyed digest.",
            slot: Slot::Count32 {
                min: 1,
                max: 10_000_000,
                at: |settings| &mut settings.auth.max_remembered,
            },
        },
        Key {
            name: "auth.max_failures_per_user",
            default: "10",
            doc: "Sign-ins of one user from one address that may fail within `auth.failure_window`; then it has to \
                  wait.",
            slot: Slot::Count32 {
                min: 1,
                max: 1_000_000,
                at: |settings| &mut settings.auth.max_failures_per_user,
            },
        },
        Key {
            name: "auth.max_failures_per_address",
            default: "100",
            doc: "The same for all users together from one address; of IPv6 the first 64 bits count.",
            slot: Slot::Count32 {
                min: 1,
                max: 1_000_000,
                at: |settings| &mut settings.auth.max_failures_per_address,
            },
        },
        Key {
            name: "auth.failure_window",
            default: "1m",
            doc: "The time in which failures are forgiven, one after the other.",
            slot: Slot::Span {
                min: Duration::from_secs(1),
                max: A_DAY,
                at: |settings| &mut settings.auth.failure_window,
            },
        },
        Key {
            name: "auth.max_failures_remembered",
            default: "10000",
            doc: "Addresses, and pairs of address and user, whose failures are remembered.",
            slot: Slot::Count32 {
                min: 2,
                max: 10_000_000,
                at: |settings| &mut settings.auth.max_failures_remembered,
            },
        },
        Key {
            name: "auth.scram_iterations",
            default: "16384",
            doc: "Iterations of the SCRAM keys that are made when a password is set. Clients pay for them at each \
                  sign-in by SCRAM, and so does who would guess a password from a stolen file.",
            slot: Slot::Count32 {
                min: 4096,
                max: 10_000_000,
                at: |settings| &mut settings.auth.scram_iterations,
            },
        },
        Key {
            name: "auth.max_users",
            default: "10000",
            doc: "The most users there may be.",
            slot: Slot::Count32 {
                min: 1,
                max: 1_000_000,
                at: |settings| &mut settings.auth.max_users,
            },
        },
    ],
};
