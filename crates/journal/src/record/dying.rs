//! A message that its queue has given up, on its way to the dead letters. It must not know which queue takes those.

use queue_engine::{DeadReason, Offset, StoredAt};

use super::codec::{Reader, RecordError};

/// The layout in a checkpoint:
///
/// ```text
/// offset u64 | position u64 | reason u8 | attempts u32
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dying {
    /// Where its body is.
    pub at: StoredAt,
    /// Why it was given up.
    pub reason: DeadReason,
    /// Deliveries that counted.
    pub attempts: u32,
}

/// The numbers are on disk and never reused.
const REASONS: [(u8, DeadReason); 5] = [
    (1, DeadReason::MaxAttempts),
    (2, DeadReason::Rejected),
    (3, DeadReason::TooLarge),
    (4, DeadReason::Expired),
    (5, DeadReason::Dropped),
];

impl Dying {
    pub(crate) fn encode(&self, offset: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&offset.0.to_le_bytes());
        out.extend_from_slice(&self.at.0.to_le_bytes());
        let number = REASONS.iter().find(|(_, reason)| *reason == self.reason);
        out.push(number.map_or(0, |(number, _)| *number));
        out.extend_from_slice(&self.attempts.to_le_bytes());
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<(Offset, Self), RecordError> {
        let (offset, at) = (Offset(reader.u64()?), StoredAt(reader.u64()?));
        let number = reader.u8()?;
        let (_, reason) = REASONS
            .into_iter()
            .find(|(known, _)| *known == number)
            .ok_or_else(|| reader.error("a reason of a dead letter is unknown"))?;
        Ok((offset, Self { at, reason, attempts: reader.u32()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_reasons_come_out_as_they_went_in() {
        for (number, reason) in REASONS {
            let dying = Dying { at: StoredAt(u64::MAX), reason, attempts: 7 };
            let mut bytes = Vec::new();
            dying.encode(Offset(9), &mut bytes);
            assert_eq!(bytes[16], number);
            let mut reader = Reader { record: "checkpoint", rest: &bytes };
            assert_eq!(Dying::decode(&mut reader), Ok((Offset(9), dying)));
            bytes[16] = 9;
            let mut reader = Reader { record: "checkpoint", rest: &bytes };
            assert!(Dying::decode(&mut reader).is_err());
        }
    }
}
