//! What holds of a queue at every moment, looked at from scratch. For tests and the simulator: it reads everything.

use std::collections::BTreeSet;

use crate::ids::Offset;
use crate::queue::Queue;

/// An invariant that does not hold: a defect of the engine.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct Violation {
    /// What is wrong, in words.
    pub what: String,
}

/// Checks all invariants of the queue.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check(queue: &Queue) -> Result<(), Violation> {
    check_states(queue)?;
    check_ledger(queue)?;
    check_consumers(queue)?;
    check_work(queue)
}

fn hold(condition: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if condition { Ok(()) } else { Err(Violation { what: what() }) }
}

/// Every message that has not left is in one state.
fn check_states(queue: &Queue) -> Result<(), Violation> {
    let waiting: BTreeSet<Offset> = queue.index.iter(0).map(|(offset, _)| offset).collect();
    let mut seen = BTreeSet::new();
    let leased = queue.leases.by_age().map(|lease| lease.offset);
    for offset in leased.chain(queue.backlog.ready()).chain(queue.backlog.delayed()) {
        hold(waiting.contains(&offset), || format!("{offset} has left and is still in a state"))?;
        hold(offset.0 < queue.cursor, || format!("{offset} was delivered and is beyond the cursor"))?;
        hold(seen.insert(offset), || format!("{offset} is in two states"))?;
    }
    let delivered = waiting.range(..Offset(queue.cursor)).count();
    hold(delivered == seen.len(), || format!("{} messages are in no state", delivered - seen.len()))?;
    let fresh = waiting.range(Offset(queue.cursor)..).count() as u64;
    hold(fresh == queue.fresh, || format!("{fresh} messages are fresh, {} are counted", queue.fresh))?;
    let mut kept = queue.attempts.keys().copied().chain(queue.backlog.shunning());
    hold(kept.all(|offset| waiting.contains(&offset)), || "something is kept of a message that has left".into())?;
    let head = waiting.first().copied().unwrap_or(queue.next_offset());
    hold(head.0 == queue.index.head(), || format!("the first message is {head}, not {}", queue.index.head()))
}

/// The ledger balances and says what is there.
fn check_ledger(queue: &Queue) -> Result<(), Violation> {
    let ledger = queue.ledger();
    hold(ledger.balances(), || format!("{ledger:?} does not balance"))?;
    let (mut waiting, mut bytes) = (0, 0);
    for (_, entry) in queue.index.iter(0) {
        waiting += 1;
        bytes += u64::from(entry.size);
    }
    hold(ledger.waiting() == waiting, || format!("{waiting} messages are here, not {}", ledger.waiting()))?;
    hold(ledger.bytes == bytes, || format!("{bytes} bytes are here, not {}", ledger.bytes))?;
    let oldest = queue.index.iter(0).next().map(|(_, entry)| entry.stored);
    hold(ledger.oldest_stored == oldest, || format!("the oldest is of {oldest:?}, not {:?}", ledger.oldest_stored))
}

/// Consumers have what the leases say, and the strategy knows who can take a message.
fn check_consumers(queue: &Queue) -> Result<(), Violation> {
    let mut held = 0;
    for (slot, consumer) in queue.consumers.iter() {
        let id = consumer.id;
        let leases = queue.leases.of(slot).count();
        hold(queue.leases.of(slot).all(|lease| lease.holder == slot), || format!("{id} lists another's lease"))?;
        hold(leases == consumer.in_flight as usize, || format!("{id} has {leases}, not {}", consumer.in_flight))?;
        hold(queue.consumers.slot(id) == Some(slot), || format!("{id} is not found in its slot"))?;
        hold(queue.consumers.is_offered(slot) == consumer.can_take(), || format!("the strategy is wrong on {id}"))?;
        held += leases;
    }
    hold(held == queue.leases.len(), || "a lease is held by nobody".into())?;
    let ages: Vec<_> = queue.leases.by_age().map(|lease| lease.granted).collect();
    hold(ages.len() == queue.leases.len(), || "a lease has no age".into())?;
    hold(ages.is_sorted(), || "leases are not in order of age".into())
}

/// Nobody who can take a message waits while there is one for it.
fn check_work(queue: &Queue) -> Result<(), Violation> {
    if queue.config.paused || queue.consumers.is_exhausted() {
        return Ok(());
    }
    hold(queue.fresh == 0, || "fresh messages wait though somebody can take them".into())?;
    hold(queue.backlog.first_open().is_none(), || "released messages wait though somebody can take them".into())?;
    let attached = queue.consumers.len();
    for (shunned, offset) in queue.backlog.first_choosy() {
        let stuck = queue.consumers.any(|consumer| shunned.allows(consumer, attached));
        hold(!stuck, || format!("{offset} waits though somebody may get it"))?;
        hold(!shunned.is_refused_by_all(attached), || format!("{offset} waits for nobody"))?;
    }
    Ok(())
}
