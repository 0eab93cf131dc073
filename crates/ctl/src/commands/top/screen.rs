//! How a broker looks in lines of text. It must not know a terminal.

use std::time::Duration;

use stdx::format_duration;

use super::snapshot::{QueueLine, Snapshot, StreamLine};
use crate::commands::table::{align_right, plain_table, trimmed};

/// Alarms that are shown in a terminal.
const ALARMS_MAX: usize = 5;
/// Lines of a screen that are neither queues nor streams, without alarms: what is above, heads, how many there are, and lines
/// between.
const OTHER_LINES: usize = 9;
/// Queues, and streams, that have room on the smallest screen.
const ROWS_MIN: usize = 2;

/// All of it, with as many queues and streams at most.
pub fn lines(seen: &Snapshot, url: &str, rows: Option<usize>) -> Vec<String> {
    let rows = rows.unwrap_or(usize::MAX);
    sections(seen, url, usize::MAX, (rows, rows))
}

/// What of it fits on a screen, of queues and streams those that matter most.
pub fn screen(
    seen: &Snapshot,
    url: &str,
    rows: Option<usize>,
    (width, height): (usize, usize),
) -> Vec<String> {
    let alarms = match seen.alarms.len() {
        0 => 0,
        count => count.min(ALARMS_MAX + 1) + 1,
    };
    let room = height.saturating_sub(OTHER_LINES + alarms).max(2 * ROWS_MIN);
    let most = rows.unwrap_or(usize::MAX);
    // Streams have a third, and what queues leave; queues the rest.
    let queues = seen.queues.len().min(most);
    let streams = seen.streams.len().min(most).min((room / 3).max(room.saturating_sub(queues)));
    let queues = queues.min(room - streams.min(room));
    let mut lines = sections(seen, url, ALARMS_MAX, (queues, streams));
    lines.truncate(height);
    for line in &mut lines {
        *line = line.chars().take(width).collect();
    }
    lines
}

fn sections(
    seen: &Snapshot,
    url: &str,
    alarms: usize,
    (queues, streams): (usize, usize),
) -> Vec<String> {
    let mut lines = vec![
        format!(
            "weir {} at {url}: {}",
            seen.version,
            if seen.ready { "ready" } else { "NOT READY, see /readyz" }
        ),
        format!(
            "messages in {}, out {}; bytes in {}, out {}",
            a_second(seen.messages_in_per_second),
            a_second(seen.messages_out_per_second),
            bytes_a_second(seen.bytes_in_per_second),
            bytes_a_second(seen.bytes_out_per_second),
        ),
        format!(
            "connections {}, sessions {}, subscriptions {}; waiting for clients {}, log on disk {}",
            seen.connections,
            seen.sessions,
            seen.subscriptions,
            bytes(seen.buffered_bytes as f64),
            bytes(seen.log_disk_bytes as f64),
        ),
    ];
    if !seen.alarms.is_empty() {
        lines.push(String::new());
        for alarm in seen.alarms.iter().take(alarms) {
            lines.push(format!("ALARM {} {}: {}", alarm.name, alarm.resource, alarm.reason));
        }
        if seen.alarms.len() > alarms {
            lines.push(format!("and {} more: weir alarms ls", seen.alarms.len() - alarms));
        }
    }
    lines.push(String::new());
    lines.extend(section("queues", &seen.queues, queues, queue_table));
    lines.push(String::new());
    lines.extend(section("streams", &seen.streams, streams, stream_table));
    // A name may have any character; none of them is for the terminal.
    let plain = |one: char| if one.is_control() { '?' } else { one };
    lines.iter().map(|line| line.chars().map(plain).collect()).collect()
}

/// Things as a table, and how many there are if that is not all.
fn section<T>(what: &str, all: &[T], rows: usize, table: fn(&[T]) -> String) -> Vec<String> {
    if all.is_empty() {
        return vec![format!("no {what}")];
    }
    let shown = all.get(..rows).unwrap_or(all);
    let mut lines: Vec<String> = table(shown).lines().map(str::to_owned).collect();
    if shown.len() < all.len() {
        lines.push(format!("{} of {} {what}", shown.len(), all.len()));
    }
    lines
}

