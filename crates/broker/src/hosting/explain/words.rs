//! What engines say, as reasons with a code. Codes are part of the REST interface: they stay.

use queue_engine::{ConsumerId, Stall, Standing, Waits};
use stdx::{Instant, UnixMillis};
use stream_engine::{ReaderStanding, ReaderWaits};

use crate::explain::Reason;
use crate::turn::Turn;

/// A moment of the monotonic clock as the wall clock would show it.
pub(super) fn wall(turn: &Turn, at: Instant) -> UnixMillis {
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if at >= turn.now {
        UnixMillis(turn.unix_ms.saturating_add(millis(at.since(turn.now))))
    } else {
        UnixMillis(turn.unix_ms.saturating_sub(millis(turn.now.since(at))))
    }
}

/// Why a queue delivers nothing.
pub(super) fn of_stall(stall: &Stall, turn: &Turn) -> Reason {
    let reason = |code| Reason::new(code, stall.to_string());
    match *stall {
        Stall::Paused => reason("paused"),
        Stall::NoConsumers => reason("no_consumers"),
        Stall::Rekeying { messages } => reason("rekeying").of(messages),
        Stall::Delayed { until: Some(until) } => reason("all_delayed").until(wall(turn, until)),
        Stall::Delayed { until: None } => reason("all_delayed"),
        Stall::AwaitingLog => reason("awaiting_log"),
        Stall::Resting { until } => reason("consumers_resting").until(wall(turn, until)),
        Stall::NoCredit { in_flight } => reason("no_credit").of(in_flight),
        Stall::KeysBlocked { passed_over, .. } => reason("keys_busy").of(passed_over),
        Stall::AwaitingRetry { offset, until } => {
            reason("awaiting_retry").about(offset.0).until(wall(turn, until))
        }
        Stall::HandingOver { in_flight } => reason("handing_over").of(in_flight),
        Stall::Barred { messages } => reason("barred").of(messages),
    }
}

/// What a ready message waits for.
fn of_waits(waits: &Waits, turn: &Turn) -> Reason {
    let reason = |code| Reason::new(code, waits.to_string());
    match *waits {
        Waits::Queue(ref stall) => of_stall(stall, turn),
        Waits::CatchingUp => reason("catching_up"),
        Waits::Active { in_flight } => reason("no_credit").of(in_flight),
        Waits::Behind { next } => reason("behind").about(next.0),
        Waits::KeyBusy { unsettled, by } => {
            let reason = reason("key_busy").of(unsettled);
            by.map_or(reason.clone(), |by| reason.about(by.offset.0).at(by.consumer))
        }
        Waits::KeyOwner { by } => {
            let reason = reason("key_owner_no_credit");
            by.map_or(reason.clone(), |by| reason.about(by.offset.0).at(by.consumer))
        }
        Waits::BehindOfKey { next } => reason("behind_of_key").about(next.0),
        Waits::LookAhead { passed_over } => reason("keys_busy").of(passed_over),
        Waits::Barred { too_large: 0, ran_out, .. } => reason("lease_ran_out").of(ran_out),
        Waits::Barred { too_large, .. } => reason("too_large").of(too_large),
        Waits::Nothing => reason("next"),
    }
}

/// What keeps a message of a queue where it stands.
pub(super) fn of_standing(standing: &Standing, turn: &Turn) -> Reason {
    let reason = |code| Reason::new(code, standing.to_string());
    match *standing {
        Standing::NotYet => reason("not_yet"),
        Standing::Left => reason("left"),
        Standing::Ready(ref waits) => of_waits(waits, turn),
        Standing::InFlight { consumer, until, .. } => {
            let reason = reason("unsettled").at(Some(consumer));
            until.map_or(reason.clone(), |until| reason.until(wall(turn, until)))
        }
        Standing::BackingOff { until } => reason("back_off").until(wall(turn, until)),
        Standing::HeldBack { until } => reason("held_back").until(until),
        Standing::Announced => reason("awaiting_log"),
        Standing::Settled => reason("settled"),
    }
}

/// Why a reader of a stream has not settled a message; none when it has.
pub(super) fn of_reader(standing: &ReaderStanding, turn: &Turn) -> Option<Reason> {
    let reason = |code| Reason::new(code, standing.to_string());
    Some(match *standing {
        ReaderStanding::Settled => return None,
        ReaderStanding::InFlight(member) => reason("unsettled").at(Some(ConsumerId(member.0))),
        ReaderStanding::BackingOff { until } => reason("back_off").until(wall(turn, until)),
        ReaderStanding::Waits(waits) => match waits {
            ReaderWaits::Paused => reason("paused"),
            ReaderWaits::Away => reason("no_consumers"),
            ReaderWaits::Rekeying { messages } => reason("rekeying").of(messages),
            ReaderWaits::Resting { until } => reason("consumers_resting").until(wall(turn, until)),
            ReaderWaits::AwaitingLog => reason("awaiting_log"),
            ReaderWaits::NoCredit { in_flight } => reason("no_credit").of(in_flight),
            ReaderWaits::KeyBusy { by: Some(by) } => reason("key_busy").about(by.0),
            ReaderWaits::KeyBusy { by: None } => reason("key_busy"),
            ReaderWaits::TooLarge { too_large, .. } => reason("too_large").of(too_large),
            ReaderWaits::Held { by } => reason("held_by_unsettled").about(by.0),
            ReaderWaits::Nothing => reason("next"),
        },
    })
}
