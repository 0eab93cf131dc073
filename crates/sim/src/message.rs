//! Bodies that say which message they are, and of which every byte can be checked. It must not know who sends them.

/// The payload of a message: its number and its topic, and bytes that follow from them.
pub(crate) fn payload(number: u32, topic: &str, bytes: usize) -> Vec<u8> {
    let mut payload = format!("{number}:{bytes}:{topic}:").into_bytes();
    payload.extend((0..bytes).map(|at| (number as usize * 31 + at * 7) as u8));
    payload
}

/// The number in a payload, if every byte is as it was sent.
pub(crate) fn number(topic: &str, bytes: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]);
    let mut parts = text.split(':');
    let number = parts.next()?.parse().ok()?;
    let length = parts.next()?.parse().ok()?;
    (payload(number, topic, length) == bytes).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_says_its_number_and_no_changed_byte_goes_unseen() {
        let bytes = payload(7, "t/one", 20);
        assert_eq!(number("t/one", &bytes), Some(7));
        assert_eq!(number("t/two", &bytes), None);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(number("t/one", &changed), None, "{at}");
        }
        assert_eq!(number("t/one", &bytes[..bytes.len() - 1]), None);
    }
}