fn queue_table(queues: &[QueueLine]) -> String {
    let mut table = plain_table();
    table.set_header([
        "QUEUE",
        "READY",
        "IN FLIGHT",
        "DELAYED",
        "CONSUMERS",
        "IN",
        "OUT",
        "LAG",
        "OLDEST",
    ]);
    for queue in queues {
        table.add_row([
            one_line(&queue.name),
            queue.ready.to_string(),
            queue.in_flight.to_string(),
            queue.delayed.to_string(),
            queue.consumers.to_string(),
            a_second(queue.enqueued_per_second),
            a_second(queue.settled_per_second),
            seconds(queue.lag_seconds),
            seconds(queue.oldest_age_seconds),
        ]);
    }
    align_right(&mut table, 1..9);
    trimmed(&table)
}

fn stream_table(streams: &[StreamLine]) -> String {
    let mut table = plain_table();
    let heads = ["STREAM", "KEPT", "BYTES", "READERS", "MEMBERS", "IN", "LAG", "OLDEST"];
    table.set_header(heads);
    for stream in streams {
        table.add_row([
            one_line(&stream.name),
            stream.kept.to_string(),
            bytes(stream.bytes as f64),
            stream.readers.to_string(),
            stream.members.to_string(),
            a_second(stream.appended_per_second),
            stream.lag.to_string(),
            seconds(stream.oldest_age_seconds),
        ]);
    }
    align_right(&mut table, 1..8);
    trimmed(&table)
}

fn one_line(name: &str) -> String {
    name.replace(['\n', '\r', '\t'], "?")
}

fn a_second(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate > 0.0 && rate < 10.0 => format!("{rate:.1}/s"),
        Some(rate) => format!("{rate:.0}/s"),
    }
}

fn bytes_a_second(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", bytes(rate)))
}

/// A size in its largest unit, as exact as a glance wants it.
fn bytes(size: f64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| size >= *unit as f64) {
        Some((unit, name)) => format!("{:.1}{name}", size / unit as f64),
        None => format!("{size:.0}B"),
    }
}

/// A time in its largest unit.
fn seconds(seconds: f64) -> String {
    let whole = seconds as u64;
    let unit = [86_400, 3_600, 60, 1].into_iter().find(|unit| whole >= *unit).unwrap_or(1);
    match whole {
        0 if seconds > 0.0 => "<1s".to_owned(),
        _ => format_duration(Duration::from_secs(whole / unit * unit)),
    }
}

#[cfg(test)]
mod tests {
    use admin_api::{AlarmView, Timestamp};

    use super::*;

    fn queue(name: &str, ready: u64) -> QueueLine {
        QueueLine {
            name: name.to_owned(),
            ready,
            in_flight: 2,
            delayed: 0,
            consumers: 3,
            lag_seconds: 61.5,
            oldest_age_seconds: 0.4,
            enqueued_per_second: Some(1.25),
            settled_per_second: None,
        }
    }

    fn stream(name: &str) -> StreamLine {
        StreamLine {
            name: name.to_owned(),
            kept: 9,
            bytes: 1_536,
            readers: 2,
            members: 1,
            lag: 4,
            oldest_age_seconds: 0.0,
            appended_per_second: Some(0.0),
        }
    }

