//! The alarms that shards raise of their own: of the log's state, and of sessions that drop messages.

use hashbrown::HashMap;
use log_api::LogState;
use stdx::{Instant, UnixMillis};

use super::Shard;
use crate::alarms::{Alarms, DISK_FULL, LOG_FAILED, MEMORY, SESSION_OVERFLOW};
use crate::budget::Budget;
use crate::ids::SessionId;
use crate::shared::Budgets;
use crate::timers::Timer;

/// The resource of alarms of the log.
const LOG: &str = "log";
/// A session that has dropped nothing for so long overflows no more.
const OVERFLOW_OVER_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

/// Raises and clears the alarms of a state of the log.
pub(crate) fn tell_log_state(alarms: &Alarms, now: UnixMillis, state: &LogState) {
    match state {
        LogState::Writable => {
            alarms.clear(DISK_FULL, LOG);
            alarms.clear(LOG_FAILED, LOG);
        }
        LogState::Full => {
            let reason =
                "no space left on the disk: what is to be kept is refused until there is some";
            alarms.raise(now, DISK_FULL, LOG, reason.to_owned());
        }
        LogState::Failed { reason } => {
            let reason = format!(
                "the log has failed: {reason}: what is to be kept is refused; mend the cause, then start the broker again"
            );
            alarms.raise(now, LOG_FAILED, LOG, reason);
        }
    }
}

/// Which budgets are nearly used up, in the order of [`BUDGETS`].
pub(crate) type Tight = [bool; BUDGETS.len()];

type OfBudgets = fn(&Budgets) -> &Budget;

/// What alarms of memory are about, and what then happens.
const BUDGETS: [(&str, OfBudgets, &str); 3] = [
    (
        "buffers",
        |budgets| &budgets.memory,
        "what waits for clients nearly fills mqtt.max_buffered_bytes: slow clients lose messages at QoS 0, then their \
         connections; look for clients that do not read",
    ),
    (
        "wills",
        |budgets| &budgets.wills,
        "wills nearly fill mqtt.max_wills_bytes: clients with a will are refused with 0x97",
    ),
    (
        "subscriptions",
        |budgets| &budgets.subscriptions,
        "subscriptions nearly fill mqtt.max_subscription_bytes: new ones are refused with 0x97",
    ),
];

/// Sessions that have dropped messages of late, each with when it did last and its client id.
#[derive(Default)]
pub(crate) struct Overflowing {
    sessions: HashMap<SessionId, (Instant, Box<str>)>,
    has_timer: bool,
}

impl Shard {
    /// Raises an alarm when a budget is nearly used up, and clears it when it is not any more.
    pub(super) fn watch_memory(&mut self) {
        for ((resource, of, reason), is_tight) in BUDGETS.into_iter().zip(&mut self.tight) {
            let budget = of(&self.shared.budgets);
            // In quarters; between the two what was stays.
            let (used, quarter) = (budget.used(), budget.max() / 4);
            if !*is_tight && used > quarter * 3 {
                *is_tight = true;
                let now = UnixMillis(self.turn.unix_ms);
                self.shared.alarms.raise(now, MEMORY, resource, reason.to_owned());
            } else if *is_tight && used < quarter * 2 {
                *is_tight = false;
                self.shared.alarms.clear(MEMORY, resource);
            }
        }
    }

    /// A message that waited for a client was dropped for room.
    pub(super) fn count_overflow(&mut self, id: SessionId) {
        self.counts.session_overflow_total += 1;
        let now = self.turn.now;
        if let Some((last, _)) = self.overflowing.sessions.get_mut(&id) {
            *last = now;
            return;
        }
        let Some(entry) = self.sessions.get(id) else { return };
        let client_id = entry.session.client_id();
        let reason = "session full: its oldest waiting messages are dropped; its client is away for too long or too slow";
        let since = UnixMillis(self.turn.unix_ms);
        self.shared.alarms.raise(since, SESSION_OVERFLOW, client_id, reason.to_owned());
        self.overflowing.sessions.insert(id, (now, client_id.into()));
        if !std::mem::replace(&mut self.overflowing.has_timer, true) {
            self.timers.set(now + OVERFLOW_OVER_AFTER, Timer::Overflow);
        }
    }

    /// Clears the alarms of sessions that have dropped nothing for a while.
    pub(super) fn overflow_due(&mut self) {
        let now = self.turn.now;
        let over = self
            .overflowing
            .sessions
            .extract_if(|_, (last, _)| now.since(*last) >= OVERFLOW_OVER_AFTER);
        for (_, (_, client_id)) in over {
            self.shared.alarms.clear(SESSION_OVERFLOW, &client_id);
        }
        let first = self.overflowing.sessions.values().map(|(last, _)| *last).min();
        self.overflowing.has_timer = first.is_some();
        if let Some(last) = first {
            self.timers.set(last + OVERFLOW_OVER_AFTER, Timer::Overflow);
        }
    }

    /// A session is no more, and neither is its alarm.
    pub(super) fn forget_overflow(&mut self, id: SessionId) {
        if let Some((_, client_id)) = self.overflowing.sessions.remove(&id) {
            self.shared.alarms.clear(SESSION_OVERFLOW, &client_id);
        }
    }
}
