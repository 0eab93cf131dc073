//! Tables for people, without lines between: what those of queues and streams share.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;
use stdx::format_duration;

/// One thing, a line for each property and count.
pub fn fields(view: &impl serde::Serialize) -> String {
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
    trimmed(&table)
}

/// An account: each message that came is in one of the terms.
pub fn ledger(came: (&str, u64), terms: &[(&str, u64)], balances: bool) -> String {
    let mut table = plain_table();
    table.add_row([came.0.to_owned(), came.1.to_string()]);
    for (at, (name, count)) in terms.iter().enumerate() {
        let sign = if at == 0 { "=" } else { "+" };
        table.add_row([format!("{sign} {name}"), count.to_string()]);
    }
    align_right(&mut table, 1..2);
    let verdict = match balances {
        true => "balances",
        false => "DOES NOT BALANCE: a fault of the broker, please report it with these numbers",
    };
    format!("{}\n{verdict}", trimmed(&table))
}

/// What something is bound to, beside its name.
pub fn bound_to(name: &str, topic_filter: Option<&str>) -> String {
    match topic_filter {
        Some(filter) if filter == name => "(its name)".to_owned(),
        Some(filter) => filter.to_owned(),
        None => "-".to_owned(),
    }
}

/// Whether it delivers.
pub const fn state(paused: bool) -> &'static str {
    if paused { "paused" } else { "running" }
}

/// Sets the numbers of those columns below each other.
pub fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in table.column_iter_mut().skip(columns.start).take(columns.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A table without lines.
pub fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Without the spaces at line ends, which make a mess of copied text.
pub fn trimmed(table: &Table) -> String {
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
pub fn age(milliseconds: u64) -> String {
    let units = [86_400_000, 3_600_000, 60_000, 1_000, 1];
    let unit = units.into_iter().find(|unit| milliseconds >= *unit).unwrap_or(1);
    format_duration(Duration::from_millis(milliseconds / unit * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_says_whether_it_balances() {
        let terms = [("kept", 10), ("purged", 2)];
        let said = ledger(("appended", 12), &terms, true);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<Vec<String>> = said.lines().map(words).collect();
        assert_eq!(lines[0], ["appended", "12"]);
        assert_eq!(lines[1], ["=", "kept", "10"]);
        assert_eq!(lines[2], ["+", "purged", "2"]);
        assert_eq!(lines[3], ["balances"]);
        let lost = ledger(("appended", 13), &terms, false);
        assert!(lost.ends_with("please report it with these numbers"));
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
}
