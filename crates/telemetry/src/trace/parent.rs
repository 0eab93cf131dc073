//! `traceparent` as the W3C's Trace Context says it.

use std::fmt;

/// Bytes of a `traceparent` of version 00.
const LEN: usize = 55;

/// The flag that says that the trace is recorded.
const SAMPLED: u8 = 1;

/// What names a span within its trace; never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpanId(pub(crate) u64);

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A place in a trace, as it travels with a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TraceParent {
    pub(crate) trace: u128,
    /// The span that it goes on from.
    pub span: SpanId,
    flags: u8,
}

impl TraceParent {
    /// The name of the property that bears it.
    pub const NAME: &str = "traceparent";

    /// The first place of a new trace, which is recorded. Zeros are no ids.
    pub(crate) fn begin(trace: u128, span: u64) -> Self {
        Self { trace: trace.max(1), span: SpanId(span.max(1)), flags: SAMPLED }
    }

    /// Reads one. `None` when it is not legal. Versions to come may say more behind a dash; what they say is not kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_at_checked(LEN)?;
        let [version_high, version_low, b'-', ids @ ..] = head else { return None };
        let version = hex(&[*version_high, *version_low])?;
        let (trace, ids) = ids.split_at_checked(32)?;
        let (span, flags) = ids.strip_prefix(b"-")?.split_at_checked(16)?;
        let flags = u8::try_from(hex(flags.strip_prefix(b"-")?)?).ok()?;
        let is_whole = match version {
            0 => rest.is_empty(),
            0xFF => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let (trace, span) = (hex(trace)?, u64::try_from(hex(span)?).ok()?);
        // Of the flags of later versions only the first is known here.
        let flags = if version == 0 { flags } else { flags & SAMPLED };
        let is_legal = is_whole && trace != 0 && span != 0;
        is_legal.then_some(Self { trace, span: SpanId(span), flags })
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same trace from another span on.
    #[must_use]
    pub const fn at(self, span: SpanId) -> Self {
        Self { span, ..self }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// Lower-case hexadecimal digits and nothing else.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGAL: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_legal_one_is_said_again_as_it_was() {
        let parent = TraceParent::parse(LEGAL).expect("legal");
        assert_eq!(parent.to_string(), LEGAL);
        assert!(parent.is_sampled());
        let other = parent.at(SpanId(0xAB));
        assert_eq!(other.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01");
        let unsampled = TraceParent::parse(&LEGAL.replace("-01", "-02")).expect("legal");
        assert!(!unsampled.is_sampled(), "the second flag is not the first");
    }

    #[test]
    fn what_is_not_legal_is_none() {
        let cases = [
            ("", "nothing"),
            (&LEGAL[..54], "too short"),
            (&format!("{LEGAL}-"), "version 00 says no more"),
            (&format!("{LEGAL}-what"), "version 00 says no more"),
            (&LEGAL.replacen("00", "ff", 1), "version ff"),
            (&LEGAL.replacen("00", "0g", 1), "no version"),
            (&LEGAL.to_uppercase(), "upper case"),
            (&LEGAL.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), "no trace"),
            (&LEGAL.replace("00f067aa0ba902b7", &"0".repeat(16)), "no span"),
            (&LEGAL.replace('-', "_"), "other dashes"),
            (&LEGAL.replace("-01", "-0x"), "no flags"),
            (&format!("{}.x", LEGAL.replacen("00", "01", 1)), "more without a dash"),
        ];
        for (text, why) in cases {
            assert_eq!(TraceParent::parse(text), None, "{why}: {text}");
        }
    }

    #[test]
    fn later_versions_may_say_more() {
        for more in ["", "-", "-what-comes"] {
            let text = format!("{}{more}", LEGAL.replacen("00", "cc", 1));
            let parent = TraceParent::parse(&text).expect("legal");
            assert_eq!(parent.to_string(), LEGAL, "{text}: goes on as version 00");
        }
    }
}
