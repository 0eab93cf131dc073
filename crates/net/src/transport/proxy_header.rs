//! The header that a proxy sends before all else, to say who its client is (PROXY protocol, versions 1 and 2). It must
//! not know sockets.
//!
//! A reader asks [`parse`] how many bytes to read next. That is never more than the header has, so what follows it stays
//! in the socket for whoever reads next.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What a header of version 1 begins with.
const V1_BEGIN: &[u8] = b"PROXY ";
/// What a header of version 2 begins with.
const V2_BEGIN: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, by the specification.
const V1_BYTES_MAX: usize = 107;
/// The part of version 2 whose length is fixed.
const V2_FIXED_BYTES: usize = 16;

/// What has come of a header so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// So many bytes are missing at least, and may be read.
    Wants(usize),
    /// It is whole. It names the client, or says that the proxy speaks for itself or for it knows not whom.
    Whole(Option<SocketAddr>),
    /// It is none that can be used.
    Bad(&'static str),
}

/// Whether `bytes`, which are the first of a connection, look like a header or the beginning of one.
pub(crate) fn looks_like_one(bytes: &[u8]) -> bool {
    let begins = |begin: &[u8]| {
        let len = begin.len().min(bytes.len());
        begin.get(..len) == bytes.get(..len)
    };
    !bytes.is_empty() && (begins(V1_BEGIN) || begins(V2_BEGIN))
}

/// Reads what has come, all of it from the first byte on. A header of more than `bytes_max` bytes is refused.
pub(crate) fn parse(bytes: &[u8], bytes_max: usize) -> Progress {
    if bytes.is_empty() {
        return Progress::Wants(V2_BEGIN.len());
    }
    if !looks_like_one(bytes) {
        return Progress::Bad("there is no PROXY header");
    }
    if bytes.starts_with(V2_BEGIN) {
        return parse_v2(bytes, bytes_max);
    }
    if bytes.len() < V2_BEGIN.len() {
        return Progress::Wants(V2_BEGIN.len() - bytes.len());
    }
    parse_v1(bytes, bytes_max.min(V1_BYTES_MAX))
}

/// ```text
/// PROXY TCP4 203.0.113.9 192.0.2.1 56324 1883\r\n
/// PROXY TCP6 2001:db8::9 2001:db8::1 56324 1883\r\n
/// PROXY UNKNOWN …\r\n
/// ```
fn parse_v1(bytes: &[u8], bytes_max: usize) -> Progress {
    let Some(line) = bytes.strip_suffix(b"\r\n") else {
        // The end of the line is two bytes, of which one may be there.
        let missing = if bytes.ends_with(b"\r") { 1 } else { 2 };
        if bytes.len() + missing > bytes_max {
            return Progress::Bad("the line of the PROXY header does not end");
        }
        return Progress::Wants(missing);
    };
    let Ok(line) = std::str::from_utf8(line) else {
        return Progress::Bad("the PROXY header is no text");
    };
    let mut words = line.split(' ').skip(1);
    let mut word = || words.next().unwrap_or_default();
    let bad = Progress::Bad("the PROXY header does not name two addresses and ports");
    let source = match word() {
        "UNKNOWN" => return Progress::Whole(None),
        "TCP4" => source_v1::<Ipv4Addr>(word(), word()),
        "TCP6" => source_v1::<Ipv6Addr>(word(), word()),
        _ => return Progress::Bad("the PROXY header is of another protocol than TCP"),
    };
    let ports = (port(word()), port(word()));
    match (source, ports, words.next()) {
        (Some(source), (Some(port), Some(_)), None) => {
            Progress::Whole(Some(SocketAddr::new(source, port)))
        }
        _ => bad,
    }
}

/// The source; the destination must be legal too.
fn source_v1<A: FromStr + Into<IpAddr>>(source: &str, destination: &str) -> Option<IpAddr> {
    let source: A = source.parse().ok()?;
    destination.parse::<A>().ok().map(|_| source.into())
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// ```text
///  0           12        13         14      16
/// ┌───────────┬─────────┬──────────┬───────┬──────────────────────────────────────────────┐
/// │ signature │ 2 │ cmd │ fam │ pr │  len  │ source, destination, ports; then extensions  │
/// └───────────┴─────────┴──────────┴───────┴──────────────────────────────────────────────┘
///   12 bytes    nibbles   nibbles    u16     len bytes
/// ```
fn parse_v2(bytes: &[u8], bytes_max: usize) -> Progress {
    let Some((fixed, rest)) = bytes.split_first_chunk::<V2_FIXED_BYTES>() else {
        return Progress::Wants(V2_FIXED_BYTES - bytes.len());
    };
    let [.., version_command, family, len_high, len_low] = *fixed;
    let len = usize::from(u16::from_be_bytes([len_high, len_low]));
    if V2_FIXED_BYTES + len > bytes_max {
        return Progress::Bad("the PROXY header is longer than the limit");
    }
    if version_command >> 4 != 2 {
        return Progress::Bad("the PROXY header is of an unknown version");
    }
    if rest.len() < len {
        return Progress::Wants(len - rest.len());
    }
    match version_command & 0x0F {
        // LOCAL: the proxy asks for itself, to see whether we live.
        0 => Progress::Whole(None),
        1 => source_v2(family, rest),
        _ => Progress::Bad("the PROXY header has an unknown command"),
    }
}

fn source_v2(family: u8, addresses: &[u8]) -> Progress {
    const SHORT: Progress = Progress::Bad("the PROXY header is too short for its addresses");
    match family {
        // TCP over IPv4: four bytes, four bytes, two ports.
        0x11 => {
            let Some(&[a, b, c, d, _, _, _, _, high, low, _, _]) = addresses.first_chunk() else {
                return SHORT;
            };
            let port = u16::from_be_bytes([high, low]);
            Progress::Whole(Some(SocketAddr::from(([a, b, c, d], port))))
        }
        // TCP over IPv6: sixteen bytes, sixteen bytes, two ports.
        0x21 => {
            let Some(bytes) = addresses.first_chunk::<36>() else { return SHORT };
            let mut source = [0; 16];
            source.copy_from_slice(bytes.get(..16).unwrap_or(&[0; 16]));
            let port = u16::from_be_bytes([bytes[32], bytes[33]]);
            Progress::Whole(Some(SocketAddr::from((source, port))))
        }
        // Unspecified, or a Unix socket: nothing that we could name.
        0x00 | 0x31 => Progress::Whole(None),
        _ => Progress::Bad("the PROXY header is of another protocol than TCP"),
    }
}

#[cfg(test)]
mod tests;
