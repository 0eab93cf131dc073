//! What a quiet client costs: house.md §3 wants a connection at rest to be a few hundred bytes.

use std::mem::size_of;

use mqtt_session::{Connection, Session};

/// A subscription in a session: its filter's pointer and length, and its record.
const SUBSCRIPTION_BYTES: usize = 32;
/// Client id and filter, as the allocator rounds them up.
const TEXT_BYTES: usize = 32;

#[test]
fn a_quiet_session_and_its_connection_are_small() {
    println!("Session {} Connection {}", size_of::<Session>(), size_of::<Connection>());
    assert!(size_of::<Session>() <= 192, "{}", size_of::<Session>());
    assert!(size_of::<Connection>() <= 96, "{}", size_of::<Connection>());
    let together =
        size_of::<Session>() + size_of::<Connection>() + SUBSCRIPTION_BYTES + 2 * TEXT_BYTES;
    assert!(together <= 500, "{together}");
}
