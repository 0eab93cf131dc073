//! What always holds of a session. It must not change it.

use crate::inbox::Inbox;
use crate::session::Session;

/// A broken invariant: a defect of ours, never of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("session invariant broken: {0}")]
pub struct Violation(pub &'static str);

/// Checks a session; for tests and the simulator, after every step.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check(session: &Session) -> Result<(), Violation> {
    let parts = session.parts();
    let outstanding = parts.in_flight.outstanding();
    let in_flight = parts.in_flight;
    let on_the_wire = in_flight.published() + parts.inbox.map_or(0, Inbox::outstanding);
    let rules = [
        (parts.subscriptions.is_sound(), "subscriptions are sorted, each filter once"),
        (in_flight.is_sound(), "each packet id is in flight once, and the counts are right"),
        (on_the_wire <= usize::from(parts.window), "no more in flight than the window"),
        (parts.inbox.is_none_or(Inbox::is_sound), "the inbox adds up"),
        (outstanding <= in_flight.len(), "no more on the wire than held"),
        (session.is_connected() || outstanding == 0, "nothing on the wire of no connection"),
        (parts.pending.is_none_or(|pending| pending.is_sound()), "waiting bytes add up"),
        (parts.incoming.is_none_or(|incoming| incoming.is_sound()), "ids being stored are known"),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, rule)) => Err(Violation(rule)),
        None => Ok(()),
    }
}
