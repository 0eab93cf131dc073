//! Networks of IP addresses in CIDR notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network of IP addresses: `10.0.0.0/8`, `fd00::/8`; a lone address is a network of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IpNetwork {
    address: IpAddr,
    prefix_len: u8,
}

/// A text that is no network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseIpNetworkError {
    text: String,
    why: &'static str,
}

impl fmt::Display for ParseIpNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, why } = self;
        write!(f, "'{text}' is no network{why}; write an address or 10.0.0.0/8")
    }
}

impl std::error::Error for ParseIpNetworkError {}

impl IpNetwork {
    /// Whether the address lies in it. An IPv4 address within IPv6 (`::ffff:10.1.2.3`) counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address| match address {
            IpAddr::V4(address) => (32, u128::from(u32::from(address))),
            IpAddr::V6(address) => (128, u128::from(address)),
        };
        let (own_width, own) = bits(self.address);
        let (width, other) = bits(address.to_canonical());
        let host_len = own_width - u32::from(self.prefix_len);
        // A shift by the whole width is none.
        let differs = (own ^ other).checked_shr(host_len).unwrap_or(0) != 0;
        own_width == width && !differs
    }
}

impl FromStr for IpNetwork {
    type Err = ParseIpNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why| ParseIpNetworkError { text: text.to_owned(), why };
        let (address, prefix_len) = match text.split_once('/') {
            Some((address, prefix_len)) => (address, Some(prefix_len)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error(""))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix_len = match prefix_len {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|len| *len <= width)
                .ok_or_else(|| error(": the prefix is longer than an address"))?,
            Some(_) => return Err(error("")),
        };
        Ok(Self { address, prefix_len })
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_within_or_without() {
        for (network, address, is_within) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.168.1.128/25", "192.168.1.127", false),
            // The host's bits of the network are of no matter.
            ("192.168.1.200/25", "192.168.1.129", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1/128", "::1", true),
        ] {
            let parsed: IpNetwork = network.parse().expect(network);
            let address = address.parse().expect(address);
            assert_eq!(parsed.contains(address), is_within, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "a/8"] {
            let refused = text.parse::<IpNetwork>();
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
        let error = "10.0.0.0/33".parse::<IpNetwork>().expect_err("too long").to_string();
        assert!(error.contains("'10.0.0.0/33'") && error.contains("prefix is longer"), "{error}");
        assert_eq!("10.1.2.3".parse::<IpNetwork>().expect("one").to_string(), "10.1.2.3/32");
    }
}
