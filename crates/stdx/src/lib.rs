//! What std lacks and every crate of ours may use: time newtypes, networks of addresses, text forms of durations,
//! sizes and times.
//! It must not know any MQTT word.

mod byte_size;
mod duration_text;
mod ip_network;
mod rfc3339;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod wall_clock;

pub use byte_size::{ByteSize, ParseByteSizeError};
pub use duration_text::{ParseDurationError, format_duration, parse_duration};
pub use ip_network::{IpNetwork, ParseIpNetworkError};
pub use rfc3339::ParseTimeError;
pub use time::{Instant, UnixMillis};
pub use wall_clock::WallClock;
