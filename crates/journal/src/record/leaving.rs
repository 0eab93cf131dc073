//! A message that its queue has let go, on its way to another queue: to the dead letters, or back from them. It must not
//! know how it gets there.

use mqtt_router::SinkId;
use queue_engine::{DeadReason, Departure, Offset, StoredAt};

use super::codec::{Reader, RecordError};

/// A message on its way.
///
/// The layout in a checkpoint:
///
/// ```text
/// offset u64 | position u64 | why u8 | dead (1-5): attempts u32 | redriven (6): to u32
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaving {
    /// Where its body is.
    pub at: StoredAt,
    /// Why it leaves.
    pub why: Why,
}

/// Why a message leaves its queue for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It was given up.
    Dead {
        /// For which reason.
        reason: DeadReason,
        /// Deliveries that counted.
        attempts: u32,
    },
    /// An operator sends it back.
    Redriven {
        /// To that queue.
        to: SinkId,
    },
}

/// The numbers are on disk and never reused.
const REASONS: [(u8, DeadReason); 6] = [
    (1, DeadReason::MaxAttempts),
    (2, DeadReason::Rejected),
    (3, DeadReason::TooLarge),
    (4, DeadReason::Expired),
    (5, DeadReason::Dropped),
    (7, DeadReason::Unkeyed),
];
const REDRIVEN: u8 = 6;

impl Why {
    /// How the message counts in the queue that it leaves.
    #[must_use]
    pub const fn departure(self) -> Departure {
        match self {
            Self::Dead { .. } => Departure::DeadLettered,
            Self::Redriven { .. } => Departure::Settled,
        }
    }
}

impl Leaving {
    pub(crate) fn encode(&self, offset: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&offset.0.to_le_bytes());
        out.extend_from_slice(&self.at.0.to_le_bytes());
        match self.why {
            Why::Dead { reason, attempts } => {
                let number = REASONS.iter().find(|(_, known)| *known == reason);
                out.push(number.map_or(0, |(number, _)| *number));
                out.extend_from_slice(&attempts.to_le_bytes());
            }
            Why::Redriven { to } => {
                out.push(REDRIVEN);
                out.extend_from_slice(&to.0.to_le_bytes());
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<(Offset, Self), RecordError> {
        let (offset, at) = (Offset(reader.u64()?), StoredAt(reader.u64()?));
        let why = match reader.u8()? {
            REDRIVEN => Why::Redriven { to: SinkId(reader.u32()?) },
            number => {
                let reason = REASONS.into_iter().find(|(known, _)| *known == number);
                let (_, reason) =
                    reason.ok_or_else(|| reader.error("a reason of a dead letter is unknown"))?;
                Why::Dead { reason, attempts: reader.u32()? }
            }
        };
        Ok((offset, Self { at, why }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_reasons_come_out_as_they_went_in() {
        let dead = REASONS.map(|(number, reason)| (number, Why::Dead { reason, attempts: 7 }));
        let redriven = (REDRIVEN, Why::Redriven { to: SinkId(9) });
        for (number, why) in dead.into_iter().chain([redriven]) {
            let leaving = Leaving { at: StoredAt(u64::MAX), why };
            let mut bytes = Vec::new();
            leaving.encode(Offset(9), &mut bytes);
            assert_eq!(bytes[16], number);
            let mut reader = Reader { record: "checkpoint", rest: &bytes };
            assert_eq!(Leaving::decode(&mut reader), Ok((Offset(9), leaving)));
            bytes[16] = 9;
            let mut reader = Reader { record: "checkpoint", rest: &bytes };
            assert!(Leaving::decode(&mut reader).is_err());
        }
    }
}
