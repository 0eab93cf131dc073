//! A message that stays what it is, and whose body lies in another record from then on. It must not know who has it.

use mqtt_router::SinkId;
use mqtt_session::KeptPlace;
use queue_engine::Offset;

use super::codec::{Reader, RecordError};
use super::targets::Delayed;
use crate::ids::SessionNumber;

/// Which message it is. One of a queue or stream is said where moves are, see [`MoreTargets`](super::MoreTargets); of others
/// records of version 5 have behind all else:
///
/// ```text
/// whose u8 | delayed (1): the one that the record names as such
///          | a session's (2), by a shared subscription (3): session u64 | sequence u64 | position u64 | copy u8
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relocated {
    /// One of a queue or a stream.
    Hosted {
        /// The queue or stream.
        sink: SinkId,
        /// What the message is called there.
        offset: Offset,
    },
    /// One that is to be published later; the record says of it what the one before said.
    Delayed(Delayed),
    /// One of a durable session's inbox, at that place until now. The record's only target is that session.
    Kept(SessionNumber, KeptPlace),
}

const DELAYED: u8 = 1;
const KEPT: u8 = 2;
const KEPT_SHARED: u8 = 3;

impl Relocated {
    /// Whether it is said behind all else.
    pub(super) const fn is_last(&self) -> bool {
        matches!(self, Self::Delayed(_) | Self::Kept(..))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hosted { .. } => {}
            Self::Delayed(_) => out.push(DELAYED),
            Self::Kept(number, KeptPlace { sequence, at, copy, is_shared }) => {
                out.push(if *is_shared { KEPT_SHARED } else { KEPT });
                for number in [number.0, *sequence, *at] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
                out.push(*copy);
            }
        }
    }

    pub(super) fn decode(
        reader: &mut Reader<'_>,
        delayed: Option<Delayed>,
    ) -> Result<Self, RecordError> {
        match reader.u8()? {
            DELAYED => delayed.map(Self::Delayed).ok_or_else(|| reader.error("it is not delayed")),
            whose @ (KEPT | KEPT_SHARED) => {
                let number = SessionNumber(reader.u64()?);
                let (sequence, at, copy) = (reader.u64()?, reader.u64()?, reader.u8()?);
                let is_shared = whose == KEPT_SHARED;
                Ok(Self::Kept(number, KeptPlace { sequence, at, copy, is_shared }))
            }
            _ => Err(reader.error("whose message lies here is unknown")),
        }
    }
}
