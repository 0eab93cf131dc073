//! SUBSCRIBE (§3.8). Its payload is in `subscribe_filters`.

use mqtt_types::{PacketId, ProtocolVersion};

use crate::limits::Limits;
use crate::packet_type::PacketType;
use crate::properties::Properties;
use crate::property_owner::PropertyOwner;
use crate::reader::{ReadResult, Reader};
use crate::subscribe_filters::SubscribeFilters;
use crate::writer::{self, WriteResult};

/// A SUBSCRIBE: packet identifier (u16) | property block (5.0) | filter (string) and options (u8), once or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subscribe<'a> {
    /// The packet identifier.
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// What is subscribed to.
    pub filters: SubscribeFilters<'a>,
}

impl<'a> Subscribe<'a> {
    pub(crate) fn decode(
        body: &'a [u8],
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        let properties =
            Properties::read(&mut reader, PropertyOwner::Subscribe, version, limits.from)?;
        let filters = SubscribeFilters::decode(reader, version, limits)?;
        Ok(Self { packet_id, properties, filters })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        writer::packet(out, PacketType::Subscribe.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            self.properties.write(version, out)?;
            self.filters.encode(version, out)
        })
    }

    /// The Subscription Identifier, 1 to 268,435,455.
    #[must_use]
    pub fn subscription_identifier(&self) -> Option<u32> {
        self.properties.subscription_identifiers().next()
    }
}
