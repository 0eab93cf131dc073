//! The part of a message's property block that a forwarder passes on unaltered. It must not know the packet around.

use mqtt_types::{Property, PropertyId};
use smallvec::SmallVec;

use crate::property;
use crate::property_owner::{PropertySet, bit};
use crate::reader::Reader;

/// A property block without Topic Alias, Subscription Identifier, Message Expiry Interval and Will Delay Interval,
/// which belong to one hop or count down. All else is in its order, as it came. `[MQTT-3.3.2-15]`, `[MQTT-3.3.2-18]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Forwardable<'a> {
    /// It is one piece of the block.
    Whole(&'a [u8]),
    /// It is several pieces of the block.
    Parts(SmallVec<[&'a [u8]; 4]>),
}

const REMOVED: PropertySet = bit(PropertyId::TopicAlias)
    | bit(PropertyId::SubscriptionIdentifier)
    | bit(PropertyId::MessageExpiryInterval)
    | bit(PropertyId::WillDelayInterval);

/// Whether a forwarder leaves the property out.
pub(crate) const fn is_removed(property: &Property<'_>) -> bool {
    bit(property.id()) & REMOVED != 0
}

impl<'a> Forwardable<'a> {
    /// Cuts a checked block into what stays.
    pub(crate) fn of(raw: &'a [u8]) -> Self {
        let mut parts = SmallVec::<[&'a [u8]; 4]>::new();
        let mut piece = Reader::new(raw);
        let mut reader = piece;
        while !reader.is_empty() {
            let before = reader;
            let Ok(property) = property::read(&mut reader) else { break };
            if is_removed(&property) {
                push_between(&mut parts, piece, before);
                piece = reader;
            }
        }
        push_between(&mut parts, piece, reader);
        match parts.as_slice() {
            [] => Self::Whole(&[]),
            [whole] => Self::Whole(whole),
            _ => Self::Parts(parts),
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }

    /// Whether there is no property in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces in their order.
    #[must_use]
    pub fn parts(&self) -> &[&'a [u8]] {
        match self {
            Self::Whole(whole) => std::slice::from_ref(whole),
            Self::Parts(parts) => parts,
        }
    }

    /// Appends it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        for part in self.parts() {
            out.extend_from_slice(part);
        }
    }
}

/// Adds what lies between two places of the same block, given by what is left from each on.
fn push_between<'a>(parts: &mut SmallVec<[&'a [u8]; 4]>, from: Reader<'a>, to: Reader<'a>) {
    let len = from.left().len() - to.left().len();
    match from.left().get(..len) {
        None | Some([]) => {}
        Some(part) => parts.push(part),
    }
}
