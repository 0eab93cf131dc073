//! Where one message stands, and what keeps it there. It must not know who asks.

use std::fmt;

use stdx::{Instant, UnixMillis};

use super::Queue;
use super::stalling::Stall;
use crate::keys::Takes;
use crate::{ConsumerId, Key, Offset};
use message_index::NEVER;

/// Messages that are looked at to find the one that blocks a key.
const LOOK_MAX: usize = 4_096;

/// Where a message stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing was stored at that offset yet.
    NotYet,
    /// It has left, in whatever way, or was never stored for this queue.
    Left,
    /// It waits for a consumer.
    Ready(Waits),
    /// A consumer has it.
    InFlight {
        /// Who.
        consumer: ConsumerId,
        /// Since when.
        since: Instant,
        /// When it goes to another, if it is not settled before.
        until: Option<Instant>,
    },
    /// It was released and waits before it is tried again.
    BackingOff {
        /// Until when.
        until: Instant,
    },
    /// Its publisher wants it to wait.
    HeldBack {
        /// Until when.
        until: UnixMillis,
    },
    /// Its time has come, and the log does not know yet that it may be delivered.
    Announced,
    /// It was settled, and is kept for a while.
    Settled,
}

/// What a ready message waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Waits {
    /// What keeps all other ready messages, too.
    Queue(Stall),
    /// So much is to leave, or to be looked through, that the queue goes on with it first.
    CatchingUp,
    /// The consumer whose turn it is has as many unsettled messages as it takes.
    Active {
        /// How many are unsettled.
        in_flight: u64,
    },
    /// Messages go in order, and another one is before it.
    Behind {
        /// Which one is next.
        next: Offset,
    },
    /// As many messages of its key are unsettled as may be.
    KeyBusy {
        /// How many.
        unsettled: u64,
        /// One of them, if it was found soon enough.
        by: Option<Blocker>,
    },
    /// Only the consumer that has others of its key may have it, and has no credit.
    KeyOwner {
        /// One that this consumer has.
        by: Option<Blocker>,
    },
    /// Another message of its key waits before it.
    BehindOfKey {
        /// Which one is next.
        next: Offset,
    },
    /// So many messages of busy keys were passed over that nothing behind them is looked at.
    LookAhead {
        /// How many.
        passed_over: u64,
    },
    /// Consumers that have credit cannot take it.
    Barred {
        /// Consumers that it is too large for.
        too_large: u64,
        /// Consumers that let its lease run out.
        ran_out: u64,
        /// How many there are.
        consumers: u64,
    },
    /// Nothing: it is about to be delivered.
    Nothing,
}

/// A message that keeps another one of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocker {
    /// Which one.
    pub offset: Offset,
    /// Who has it; none when it waits itself.
    pub consumer: Option<ConsumerId>,
}

impl Waits {
    /// The message that keeps this one, where it is one of its key.
    #[must_use]
    pub const fn blocker(&self) -> Option<Blocker> {
        match self {
            Self::KeyBusy { by, .. } | Self::KeyOwner { by } => *by,
            _ => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet => f.write_str("it has not come yet"),
            Self::Left => f.write_str("it is not here any more"),
            Self::Ready(waits) => waits.fmt(f),
            Self::InFlight { .. } => f.write_str("a consumer has it and has not settled it"),
            Self::BackingOff { .. } => {
                f.write_str("delayed: it was released and is tried again in some time")
            }
            Self::HeldBack { .. } => f.write_str("delayed: its publisher holds it back"),
            Self::Announced => f.write_str(
                "delayed: its time has come, and the log has not taken yet that it may be delivered",
            ),
            Self::Settled => f.write_str("it was settled and is kept"),
        }
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(stall) => stall.fmt(f),
            Self::CatchingUp => {
                f.write_str("much is to leave the queue at once, which comes before deliveries")
            }
            Self::Active { in_flight } => write!(
                f,
                "the consumer whose turn it is has no credit: {in_flight} messages are unsettled"
            ),
            Self::Behind { next } => write!(f, "the message at offset {next} goes before it"),
            Self::KeyBusy { by: Some(by), .. } => by.fmt(f),
            Self::KeyBusy { unsettled, by: None } => {
                write!(f, "{unsettled} messages of its key are unsettled")
            }
            Self::KeyOwner { by } => {
                f.write_str("the consumer that has its key has no credit")?;
                by.map_or(Ok(()), |by| write!(f, ": {by}"))
            }
            Self::BehindOfKey { next } => {
                write!(f, "the message at offset {next}, of the same key, goes before it")
            }
            Self::LookAhead { passed_over } => {
                Stall::KeysBlocked { passed_over: *passed_over, at_the_limit: true }.fmt(f)
            }
            Self::Barred { too_large, ran_out, consumers } => {
                f.write_str("those with credit cannot take it: it ")?;
                if *too_large > 0 {
                    write!(f, "is too large for {too_large}")?;
                }
                if *ran_out > 0 {
                    let and = if *too_large > 0 { ", and " } else { "" };
                    write!(f, "{and}was not settled in time by {ran_out}")?;
                }
                write!(f, " of {consumers} consumers")
            }
            Self::Nothing => f.write_str("nothing keeps it: it is about to be delivered"),
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.consumer.is_some() { "is unsettled" } else { "waits for its next try" };
        write!(f, "the message at offset {}, of the same key, {how}", self.offset)
    }
}

