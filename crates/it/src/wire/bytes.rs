//! MQTT's numbers and texts as bytes.

/// A packet with its fixed header.
pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut rest = body.len();
    loop {
        let digit = u8::try_from(rest % 128).expect("a rest is below 128");
        rest /= 128;
        out.push(if rest > 0 { digit | 0x80 } else { digit });
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

/// Bytes that arrived and are not taken yet.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Inbox {
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the first whole packet: its first byte and its body.
    pub(super) fn take_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let rest = &self.bytes[self.taken..];
        let (length, digits) = variable_integer(rest.get(1..)?)?;
        let body = rest.get(1 + digits..1 + digits + length)?.to_vec();
        let first = rest[0];
        self.taken += 1 + digits + length;
        Some((first, body))
    }
}

/// A length and how many bytes it took; none when it is not whole.
fn variable_integer(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// A text with its length before it.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("a text of at most 65,535 bytes");
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
}

/// Reads a body from its front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn u16(&mut self) -> u16 {
        let (number, rest) = self.0.split_at(2);
        self.0 = rest;
        u16::from_be_bytes([number[0], number[1]])
    }

    pub(super) fn byte_or(&self, absent: u8) -> u8 {
        self.0.first().copied().unwrap_or(absent)
    }

    pub(super) fn text(&mut self) -> String {
        let length = usize::from(self.u16());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8(text.to_vec()).expect("the broker sends UTF-8")
    }

    pub(super) fn skip_properties(&mut self) {
        let (length, digits) = variable_integer(self.0).expect("properties have a length");
        self.0 = &self.0[digits + length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_back_out_whole_and_one_by_one() {
        let long = vec![7; 20_000];
        let mut bytes = packet(0x30, &long);
        bytes.extend(packet(0xD0, &[]));
        let mut inbox = Inbox::default();
        inbox.put(&bytes[..300]);
        assert_eq!(inbox.take_packet(), None);
        inbox.put(&bytes[300..]);
        assert_eq!(inbox.take_packet(), Some((0x30, long)));
        inbox.put(&[0x40]);
        assert_eq!(inbox.take_packet(), Some((0xD0, vec![])));
        assert_eq!(inbox.take_packet(), None);
    }
}
