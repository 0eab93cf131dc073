//! Queues as tables for people.

use std::time::Duration;

use admin_api::{ConsumerView, LedgerView, QueueView};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;
use stdx::{ByteSize, format_duration};

/// All queues, a line each.
pub fn queues(views: &[QueueView]) -> String {
    if views.is_empty() {
        return "no queues yet; subscribe to '$q/<filter>' or run `weir queue create`".to_owned();
    }
    let mut table = plain_table();
    table.set_header([
        "QUEUE",
        "BOUND TO",
        "READY",
        "IN FLIGHT",
        "DELAYED",
        "CONSUMERS",
        "OLDEST",
        "BYTES",
        "STATE",
    ]);
    for view in views {
        let stats = &view.stats;
        let bound_to = match view.topic_filter.as_deref() {
            Some(filter) if filter == view.name => "(its name)",
            Some(filter) => filter,
            None => "-",
        };
        table.add_row([
            view.name.clone(),
            bound_to.to_owned(),
            stats.ready.to_string(),
            stats.in_flight.to_string(),
            stats.delayed.to_string(),
            stats.consumers.to_string(),
            age(stats.oldest_age_ms),
            ByteSize(stats.bytes).to_string(),
            if view.properties.paused { "paused" } else { "running" }.to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(2).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&table)
}

/// One queue, a line for each property and count.
pub fn queue(view: &QueueView) -> String {
    let json = serde_json::to_value(view).expect("a view is JSON");
    let mut table = plain_table();
    for (name, value) in json.as_object().into_iter().flatten() {
        match value {
            Value::Object(stats) => {
                for (name, value) in stats {
                    table.add_row([format!("stats.{name}"), text(value)]);
                }
            }
            value => drop(table.add_row([name.clone(), text(value)])),
        }
    }
    let ledger = LedgerView::new(view.name.clone(), &view.stats);
    format!("{}\n\n{}", trimmed(&table), self::ledger(&ledger))
}

/// A queue's account: each message that came is in one of the terms.
pub fn ledger(ledger: &LedgerView) -> String {
    let mut table = plain_table();
    table.add_row(["enqueued".to_owned(), ledger.enqueued.to_string()]);
    for (at, (name, count)) in ledger.terms().into_iter().enumerate() {
        let sign = if at == 0 { "=" } else { "+" };
        table.add_row([format!("{sign} {name}"), count.to_string()]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let verdict = match ledger.balances {
        true => "balances",
        false => "DOES NOT BALANCE: a fault of the broker, please report it with these numbers",
    };
    format!("{}\n{verdict}", trimmed(&table))
}

/// Who consumes a queue, a line each.
pub fn consumers(consumers: &[ConsumerView]) -> String {
    if consumers.is_empty() {
        return "no consumers".to_owned();
    }
    let mut table = plain_table();
    table.set_header(["CLIENT", "ADDRESS", "QOS", "IN FLIGHT", "CREDIT", "SINCE", "STATE"]);
    for consumer in consumers {
        table.add_row([
            consumer.client_id.clone(),
            consumer.address.clone(),
            consumer.qos.to_string(),
            consumer.in_flight.to_string(),
            consumer.credit.to_string(),
            consumer.since.to_string(),
            if consumer.resting { "resting" } else { "active" }.to_owned(),
        ]);
    }
    trimmed(&table)
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Without the spaces at line ends, which make a mess of copied text.
fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// An age in its largest unit, which is as exact as a glance wants it.
fn age(milliseconds: u64) -> String {
    let units = [86_400_000, 3_600_000, 60_000, 1_000, 1];
    let unit = units.into_iter().find(|unit| milliseconds >= *unit).unwrap_or(1);
    format_duration(Duration::from_millis(milliseconds / unit * unit))
}

#[cfg(test)]
mod tests {
    use admin_api::{QueueProperties, QueueStats};

    use super::*;

    fn view(name: &str, topic_filter: Option<&str>) -> QueueView {
        QueueView {
            name: name.to_owned(),
            topic_filter: topic_filter.map(str::to_owned),
            properties: QueueProperties {
                paused: topic_filter.is_none(),
                ..QueueProperties::default()
            },
            stats: QueueStats {
                ready: 12,
                oldest_age_ms: 61_234,
                bytes: 2_048,
                ..QueueStats::default()
            },
        }
    }

    #[test]
    fn a_list_has_a_line_for_each_queue() {
        let views = [view("sensor/+/data", Some("sensor/+/data")), view("billing", None)];
        let words: Vec<Vec<String>> = queues(&views)
            .lines()
            .map(|line| {
                line.split("  ")
                    .map(str::trim)
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .collect();
        assert_eq!(
            words[1],
            ["sensor/+/data", "(its name)", "12", "0", "0", "0", "1m", "2KiB", "running"]
        );
        assert_eq!(words[2], ["billing", "-", "12", "0", "0", "0", "1m", "2KiB", "paused"]);
        assert_eq!(words.len(), 3);
        assert!(queues(&[]).contains("weir queue create"));
    }

    #[test]
    fn a_ledger_says_whether_it_balances() {
        let stats = QueueStats { enqueued: 12, ready: 10, purged: 2, ..QueueStats::default() };
        let sound = LedgerView::new("jobs".to_owned(), &stats);
        let said = ledger(&sound);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<Vec<String>> = said.lines().map(words).collect();
        assert_eq!(lines[0], ["enqueued", "12"]);
        assert_eq!(lines[1], ["=", "settled", "0"]);
        assert_eq!(lines[9], ["+", "purged", "2"]);
        assert_eq!(lines[10], ["balances"]);
        let lost = LedgerView::new("jobs".to_owned(), &QueueStats { ready: 9, ..stats });
        assert!(ledger(&lost).ends_with("please report it with these numbers"));
    }

    #[test]
    fn consumers_have_a_line_each() {
        let one = ConsumerView {
            client_id: "c".to_owned(),
            address: "$queue/jobs".to_owned(),
            qos: 1,
            in_flight: 2,
            credit: 30,
            resting: true,
            since: admin_api::Timestamp::default(),
        };
        let said = consumers(&[one]);
        assert_eq!(said.lines().count(), 2);
        assert!(said.contains("resting") && said.contains("$queue/jobs"), "{said}");
        assert_eq!(consumers(&[]), "no consumers");
    }

    #[test]
    fn ages_are_as_exact_as_a_glance_wants_them() {
        for (milliseconds, expected) in [
            (0, "0"),
            (7, "7ms"),
            (1_999, "1s"),
            (3_599_999, "59m"),
            (86_399_999, "23h"),
            (180_000_000, "2d"),
        ] {
            assert_eq!(age(milliseconds), expected, "{milliseconds}");
        }
    }

    #[test]
    fn one_queue_shows_every_property_and_count() {
        let text = queue(&view("billing", Some("orders/#")));
        for (name, value) in [
            ("name", "billing"),
            ("topic_filter", "orders/#"),
            ("ack_timeout", "5m"),
            ("stats.ready", "12"),
        ] {
            let found = text
                .lines()
                .any(|line| line.split_whitespace().collect::<Vec<_>>() == [name, value]);
            assert!(found, "{name} {value} is missing in\n{text}");
        }
    }
}