    fn snapshot(queues: usize, streams: usize, alarms: usize) -> Snapshot {
        let alarm = |n: usize| AlarmView {
            name: "queue_stalled".to_owned(),
            resource: format!("queue-{n}"),
            since: Timestamp::default(),
            reason: "all consumers\nrest".to_owned(),
        };
        Snapshot {
            version: "1.2.3".to_owned(),
            ready: true,
            connections: 5,
            sessions: 6,
            subscriptions: 7,
            messages_in_per_second: Some(1_234.4),
            messages_out_per_second: Some(20.0),
            bytes_in_per_second: Some(2_048.0),
            bytes_out_per_second: None,
            buffered_bytes: 3,
            log_disk_bytes: 5 << 20,
            queues: (0..queues).map(|n| queue(&format!("queue-{n}"), 9)).collect(),
            streams: (0..streams).map(|n| stream(&format!("stream-{n}"))).collect(),
            alarms: (0..alarms).map(alarm).collect(),
        }
    }

    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    #[test]
    fn a_broker_is_told_in_a_few_lines() {
        let mut seen = snapshot(0, 1, 1);
        seen.queues.push(queue("jobs\u{1b}[2J", 12));
        let lines = lines(&seen, "http://h", None);
        assert_eq!(lines[0], "weir 1.2.3 at http://h: ready");
        assert_eq!(lines[1], "messages in 1234/s, out 20/s; bytes in 2.0KiB/s, out -");
        let third = "connections 5, sessions 6, subscriptions 7; waiting for clients 3B, log on disk 5.0MiB";
        assert_eq!(lines[2], third);
        assert_eq!(lines[4], "ALARM queue_stalled queue-0: all consumers?rest");
        let expected = ["jobs?[2J", "12", "2", "0", "3", "1.2/s", "-", "1m", "<1s"];
        assert_eq!(words(&lines[7]), expected);
        let expected = ["stream-0", "9", "1.5KiB", "2", "1", "0/s", "4", "0"];
        assert_eq!(words(&lines[10]), expected);
        assert_eq!(lines.len(), 11);
    }

    #[test]
    fn a_screen_shows_what_fits_whatever_its_size() {
        for (queues, streams, alarms) in
            [(0, 0, 0), (3, 1, 0), (100, 0, 0), (100, 50, 9), (1, 90, 2)]
        {
            let seen = snapshot(queues, streams, alarms);
            for (width, height) in [(0, 0), (1, 1), (20, 10), (80, 24), (300, 400)] {
                let screen = screen(&seen, "http://h", None, (width, height));
                assert!(screen.len() <= height, "{height}: {screen:?}");
                assert!(screen.iter().all(|line| line.chars().count() <= width), "{screen:?}");
                if height >= 24 {
                    let text = screen.join("\n");
                    let all = |count: usize, what: &str| match count {
                        0 => text.contains(&format!("no {what}")[..width.min(5)]),
                        _ => text.contains(&format!("{}-0", &what[..what.len() - 1])),
                    };
                    assert!(all(queues, "queues") && all(streams, "streams"), "{text}");
                }
            }
        }
        let text = screen(&snapshot(100, 50, 9), "http://h", None, (80, 24)).join("\n");
        assert!(text.contains("of 100 queues") && text.contains("of 50 streams"), "{text}");
        assert!(text.contains("and 4 more: weir alarms ls"), "{text}");
        let text = screen(&snapshot(100, 50, 0), "http://h", Some(1), (80, 24)).join("\n");
        assert!(text.contains("1 of 100 queues") && text.contains("1 of 50 streams"), "{text}");
    }

    #[test]
    fn numbers_are_as_exact_as_a_glance_wants_them() {
        for (rate, expected) in [
            (None, "-"),
            (Some(0.0), "0/s"),
            (Some(0.04), "0.0/s"),
            (Some(9.94), "9.9/s"),
            (Some(11.6), "12/s"),
        ] {
            assert_eq!(a_second(rate), expected);
        }
        for (size, expected) in
            [(0.0, "0B"), (1023.0, "1023B"), (1536.0, "1.5KiB"), (3e12, "2.7TiB")]
        {
            assert_eq!(bytes(size), expected);
        }
        for (time, expected) in [(0.0, "0"), (0.5, "<1s"), (59.9, "59s"), (7_300.0, "2h")] {
            assert_eq!(seconds(time), expected);
        }
    }
}
