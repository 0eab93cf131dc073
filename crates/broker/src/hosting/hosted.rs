//! What the host asks of queues and streams alike. It must not know which is which.

use log_api::ShardSet;
use mqtt_types::Message;
use stdx::Instant;

use super::SETTLE_TOKEN;
use crate::turn::Turn;

/// What the host notes of each.
#[derive(Default)]
pub(crate) struct Marks {
    /// Whether it is to be looked after before the turn ends.
    pub(super) is_touched: bool,
    /// Whether it is on the list of those that have something to write.
    pub(super) is_listed: bool,
    /// Whether it is on the list of those whose keys are made anew.
    pub(super) is_rekeying: bool,
    /// The deadline for which a timer stands.
    pub(super) timer: Option<Instant>,
}

/// A queue or a stream at its owner.
pub(crate) trait Hosted {
    fn marks(&mut self) -> &mut Marks;

    /// Whether something has happened that waits for a record.
    fn has_unlogged(&self) -> bool;

    /// Whether that is much, and waits for its time though something else is written.
    fn can_wait(&self) -> bool {
        false
    }

    /// Whether somebody waits for it.
    fn is_urgent(&self) -> bool {
        false
    }

    /// Writes what has happened since the last record, if anything has.
    fn log_unlogged(&mut self, notify: ShardSet, token: u64, turn: &mut Turn);

    /// Writes what somebody waits for, and what else there is if it is little.
    fn log_urgent(&mut self, turn: &mut Turn) {
        self.log_unlogged(ShardSet::EMPTY, SETTLE_TOKEN, turn);
    }

    /// When its engine has something to do by itself.
    fn next_deadline(&self) -> Option<Instant>;

    fn tick(&mut self, turn: &mut Turn);

    /// Whether messages wait for their keys to be made anew.
    fn wants_keys(&self) -> bool;

    /// The wall clock shows this.
    fn tell_clock(&mut self, unix_ms: u64, turn: &mut Turn);

    /// A body that was asked for will not come, because the log has stopped.
    fn not_read(&mut self);

    /// A body that was asked for.
    fn read(&mut self, message: Message, turn: &mut Turn);

    /// A body that was asked for could not be read unaltered. Then nothing more is delivered, and it says so; unless the
    /// message has left meanwhile, or its body lies elsewhere.
    fn not_whole(&mut self, turn: &mut Turn) -> bool;

    /// All asked-for bodies of one answer have come.
    fn reads_done(&mut self, turn: &mut Turn);
}
