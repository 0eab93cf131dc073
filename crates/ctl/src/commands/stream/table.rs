//! Streams and their readers as tables for people.

use admin_api::{ReaderView, StreamView};
use stdx::ByteSize;

use crate::commands::table::{age, align_right, bound_to, plain_table, state, trimmed};

/// All streams, a line each.
pub fn streams(views: &[StreamView]) -> String {
    if views.is_empty() {
        return "no streams yet; subscribe to '$s/latest/<filter>' or run `weir stream create`"
            .to_owned();
    }
    let mut table = plain_table();
    let heads =
        ["STREAM", "BOUND TO", "KEPT", "NEXT", "READERS", "LAG", "OLDEST", "BYTES", "STATE"];
    table.set_header(heads);
    for view in views {
        let stats = &view.stats;
        table.add_row([
            view.name.clone(),
            bound_to(&view.name, view.topic_filter.as_deref()),
            stats.kept.to_string(),
            stats.next_offset.to_string(),
            stats.readers.to_string(),
            stats.lag.to_string(),
            age(stats.oldest_age_ms),
            ByteSize(stats.bytes).to_string(),
            state(view.properties.paused).to_owned(),
        ]);
    }
    align_right(&mut table, 2..8);
    trimmed(&table)
}

/// Readers of a stream, a line each.
pub fn readers(views: &[ReaderView]) -> String {
    if views.is_empty() {
        return "no readers".to_owned();
    }
    let mut table = plain_table();
    table.set_header([
        "READER",
        "KIND",
        "POSITION",
        "LAG",
        "BEHIND",
        "MEMBERS",
        "IN FLIGHT",
        "WAITING",
        "REJECTED",
        "SKIPPED",
    ]);
    for view in views {
        let members = if view.members == 0 { "away".to_owned() } else { view.members.to_string() };
        table.add_row([
            view.name.clone(),
            view.kind.as_str().to_owned(),
            view.position.to_string(),
            view.lag.to_string(),
            age(view.lag_ms),
            members,
            view.in_flight.to_string(),
            view.waiting.to_string(),
            view.rejected.to_string(),
            view.skipped.to_string(),
        ]);
    }
    align_right(&mut table, 2..10);
    trimmed(&table)
}

#[cfg(test)]
mod tests {
    use admin_api::{ReaderKind, StreamProperties, StreamStats};

    use super::*;

    fn words(text: &str) -> Vec<Vec<&str>> {
        let words = |line| str::split_whitespace(line).collect();
        text.lines().map(words).collect()
    }

    #[test]
    fn a_list_has_a_line_for_each_stream() {
        let view = StreamView {
            name: "plant/+".to_owned(),
            topic_filter: Some("plant/+".to_owned()),
            properties: StreamProperties { paused: true, ..StreamProperties::default() },
            stats: StreamStats {
                kept: 12,
                next_offset: 15,
                readers: 2,
                lag: 7,
                lag_bytes: 900,
                lag_ms: 1_500,
                oldest_age_ms: 61_234,
                bytes: 2_048,
                ..StreamStats::default()
            },
        };
        let text = streams(&[view]);
        let expected = ["plant/+", "(its", "name)", "12", "15", "2", "7", "1m", "2KiB", "paused"];
        assert_eq!(words(&text)[1], expected);
        assert!(streams(&[]).contains("weir stream create"));
    }

    #[test]
    fn readers_have_a_line_each() {
        let view = |kind, members| ReaderView {
            kind,
            name: "meter".to_owned(),
            position: 8,
            lag: 7,
            lag_bytes: 900,
            lag_ms: 1_999,
            members,
            in_flight: 3,
            waiting: 1,
            rejected: 2,
            skipped: 0,
        };
        let text = readers(&[view(ReaderKind::Client, 0), view(ReaderKind::Group, 4)]);
        let lines = words(&text);
        assert_eq!(lines[1], ["meter", "client", "8", "7", "1s", "away", "3", "1", "2", "0"]);
        assert_eq!(lines[2], ["meter", "group", "8", "7", "1s", "4", "3", "1", "2", "0"]);
        assert_eq!(readers(&[]), "no readers");
    }
}
