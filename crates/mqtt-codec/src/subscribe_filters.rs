//! The payload of a SUBSCRIBE (§3.8.3): filters with their options. It must not know queues or policies.

use mqtt_types::{FilterError, ProtocolVersion, QoS, TopicFilter};

use crate::error::DecodeErrorKind;
use crate::limits::Limits;
use crate::reader::{ReadResult, Reader};
use crate::writer::{self, WriteResult};

/// When a subscription is sent the retained messages (§3.8.3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// At each SUBSCRIBE.
    #[default]
    SendAtSubscribe = 0,
    /// Only when the subscription is new.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

/// The options of one subscription; 3.x has the QoS only.
///
/// ```text
/// bit  7 6       5 4              3                    2         1 0
///      reserved  retain handling  retain as published  no local  maximum QoS
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SubscribeOptions {
    /// The highest QoS wanted.
    pub qos: QoS,
    /// Whether the client's own messages are not sent to it.
    pub no_local: bool,
    /// Whether messages keep their RETAIN flag.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// The filters of a SUBSCRIBE, at least one when it was decoded.
#[derive(Clone, Copy, Debug)]
pub struct SubscribeFilters<'a> {
    form: Form<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Wire(&'a [u8], ProtocolVersion),
    Listed(&'a [(&'a str, SubscribeOptions)]),
}

/// Walks the filters of a SUBSCRIBE in their order.
#[derive(Clone, Debug)]
pub struct SubscribeFiltersIter<'a> {
    form: Form<'a>,
}

impl SubscribeOptions {
    /// Options of that QoS, all else off.
    #[must_use]
    pub const fn qos(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        }
    }

    /// The options of a byte that 5.0 defines.
    ///
    /// # Errors
    /// A reserved bit is set, or QoS or retain handling is 3.
    pub const fn from_u8(byte: u8) -> Result<Self, DecodeErrorKind> {
        if byte & 0xC0 != 0 {
            return Err(DecodeErrorKind::SubscriptionOptionsReserved);
        }
        let Some(qos) = QoS::from_u8(byte & 3) else {
            return Err(DecodeErrorKind::SubscriptionQoS3);
        };
        let retain_handling = match byte >> 4 {
            0 => RetainHandling::SendAtSubscribe,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(DecodeErrorKind::RetainHandling3),
        };
        let (no_local, retain_as_published) = (byte & 4 != 0, byte & 8 != 0);
        Ok(Self { qos, no_local, retain_as_published, retain_handling })
    }

    /// The byte on the wire in 5.0.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.qos.as_u8()
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}

impl<'a> SubscribeFilters<'a> {
    /// The filters of a SUBSCRIBE to be sent.
    #[must_use]
    pub const fn of(filters: &'a [(&'a str, SubscribeOptions)]) -> Self {
        Self { form: Form::Listed(filters) }
    }

    /// Checks all that is left of the body, which is kept as it is.
    pub(crate) fn decode(
        reader: Reader<'a>,
        version: ProtocolVersion,
        limits: &Limits,
    ) -> ReadResult<Self> {
        let wire = reader.left();
        let mut reader = reader;
        if reader.is_empty() {
            return Err(DecodeErrorKind::NoFilter);
        }
        while !reader.is_empty() {
            let filter = reader.string()?;
            let byte = reader.u8()?;
            let options = check_options(byte, version)?;
            check_filter(filter, version, limits)?;
            if options.no_local && is_shared(filter) {
                return Err(DecodeErrorKind::NoLocalShared);
            }
        }
        Ok(Self { form: Form::Wire(wire, version) })
    }

    pub(crate) fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> WriteResult {
        for (filter, options) in self.iter() {
            writer::string(out, filter)?;
            out.push(if version.is_v5() { options.as_u8() } else { options.qos.as_u8() });
        }
        Ok(())
    }

    /// The filters with their options, in their order.
    #[must_use]
    pub const fn iter(&self) -> SubscribeFiltersIter<'a> {
        SubscribeFiltersIter { form: self.form }
    }
}

impl<'a> IntoIterator for SubscribeFilters<'a> {
    type Item = (&'a str, SubscribeOptions);
    type IntoIter = SubscribeFiltersIter<'a>;

    fn into_iter(self) -> SubscribeFiltersIter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for SubscribeFiltersIter<'a> {
    type Item = (&'a str, SubscribeOptions);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.form {
            Form::Listed(filters) => {
                let (first, rest) = filters.split_first()?;
                *filters = rest;
                Some(*first)
            }
            Form::Wire(wire, version) => {
                let mut reader = Reader::new(wire);
                let filter = reader.string_with_null().ok()?;
                let options = check_options(reader.u8().ok()?, *version).ok()?;
                *wire = reader.left();
                Some((filter, options))
            }
        }
    }
}

impl PartialEq for SubscribeFilters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SubscribeFilters<'_> {}

fn check_options(byte: u8, version: ProtocolVersion) -> ReadResult<SubscribeOptions> {
    match version {
        ProtocolVersion::V5 => SubscribeOptions::from_u8(byte),
        // [MQTT311-3.8.3-4]
        ProtocolVersion::V3_1_1 if byte & 0xFC != 0 => {
            Err(DecodeErrorKind::SubscriptionOptionsReserved)
        }
        _ => QoS::from_u8(byte & 3)
            .map(SubscribeOptions::qos)
            .ok_or(DecodeErrorKind::SubscriptionQoS3),
    }
}

fn is_shared(filter: &str) -> bool {
    filter.starts_with("$share/")
}

/// Checks a topic filter, and in 5.0 the form of a shared subscription. `[MQTT-4.7.1-1]`, `[MQTT-4.8.2-2]`
pub(crate) fn check_filter(
    filter: &str,
    version: ProtocolVersion,
    limits: &Limits,
) -> ReadResult<()> {
    if !limits.check_filters {
        return Ok(());
    }
    if limits.is_too_deep(filter) {
        return Err(DecodeErrorKind::FilterTooDeep { limit: limits.max_topic_levels });
    }
    match TopicFilter::new(filter) {
        Ok(_) => {}
        Err(FilterError::Null) => return Err(DecodeErrorKind::StringHasNull),
        Err(error) => return Err(DecodeErrorKind::Filter(error)),
    }
    let shared = if version.is_v5() { filter.strip_prefix("$share/") } else { None };
    match shared.map(|rest| rest.split_once('/')) {
        None => Ok(()),
        Some(Some((name, filter)))
            if !name.is_empty() && !name.contains(['+', '#']) && !filter.is_empty() =>
        {
            Ok(())
        }
        Some(_) => Err(DecodeErrorKind::ShareName),
    }
}
