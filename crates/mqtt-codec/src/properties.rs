//! A property block that has been checked once and stays raw. It must not know what its values are for.

use mqtt_types::{Property, PropertyId, ProtocolVersion};

use crate::error::DecodeErrorKind;
use crate::limits::Peer;
use crate::property;
use crate::property_owner::{PropertyOwner, PropertySet, bit};
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// A checked property block, borrowed: the properties one behind the other, without the length before them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Properties<'a> {
    raw: &'a [u8],
}

/// Walks the properties of a block in their order.
#[derive(Clone, Debug)]
pub struct PropertyIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Properties<'a> {
    /// The block without a property.
    pub const EMPTY: Self = Self { raw: &[] };

    /// Checks a raw block: known properties, those of `owner`, each once but for the repeatable, values in range.
    ///
    /// # Errors
    /// The rule that the block breaks.
    pub fn parse(raw: &'a [u8], owner: PropertyOwner, from: Peer) -> Result<Self, DecodeErrorKind> {
        visit(raw, owner, from, |_| {})?;
        Ok(Self { raw })
    }

    /// Takes the length and the block from a body; before 5.0 there is neither.
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        owner: PropertyOwner,
        version: ProtocolVersion,
        from: Peer,
    ) -> ReadResult<Self> {
        if !version.is_v5() {
            return Ok(Self::EMPTY);
        }
        let len = reader.varint()?;
        Self::parse(reader.take(len as usize)?, owner, from)
    }

    /// Appends the length and the block, nothing before 5.0.
    pub(crate) fn write(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        if version.is_v5() { writer::property_block(out, self.raw) } else { Ok(()) }
    }

    /// A block that was built from properties or checked before. Of any other the properties end where the first illegal one
    /// is.
    #[must_use]
    pub const fn trusted(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The block as it is on the wire.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether there is no property.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The properties in their order.
    #[must_use]
    pub const fn iter(&self) -> PropertyIter<'a> {
        PropertyIter { reader: Reader::new(self.raw) }
    }

    /// The first property of that identifier.
    #[must_use]
    pub fn find(&self, id: PropertyId) -> Option<Property<'a>> {
        self.iter().find(|property| property.id() == id)
    }

    /// The user properties in their order. `[MQTT-3.3.2-18]`
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(key, value) => Some((key, value)),
            _ => None,
        })
    }

    /// The value of the first user property of that key.
    #[must_use]
    pub fn user_property(&self, key: &str) -> Option<&'a str> {
        self.user_properties().find_map(|(found, value)| (found == key).then_some(value))
    }

    /// The subscription identifiers in their order; a SUBSCRIBE has at most one.
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::SubscriptionIdentifier(identifier) => Some(identifier),
            _ => None,
        })
    }

    /// The Reason String.
    #[must_use]
    pub fn reason_string(&self) -> Option<&'a str> {
        self.iter().find_map(|property| match property {
            Property::ReasonString(text) => Some(text),
            _ => None,
        })
    }

    /// The Session Expiry Interval in seconds.
    #[must_use]
    pub fn session_expiry_interval(&self) -> Option<u32> {
        self.iter().find_map(|property| match property {
            Property::SessionExpiryInterval(seconds) => Some(seconds),
            _ => None,
        })
    }

    /// The Authentication Method.
    #[must_use]
    pub fn authentication_method(&self) -> Option<&'a str> {
        self.iter().find_map(|property| match property {
            Property::AuthenticationMethod(method) => Some(method),
            _ => None,
        })
    }

    /// The Authentication Data.
    #[must_use]
    pub fn authentication_data(&self) -> Option<&'a [u8]> {
        self.iter().find_map(|property| match property {
            Property::AuthenticationData(data) => Some(data),
            _ => None,
        })
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for PropertyIter<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        if self.reader.is_empty() {
            return None;
        }
        // The block was checked; should it not have been, the walk ends instead of going astray.
        let property = property::read(&mut self.reader).ok();
        if property.is_none() {
            self.reader = Reader::new(&[]);
        }
        property
    }
}

/// Checks a block in one pass and shows each property to `see`.
#[inline]
pub(crate) fn visit<'a>(
    raw: &'a [u8],
    owner: PropertyOwner,
    from: Peer,
    mut see: impl FnMut(&Property<'a>),
) -> ReadResult<()> {
    let allowed = owner.allowed();
    let repeatable = owner.repeatable();
    let mut seen = 0;
    let mut reader = Reader::new(raw);
    while !reader.is_empty() {
        let property = property::read(&mut reader)?;
        let id = property.id();
        if bit(id) & allowed == 0 {
            return Err(DecodeErrorKind::PropertyNotAllowed(id));
        }
        if bit(id) & seen & !repeatable != 0 {
            return Err(DecodeErrorKind::PropertyTwice(id));
        }
        seen |= bit(id);
        see(&property);
    }
    check_together(seen, owner, from)
}

/// Rules on what occurs together, and on who may send what.
#[inline]
fn check_together(seen: PropertySet, owner: PropertyOwner, from: Peer) -> ReadResult<()> {
    let has = |id| seen & bit(id) != 0;
    match owner {
        PropertyOwner::Publish
            if from == Peer::Client && has(PropertyId::SubscriptionIdentifier) =>
        {
            Err(DecodeErrorKind::SubscriptionIdentifierFromClient)
        }
        PropertyOwner::Disconnect
            if from == Peer::Server && has(PropertyId::SessionExpiryInterval) =>
        {
            Err(DecodeErrorKind::SessionExpiryFromServer)
        }
        PropertyOwner::Connect | PropertyOwner::ConnAck
            if has(PropertyId::AuthenticationData) && !has(PropertyId::AuthenticationMethod) =>
        {
            Err(DecodeErrorKind::AuthenticationDataWithoutMethod)
        }
        PropertyOwner::Auth if !has(PropertyId::AuthenticationMethod) => {
            Err(DecodeErrorKind::AuthenticationMethodMissing)
        }
        _ => Ok(()),
    }
}
