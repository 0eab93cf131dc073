//! UNSUBSCRIBE (§3.10). It must not know subscriptions.

use mqtt_types::{PacketId, ProtocolVersion};

use crate::error::DecodeErrorKind;
use crate::limits::Limits;
use crate::packet_type::PacketType;
use crate::properties::Properties;
use crate::property_owner::PropertyOwner;
use crate::reader::{ReadResult, Reader};
use crate::subscribe_filters::check_filter;
use crate::writer::{self, WriteResult};

/// An UNSUBSCRIBE: packet identifier (u16) | property block (5.0) | filter (string), once or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsubscribe<'a> {
    /// The packet identifier.
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// What is no longer subscribed to.
    pub filters: UnsubscribeFilters<'a>,
}

/// The filters of an UNSUBSCRIBE, at least one when it was decoded.
#[derive(Clone, Copy, Debug)]
pub struct UnsubscribeFilters<'a> {
    form: Form<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Wire(&'a [u8]),
    Listed(&'a [&'a str]),
}

/// Walks the filters of an UNSUBSCRIBE in their order.
#[derive(Clone, Debug)]
pub struct UnsubscribeFiltersIter<'a> {
    form: Form<'a>,
}

impl<'a> Unsubscribe<'a> {
    pub(crate) fn decode(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        let properties =
            Properties::read(&mut reader, PropertyOwner::Unsubscribe, version, limits.from)?;
        let wire = reader.left();
        if reader.is_empty() {
            return Err(DecodeErrorKind::NoFilter);
        }
        while !reader.is_empty() {
            check_filter(reader.string()?, version, limits)?;
        }
        Ok(Self { packet_id, properties, filters: UnsubscribeFilters { form: Form::Wire(wire) } })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        writer::packet(out, PacketType::Unsubscribe.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            self.properties.write(version, out)?;
            self.filters.iter().try_for_each(|filter| writer::string(out, filter))
        })
    }
}

impl<'a> UnsubscribeFilters<'a> {
    /// The filters of an UNSUBSCRIBE to be sent.
    #[must_use]
    pub const fn of(filters: &'a [&'a str]) -> Self {
        Self { form: Form::Listed(filters) }
    }

    /// The filters in their order.
    #[must_use]
    pub const fn iter(&self) -> UnsubscribeFiltersIter<'a> {
        UnsubscribeFiltersIter { form: self.form }
    }
}

impl<'a> IntoIterator for UnsubscribeFilters<'a> {
    type Item = &'a str;
    type IntoIter = UnsubscribeFiltersIter<'a>;

    fn into_iter(self) -> UnsubscribeFiltersIter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for UnsubscribeFiltersIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        match &mut self.form {
            Form::Listed(filters) => {
                let (first, rest) = filters.split_first()?;
                *filters = rest;
                Some(first)
            }
            Form::Wire(wire) => {
                let mut reader = Reader::new(wire);
                let filter = reader.string_with_null().ok()?;
                *wire = reader.left();
                Some(filter)
            }
        }
    }
}

impl PartialEq for UnsubscribeFilters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UnsubscribeFilters<'_> {}
