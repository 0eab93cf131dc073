//! What a SUBSCRIBE can name beyond a plain filter: shared subscriptions, queues, dead letters, streams.

mod stream_offset;

use crate::{FilterError, TopicFilter};

pub use stream_offset::StreamOffset;

/// What a subscription address means. Texts borrow from the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Address<'a> {
    /// `a/+/b`: a live subscription.
    Live(TopicFilter<'a>),
    /// `$share/<group>/<filter>`: a shared subscription (MQTT 5.0 §4.8.2).
    Shared {
        /// The share name: no `/`, `+` or `#`, at least one character. `[MQTT-4.8.2-1]`, `[MQTT-4.8.2-2]`
        group: &'a str,
        /// What the group subscribes to.
        filter: TopicFilter<'a>,
    },
    /// `$q/<filter>`: the queue that is named by its filter.
    FilterQueue(TopicFilter<'a>),
    /// `$queue/<name>` or `$queue/<name>/<filter>`.
    Queue {
        /// A simple name.
        name: QueueName<'a>,
        /// The filter the queue must be bound to, or is created with.
        filter: Option<TopicFilter<'a>>,
    },
    /// `$dead/<queue name>`: the dead letters of that queue, whose name may be simple or a filter.
    Dead(&'a str),
    /// `$stream/<name>` or `$stream/<name>/<filter>`.
    Stream {
        /// A simple name.
        name: QueueName<'a>,
        /// The filter the stream must be bound to, or is created with.
        filter: Option<TopicFilter<'a>>,
    },
    /// `$s/<offset>/<filter>`: the stream that is named by its filter.
    FilterStream {
        /// Where to read from.
        offset: StreamOffset,
        /// The filter, which is the name.
        filter: TopicFilter<'a>,
    },
}

/// A simple name of a queue or stream: `[0-9A-Za-z][-._0-9A-Za-z]{0,127}`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QueueName<'a>(&'a str);

/// The first levels that are the broker's own: nobody publishes there, so that nothing can be bound to them.
const RESERVED: [&str; 8] =
    ["$SYS", "$share", "$q", "$queue", "$dead", "$stream", "$s", "$delayed"];

/// Why a text is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// Its filter is no topic filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A share name is missing or has `+` or `#`. `[MQTT-4.8.2-1]`
    #[error("share name is empty or has a wildcard; write $share/<group>/<filter>")]
    ShareName,
    /// A shared subscription to a queue or a stream, which share by themselves.
    #[error("a queue or stream shares by itself; subscribe to it without $share")]
    SharedQueue,
    /// A queue or stream that would be bound to what is no topic of the clients.
    #[error("a queue or stream cannot be bound to an address of the broker's own")]
    BoundToAddress,
    /// A queue or stream name that is not simple.
    #[error(
        "name is not simple: a letter or digit, then up to 127 of letters, digits, '-', '.' and '_'"
    )]
    Name,
    /// A stream offset that is none of the known forms.
    #[error(
        "stream offset is none of earliest, latest, next, a number, @<RFC 3339 time or unix ms>"
    )]
    StreamOffset,
}

impl<'a> QueueName<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// The text is not a simple name.
    pub fn new(text: &'a str) -> Result<Self, AddressError> {
        let mut bytes = text.bytes();
        let head = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let tail =
            bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if head && tail && text.len() <= 128 { Ok(Self(text)) } else { Err(AddressError::Name) }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> Address<'a> {
    /// Takes a SUBSCRIBE filter apart.
    ///
    /// # Errors
    /// The filter, the share name, the queue name or the stream offset is not legal.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix("$share/") {
            return Self::parse_shared(rest);
        }
        if let Some(rest) = text.strip_prefix("$q/") {
            return Ok(Self::FilterQueue(bound_filter(rest)?));
        }
        if let Some(rest) = text.strip_prefix("$queue/") {
            let (name, filter) = parse_named(rest)?;
            return Ok(Self::Queue { name, filter });
        }
        if let Some(rest) = text.strip_prefix("$stream/") {
            let (name, filter) = parse_named(rest)?;
            return Ok(Self::Stream { name, filter });
        }
        if let Some(rest) = text.strip_prefix("$dead/") {
            TopicFilter::new(rest)?;
            return Ok(Self::Dead(rest));
        }
        if let Some(rest) = text.strip_prefix("$s/") {
            // Who leaves out the filter hears of that, and not of an offset that is as it should be.
            let (offset, filter) = rest.split_once('/').unwrap_or((rest, ""));
            let offset = offset.parse()?;
            return Ok(Self::FilterStream { offset, filter: bound_filter(filter)? });
        }
        match text {
            "$share" => Err(AddressError::ShareName),
            "$queue" | "$stream" => Err(AddressError::Name),
            "$q" | "$dead" => Err(AddressError::Filter(FilterError::Empty)),
            "$s" => Err(AddressError::StreamOffset),
            _ => Ok(Self::Live(TopicFilter::new(text)?)),
        }
    }

    fn parse_shared(rest: &'a str) -> Result<Self, AddressError> {
        let (group, filter) = rest.split_once('/').ok_or(AddressError::ShareName)?;
        if group.is_empty() || group.contains(['+', '#', '\0']) {
            return Err(AddressError::ShareName);
        }
        let first = filter.split('/').next();
        if matches!(first, Some("$q" | "$queue" | "$stream" | "$s" | "$dead")) {
            return Err(AddressError::SharedQueue);
        }
        Ok(Self::Shared { group, filter: TopicFilter::new(filter)? })
    }
}

