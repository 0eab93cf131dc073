//! Finds `[MQTT-1.5.4-1]` and its like in a text.
//! It must not know which numbers there are.

/// Every citation of `text`, with its brackets. A number begins with a digit: `[MQTT-x.y.z-n]` is none.
pub(super) fn citations(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("[MQTT").filter_map(|(start, _)| {
        let rest = &text[start..];
        let end = rest.find(|c: char| !is_part(c)).filter(|end| rest[*end..].starts_with(']'))?;
        let (_, number) = rest[..end].split_once('-')?;
        number.starts_with(|first: char| first.is_ascii_digit()).then(|| &rest[..=end])
    })
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '[' | '.' | '-')
}