impl Queue {
    /// Where a message stands, and what keeps it there.
    #[must_use]
    pub fn standing(&self, offset: Offset) -> Standing {
        if offset >= self.index.next() {
            return Standing::NotYet;
        }
        let Some(entry) = self.index.get(offset) else {
            return if self.index.is_kept(offset) { Standing::Settled } else { Standing::Left };
        };
        if let Some(lease) = self.leases.get(offset) {
            let timeout = self.config.ack_timeout;
            return Standing::InFlight {
                consumer: self.consumers.get(lease.consumer).id,
                since: lease.granted,
                until: (!timeout.is_zero()).then(|| lease.granted + timeout),
            };
        }
        if let Some(until) = self.delayed.when(offset) {
            return Standing::BackingOff { until };
        }
        let due = (entry.not_before, offset);
        if self.held_back.contains(&due) {
            return Standing::HeldBack { until: entry.not_before };
        }
        if self.permits.announced.contains(&due) {
            return Standing::Announced;
        }
        Standing::Ready(self.why_it_waits(offset))
    }

    /// When a message that is here expires, by its own time or the queue's; none when it does not.
    #[must_use]
    pub fn expires(&self, offset: Offset) -> Option<UnixMillis> {
        let deadline = self.index.get(offset).map(|entry| self.deadline(&entry));
        deadline.filter(|deadline| *deadline != NEVER)
    }

    /// What a ready message waits for: what keeps all, or what keeps it alone.
    fn why_it_waits(&self, offset: Offset) -> Waits {
        if self.config.paused {
            return Waits::Queue(Stall::Paused);
        }
        if self.consumers.len() == 0 {
            return Waits::Queue(Stall::NoConsumers);
        }
        if self.is_rekeying {
            return Waits::Queue(Stall::Rekeying { messages: self.rekeying() });
        }
        if self.has_more || self.rules_are_stale {
            return Waits::CatchingUp;
        }
        if self.awaits_permit() && (self.permits.is_withheld() || self.is_fresh(offset)) {
            return Waits::Queue(Stall::AwaitingLog);
        }
        if let Some((until, offset)) = self.awaited_retry() {
            return Waits::Queue(Stall::AwaitingRetry { offset, until });
        }
        let in_flight = self.leases.len() as u64;
        if !self.consumers.slots().any(|slot| self.consumers.get(slot).is_available) {
            return Waits::Queue(self.why_nobody(in_flight));
        }
        if self.is_single() {
            return self.why_not_its_turn(offset, in_flight);
        }
        if self.barred.ready().contains(&offset) {
            return self.why_barred(offset);
        }
        if self.is_keyed() { self.why_its_key_waits(offset) } else { Waits::Nothing }
    }

    fn why_not_its_turn(&self, offset: Offset, in_flight: u64) -> Waits {
        match self.next_and_active() {
            Some((next, _)) if next != offset => Waits::Behind { next },
            Some(_) => match self.why_not_the_active(in_flight) {
                Stall::NoCredit { in_flight } => Waits::Active { in_flight },
                stall => Waits::Queue(stall),
            },
            None => self.bars(offset).unwrap_or(Waits::Nothing),
        }
    }

    /// Why a message with bars is at nobody: those that may have it have no credit, or it waits for its key.
    fn why_barred(&self, offset: Offset) -> Waits {
        let bars = self.barred.bars(offset);
        let mut available = self.consumers.slots().filter(|slot| {
            self.consumers.get(*slot).is_available && bars.is_none_or(|bars| !bars.has(*slot))
        });
        match available.next() {
            Some(_) if self.is_keyed() => self.key_busy(self.key(offset), Some(offset)),
            Some(_) => Waits::Nothing,
            None => self.bars(offset).unwrap_or(Waits::Nothing),
        }
    }

    fn bars(&self, offset: Offset) -> Option<Waits> {
        let (too_large, ran_out) = self.barred.bars(offset)?.counts();
        Some(Waits::Barred { too_large, ran_out, consumers: self.consumers.len() as u64 })
    }

    fn why_its_key_waits(&self, offset: Offset) -> Waits {
        if self.is_fresh(offset) {
            let passed_over = self.keys.waiting() as u64;
            let is_far = passed_over >= u64::from(self.config.key_look_ahead.max(1));
            return if is_far { Waits::LookAhead { passed_over } } else { Waits::Nothing };
        }
        let key = self.key(offset);
        match self.keys.first_of(key) {
            Some(((_, next), _)) if next != offset => Waits::BehindOfKey { next },
            Some((_, Takes::Nobody)) => self.key_busy(key, None),
            Some((_, Takes::Only(_))) => Waits::KeyOwner { by: self.blocker(key, None) },
            _ => Waits::Nothing,
        }
    }

    fn key_busy(&self, key: Key, except: Option<Offset>) -> Waits {
        let (in_flight, held, _) = self.keys.counts(key);
        let own = u32::from(except.is_some());
        let unsettled = u64::from((in_flight + held).saturating_sub(own));
        Waits::KeyBusy { unsettled, by: self.blocker(key, except) }
    }

    /// One of the messages by which a key is busy, if it is among the first that are looked at.
    fn blocker(&self, key: Key, except: Option<Offset>) -> Option<Blocker> {
        let is_it = |offset: &Offset| Some(*offset) != except && self.key(*offset) == key;
        let leased = self.leases.iter().take(LOOK_MAX).find(|lease| is_it(&lease.offset));
        if let Some(lease) = leased {
            let consumer = Some(self.consumers.get(lease.consumer).id);
            return Some(Blocker { offset: lease.offset, consumer });
        }
        let held = self.delayed.iter().chain(self.barred.ready().iter().copied());
        let offset = held.take(LOOK_MAX).find(is_it)?;
        Some(Blocker { offset, consumer: None })
    }
}
