//! The properties of a PUBLISH: what a broker acts on is read out while the block is checked.

use mqtt_types::Property;

use crate::error::DecodeErrorKind;
use crate::forwardable::{Forwardable, is_removed};
use crate::limits::Peer;
use crate::properties::{self, Properties};
use crate::property_owner::PropertyOwner;
use crate::reader::{ReadResult, Reader};

/// The property block of a PUBLISH, and what the one pass that checked it has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PublishProperties<'a> {
    /// The whole block as it came, without the length before it.
    pub raw: &'a [u8],
    /// The Topic Alias, never 0.
    pub topic_alias: Option<u16>,
    /// The Message Expiry Interval in seconds; 0 is legal.
    pub message_expiry_interval: Option<u32>,
    /// The Payload Format Indicator: 1 says that the payload is UTF-8.
    pub payload_format_indicator: Option<u8>,
    /// The Response Topic, a legal topic name.
    pub response_topic: Option<&'a str>,
    /// Whether there is a Subscription Identifier, which only servers send.
    pub has_subscription_identifiers: bool,
    /// Whether there is a User Property.
    pub has_user_properties: bool,
    /// Whether a forwarder leaves something out.
    has_removed: bool,
}

impl<'a> PublishProperties<'a> {
    /// Checks a raw block.
    ///
    /// # Errors
    /// The rule that the block breaks.
    pub fn parse(raw: &'a [u8], from: Peer) -> Result<Self, DecodeErrorKind> {
        let mut this = Self { raw, ..Self::default() };
        if !raw.is_empty() {
            properties::visit(raw, PropertyOwner::Publish, from, |property| this.see(property))?;
        }
        Ok(this)
    }

    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>, from: Peer) -> ReadResult<Self> {
        let len = reader.varint()?;
        Self::parse(reader.take(len as usize)?, from)
    }

    #[inline]
    fn see(&mut self, property: &Property<'a>) {
        match *property {
            Property::TopicAlias(alias) => self.topic_alias = Some(alias),
            Property::MessageExpiryInterval(seconds) => {
                self.message_expiry_interval = Some(seconds);
            }
            Property::PayloadFormatIndicator(format) => {
                self.payload_format_indicator = Some(format);
            }
            Property::ResponseTopic(topic) => self.response_topic = Some(topic),
            Property::SubscriptionIdentifier(_) => self.has_subscription_identifiers = true,
            Property::UserProperty(..) => self.has_user_properties = true,
            _ => {}
        }
        self.has_removed |= is_removed(property);
    }

    /// All properties in their order.
    #[must_use]
    pub const fn properties(&self) -> Properties<'a> {
        Properties::trusted(self.raw)
    }

    /// The subscription identifiers in their order.
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> + use<'a> {
        let raw = if self.has_subscription_identifiers { self.raw } else { &[] };
        Properties::trusted(raw).subscription_identifiers()
    }

    /// The user properties in their order. `[MQTT-3.3.2-18]`
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let raw = if self.has_user_properties { self.raw } else { &[] };
        Properties::trusted(raw).user_properties()
    }

    /// The block that a forwarder passes on: without Topic Alias, Subscription Identifier and Message Expiry.
    #[must_use]
    pub fn forwardable(&self) -> Forwardable<'a> {
        if self.has_removed { Forwardable::of(self.raw) } else { Forwardable::Whole(self.raw) }
    }
}
