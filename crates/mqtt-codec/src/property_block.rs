//! Builds a property block. It must not know which packet will bear it.

use mqtt_types::Property;

use crate::error::EncodeError;
use crate::properties::Properties;
use crate::property;

/// A property block under construction; properties keep the order they are pushed in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PropertyBlock {
    raw: Vec<u8>,
}

impl PropertyBlock {
    /// A block without a property.
    #[must_use]
    pub const fn new() -> Self {
        Self { raw: Vec::new() }
    }

    /// A block of these properties.
    ///
    /// # Errors
    /// A string or binary is longer than 65,535 bytes.
    pub fn of(properties: &[Property<'_>]) -> Result<Self, EncodeError> {
        let mut block = Self::new();
        for property in properties {
            block.push(property)?;
        }
        Ok(block)
    }

    /// Adds a property at the end. Whether it suits the packet is for the caller to know.
    ///
    /// # Errors
    /// A string or binary is longer than 65,535 bytes; the block stays as it was.
    pub fn push(&mut self, property: &Property<'_>) -> Result<(), EncodeError> {
        let before = self.raw.len();
        property::write(&mut self.raw, property).inspect_err(|_| self.raw.truncate(before))
    }

    /// Removes all properties and keeps the memory.
    pub fn clear(&mut self) {
        self.raw.clear();
    }

    /// The block, to put it into a packet.
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        Properties::trusted(&self.raw)
    }
}
