//! Queues as tables for people.

use admin_api::{ConsumerView, QueueView};
use stdx::ByteSize;

use crate::commands::table::{age, align_right, bound_to, plain_table, state, trimmed};

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
        table.add_row([
            view.name.clone(),
            bound_to(&view.name, view.topic_filter.as_deref()),
            stats.ready.to_string(),
            stats.in_flight.to_string(),
            stats.delayed.to_string(),
            stats.consumers.to_string(),
            age(stats.oldest_age_ms),
            ByteSize(stats.bytes).to_string(),
            state(view.properties.paused).to_owned(),
        ]);
    }
    align_right(&mut table, 2..8);
    trimmed(&table)
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

#[cfg(test)]
mod tests {
    use admin_api::{QueueProperties, QueueStats};

    use super::*;
    use crate::commands::table::fields;

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
    fn one_queue_shows_every_property_and_count() {
        let text = fields(&view("billing", Some("orders/#")));
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
