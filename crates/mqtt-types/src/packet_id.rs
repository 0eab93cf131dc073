//! Packet identifiers.

use std::num::NonZeroU16;

/// A packet identifier: 1 to 65,535, never 0. `[MQTT-2.2.1-3]`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The lowest identifier.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    /// The identifier of that number, `None` for 0.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The identifier after this one; 1 follows 65,535.
    #[must_use]
    pub const fn next(self) -> Self {
        match NonZeroU16::new(self.0.get().wrapping_add(1)) {
            Some(number) => Self(number),
            None => Self::MIN,
        }
    }
}

impl std::fmt::Display for PacketId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_packet_id_and_one_follows_the_last() {
        assert_eq!(PacketId::new(0), None);
        let last = PacketId::new(u16::MAX).expect("65535 is legal");
        assert_eq!(last.next(), PacketId::MIN);
        assert_eq!(PacketId::MIN.next().get(), 2);
    }
}
