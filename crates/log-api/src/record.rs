//! The kinds of records. It must not know what their bodies mean.

/// What a record is. The numbers are on disk: they are fixed, and never used again for something else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum RecordKind {
    /// A message and the queues and streams that take it.
    Publish = 1,
    /// Messages that left a queue.
    Settle = 2,
    /// A queue was made, or its properties changed.
    QueueDefined = 3,
    /// A queue or a stream was deleted, with all that was in it.
    QueueDeleted = 4,
    /// Deliveries that failed and count as attempts.
    Attempt = 5,
    /// Something about a session that outlives its connections.
    Session = 6,
    /// A delayed message was published.
    Delayed = 7,
    /// A stream was made, or its properties changed.
    StreamDefined = 8,
    /// Messages left a stream, or readers of it have come on.
    StreamChanged = 9,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Publish,
        Self::Settle,
        Self::QueueDefined,
        Self::QueueDeleted,
        Self::Attempt,
        Self::Session,
        Self::Delayed,
        Self::StreamDefined,
        Self::StreamChanged,
    ];

    /// The number it has on disk.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for RecordKind {
    type Error = UnknownRecordKind;

    fn try_from(number: u8) -> Result<Self, UnknownRecordKind> {
        match number {
            1 => Ok(Self::Publish),
            2 => Ok(Self::Settle),
            3 => Ok(Self::QueueDefined),
            4 => Ok(Self::QueueDeleted),
            5 => Ok(Self::Attempt),
            6 => Ok(Self::Session),
            7 => Ok(Self::Delayed),
            8 => Ok(Self::StreamDefined),
            9 => Ok(Self::StreamChanged),
            _ => Err(UnknownRecordKind(number)),
        }
    }
}

/// A number that no kind of record has: the log was written by a newer version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown kind of record {0}, written by a newer version")]
pub struct UnknownRecordKind(pub u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_keeps_its_number() {
        let fixed = [
            (1, "Publish"),
            (2, "Settle"),
            (3, "QueueDefined"),
            (4, "QueueDeleted"),
            (5, "Attempt"),
            (6, "Session"),
            (7, "Delayed"),
            (8, "StreamDefined"),
            (9, "StreamChanged"),
        ];
        assert_eq!(fixed.len(), RecordKind::ALL.len());
        for (kind, (number, name)) in RecordKind::ALL.into_iter().zip(fixed) {
            assert_eq!((kind.number(), format!("{kind:?}").as_str()), (number, name));
            assert_eq!(RecordKind::try_from(number), Ok(kind));
        }
        for number in [0, 10, 255] {
            assert_eq!(RecordKind::try_from(number), Err(UnknownRecordKind(number)));
        }
    }
}