/// A filter that a queue or stream may be bound to.
fn bound_filter(text: &str) -> Result<TopicFilter<'_>, AddressError> {
    let filter = TopicFilter::new(text)?;
    match filter.levels().next() {
        Some(first) if RESERVED.contains(&first) => Err(AddressError::BoundToAddress),
        _ => Ok(filter),
    }
}

fn parse_named(rest: &str) -> Result<(QueueName<'_>, Option<TopicFilter<'_>>), AddressError> {
    match rest.split_once('/') {
        None => Ok((QueueName::new(rest)?, None)),
        Some((name, filter)) => Ok((QueueName::new(name)?, Some(bound_filter(filter)?))),
    }
}

#[cfg(test)]
mod tests {
    use stdx::UnixMillis;

    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let filter = |text| TopicFilter::new(text).expect("legal");
        let name = |text| QueueName::new(text).expect("legal");
        for (text, expected) in [
            ("a/+/b", Address::Live(filter("a/+/b"))),
            ("$SYS/#", Address::Live(filter("$SYS/#"))),
            ("$share/g/a/#", Address::Shared { group: "g", filter: filter("a/#") }),
            ("$share/g//a", Address::Shared { group: "g", filter: filter("/a") }),
            ("$q/sensor/+/data", Address::FilterQueue(filter("sensor/+/data"))),
            ("$queue/billing", Address::Queue { name: name("billing"), filter: None }),
            (
                "$queue/billing/a/#",
                Address::Queue { name: name("billing"), filter: Some(filter("a/#")) },
            ),
            ("$dead/sensor/+/data", Address::Dead("sensor/+/data")),
            ("$stream/s", Address::Stream { name: name("s"), filter: None }),
            (
                "$s/earliest/a/+",
                Address::FilterStream { offset: StreamOffset::Earliest, filter: filter("a/+") },
            ),
            (
                "$s/@17/a",
                Address::FilterStream {
                    offset: StreamOffset::Time(UnixMillis(17)),
                    filter: filter("a"),
                },
            ),
            (
                "$s/@2026-11-24T11:37:00+01:00/a/+",
                Address::FilterStream {
                    offset: StreamOffset::Time(UnixMillis(1_795_516_620_000)),
                    filter: filter("a/+"),
                },
            ),
            (
                "$s/next//",
                Address::FilterStream { offset: StreamOffset::Next, filter: filter("/") },
            ),
            (
                "$stream/fleet.v2/a/#",
                Address::Stream { name: name("fleet.v2"), filter: Some(filter("a/#")) },
            ),
            ("$dead/billing", Address::Dead("billing")),
            ("$dead/#", Address::Dead("#")),
            ("$q/$other/#", Address::FilterQueue(filter("$other/#"))),
            ("$deadline/x", Address::Live(filter("$deadline/x"))),
            (
                "$s/5/a",
                Address::FilterStream { offset: StreamOffset::Offset(5), filter: filter("a") },
            ),
            ("$sport", Address::Live(filter("$sport"))),
        ] {
            assert_eq!(Address::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("$queue/{}", "x".repeat(129));
        for (text, error) in [
            ("", AddressError::Filter(FilterError::Empty)),
            ("a+/b", AddressError::Filter(FilterError::SingleLevel)),
            ("$share", AddressError::ShareName),
            ("$share/g", AddressError::ShareName),
            ("$share//a", AddressError::ShareName),
            ("$share/g+/a", AddressError::ShareName),
            ("$share/g/", AddressError::Filter(FilterError::Empty)),
            ("$share/g/$q/a", AddressError::SharedQueue),
            ("$share/g/$queue/a", AddressError::SharedQueue),
            ("$share/g/$stream/a", AddressError::SharedQueue),
            ("$q/$SYS/#", AddressError::BoundToAddress),
            ("$q/$share/g/a", AddressError::BoundToAddress),
            ("$queue/jobs/$q/a", AddressError::BoundToAddress),
            ("$stream/s/$delayed/5/a", AddressError::BoundToAddress),
            ("$s/next/$dead/a", AddressError::BoundToAddress),
            ("$q/", AddressError::Filter(FilterError::Empty)),
            ("$q", AddressError::Filter(FilterError::Empty)),
            ("$queue/", AddressError::Name),
            ("$queue/-a", AddressError::Name),
            ("$queue/+/x", AddressError::Name),
            ("$queue/a/", AddressError::Filter(FilterError::Empty)),
            (long.as_str(), AddressError::Name),
            ("$s/soon/a", AddressError::StreamOffset),
            ("$s/+5/a", AddressError::StreamOffset),
            ("$s/#", AddressError::StreamOffset),
            ("$s/next/", AddressError::Filter(FilterError::Empty)),
            ("$s/next/a#", AddressError::Filter(FilterError::MultiLevel)),
            ("$s", AddressError::StreamOffset),
            ("$s/", AddressError::StreamOffset),
            ("$s/earliest", AddressError::Filter(FilterError::Empty)),
            ("$s/7", AddressError::Filter(FilterError::Empty)),
            ("$stream", AddressError::Name),
            ("$stream/", AddressError::Name),
            ("$stream/a b", AddressError::Name),
            ("$stream/s/", AddressError::Filter(FilterError::Empty)),
            ("$dead", AddressError::Filter(FilterError::Empty)),
            ("$dead/", AddressError::Filter(FilterError::Empty)),
            ("$dead/a+", AddressError::Filter(FilterError::SingleLevel)),
            ("$share/g/$s/5/a", AddressError::SharedQueue),
            ("$share/g/$dead/a", AddressError::SharedQueue),
            ("$s/a", AddressError::StreamOffset),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
    }
}
